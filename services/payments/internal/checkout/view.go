package checkout

import (
	"context"
	_ "embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

//go:embed page.html
var source string

// partHeader asks for a part of the page.
const partHeader = "Baixa-Part"

// view is what the template shows.
type view struct {
	Title   string
	Words   words
	Kind    kind
	Mark    string // "ok", "wait", "pix" or "off"; empty: none
	Nonce   string
	Product string
	Amount  string
	Seller  string
	Code    string // copia-e-cola; empty: none to show
	QR      *QR
	Left    int // seconds until the code ends; 0: not known
	LeftHas bool
	Ends    string // the same for machines
	Link    template.URL
	Legal   string
	Live    bool   // the page waits for a change
	Since   string // the version that is shown
	Refresh int    // seconds after which the page asks again without being told; 0: never
}

// show renders a sale.
func (h *Handler) show(ctx context.Context, w http.ResponseWriter, r *http.Request, lang visitor.Language, sale *store.Checkout) {
	now := h.Now()
	v := &view{Product: sale.ProductName, Amount: sale.Amount.String(), Seller: sale.Seller, Legal: legal(lang, h.Title(sale.Provider)),
		Since: version(store.Shown{State: sale.State, HasCode: sale.Charge.CopyPaste != "", QRExpiresAt: sale.QRExpiresAt})}
	v.Kind = kindOf(sale, now)
	v.Live = waits(sale.State) || sale.State == payment.NeedsReview || sale.State == payment.Disputed
	if v.Live {
		v.Refresh = 10 // of a page without JavaScript
	}
	switch v.Kind {
	case pagePaid:
		link, err := h.Link(ctx, sale.Sale)
		if err != nil {
			slog.WarnContext(ctx, "delivery link not shown yet", slog.String("payment_id", sale.ID.String()), slog.Any("error", err))
			v.Kind, v.Live, v.Refresh = pagePreparing, false, 3
			break
		}
		if u, err := url.Parse(link); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			v.Link = template.URL(link)
		}
	case pagePending:
		v.Code = sale.Charge.CopyPaste
		qr, err := newQR(v.Code)
		if err != nil { // the text can be paid all the same
			slog.WarnContext(ctx, "QR code not drawn", slog.String("payment_id", sale.ID.String()), slog.Any("error", err))
		} else {
			v.QR = &qr
		}
		if end := sale.QRExpiresAt; end != nil {
			v.LeftHas, v.Left, v.Ends = true, int((end.Sub(now)+time.Second-1)/time.Second), end.UTC().Format(time.RFC3339)
			v.Refresh = min(v.Refresh, max(1, v.Left))
		}
	}
	v.Mark = marks[v.Kind]
	v.Words = say(lang, v.Kind)
	v.Words.Left = left(lang, v.Left)
	h.write(w, r, http.StatusOK, v)
}

// kindOf is the page of a sale. A code whose time is over by the clock is shown as over, whoever notices it later.
func kindOf(s *store.Checkout, now time.Time) kind {
	switch s.State {
	case payment.Pending:
		switch {
		case s.QRExpiresAt != nil && !now.Before(*s.QRExpiresAt):
			return pageExpired
		case s.Charge.CopyPaste == "":
			return pageMaking
		}
		return pagePending
	case payment.Paid:
		if s.DeliveredElsewhere {
			return pageElsewhere
		}
		return pagePaid
	case payment.Expired:
		return pageExpired
	case payment.Failed:
		return pageFailed
	case payment.Cancelled:
		return pageCancelled
	case payment.NeedsReview:
		return pageReview
	case payment.Disputed:
		return pageDisputed
	}
	return pageReturned // refunded or charged back
}

// version changes when the page of a sale must be read again.
func version(s store.Shown) string {
	out := s.State.String()
	if waits(s.State) {
		if s.HasCode {
			out += ".code"
		}
		if s.QRExpiresAt != nil {
			out += "." + strconv.FormatInt(s.QRExpiresAt.Unix(), 36)
		}
	}
	return out
}

// plain shows a page that says nothing about any sale.
func (h *Handler) plain(w http.ResponseWriter, r *http.Request, lang visitor.Language, k kind, status int) {
	v := &view{Words: say(lang, k), Kind: k, Mark: marks[k]}
	if k == pageUnavailable {
		v.Refresh = 5
	}
	h.write(w, r, status, v)
}

// write lets the page load exactly what it has: its own style and script by nonce, and its own stream.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, v *view) {
	v.Nonce = visitor.Nonce()
	v.Title = v.Words.Heading
	if v.Amount != "" {
		v.Title += " · " + v.Amount
	}
	part := "page"
	if r.Header.Get(partHeader) == "main" { // an open page that reads itself again: it has the style and the script
		part = "main"
	}
	p := visitor.Page{Language: v.Words.Lang, Nonce: v.Nonce, Vary: "User-Agent, " + partHeader, Secure: h.Secure}
	if v.Live || v.Refresh > 0 {
		p.Script, p.Connect = "'nonce-"+v.Nonce+"'", "'self'"
	}
	if v.Kind == pagePreview {
		p.Form = "'self'"
	}
	if err := p.Serve(w, r, status, h.page.Lookup(part), v); err != nil {
		slog.ErrorContext(r.Context(), "checkout page not rendered", slog.Any("error", err))
	}
}

package page

import (
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

//go:embed page.html
var source string

// view is what the template shows.
type view struct {
	Words     words
	Kind      kind
	Nonce     string
	Refresh   int // seconds; 0 means not
	Product   string
	Amount    string
	Code      string
	AccessURL template.URL
	File      string // address of the click
	Rules     []string
	Contact   string
	Pixel     *pixel
}

// pixel is what the browser reports. Purchase is false for visits long after the first.
type pixel struct {
	ID          string
	User        map[string]string
	Script      string
	Purchase    bool
	Value       template.JS // digits and a point
	ContentName string
	OrderID     string
	EventID     string
}

// closedKinds are the pages of links that are not active. Gone rather than forbidden: it is not the visitor's fault.
var closedKinds = map[store.State]kind{store.Revoked: pageRevoked, store.Expired: pageExpired, store.UsedUp: pageUsedUp, store.OtherDevice: pageOtherDevice}

// closed shows a link that gives nothing to whoever asks.
func (h *Handler) closed(w http.ResponseWriter, r *http.Request, lang visitor.Language, state store.State, product string, amount money.Amount, p sale.PaymentID) {
	status := http.StatusGone
	if state == store.OtherDevice {
		status = http.StatusForbidden
	}
	k := closedKinds[state]
	h.write(w, r, status, &view{Words: say(lang, k), Kind: k, Product: product, Amount: amount.String(), Code: p.String()})
}

// opened shows a link that exists.
func (h *Handler) opened(w http.ResponseWriter, r *http.Request, lang visitor.Language, t token.Token, device string, o *store.Opened) {
	if o.State != store.Active {
		h.closed(w, r, lang, o.State, o.ProductName, o.Amount, o.Payment)
		return
	}
	v := &view{
		Words: say(lang, pageActive), Kind: pageActive, Product: o.ProductName, Amount: o.Amount.String(), Code: o.Payment.String(),
		AccessURL: template.URL(o.AccessURL), // its scheme was checked when the link was issued
		Contact:   o.ContactText,
	}
	v.Rules = v.Words.rules(o)
	if o.FileURL != "" && o.FileKey {
		v.File = h.cookies.path + "file/" + t.File().Text()
	}
	if o.Bound {
		h.cookies.bind(w, device)
	}
	if o.PixelID != "" {
		v.Pixel = &pixel{
			ID: o.PixelID, User: map[string]string{}, Script: h.cfg.PixelScript,
			Purchase: o.EventID != "" && o.Now.Sub(o.PurchaseAt) < purchaseWindow,
			Value:    template.JS(o.Amount.Reais()), ContentName: o.ProductName, OrderID: o.Payment.String(), EventID: o.EventID,
		}
		if o.ExternalID != "" {
			v.Pixel.User["external_id"] = o.ExternalID
		}
		h.cookies.keep(w, r, t, o)
	}
	h.write(w, r, http.StatusOK, v)
}

// plain shows a page that says nothing about any sale.
func (h *Handler) plain(w http.ResponseWriter, r *http.Request, lang visitor.Language, k kind, status int) {
	v := &view{Words: say(lang, k), Kind: k}
	if k == pageUnavailable {
		v.Refresh = 5
	}
	h.write(w, r, status, v)
}

// write lets the page load exactly what it has: its own style and script by nonce, and the pixel's hosts when there is a pixel.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, v *view) {
	v.Nonce = visitor.Nonce()
	p := visitor.Page{Language: v.Words.Lang, Nonce: v.Nonce, Vary: "User-Agent", Secure: h.base.Scheme == "https"}
	if v.Pixel != nil {
		const meta = " https://www.facebook.com https://connect.facebook.net"
		p.Script = "'nonce-" + v.Nonce + "' " + h.pixel
		p.Pictures, p.Connect, p.Form = h.pixel+meta, h.pixel+meta, "https://www.facebook.com"
	}
	if v.Kind == pagePreview {
		p.Form = "'self'"
	}
	if err := p.Serve(w, r, status, h.page, v); err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "delivery page not rendered", slog.Any("error", err))
	}
}

// cookies are set on pages with a pixel, and for links that belong to a device.
type cookies struct {
	path   string
	secure bool
}

const (
	tokenCookie  = "baixa_delivery"
	deviceCookie = "baixa_device"
)

// device is what the browser's cookie says, or something new that nobody else knows.
func (c cookies) device(r *http.Request) (text string, hash store.Device) {
	text = cookie(r, deviceCookie)
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(text); err != nil || len(raw) != 32 {
		var fresh [32]byte
		_, _ = rand.Read(fresh[:]) // never fails: it stops the program instead
		text = base64.RawURLEncoding.EncodeToString(fresh[:])
	}
	return text, sha256.Sum256([]byte(text))
}

// bind has the browser keep what makes it the link's device.
func (c cookies) bind(w http.ResponseWriter, device string) {
	http.SetCookie(w, &http.Cookie{
		Name: deviceCookie, Value: device, Path: c.path, MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	})
}

// keep sets what a page with a pixel needs: the token, so that the address that lost it can be loaded again, out of scripts'
// reach; and Meta's own cookies as captured with the click, so that browser and server report the same.
func (c cookies) keep(w http.ResponseWriter, r *http.Request, t token.Token, o *store.Opened) {
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: t.Text(), Path: c.path, MaxAge: int((30 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	})
	for name, value := range map[string]string{"_fbp": o.FBP, "_fbc": o.FBC} {
		if value == "" || cookie(r, name) != "" {
			continue
		}
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: c.path, MaxAge: int((90 * 24 * time.Hour).Seconds()),
			Secure: c.secure, SameSite: http.SameSiteLaxMode,
		})
	}
}

func (c cookies) token(r *http.Request) string { return cookie(r, tokenCookie) }

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func clip(s string) string { return pg.Clip(s, 512) }

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

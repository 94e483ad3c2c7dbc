package page

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/file"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// ServeFile answers /delivery/file/{ticket}: a click on the page's button. It changes nothing.
func (h *Handler) ServeFile(w http.ResponseWriter, r *http.Request) {
	lang := visitor.LanguageOf(r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		h.plain(w, r, lang, pageMethod, http.StatusMethodNotAllowed)
	case visitor.IsMachine(r):
		h.plain(w, r, lang, pageNoFile, http.StatusOK)
	default:
		h.click(w, r, lang)
	}
}

// click redirects to the merchant's file, signed and for a short time.
func (h *Handler) click(w http.ResponseWriter, r *http.Request, lang visitor.Language) {
	a, ok := h.admit(w, r, lang, "delivery file", r.PathValue("ticket"))
	if !ok {
		return
	}
	defer a.done()
	_, device := h.cookies.device(r)
	f, err := h.cfg.Opener.Click(a.ctx, a.secret.Hash(), device)
	if err != nil {
		h.fail(w, r, lang, a, err)
		return
	}
	a.found(f.Traceparent, string(f.State), f.Payment)
	if f.State != store.Active {
		h.closed(w, r, lang, f.State, f.ProductName, f.Amount, f.Payment)
		return
	}
	address, err := h.sign(f)
	if err != nil {
		h.cfg.Log.ErrorContext(a.ctx, "file not signed", slog.String("payment_id", f.Payment.String()), slog.Any("error", err))
		h.refuse(w, r, lang, a, pageNoFile, http.StatusNotFound)
		return
	}
	visitor.Secret(w.Header(), h.base.Scheme == "https")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

func (h *Handler) sign(f store.File) (string, error) {
	if f.KeyOf.KeyID == "" || h.cfg.OpenSecret == nil {
		return "", errors.New("the merchant has no file key")
	}
	secret, err := h.cfg.OpenSecret(f.KeyOf)
	if err != nil {
		return "", err
	}
	return file.Sign(f.URL, f.KeyOf.KeyID, secret, f.Now.Add(time.Duration(f.KeyOf.Lifetime)*time.Second))
}

package click

import (
	"bytes"
	_ "embed"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/baixapay/baixa/internal/visitor"
)

//go:embed page.html
var source string

type view struct{ Lang, Nonce, Heading, Text string }

// refuse answers with a page for people: what is no link, or not to be had now.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int) {
	v := view{Lang: "pt-BR", Nonce: visitor.Nonce(), Heading: "Link não encontrado", Text: "Confira se o endereço está completo ou procure o vendedor no Telegram."}
	english := visitor.English(r.Header.Get("Accept-Language"))
	if english {
		v.Lang, v.Heading, v.Text = "en", "Link not found", "Check that the address is complete, or look for the seller on Telegram."
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		v.Heading, v.Text = "Voltamos em instantes", "Aguarde alguns segundos e abra o link de novo."
		if english {
			v.Heading, v.Text = "Back in a moment", "Please wait some seconds, then open the link again."
		}
	case http.StatusMethodNotAllowed:
		v.Heading, v.Text = "Pedido não aceito", "Abra o link no navegador."
		if english {
			v.Heading, v.Text = "Request not accepted", "Open the link in a browser."
		}
	}
	var body bytes.Buffer
	if err := h.page.Execute(&body, v); err != nil {
		slog.ErrorContext(r.Context(), "click page not rendered", slog.Any("error", err))
		http.Error(w, v.Heading, status)
		return
	}
	headers(w.Header())
	to := w.Header()
	to.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+v.Nonce+"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	to.Set("Content-Type", "text/html; charset=utf-8")
	to.Set("Content-Language", v.Lang)
	to.Set("Vary", "Accept-Language")
	to.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // the visitor may be gone
	}
}

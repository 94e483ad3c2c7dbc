package click

import (
	_ "embed"
	"log/slog"
	"net/http"

	"github.com/baixapay/baixa/internal/visitor"
)

//go:embed page.html
var source string

type view struct {
	Lang                 visitor.Language
	Nonce, Heading, Text string
}

// refuse answers with a page for people: what is no link, or not to be had now.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, status int) {
	v := view{Lang: visitor.LanguageOf(r), Nonce: visitor.Nonce()}
	pt, en := [2]string{"Link não encontrado", "Confira se o endereço está completo ou procure o vendedor no Telegram."},
		[2]string{"Link not found", "Check that the address is complete, or look for the seller on Telegram."}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		pt = [2]string{"Voltamos em instantes", "Aguarde alguns segundos e abra o link de novo."}
		en = [2]string{"Back in a moment", "Please wait some seconds, then open the link again."}
	case http.StatusMethodNotAllowed:
		pt = [2]string{"Pedido não aceito", "Abra o link no navegador."}
		en = [2]string{"Request not accepted", "Open the link in a browser."}
	}
	if v.Lang == visitor.English {
		pt = en
	}
	v.Heading, v.Text = pt[0], pt[1]
	if err := (visitor.Page{Language: v.Lang, Nonce: v.Nonce, Secure: h.secure()}).Serve(w, r, status, h.page, v); err != nil {
		slog.ErrorContext(r.Context(), "click page not rendered", slog.Any("error", err))
	}
}

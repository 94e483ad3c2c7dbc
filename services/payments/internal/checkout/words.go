package checkout

import (
	"fmt"

	"github.com/baixapay/baixa/internal/visitor"
)

// kind names what a page says.
type kind string

const (
	pagePending     kind = "pending"
	pageMaking      kind = "making" // the charge is not there yet
	pagePaid        kind = "paid"
	pagePreparing   kind = "preparing" // paid, and the link is not there yet
	pageElsewhere   kind = "elsewhere" // paid and delivered by another system
	pageExpired     kind = "expired"
	pageFailed      kind = "failed"
	pageCancelled   kind = "cancelled"
	pageReview      kind = "review"
	pageDisputed    kind = "disputed"
	pageReturned    kind = "returned"
	pageUnknown     kind = "unknown"
	pageTooMany     kind = "too_many"
	pageUnavailable kind = "unavailable"
	pagePreview     kind = "preview"
	pageMethod      kind = "method"
)

// marks are the signs over the headings; a page that shows a code has none.
var marks = map[kind]string{pageMaking: "wait", pagePaid: "ok", pagePreparing: "ok", pageElsewhere: "ok", pageExpired: "off", pageFailed: "off",
	pageCancelled: "off", pageReview: "wait", pageDisputed: "off", pageReturned: "off", pageUnknown: "off", pageTooMany: "off",
	pageUnavailable: "wait", pagePreview: "pix", pageMethod: "off"}

type said struct{ heading, text string }

var spoken = map[visitor.Language]map[kind]said{
	visitor.Portuguese: {
		pagePending:     {"Pague com Pix", "Copie o código, abra o app do seu banco e escolha Pix copia e cola."},
		pageMaking:      {"Gerando o seu Pix", "O código está sendo criado pelo processador de pagamentos. Costuma levar alguns segundos: esta página mostra o código assim que ele chegar."},
		pagePaid:        {"Pagamento confirmado", "Obrigado! O seu acesso está pronto."},
		pagePreparing:   {"Pagamento confirmado", "Recebemos o seu pagamento e estamos preparando o seu acesso. Ele aparece aqui em instantes."},
		pageElsewhere:   {"Pagamento confirmado", "O vendedor já entregou o seu acesso. Procure a mensagem no Telegram."},
		pageExpired:     {"O prazo deste código terminou", "Não pague mais com ele: peça um novo Pix no Telegram. Se você já pagou, fique tranquilo: o pagamento conta mesmo depois do prazo e esta página muda sozinha quando ele for confirmado."},
		pageFailed:      {"Este Pix não foi concluído", "O processador de pagamentos recusou esta cobrança. Peça um novo Pix no Telegram. Se você já pagou, o pagamento conta mesmo assim: esta página muda sozinha quando ele for confirmado."},
		pageCancelled:   {"Este Pix foi cancelado", "Peça um novo no Telegram. Se você já pagou, o pagamento conta mesmo assim: esta página muda sozinha quando ele for confirmado."},
		pageReview:      {"Pagamento em conferência", "Recebemos uma informação sobre o seu pagamento que precisa ser conferida por uma pessoa, por exemplo um valor diferente. Não pague de novo: o vendedor foi avisado e esta página mostra o resultado."},
		pageDisputed:    {"Pagamento em contestação", "Este pagamento foi contestado junto ao banco e o acesso está suspenso até a decisão. Se você acha que é um engano, fale com o vendedor pelo Telegram."},
		pageReturned:    {"Pagamento devolvido", "O valor desta compra foi devolvido, por isso o acesso foi encerrado. Se você acha que é um engano, fale com o vendedor pelo Telegram."},
		pageUnknown:     {"Página não encontrada", "Confira se o endereço está completo: o melhor é tocar no link que você recebeu no Telegram."},
		pageTooMany:     {"Muitas tentativas", "Aguarde um pouco e abra de novo o link que você recebeu no Telegram."},
		pageUnavailable: {"Voltamos em instantes", "O seu pagamento está seguro. Esta página tenta de novo sozinha em alguns segundos."},
		pagePreview:     {"Pagamento com Pix", "Toque para ver o código e pagar."},
		pageMethod:      {"Pedido não aceito", "Abra o link que você recebeu no Telegram."},
	},
	visitor.English: {
		pagePending:     {"Pay with Pix", "Copy the code, open your bank's app and choose Pix copy and paste."},
		pageMaking:      {"Making your Pix", "The payment processor is making the code. It usually takes a few seconds: this page shows it as soon as it is there."},
		pagePaid:        {"Payment confirmed", "Thank you! Your access is ready."},
		pagePreparing:   {"Payment confirmed", "We have your payment and are preparing your access. It appears here in a moment."},
		pageElsewhere:   {"Payment confirmed", "The seller has given you your access already. Look for the message on Telegram."},
		pageExpired:     {"The time of this code is over", "Do not pay with it any more: ask for a new Pix on Telegram. If you have paid already, do not worry: the payment counts after the time as well, and this page changes by itself when it is confirmed."},
		pageFailed:      {"This Pix was not completed", "The payment processor refused this charge. Ask for a new Pix on Telegram. If you have paid already, the payment counts all the same: this page changes by itself when it is confirmed."},
		pageCancelled:   {"This Pix was cancelled", "Ask for a new one on Telegram. If you have paid already, the payment counts all the same: this page changes by itself when it is confirmed."},
		pageReview:      {"Payment under review", "We were told something about your payment that a person must check, another amount for example. Do not pay again: the seller knows, and this page shows the result."},
		pageDisputed:    {"Payment under dispute", "This payment was disputed with the bank, and the access is suspended until that is decided. If you think this is a mistake, talk to the seller on Telegram."},
		pageReturned:    {"Payment returned", "The money of this purchase was returned, so the access was closed. If you think this is a mistake, talk to the seller on Telegram."},
		pageUnknown:     {"Page not found", "Check that the address is complete: it is best to tap the link that you received on Telegram."},
		pageTooMany:     {"Too many attempts", "Please wait a moment, then open the link that you received on Telegram again."},
		pageUnavailable: {"Back in a moment", "Your payment is safe. This page tries again by itself in a few seconds."},
		pagePreview:     {"Payment with Pix", "Tap to see the code and pay."},
		pageMethod:      {"Request not accepted", "Open the link that you received on Telegram."},
	},
}

// words are a page's texts in one language.
type words struct {
	Lang                                               visitor.Language
	Heading, Text                                      string
	Product, Amount, SoldBy                            string // labels
	Copy, Copied, CodeLabel, CodeHint, Scan, QRLabel   string
	Waiting, LeftLabel, Left, OpenAccess, Keep, OpenIt string
}

// say returns the texts of a page.
func say(l visitor.Language, k kind) words {
	s := spoken[l][k]
	w := words{Lang: l, Heading: s.heading, Text: s.text, Product: "Produto", Amount: "Valor", SoldBy: "Vendido por", Copy: "Copiar código Pix",
		Copied: "Código copiado", CodeLabel: "Pix copia e cola", CodeHint: "Toque no código para selecionar tudo e copie.",
		Scan: "Escaneie com o app do banco", QRLabel: "QR code do Pix com o mesmo código", Waiting: "Aguardando o pagamento",
		LeftLabel: "Expira em", OpenAccess: "Acessar agora", Keep: "Este link é só seu: não o compartilhe.", OpenIt: "Abrir"}
	if l == visitor.English {
		w.Product, w.Amount, w.SoldBy, w.Copy, w.Copied = "Product", "Amount", "Sold by", "Copy Pix code", "Code copied"
		w.CodeLabel, w.CodeHint = "Pix copy and paste", "Tap the code to select all of it, then copy."
		w.Scan, w.QRLabel, w.Waiting = "Scan it with your bank's app", "QR code of the Pix with the same code", "Waiting for the payment"
		w.LeftLabel, w.OpenAccess, w.Keep, w.OpenIt = "Expires in", "Get access", "This link is yours alone: do not share it.", "Open"
	}
	return w
}

// left is a time in words that the page's script writes as well.
func left(l visitor.Language, seconds int) string {
	days := seconds / 86400
	switch {
	case days > 1 && l == visitor.English:
		return fmt.Sprintf("%d days", days)
	case days > 1:
		return fmt.Sprintf("%d dias", days)
	case seconds >= 3600:
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// legal says what the provider does and what it does not. PushinPay's terms (4.10) require of sellers that buyers are told so, and
// no provider of ours does more.
func legal(l visitor.Language, provider string) string {
	if l == visitor.English {
		return provider + " only processes this payment. The product, its content and its delivery are the seller's responsibility."
	}
	return provider + " apenas processa este pagamento. O produto, o conteúdo e a entrega são de responsabilidade do vendedor."
}

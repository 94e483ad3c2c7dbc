package page

import (
	"strconv"
	"time"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// words are a page's texts in one language.
type words struct {
	Lang     visitor.Language
	Title    string // of the document
	Heading  string
	Text     string
	Product  string // labels
	Amount   string
	Code     string // of the purchase, for whoever talks to the seller
	Open     string // the access button
	Download string // the file button
	Contact  string // heading over the contact text
	NoAccess string // when there is neither access nor contact text
	Keep     string // small print under the button
	Once     string // rules of the link: for this device alone, until when, how often
	Until    string // with the time behind it
	Left     func(int32) string
	Preview  string // the button of the preview page
}

// kind names what a page says.
type kind string

const (
	pageActive      kind = "active"
	pageRevoked     kind = "revoked"
	pageExpired     kind = "expired"
	pageUsedUp      kind = "used_up"
	pageOtherDevice kind = "other_device"
	pageUnknown     kind = "unknown"
	pageNoFile      kind = "no_file"
	pageTooMany     kind = "too_many"
	pageUnavailable kind = "unavailable"
	pagePreview     kind = "preview"
	pageMethod      kind = "method"
)

type said struct{ heading, text string }

var spoken = map[visitor.Language]map[kind]said{
	visitor.Portuguese: {
		pageActive:      {"Pagamento confirmado", "Obrigado! O seu acesso está pronto."},
		pageRevoked:     {"Este acesso foi encerrado", "O pagamento desta compra foi devolvido ou está em análise, por isso o acesso não está disponível. Se você acha que é um engano, fale com o vendedor pelo Telegram."},
		pageExpired:     {"Este link expirou", "O prazo deste link terminou. Peça um novo ao vendedor pelo Telegram."},
		pageUsedUp:      {"Este link já foi usado", "Este link atingiu o número de acessos permitido. Se não foi você, fale com o vendedor pelo Telegram."},
		pageOtherDevice: {"Este link é de outro aparelho", "Ele só abre no navegador em que foi aberto pela primeira vez. Abra-o lá ou peça um novo ao vendedor pelo Telegram."},
		pageUnknown:     {"Link não encontrado", "Confira se o endereço está completo: o melhor é tocar no link que você recebeu no Telegram."},
		pageNoFile:      {"Arquivo indisponível", "O arquivo não pode ser baixado agora. Volte à página da sua compra ou fale com o vendedor pelo Telegram."},
		pageTooMany:     {"Muitas tentativas", "Aguarde um pouco e abra de novo o link que você recebeu no Telegram."},
		pageUnavailable: {"Voltamos em instantes", "Seu acesso está guardado. Esta página tenta de novo sozinha em alguns segundos."},
		pagePreview:     {"Seu acesso", "Toque para abrir a sua entrega."},
		pageMethod:      {"Pedido não aceito", "Abra o link que você recebeu no Telegram."},
	},
	visitor.English: {
		pageActive:      {"Payment confirmed", "Thank you! Your access is ready."},
		pageRevoked:     {"This access was closed", "The payment of this purchase was returned or is under review, so the access is not available. If you think this is a mistake, talk to the seller on Telegram."},
		pageExpired:     {"This link has expired", "The time of this link is over. Ask the seller for a new one on Telegram."},
		pageUsedUp:      {"This link was used already", "This link has reached its number of visits. If it was not you, talk to the seller on Telegram."},
		pageOtherDevice: {"This link belongs to another device", "It opens only in the browser that opened it first. Open it there, or ask the seller for a new one on Telegram."},
		pageUnknown:     {"Link not found", "Check that the address is complete: it is best to tap the link that you received on Telegram."},
		pageNoFile:      {"File not available", "The file cannot be downloaded now. Go back to the page of your purchase, or talk to the seller on Telegram."},
		pageTooMany:     {"Too many attempts", "Please wait a moment, then open the link that you received on Telegram again."},
		pageUnavailable: {"Back in a moment", "Your access is safe. This page tries again by itself in a few seconds."},
		pagePreview:     {"Your access", "Tap to open your delivery."},
		pageMethod:      {"Request not accepted", "Open the link that you received on Telegram."},
	},
}

// say returns the texts of a page.
func say(l visitor.Language, k kind) words {
	s := spoken[l][k]
	w := words{
		Lang: l, Title: s.heading, Heading: s.heading, Text: s.text,
		Product: "Produto", Amount: "Valor pago", Code: "Código da compra", Open: "Acessar agora", Download: "Baixar arquivo", Contact: "Como receber",
		NoAccess: "O vendedor vai enviar o seu acesso pelo Telegram. Guarde esta página como comprovante.",
		Keep:     "Este link é só seu: não o compartilhe.", Once: "Abre somente neste aparelho.", Until: "Vale até", Preview: "Abrir",
		Left: func(n int32) string {
			switch n {
			case 0:
				return "Este foi o último acesso."
			case 1:
				return "Resta 1 acesso."
			}
			return "Restam " + strconv.Itoa(int(n)) + " acessos."
		},
	}
	if l == visitor.English {
		w.Product, w.Amount, w.Code, w.Open, w.Download, w.Contact = "Product", "Amount paid", "Purchase code", "Get access", "Download file", "How to get it"
		w.NoAccess = "The seller will send your access on Telegram. Keep this page as a receipt."
		w.Keep, w.Preview = "This link is yours alone: do not share it.", "Open"
		w.Once, w.Until = "It opens on this device only.", "Good until"
		w.Left = func(n int32) string {
			switch n {
			case 0:
				return "This was the last visit."
			case 1:
				return "1 visit is left."
			}
			return strconv.Itoa(int(n)) + " visits are left."
		}
	}
	return w
}

// brazil is where buyers are: three hours behind UTC, without daylight saving since 2019.
var brazil = time.FixedZone("America/Sao_Paulo", -3*60*60)

// rules say in words what a link's policy means for who has just opened it.
func (w *words) rules(o *store.Opened) (out []string) {
	if o.Bound {
		out = append(out, w.Once)
	}
	if o.ExpiresAt != nil {
		text := o.ExpiresAt.In(brazil).Format("02/01/2006 15:04")
		if w.Lang == visitor.English {
			text = o.ExpiresAt.In(brazil).Format("2 Jan 2006, 15:04") + " (UTC-3)"
		}
		out = append(out, w.Until+" "+text+".")
	}
	if o.OpensLeft >= 0 {
		out = append(out, w.Left(o.OpensLeft))
	}
	return out
}

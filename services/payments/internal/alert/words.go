package alert

import (
	"strings"
	"time"
	_ "time/tzdata" // merchants' zones, on machines that have none

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// listed is how many of a message's things are named one by one.
const listed = 10

// words of one kind: the title of one thing and of several, a line of one, and what to do.
type words struct {
	one, many, line, todo wording.Sentence
}

const (
	salePT = "{amount:money} · {product}[ · {buyer}][ · {id}]"
	saleEN = "{amount:money} · {product}[ · {buyer}][ · {id}]"
)

var texts = map[Kind]words{
	SalePaid: {
		one:  wording.Sentence{PT: "💰 Venda paga: {total:money}", EN: "💰 Sale paid: {total:money}"},
		many: wording.Sentence{PT: "💰 {n} vendas pagas: {total:money}", EN: "💰 {n} sales paid: {total:money}"},
		line: wording.Sentence{PT: salePT + "[ · {provider:provider}]", EN: saleEN + "[ · {provider:provider}]"},
	},
	NeedsReview: {
		one:  wording.Sentence{PT: "⚠️ Uma venda espera sua decisão: {total:money}", EN: "⚠️ A sale waits for your decision: {total:money}"},
		many: wording.Sentence{PT: "⚠️ {n} vendas esperam sua decisão: {total:money}", EN: "⚠️ {n} sales wait for your decision: {total:money}"},
		line: wording.Sentence{PT: salePT + ": {word:notice}", EN: saleEN + ": {word:notice}"},
		todo: wording.Sentence{PT: "Veja com `baixa explain {sample}` e decida com `baixa review`, ou no painel.",
			EN: "See `baixa explain {sample}` and decide with `baixa review`, or on your dashboard."},
	},
	MoneyBack: {
		one:  wording.Sentence{PT: "↩️ Dinheiro que voltou: {total:money}", EN: "↩️ Money that went back: {total:money}"},
		many: wording.Sentence{PT: "↩️ {n} vendas cujo dinheiro voltou: {total:money}", EN: "↩️ {n} sales whose money went back: {total:money}"},
		line: wording.Sentence{PT: salePT + ": {word:notice}", EN: saleEN + ": {word:notice}"},
		todo: wording.Sentence{PT: "O link de entrega foi fechado. Se o comprador já tinha o acesso, retire-o também no seu produto.",
			EN: "The delivery link was closed. If the buyer had the access already, withdraw it in your product as well."},
	},
	BuyerUnreachable: {
		one:  wording.Sentence{PT: "📵 Comprador pagou e não recebeu a mensagem: {total:money}", EN: "📵 A buyer paid and did not get the message: {total:money}"},
		many: wording.Sentence{PT: "📵 {n} compradores pagaram e não receberam a mensagem: {total:money}", EN: "📵 {n} buyers paid and did not get the message: {total:money}"},
		line: wording.Sentence{PT: salePT + "[: {reason:told}]", EN: saleEN + "[: {reason:told}]"},
		todo: wording.Sentence{PT: "Passe o link por outro meio: POST /v1/payments/{sample}:resend devolve o link. Todas: GET /v1/payments?stuck=true",
			EN: "Pass the link on in another way: POST /v1/payments/{sample}:resend returns it. All of them: GET /v1/payments?stuck=true"},
	},
	LinkUndeliverable: {
		one:  wording.Sentence{PT: "🔗 Venda paga sem acesso para o comprador: {total:money}", EN: "🔗 A paid sale without access for its buyer: {total:money}"},
		many: wording.Sentence{PT: "🔗 {n} vendas pagas sem acesso para o comprador: {total:money}", EN: "🔗 {n} paid sales without access for their buyers: {total:money}"},
		line: wording.Sentence{PT: salePT + "[: {reason:told}]", EN: saleEN + "[: {reason:told}]"},
		todo: wording.Sentence{PT: "Veja com `baixa explain {sample}` e passe o acesso ao comprador.", EN: "See `baixa explain {sample}` and pass the access on to the buyer."},
	},
	PurchaseFailed: {
		one:  wording.Sentence{PT: "📉 A Meta recusou um Purchase: {total:money}", EN: "📉 Meta refused a Purchase: {total:money}"},
		many: wording.Sentence{PT: "📉 A Meta recusou {n} Purchases: {total:money}", EN: "📉 Meta refused {n} Purchases: {total:money}"},
		line: wording.Sentence{PT: salePT + "[: {reason:purchase}]", EN: saleEN + "[: {reason:purchase}]"},
		todo: wording.Sentence{PT: "Confira o pixel e o token dele (POST /v1/pixels).", EN: "Check the pixel and its token (POST /v1/pixels)."},
	},
	WebhooksSilent: {
		one:  wording.Sentence{PT: "📪 Os webhooks de {provider:provider} pararam", EN: "📪 The webhooks of {provider:provider} have stopped"},
		many: wording.Sentence{PT: "📪 Webhooks que pararam", EN: "📪 Webhooks that have stopped"},
		line: wording.Sentence{PT: "{provider:provider}: as últimas {sales:sales} pagas vieram só pelas consultas", EN: "{provider:provider}: the last {sales:sales} that were paid came by looks alone"},
		todo: wording.Sentence{PT: "Nada se perde: as consultas ficaram mais frequentes e voltam ao normal sozinhas. Confira o endereço de webhooks no painel do provedor.",
			EN: "Nothing is lost: looks are more frequent now and relax by themselves. Check the webhook address in the provider's panel."},
	},
	ProviderSilent: {
		one:  wording.Sentence{PT: "🔕 {provider:provider} não responde", EN: "🔕 {provider:provider} does not answer"},
		many: wording.Sentence{PT: "🔕 Provedores que não respondem", EN: "🔕 Providers that do not answer"},
		line: wording.Sentence{PT: "{provider:provider}: {sales:sales} sem resposta, {amount:money} em jogo", EN: "{provider:provider}: {sales:sales} without an answer, {amount:money} at stake"},
		todo: wording.Sentence{PT: "Nada se perde: as consultas continuam, e o que foi pago é entregue quando ele voltar.",
			EN: "Nothing is lost: the looks go on, and what was paid is delivered when it is back."},
	},
	CredentialRefused: {
		one:  wording.Sentence{PT: "🔑 {provider:provider} recusa as credenciais", EN: "🔑 {provider:provider} refuses the credentials"},
		many: wording.Sentence{PT: "🔑 Credenciais recusadas", EN: "🔑 Credentials refused"},
		line: wording.Sentence{PT: "{provider:provider}: {sales:sales} sem conferência, {amount:money} em jogo", EN: "{provider:provider}: {sales:sales} that cannot be checked, {amount:money} at stake"},
		todo: wording.Sentence{PT: "Cadastre credenciais novas (POST /v1/accounts): as vendas se resolvem em seguida.",
			EN: "Put new credentials (POST /v1/accounts): the sales settle right after."},
	},
}

// everywhere is the line of a provider that notifies nobody.
var everywhere = wording.Sentence{PT: "{provider:provider}: os webhooks pararam de chegar, e não só os seus", EN: "{provider:provider}: webhooks have stopped coming, and not only yours"}

// turns are what things of a kind are called when their word says more than the kind; a title only when all in a message have that word.
var turns = map[payment.Kind]words{
	payment.MessageUnsure: {line: wording.Sentence{PT: salePT + ": pode ter chegado[, {reason:told}]; pergunte ao comprador", EN: saleEN + ": it may have arrived[, {reason:told}]; ask the buyer"}},
	payment.AccessMissing: {line: wording.Sentence{PT: salePT + "[: {reason:access}]", EN: saleEN + "[: {reason:access}]"}},
	payment.GroupLate:     {line: wording.Sentence{PT: salePT + ": o convite do grupo não ficou pronto a tempo[ ({reason:group})]", EN: saleEN + ": the group's invite was not ready in time[ ({reason:group})]"}},
	payment.GroupFailed: {
		one:  wording.Sentence{PT: "👥 O acesso de um comprador ao grupo precisa de você: {total:money}", EN: "👥 A buyer's access to the group needs you: {total:money}"},
		many: wording.Sentence{PT: "👥 {n} acessos a grupos precisam de você: {total:money}", EN: "👥 {n} accesses to groups need you: {total:money}"},
		line: wording.Sentence{PT: salePT + "[: {reason:group}]", EN: saleEN + "[: {reason:group}]"},
		todo: wording.Sentence{PT: "O que fazer: `baixa explain {sample}`. Depois o acesso continua sozinho.", EN: "What to do: `baixa explain {sample}`. The access then goes on by itself."},
	},
	payment.PixelPaused: {
		one:  wording.Sentence{PT: "⏸️ Pixel pausado: a Meta recusa o token dele", EN: "⏸️ A pixel is paused: Meta refuses its token"},
		many: wording.Sentence{PT: "⏸️ {n} pixels pausados: a Meta recusa os tokens deles", EN: "⏸️ {n} pixels are paused: Meta refuses their tokens"},
		line: wording.Sentence{PT: "bot {bot}[: {reason}]. Os Purchases esperam um token novo e nenhum se perde em 7 dias", EN: "bot {bot}[: {reason}]. Purchases wait for a new token, and none is lost within 7 days"},
		todo: wording.Sentence{PT: "Cadastre um token novo do pixel (POST /v1/pixels): o que espera é enviado em seguida.", EN: "Put a new token of the pixel (POST /v1/pixels): what waits is sent right after."},
	},
	payment.PixelMissing: {
		one:  wording.Sentence{PT: "📉 Um bot vende sem pixel: a Meta não fica sabendo das vendas", EN: "📉 A bot sells without a pixel: Meta does not learn of its sales"},
		many: wording.Sentence{PT: "📉 {n} bots vendem sem pixel: a Meta não fica sabendo das vendas", EN: "📉 {n} bots sell without a pixel: Meta does not learn of their sales"},
		line: wording.Sentence{PT: "bot {bot}, na venda " + salePT, EN: "bot {bot}, at the sale " + saleEN},
		todo: wording.Sentence{PT: "Se quer os Purchases, cadastre o pixel (POST /v1/pixels). É dito uma vez por bot.", EN: "If you want Purchases, put the pixel (POST /v1/pixels). It is told once a bot."},
	},
}

// wordsOf are a kind's, or those of the word that all of the items have.
func wordsOf(k Kind, items []Item) words {
	for _, i := range items {
		if i.Word != items[0].Word {
			return texts[k]
		}
	}
	if w := turns[payment.Kind(items[0].Word)]; w.one != (wording.Sentence{}) {
		return w
	}
	return texts[k]
}

var more = wording.Sentence{PT: "… e mais {n}", EN: "… and {n} more"}

// Compose words things of one kind, at least one, as one message.
func Compose(l wording.Lang, k Kind, items []Item) (title, body string) {
	if k == DailyDigest {
		return digest(l, items[len(items)-1].Digest)
	}
	w := wordsOf(k, items)
	total := money.Amount(0)
	for _, i := range items {
		total += i.Amount
	}
	v := items[0].values().With(wording.Values{"n": wording.Count(len(items)), "total": wording.Centavos(total)})
	v["sample"] = items[0].PaymentID
	var lines []string
	for n, i := range items {
		if n == listed {
			lines = append(lines, more.Say(l, wording.Values{"n": wording.Count(len(items) - listed)}))
			break
		}
		line := w.line
		if turn, ok := turns[payment.Kind(i.Word)]; ok {
			line = turn.line
		}
		if k == WebhooksSilent && i.Sales == 0 {
			line = everywhere
		}
		lines = append(lines, "• "+line.Say(l, i.values()))
	}
	title = w.one.Say(l, v)
	if len(items) > 1 {
		title = w.many.Say(l, v)
	}
	if w.todo != (wording.Sentence{}) {
		lines = append(lines, "", w.todo.Say(l, v))
	}
	return title, strings.Join(lines, "\n")
}

func (i Item) values() wording.Values {
	id := i.ExternalID // shown; to act one needs ours, which is whole
	if id == "" {
		id = i.PaymentID
	}
	return wording.Values{"amount": wording.Centavos(i.Amount), "product": short(i.Product), "buyer": short(i.Buyer), "provider": i.Provider,
		"word": i.Word, "bot": short(i.Bot), "reason": i.Reason, "id": short(id), "sales": wording.Count(i.Sales)}
}

// short keeps ten lines within one message.
func short(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return text
}

var digestTitle = wording.Sentence{PT: "📊 Resumo de {day}", EN: "📊 Digest of {day}"}

var digestLines = []struct {
	of   func(*Digest) Sum
	text wording.Sentence
}{
	{func(d *Digest) Sum { return d.Paid }, wording.Sentence{PT: "Pagas: {n:sales}, {amount:money}", EN: "Paid: {n:sales}, {amount:money}"}},
	{func(d *Digest) Sum { return d.Back }, wording.Sentence{PT: "Devolvidas ou contestadas: {n:sales}, {amount:money}", EN: "Given back or disputed: {n:sales}, {amount:money}"}},
	{func(d *Digest) Sum { return d.Pending }, wording.Sentence{PT: "Pendentes agora: {n:sales}, {amount:money}", EN: "Pending now: {n:sales}, {amount:money}"}},
	{func(d *Digest) Sum { return d.Stuck }, wording.Sentence{PT: "Precisam de alguém agora: {n:sales}, {amount:money} em risco", EN: "Need someone now: {n:sales}, {amount:money} at risk"}},
}

var stuckTodo = wording.Sentence{PT: "Veja quais são: GET /v1/payments?stuck=true", EN: "See which they are: GET /v1/payments?stuck=true"}

func digest(l wording.Lang, d *Digest) (title, body string) {
	day := d.Day
	if t, err := time.Parse(time.DateOnly, d.Day); err == nil && l == wording.Portuguese {
		day = t.Format("02/01/2006")
	}
	var lines []string
	for _, x := range digestLines {
		s := x.of(d)
		lines = append(lines, x.text.Say(l, wording.Values{"n": wording.Count(s.Sales), "amount": wording.Centavos(s.Amount)}))
	}
	if d.Stuck.Sales > 0 {
		lines = append(lines, "", stuckTodo.Say(l, nil))
	}
	return digestTitle.Say(l, wording.Values{"day": day}), strings.Join(lines, "\n")
}

// Test is the message by which an owner sees that alerts arrive.
func Test(l wording.Lang) (title, body string) {
	return wording.Sentence{PT: "🔔 Teste da Baixa", EN: "🔔 Baixa's test"}.Say(l, nil),
		wording.Sentence{PT: "Os avisos das suas vendas chegam aqui.", EN: "The alerts about your sales arrive here."}.Say(l, nil)
}

package explain

import (
	"encoding/json"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// next is what happens next by itself: work that waits, the message, the page, the next look; or that nothing does.
func (t *teller) next() string {
	text := ""
	for _, e := range t.Effects {
		text = sentences(text, t.effect(e))
	}
	if t.Sale.State == payment.NeedsReview {
		text = sentences(text, t.say("A venda espera uma decisão; o sistema sozinho não a entrega.", "The sale waits for a decision; the system does not deliver it by itself."))
	}
	if t.Sale.State == payment.Paid {
		text = sentences(text, t.toBuyer())
	}
	text = sentences(text, t.look())
	if text == "" {
		return t.say("Nada mais acontece sozinho com esta venda. Um webhook ou `baixa recheck {id}` faz o provedor ser consultado de novo.",
			"Nothing more happens to this sale by itself. A webhook or `baixa recheck {id}` makes the provider be asked again.")
	}
	return text
}

// effect is work that is still to be done.
func (t *teller) effect(e store.OpenEffect) string {
	v := wording.Values{"effect": e.Kind, "attempts": wording.Count(e.Attempts), "at": wording.Stamp(e.DueAt), "error": e.LastError}
	switch e.Kind {
	case "deliver":
		if t.Sale.State != payment.Paid {
			return "" // what is not paid any more is not delivered: the work ends without doing anything
		}
	case "owner":
		if e.Attempts == 0 {
			return ""
		}
		var news struct{ Detail string }
		if json.Unmarshal(e.Payload, &news) == nil && news.Detail != "" {
			v["detail"] = news.Detail
		}
		return t.say("Ainda falta {effect:effect}[: {detail:notice}]; {attempts:failures}, a próxima é em {at:time}.",
			"Still to do: {effect:effect}[: {detail:notice}]; {attempts:failures}, the next is at {at:time}.", v)
	}
	if e.Attempts == 0 {
		return t.say("Agora vem {effect:effect}.", "Next comes {effect:effect}.", v)
	}
	return t.say("Ainda falta {effect:effect}; {attempts:failures}[ ({error})], a próxima é em {at:time}.",
		"Still to do: {effect:effect}; {attempts:failures}[ ({error})], the next is at {at:time}.", v)
}

// toBuyer is what happens next on the way to the buyer of a paid sale.
func (t *teller) toBuyer() string {
	if t.Sale.DeliveredElsewhere {
		return ""
	}
	f := t.fulfilment()
	switch {
	case f.closed != "":
		return t.say("O link de entrega está fechado: {reason:revoked}.", "The delivery link is closed: {reason:revoked}.", wording.Values{"reason": f.closed})
	case f.Message == "queued" && f.OpenedAt == nil:
		return t.say("A mensagem ao comprador ainda vai ser enviada[: tenta-se de novo em {at:time}].", "The buyer's message is still to be sent[: it is tried again at {at:time}].", at(f.retry))
	case f.OpenedAt == nil && (f.Message == "undeliverable" || f.Message == "maybe_sent"):
		return t.say("A mensagem não é tentada de novo sozinha; o link continua valendo.", "The message is not tried again by itself; the link is still good.")
	case f.OpenedAt == nil && f.TokenIssuedAt != nil:
		return t.say("Quando o comprador abrir o link, o Purchase vai para a Meta.", "When the buyer opens the link the Purchase goes to Meta.")
	case f.Purchase == "queued" && f.purchaseTries > 0 && f.purchaseReason != "":
		return t.say("O Purchase ainda não chegou à Meta: {n:failures} ({reason:purchase}). É tentado de novo sozinho, sempre com o mesmo id: a Meta conta um só.",
			"The Purchase has not reached Meta yet: {n:failures} ({reason:purchase}). It is tried again by itself, always under the same id: Meta counts one.",
			wording.Values{"n": wording.Count(f.purchaseTries), "reason": f.purchaseReason})
	case f.Purchase == "queued":
		return t.say("O Purchase está a caminho da Meta.", "The Purchase is on its way to Meta.")
	}
	return ""
}

// look is the next look at the provider, empty when there is none.
func (t *teller) look() string {
	if t.Look == nil {
		return ""
	}
	due := t.Look.DueAt
	if len(t.Events) > 0 && t.Events[0].At.After(due) {
		due = t.Events[0].At // an old sale that was imported is due since then
	}
	late := t.Now.Sub(due)
	v := at(&due).With(wording.Values{"reason": t.Look.Reason, "late": late.String()})
	switch {
	case late >= time.Minute:
		return t.say("A consulta à {provider:provider} deveria ter sido feita há {late:duration} e espera a vez desta conta ({reason:look}).",
			"The look at {provider:provider} has been due for {late:duration} and waits for this account's turn ({reason:look}).", v)
	case late >= 0:
		return t.say("A {provider:provider} será consultada agora ({reason:look}).", "{provider:provider} is asked now ({reason:look}).", v)
	}
	return t.say("A {provider:provider} será consultada em {at:time} ({reason:look}).", "{provider:provider} is asked at {at:time} ({reason:look}).", v)
}

package explain

import (
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// summary is where the sale stands, and how the way to the buyer does.
func (t *teller) summary() string {
	head := t.say("“{product}” por {price:money} na {provider:provider}: ", "“{product}” for {price:money} at {provider:provider}: ")
	s := &t.Sale
	switch {
	case s.State == payment.NeedsReview:
		head += t.say("em revisão[, porque {reason:review}]. ", "under review[, because {reason:review}]. ", t.review())
		if s.DeliveredEver {
			head += t.say("Nada foi perdido, e o link já entregue só volta a abrir se alguém aceitar.", "Nothing was lost, and the link that was delivered opens again only when somebody accepts.")
		} else {
			head += t.say("Nada foi perdido e nada é entregue antes de alguém decidir.", "Nothing was lost, and nothing is delivered before somebody decides.")
		}
		return sentences(head, t.away())
	case s.State == payment.Paid:
		return sentences(head+t.paid(), t.delivered(), t.doubt(), t.away())
	case s.State == payment.Pending:
		return sentences(head+t.pending(), t.away())
	case s.State == payment.Cancelled && s.ReviewReason != "":
		head += t.say("recusada por uma pessoa na revisão[ ({reason:review})]; ", "refused by a person in review[ ({reason:review})]; ", t.review())
		if s.DeliveredEver {
			head += t.say("o link entregue antes continua fechado.", "the link that was delivered before stays closed.")
		} else {
			head += t.say("nada foi entregue.", "nothing was delivered.")
		}
		return sentences(head, t.away())
	}
	return sentences(head+t.over(), t.doubt(), t.away())
}

func (t *teller) pending() string {
	s := &t.Sale
	last := at(s.LastPollAt).With(wording.Values{"outcome": s.LastOutcome, "word": s.LastProviderStatus, "polls": wording.Count(s.Polls)})
	switch {
	case s.LastPollAt == nil || s.LastOutcome == "":
		return t.say("aguarda pagamento; o provedor ainda não foi consultado.", "waiting for payment; the provider was not asked yet.")
	case payment.Outcome(s.LastOutcome) != payment.OutcomeStatus:
		return t.say("não sabemos se foi paga. Na última consulta à {provider:provider} ({at:time}), {outcome:outcome}.",
			"we do not know whether it was paid. At the last look at {provider:provider} ({at:time}), {outcome:outcome}.", last)
	case t.unknownWord() != "":
		return t.say("não sabemos se foi paga: o provedor respondeu “{word}”, uma palavra que não conhecemos.",
			"we do not know whether it was paid: the provider answered “{word}”, a word that we do not know.", last)
	case s.ClaimedAt != nil:
		return t.say("o provedor já disse “pago” e isso ainda está sendo confirmado.", "the provider said “paid” and that is still being confirmed.")
	}
	return t.say("aguarda pagamento. Em {polls:looks}, a última em {at:time}, o provedor disse que ainda não foi paga[ (“{word}”)].",
		"waiting for payment. In {polls:looks}, the last at {at:time}, the provider said that it is not paid yet[ (“{word}”)].", last)
}

// unknownWord is the provider's last word when it is one that we do not know.
func (t *teller) unknownWord() string {
	for i := len(t.Events) - 1; i >= 0; i-- {
		if e := t.Events[i]; e.Kind == payment.Reported {
			if e.Details["status"] == payment.StatusUnknown.String() {
				return e.Details["provider_status"]
			}
			return ""
		}
	}
	return ""
}

// paid says when, and how we learned of it.
func (t *teller) paid() string {
	looks, hinted := t.road()
	v := at(t.Sale.PaidAt).With(wording.Values{"polls": wording.Count(looks)})
	if got := t.Sale.PaidAmount; got != nil && *got != t.Sale.Amount {
		v["got"] = wording.Centavos(*got)
	}
	text := t.say("paga[ em {at:time}][, com {got:money}].", "paid[ at {at:time}][, with {got:money}].", v)
	switch {
	case looks == 0:
		return text
	case hinted:
		return sentences(text, t.say("Um webhook avisou e a consulta ao provedor confirmou.", "A webhook gave notice and a look at the provider confirmed it."))
	}
	return sentences(text, t.say("Nenhum webhook avisou: soubemos consultando o provedor ({polls:looks}).",
		"No webhook told us: we learned it by asking the provider ({polls:looks}).", v))
}

// road is the way to the moment at which the money was learned of: how many looks it took, and whether a webhook had claimed it.
func (t *teller) road() (looks int, hinted bool) {
	for _, e := range t.Events {
		switch e.Kind {
		case payment.HintReceived:
			hinted = hinted || e.Details["claimed"] == payment.StatusPaid.String()
		case payment.Reported, payment.PollFailed:
			looks++
		}
		if e.From != e.To && (e.To == payment.Paid.String() || e.To == payment.NeedsReview.String()) {
			return looks, hinted
		}
	}
	return looks, hinted
}

// delivered says how far the link came.
func (t *teller) delivered() string {
	if t.Sale.DeliveredElsewhere {
		return t.say("O sistema de origem já tinha feito a entrega; aqui nada é enviado de novo.", "The origin system had delivered it; nothing is sent again from here.")
	}
	f := t.fulfilment()
	switch {
	case f.OpenedAt != nil:
		return t.say("O comprador recebeu o link e abriu a página em {at:time}.", "The buyer got the link and opened the page at {at:time}.", at(f.OpenedAt))
	case f.Message == "sent":
		return t.say("O link foi enviado ao comprador pelo Telegram[ em {at:time}].", "The link was sent to the buyer by Telegram[ at {at:time}].", at(f.MessageSentAt))
	case f.Message == "undeliverable":
		return t.say("O comprador NÃO recebeu o link[: {reason:told}].", "The buyer did NOT get the link[: {reason:told}].", wording.Values{"reason": f.MessageReason})
	case f.Message == "maybe_sent":
		return t.say("O link pode ter chegado ao comprador ou não.", "The link may or may not have reached the buyer.")
	case f.Message == "queued":
		return t.say("A mensagem com o link está na fila do Telegram[: {reason:told}].", "The message with the link is queued for Telegram[: {reason:told}].", wording.Values{"reason": f.MessageReason})
	case f.TokenIssuedAt != nil:
		return t.say("O link existe; a mensagem ao comprador ainda não foi pedida.", "The link exists; the buyer's message was not ordered yet.")
	}
	return t.say("A entrega ainda não foi feita.", "The delivery is not made yet.")
}

// over is a sale that ended without money or whose money is gone or blocked.
func (t *teller) over() string {
	since := at(nil)
	if !t.Sale.StateSince.IsZero() {
		since = at(&t.Sale.StateSince)
	}
	v := since.With(wording.Values{"state": t.Sale.State.String()})
	switch {
	case t.Sale.State.Closed():
		return t.say("{state:state}[ em {at:time}]; nenhum dinheiro chegou e nada foi entregue.", "{state:state}[ at {at:time}]; no money came and nothing was delivered.", v)
	case !t.Sale.DeliveredEver:
		return t.say("{state:state}[ em {at:time}]; nada foi entregue.", "{state:state}[ at {at:time}]; nothing was delivered.", v)
	case t.Sale.DeliveredElsewhere:
		return t.say("{state:state}[ em {at:time}]; a entrega tinha sido feita pelo sistema de origem.", "{state:state}[ at {at:time}]; the origin system had made the delivery.", v)
	}
	return t.say("{state:state}[ em {at:time}], depois da entrega; o link de entrega fica fechado.", "{state:state}[ at {at:time}], after the delivery; the delivery link is closed.", v)
}

// doubt is the open question of a sale that is not in review.
func (t *teller) doubt() string {
	if !t.Sale.ReviewOpen() {
		return ""
	}
	return t.say("Há uma dúvida em aberto[: {reason:review}].", "There is an open question[: {reason:review}].", t.review())
}

func (t *teller) review() wording.Values {
	return wording.Values{"reason": string(t.Sale.ReviewReason), "amount": wording.Centavos(t.Sale.ReviewAmount())}
}

// away says which services did not answer.
func (t *teller) away() string {
	text := ""
	for _, service := range t.Away {
		switch service {
		case "delivery":
			text = sentences(text, t.say("(O serviço de entrega não respondeu: esta história está sem o que só ele sabe.)", "(The delivery service did not answer: this story is told without what only it knows.)"))
		case "notifier":
			text = sentences(text, t.say("(O serviço de mensagens não respondeu: esta história está sem o que só ele sabe.)", "(The notifier service did not answer: this story is told without what only it knows.)"))
		case "gateways":
			text = sentences(text, t.say("(O serviço dos provedores não respondeu: a situação da conta não pôde ser vista.)", "(The gateways service did not answer: the account's state could not be seen.)"))
		}
	}
	return text
}

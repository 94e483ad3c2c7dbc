package explain

import (
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// action is who must act and how, the most urgent first; empty when nobody must.
func (t *teller) action() string {
	return sentences(t.decideReview(), t.fixAccount(), t.fixAnswer(), t.reachBuyer(), t.giveAccess(), t.fixGroup(), t.fixWork(), t.takeBack(), t.fixPurchase())
}

// decideReview asks for a decision and gives the amounts and the commands.
func (t *teller) decideReview() string {
	s := &t.Sale
	if !s.ReviewOpen() {
		return ""
	}
	v := t.review()
	if s.PaidAmount != nil {
		v["got"] = wording.Centavos(*s.PaidAmount)
	}
	how := t.say(reviewPT, reviewEN)
	switch s.ReviewReason {
	case payment.ReviewSecondPayment:
		return sentences(t.say("Dono do bot: {amount:money} a mais esperam sua decisão. Aceitar conta o dinheiro como seu; recusar diz que ele será devolvido.",
			"Bot owner: {amount:money} on top wait for your decision. Accepting counts the money as yours; refusing says that it is to be given back.", v), how)
	case payment.ReviewAmountCorrected:
		return sentences(t.say("Dono do bot: o preço é {price:money}[ e o provedor agora informa {got:money}]; a entrega já foi feita. Confira no painel do provedor e decida.",
			"Bot owner: the price is {price:money}[ and the provider now names {got:money}]; the delivery was made. Check with the provider and decide.", v), how)
	}
	if s.DeliveredEver {
		return sentences(t.say("Dono do bot: o preço é {price:money}[ e chegaram {got:money}]; confira no painel do provedor. Aceitar reabre o link já entregue; recusar encerra com o link fechado, e o dinheiro deve ser devolvido.",
			"Bot owner: the price is {price:money}[ and {got:money} came]; check with the provider. Accepting opens the delivered link again; refusing ends the sale with the link closed, and the money is to be given back.", v), how)
	}
	return sentences(t.say("Dono do bot: o preço é {price:money}[ e chegaram {got:money}]; confira no painel do provedor. Aceitar entrega ao comprador; recusar encerra sem entregar, e o dinheiro deve ser devolvido.",
		"Bot owner: the price is {price:money}[ and {got:money} came]; check with the provider. Accepting delivers to the buyer; refusing ends the sale without a delivery, and the money is to be given back.", v), how)
}

// The ways to decide: the command's, and the REST face's.
const (
	reviewPT = "Para decidir: baixa review accept {id} --note \"por quê\", ou refuse; pela API, POST /v1/payments/{id}:review com decision REVIEW_DECISION_ACCEPT ou REVIEW_DECISION_REFUSE e uma note dizendo por quê."
	reviewEN = "To decide: baixa review accept {id} --note \"why\", or refuse; by the API, POST /v1/payments/{id}:review with decision REVIEW_DECISION_ACCEPT or REVIEW_DECISION_REFUSE and a note that says why."
)

// unsettled reports whether the sale still waits for its provider's word.
func (t *teller) unsettled() bool {
	return t.Sale.State == payment.Pending || t.Sale.State.Closed() && t.Look != nil
}

func (t *teller) fixAccount() string {
	refused := t.Account.GetState() == gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED
	// What the account's own service says now counts for more than what the sale's last look saw.
	if t.Account == nil {
		refused = payment.Outcome(t.Sale.LastOutcome) == payment.OutcomeCredential
	}
	if !refused || !t.unsettled() {
		return ""
	}
	return t.say("Dono da conta: a {provider:provider} recusa as credenciais. Cadastre credenciais novas (POST /v1/accounts); até lá nenhuma venda desta conta pode ser conferida, e depois todas se resolvem sozinhas.",
		"Account owner: {provider:provider} refuses the credentials. Put new ones (POST /v1/accounts); until then no sale of this account can be checked, and afterwards all of them settle by themselves.")
}

// fixAnswer is about answers that only a person can make sense of.
func (t *teller) fixAnswer() string {
	s := &t.Sale
	if !t.unsettled() {
		return ""
	}
	switch payment.Outcome(s.LastOutcome) {
	case payment.OutcomeStatus:
		if word := t.unknownWord(); word != "" {
			return t.say("Operador: a palavra “{word}” da {provider:provider} não está na nossa tabela; veja no painel do provedor o que ela quer dizer e avise quem cuida do adaptador. Se o dinheiro chegou, a venda se resolve quando a palavra for conhecida.",
				"Operator: {provider:provider}'s word “{word}” is not in our table; see with the provider what it means and tell whoever keeps the adapter. If the money came, the sale settles once the word is known.", wording.Values{"word": word})
		}
	case payment.OutcomeContract:
		return t.say("Operador: a resposta da {provider:provider} veio num formato desconhecido; veja o começo dela acima e avise quem cuida do adaptador.",
			"Operator: {provider:provider}'s answer had a form that is not known; see its beginning above and tell whoever keeps the adapter.")
	case payment.OutcomeInvalidRequest:
		return t.say("Dono da conta: a {provider:provider} não aceita os identificadores desta cobrança; confira se a venda foi registrada com o id, o hash e a conta certos.",
			"Account owner: {provider:provider} does not accept this charge's identifiers; check that the sale was registered with the right id, hash and account.")
	case payment.OutcomeNotFound:
		if t.Now.Sub(s.CreatedAt) > time.Hour {
			return t.say("Dono da conta: a {provider:provider} não conhece esta cobrança; confira se o id, o hash e a conta estão certos.",
				"Account owner: {provider:provider} does not know this charge; check that id, hash and account are right.")
		}
	}
	return ""
}

// reachBuyer is about a paid sale whose buyer does not get the message.
func (t *teller) reachBuyer() string {
	if t.Sale.State != payment.Paid || t.Sale.DeliveredElsewhere {
		return ""
	}
	f := t.fulfilment()
	if f.OpenedAt != nil {
		return ""
	}
	v := wording.Values{"reason": f.MessageReason, "bot": t.Sale.BotID.String()}
	switch {
	case f.Message != "sent" && (f.MessageReason == "bot_unauthorized" || f.MessageReason == "no_bot"):
		then := ""
		if f.Message == "queued" {
			then = t.say("A mensagem que espera é enviada em seguida.", "The message that waits is sent right after.")
		}
		return sentences(t.say("Dono do bot: {reason:told}. Cadastre o token do bot (POST /v1/bots/{bot}/telegram).",
			"Bot owner: {reason:told}. Put the bot's token (POST /v1/bots/{bot}/telegram).", v), then)
	case f.Message == "undeliverable":
		return t.say("Dono do bot: a venda está paga e a mensagem não chega[ ({reason:told})]: procure o comprador por outro meio e passe a ele o acesso.",
			"Bot owner: the sale is paid and the message does not arrive[ ({reason:told})]: reach the buyer in another way and pass the access on.", v)
	case f.Message == "maybe_sent":
		return t.say("Dono do bot: não sabemos se a mensagem chegou[ ({reason:told})]. Pergunte ao comprador e, se não chegou, passe a ele o acesso.",
			"Bot owner: we do not know whether the message arrived[ ({reason:told})]. Ask the buyer and, if it did not, pass the access on.", v)
	}
	if t.happened(payment.TokenFailed) && f.TokenIssuedAt == nil {
		return t.say("Operador: o serviço de entrega não aceitou os dados desta venda; veja o registro dele (log) e passe o acesso ao comprador.",
			"Operator: the delivery service did not accept this sale's data; see its log and pass the access on to the buyer.")
	}
	return ""
}

// fixGroup is about a group in disorder, until something went right again.
func (t *teller) fixGroup() string {
	reason := ""
	for _, e := range t.Events {
		switch e.Kind {
		case payment.GroupFailed:
			reason = e.Details["reason"]
		case payment.GroupLinkReady, payment.GroupJoined, payment.GroupExtended, payment.GroupEnded, payment.GroupRemoved, payment.GroupRestored:
			reason = ""
		}
	}
	switch reason {
	case "", "rate_limited", "telegram_unavailable", "rejected", "user_not_found": // passes by itself, or nobody can do anything
		return ""
	}
	return t.say("Dono do bot: {reason:mend}. Depois o acesso continua sozinho.", "Bot owner: {reason:mend}. The access then goes on by itself.",
		wording.Values{"reason": reason})
}

// manyAttempts is how many failures of one piece of work are more than a restart.
const manyAttempts = 3

func (t *teller) fixWork() string {
	for _, e := range t.Effects {
		if e.Attempts > manyAttempts {
			return t.say("Operador: {effect:effect} falha há {age:duration}[ ({error})]; veja com `baixa doctor` se os serviços de entrega e de mensagens estão de pé. Depois o trabalho continua sozinho.",
				"Operator: {effect:effect} has been failing for {age:duration}[ ({error})]; see with `baixa doctor` whether the delivery and notifier services are up. The work then goes on by itself.",
				wording.Values{"effect": e.Kind, "error": e.LastError, "age": t.Now.Sub(e.CreatedAt).String()})
		}
	}
	return ""
}

// takeBack: closing the link does not take back what the buyer has, and a dispute wants an answer.
func (t *teller) takeBack() string {
	s := &t.Sale
	if s.State == payment.Disputed {
		return t.say("Dono da conta: responda à disputa no painel da {provider:provider} dentro do prazo dela; se for ganha, o link reabre sozinho.",
			"Account owner: answer the dispute with {provider:provider} within its time; if it is won, the link opens again by itself.")
	}
	if s.Group != nil { // the notifier takes the buyer out; when it cannot, fixGroup says so
		return ""
	}
	if !s.State.Returned() || !s.DeliveredEver || !s.DeliveredElsewhere && t.fulfilment().OpenedAt == nil {
		return ""
	}
	return t.say("Dono do bot: o comprador já tinha recebido o acesso; se for o caso, retire-o também no seu produto (grupo, área de membros).",
		"Bot owner: the buyer had the access already; if need be, withdraw it in your product as well (group, members' area).")
}

// giveAccess is about a link that leads nowhere; of a group's fixGroup speaks.
func (t *teller) giveAccess() string {
	if t.Sale.State != payment.Paid || t.Sale.AccessURL != "" || t.Sale.Group != nil || !t.happened(payment.AccessMissing) {
		return ""
	}
	if t.Sale.FileURL != "" {
		return t.say("Dono do bot: cadastre a chave que assina os arquivos (POST /v1/file-keys); o botão aparece na página em seguida.",
			"Bot owner: put the key that signs files (POST /v1/file-keys); the page shows its button right after.")
	}
	return t.say("Dono do bot: esta venda não tem endereço de acesso; passe o acesso ao comprador.",
		"Bot owner: this sale has no address of access; pass the access on to the buyer.")
}

func (t *teller) fixPurchase() string {
	switch f := t.fulfilment(); {
	case f.Purchase == "failed":
		return t.say("Dono do bot: a Meta recusou o Purchase[ ({reason:purchase})]; confira o pixel e o token dele (POST /v1/pixels).",
			"Bot owner: Meta refused the Purchase[ ({reason:purchase})]; check the pixel and its token (POST /v1/pixels).", wording.Values{"reason": f.purchaseReason})
	case f.Purchase == "queued" && f.purchaseReason == "pixel paused":
		return t.say("Dono do bot: cadastre um token novo do pixel (POST /v1/pixels); os Purchases que esperam são enviados em seguida.",
			"Bot owner: put a new token of the pixel (POST /v1/pixels); the Purchases that wait are sent right after.")
	}
	return ""
}

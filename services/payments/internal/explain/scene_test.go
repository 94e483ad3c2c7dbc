package explain

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// scene is a sale that a test leads through its life; the domain itself decides, and events are written as the ledger does.
type scene struct {
	t      testing.TB
	in     Input
	now    time.Time
	policy payment.Policy
}

func id[T ~[16]byte](n byte) T {
	out := T{0x01, 0x93, 0xb5, 0xd2, 0, 0, 0x70, 0, 0x80}
	out[15] = n
	return out
}

func begin(t testing.TB, provider string, kind payment.Kind) *scene {
	t.Helper()
	created := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	ends := created.Add(time.Hour)
	s := &scene{t: t, now: created, policy: payment.StandardPolicy()}
	s.in.Sale = store.Sale{Payment: payment.Payment{ID: id[payment.ID](1), MerchantID: id[payment.MerchantID](2), State: payment.Pending, Amount: 123456,
		Currency: money.BRL, CreatedAt: created, QRExpiresAt: &ends}, BotID: id[payment.BotID](3), AccountID: id[payment.AccountID](4), Provider: provider,
		ProductName: "Curso de Violão", TelegramID: 700100}
	source := payment.SourceAPI
	if kind == payment.Imported {
		source = payment.SourceImport
	}
	s.event(payment.Event{Kind: kind, Source: source}, map[string]string{"provider": provider, "amount_centavos": "123456", "by": "key k1"})
	s.in.Events[0].From = ""
	return s
}

// after moves the clock.
func (s *scene) after(d time.Duration) *scene { s.now = s.now.Add(d); return s }

// event decides an event and notes it.
func (s *scene) event(e payment.Event, details map[string]string) *scene {
	sale := &s.in.Sale
	e.At = s.now
	d := payment.Decide(sale.Payment, e, s.policy)
	from := sale.State
	sale.Payment = d.Apply(sale.Payment)
	if e.Kind == payment.ExpiryReached && !d.Changed && len(d.Effects) == 0 {
		return s
	}
	details = maps.Clone(details)
	if details == nil {
		details = map[string]string{}
	}
	if d.Why.Key != payment.WhyNote {
		details["why"] = string(d.Why.Key)
		for name, value := range d.Why.Args {
			details["why_"+name] = value
		}
	}
	s.in.Events = append(s.in.Events, store.Event{Number: len(s.in.Events) + 1, At: s.now, Kind: e.Kind, Source: e.Source, From: from.String(),
		To: sale.State.String(), Details: details, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"})
	return s
}

// note is an event that only tells what happened; the row follows as in the ledger.
func (s *scene) note(kind payment.Kind, source payment.Source, pairs ...string) *scene {
	details := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		details[pairs[i]] = pairs[i+1]
	}
	sale, at := &s.in.Sale, s.now
	switch kind {
	case payment.HintReceived:
		sale.Hints++
	case payment.TokenIssued:
		sale.TokenIssuedAt = &at
	case payment.MessageQueued:
		sale.Message, sale.MessageReason = "queued", details["reason"]
	case payment.MessageSent:
		sale.Message, sale.MessageReason, sale.MessageSentAt = "sent", "", &at
	case payment.MessageFailed:
		sale.Message, sale.MessageReason = "undeliverable", details["reason"]
	case payment.MessageUnsure:
		sale.Message, sale.MessageReason = "maybe_sent", details["reason"]
	case payment.Opened:
		sale.OpenedAt = &at
	case payment.PurchaseQueued:
		sale.Purchase = "queued"
	case payment.PurchaseSent:
		sale.Purchase = "sent"
	case payment.PurchaseFailed:
		sale.Purchase = "failed"
	case payment.PurchaseSkipped:
		sale.Purchase = "not_configured"
	}
	return s.event(payment.Event{Kind: kind, Source: source}, details)
}

// says is a look that was answered: the provider's word, what the adapter made of it, and an amount unless 0.
func (s *scene) says(word string, status payment.Status, amount money.Amount) *scene {
	r := &payment.Reading{Status: status}
	details := map[string]string{"outcome": "status", "http_status": "200", "endpoint": "GET /transactions/{hash}", "because": "young",
		"elapsed_ms": strconv.Itoa(100 + len(s.in.Events)), "provider_status": word, "status": status.String()}
	if amount != 0 {
		r.Amount = &amount
		details["amount_centavos"] = wording.Centavos(amount)
	}
	s.looked(payment.OutcomeStatus, word)
	return s.event(payment.Event{Kind: payment.Reported, Source: payment.SourcePoll, Reading: r}, details).clock()
}

// fails is a look that was not answered.
func (s *scene) fails(outcome payment.Outcome, http string, pairs ...string) *scene {
	s.looked(outcome, "")
	return s.note(payment.PollFailed, payment.SourcePoll, append([]string{"outcome", string(outcome), "http_status", http, "endpoint", "GET /transactions/{hash}",
		"elapsed_ms", "4200"}, pairs...)...).clock()
}

func (s *scene) looked(outcome payment.Outcome, word string) {
	at := s.now
	s.in.Sale.Polls++
	s.in.Sale.LastPollAt, s.in.Sale.LastOutcome = &at, string(outcome)
	if outcome.Answered() {
		s.in.Sale.LookedAt = &at
	}
	if word != "" {
		s.in.Sale.LastProviderStatus = word
	}
}

// clock ends a sale whose time is over, as the ledger does after a look.
func (s *scene) clock() *scene {
	if s.in.Sale.State == payment.Pending && !s.now.Before(s.in.Sale.ExpiresAt(s.policy)) {
		s.event(payment.Event{Kind: payment.ExpiryReached, Source: payment.SourceClock}, nil)
	}
	return s
}

// next says when the provider is asked again.
func (s *scene) next(in time.Duration, why payment.LookReason) *scene {
	s.in.Look = &store.Look{DueAt: s.now.Add(in), Reason: string(why)}
	return s
}

// delivers is the usual way to the buyer.
func (s *scene) delivers() *scene {
	return s.after(time.Second).note(payment.TokenIssued, payment.SourceSystem).note(payment.MessageQueued, payment.SourceSystem).
		after(time.Second).note(payment.MessageSent, payment.SourceNotifier, "message_id", "81")
}

// opens is a buyer who opens the link.
func (s *scene) opens() *scene {
	return s.after(time.Minute).note(payment.Opened, payment.SourceDelivery).note(payment.PurchaseQueued, payment.SourceDelivery, "reason", "purchase_0193").
		after(time.Second).note(payment.PurchaseSent, payment.SourceDelivery, "reason", "AbCdTrace")
}

func (s *scene) tell(l wording.Lang) Story {
	in := s.in
	in.Now, in.Lang = s.now, l
	in.Provider = map[string]string{"atomopay": "Átomo Pay", "paradise": "Paradise", "pushinpay": "PushinPay"}[in.Sale.Provider]
	return Tell(in)
}

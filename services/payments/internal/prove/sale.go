package prove

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// conclude compares a sale's row with what its history leads to.
func (p *prover) conclude(s *store.Proven, w *walk) {
	p.counts.Sales++
	switch {
	case w.number == 0:
		w.fault("state_without_event", "the row says %s, and there is no history", s.State)
	case s.State != w.state:
		w.fault("state_without_event", "the row says %s, its history ends in %s", s.State, w.state)
	}
	if s.EventCount != w.number {
		w.fault("history_gap", "the row counts %d events, the history ends with number %d", s.EventCount, w.number)
	}
	if w.number > 0 && !w.known {
		p.counts.Older++
	}
	if sale, ok := domain(s, w); ok {
		p.columns(s, sale, w)
		p.entries(sale, w)
		p.delivery(s, sale, w)
		p.look(s, sale, w)
		p.sums.add(s, sale, w)
	}
	for _, f := range w.faults {
		p.found(Found{Kind: f.kind, MerchantID: s.MerchantID, PaymentID: s.PaymentID, Text: f.text})
	}
}

// domain reads a row as the domain knows it.
func domain(s *store.Proven, w *walk) (payment.Payment, bool) {
	out := payment.Payment{ID: s.PaymentID, MerchantID: s.MerchantID, Amount: money.Amount(s.Amount), Currency: s.Currency, CreatedAt: s.CreatedAt,
		QRExpiresAt: s.QRExpiresAt, LookedAt: s.LookedAt}
	var err error
	if out.State, err = payment.ParseState(s.State); err != nil {
		w.fault("row_unreadable", "the row says %q, which is no state", s.State)
		return out, false
	}
	var wrong string
	if out.Facts, wrong = store.ReadFacts([]byte(s.Facts)); wrong != "" {
		w.fault("row_unreadable", "the sale is set aside: %s", wrong)
		return out, false
	}
	return out, true
}

// columns compares the columns that repeat facts.
func (p *prover) columns(s *store.Proven, sale payment.Payment, w *walk) {
	if s.ReviewReason != string(sale.ReviewReason) {
		w.fault("columns_differ", "review_reason is %q, the facts say %q", s.ReviewReason, sale.ReviewReason)
	}
	switch {
	case (s.PaidCentavos == nil) != (sale.PaidAmount == nil) && w.number > 1, s.PaidCentavos != nil && sale.PaidAmount != nil && *s.PaidCentavos != int64(*sale.PaidAmount):
		w.fault("columns_differ", "paid_centavos is %s, the facts say %s", text(s.PaidCentavos), text((*int64)(sale.PaidAmount)))
	}
	if (s.PaidAt == nil) != (sale.PaidAt == nil) && w.number > 1 || s.PaidAt != nil && sale.PaidAt != nil && s.PaidAt.Sub(*sale.PaidAt).Abs() >= time.Microsecond {
		w.fault("columns_differ", "paid_at is not what the facts say")
	}
	if w.known && sale.DeliveredEver != w.replayed.Delivered {
		w.fault("delivery_not_by_table", "the facts say that a delivery was ordered: %t, the history says %t", sale.DeliveredEver, w.replayed.Delivered)
	}
}

func text(v *int64) string {
	if v == nil {
		return "not set"
	}
	return money.Amount(*v).String()
}

// entries compares what was booked for the sale with what it contributes as it stands.
func (p *prover) entries(sale payment.Payment, w *walk) {
	if !w.known {
		return
	}
	var booked payment.Totals
	for k, t := range w.booked {
		booked[k.metric].Count += t.Count
		booked[k.metric].Amount += t.Amount
	}
	stands := payment.Contribution(sale)
	for _, m := range payment.Metrics() {
		if booked[m] != stands[m] {
			w.fault("entries_differ", "as %s, %d and %s were booked, the sale stands for %d and %s", m, booked[m].Count, booked[m].Amount, stands[m].Count, stands[m].Amount)
		}
	}
}

// delivery proves: one delivery for a paid sale, none for another, and that what was ordered leads on.
func (p *prover) delivery(s *store.Proven, sale payment.Payment, w *walk) {
	open := func(kind string) bool { return slices.Contains(s.Effects, kind) }
	if w.issued > 0 {
		p.counts.Deliveries++
	}
	if w.issued > 1 || w.replayed.Deliveries > 1 {
		w.fault("delivered_twice", "%d links were issued and %d deliveries ordered", w.issued, w.replayed.Deliveries)
	}
	if (s.TokenIssuedAt != nil) != (w.issued > 0) {
		w.fault("columns_differ", "token_issued_at does not agree with the history, which issued %d links", w.issued)
	}
	if open(ledger.KindDeliver) && !w.replayed.Delivered {
		w.fault("delivered_unpaid", "a delivery is under way that nothing ordered")
	}
	if s.DeliveredElsewhere {
		return
	}
	if sale.State == payment.Paid {
		switch {
		case !sale.DeliveredEver && w.came != payment.Paid:
			w.fault("paid_undelivered", "it is paid, and a delivery was never ordered")
		case sale.DeliveredEver && w.issued == 0 && !w.refused && !open(ledger.KindDeliver):
			w.fault("delivery_lost", "a delivery was ordered, there is no link, and nothing makes one")
		case sale.DeliveredEver && w.issued > 0 && s.Message == "" && !w.refused && !open(ledger.KindDeliver):
			w.fault("message_lost", "there is a link, the buyer was not told, no reason is recorded, and nothing tells")
		}
		if w.issued > 0 && w.closed && !open(ledger.KindRestore) && !open(ledger.KindRevoke) {
			w.fault("link_closed", "it is paid, its link is closed, and nothing opens it")
		}
		return
	}
	back := sale.State.Returned() || sale.State == payment.Disputed
	if back && w.issued > 0 && !w.closed && !open(ledger.KindRevoke) && !open(ledger.KindRestore) {
		w.fault("link_open", "it is %s, its link is open, and nothing closes it", sale.State)
	}
}

// look proves that a sale that still may bring money is looked at, or that the schedule says why not.
func (p *prover) look(s *store.Proven, sale payment.Payment, w *walk) {
	if s.HasLook || p.moving {
		return
	}
	_, policy := p.Policy(s.MerchantID, s.AccountID, s.Provider)
	next := payment.Schedule(policy, payment.ScheduleInput{State: sale.State, StateSince: sale.StateSince, CreatedAt: s.CreatedAt, QRExpiresAt: s.QRExpiresAt,
		PaidAt: sale.PaidAt, LastPollAt: s.LastPollAt, LastPollOutcome: payment.Outcome(s.LastOutcome), ErrorsInARow: policy.FinalTries,
		Now: p.counts.At, Seed: payment.Seed(s.PaymentID)})
	if !next.Final {
		w.fault("look_lost", "it is %s, nothing will look at it, and the schedule wants a look (%s)", sale.State, next.Why)
	}
}

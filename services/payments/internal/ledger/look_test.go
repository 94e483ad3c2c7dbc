package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func (b *bench) look(s store.Sale) store.Look {
	b.t.Helper()
	l, err := b.store.GetLook(b.t.Context(), key(s))
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// failed is a look that got no answer.
func (b *bench) failed(s store.Sale, outcome payment.Outcome, retry time.Duration) Entry {
	return Entry{Key: key(s), Event: payment.Event{Kind: payment.PollFailed, At: b.now, Source: payment.SourcePoll},
		Look: &Look{StartedAt: b.now, Outcome: outcome, RetryAfter: retry}}
}

func (b *bench) hint(s store.Sale) Entry {
	e := b.event(s, payment.HintReceived, nil)
	e.Hint = true
	return e
}

// of is a sale at a provider, whose first look has found nothing yet.
func (b *bench) of(provider string) store.Sale {
	b.t.Helper()
	s := b.sale(1)
	s.Provider, s.CreatedAt = provider, b.now.Add(-time.Minute)
	s = b.record(s)[0].Sale
	b.apply(b.reported(s, payment.StatusPending, 0))
	return s
}

func TestSchedule_hintIsDueNowAndNeverFasterThanTheProvidersRule(t *testing.T) {
	for provider, rule := range map[string]time.Duration{"atomopay": 5 * time.Second, "pushinpay": time.Minute, "paradise": 10 * time.Second} {
		b := newBench(t)
		s := b.of(provider)
		looked := b.now
		for range 3 { // a flood of hints spends no more than one
			b.now = b.now.Add(time.Second)
			b.apply(b.hint(s), b.hint(s))
			if l := b.look(s); !l.DueAt.Equal(looked.Add(rule)) || l.Reason != "hint" {
				t.Errorf("%s: due %s after the look (%s), want %s", provider, l.DueAt.Sub(looked), l.Reason, rule)
			}
		}
		b.now = looked.Add(rule + time.Second)
		b.apply(b.hint(s))
		if l := b.look(s); l.DueAt.After(b.now) || !b.woken.Looks {
			t.Errorf("%s: a hint after the rule's time is due %s from now, woken %t", provider, l.DueAt.Sub(b.now), b.woken.Looks)
		}
		if got := b.get(s); got.Hints != 7 {
			t.Errorf("%s: %d hints counted, want 7", provider, got.Hints)
		}
	}
}

func TestSchedule_claimOfNotYetIsNotedAndAsksForNothing(t *testing.T) {
	b := newBench(t)
	s := b.of("atomopay")
	due := b.look(s).DueAt
	b.apply(b.event(s, payment.HintReceived, nil))
	if l := b.look(s); !l.DueAt.Equal(due) || b.get(s).Hints != 1 {
		t.Errorf("due %s, want %s; %d hints", l.DueAt, due, b.get(s).Hints)
	}
}

func TestSchedule_retryAfterHoldsThoughHintsComeInBetween(t *testing.T) {
	b := newBench(t)
	s := b.of("atomopay")
	b.now = b.now.Add(time.Minute)
	asked := b.now
	b.apply(b.failed(s, payment.OutcomeRateLimited, 5*time.Minute))
	for i := range 4 {
		b.now = asked.Add(time.Duration(i) * time.Minute)
		present := b.now.Add(2 * time.Minute)
		e := b.hint(s)
		e.BuyerUntil = &present
		b.apply(e)
		if until := b.look(s).DueAt.Sub(asked); until < 5*time.Minute {
			t.Errorf("hint %d brings the look to %s after the provider asked for 5m", i, until)
		}
	}
	b.now = asked.Add(6 * time.Minute)
	b.apply(b.reported(s, payment.StatusPending, 0))
	b.now = b.now.Add(5 * time.Second)
	b.apply(b.hint(s))
	if l := b.look(s); l.DueAt.After(b.now) {
		t.Errorf("an answer ends the wish: due %s from now", l.DueAt.Sub(b.now))
	}
}

func TestSchedule_buyerBeforeThePageIsLookedAtDensely(t *testing.T) {
	b := newBench(t)
	s := b.sale1() // an hour old: every minute or slower
	b.apply(b.reported(s, payment.StatusPending, 0))
	if d := b.look(s).DueAt.Sub(b.now); d < 30*time.Second {
		t.Fatalf("without a buyer it is due in %s", d)
	}
	until := b.now.Add(2 * time.Minute)
	e := b.event(s, payment.BuyerPresent, nil)
	e.BuyerUntil = &until
	b.apply(e)
	if l := b.look(s); l.DueAt.Sub(b.now) > 10*time.Second || l.Reason != "buyer_present" {
		t.Errorf("with the buyer waiting: due in %s (%s)", l.DueAt.Sub(b.now), l.Reason)
	}
	b.now = until.Add(time.Second)
	b.apply(b.reported(s, payment.StatusPending, 0))
	if l := b.look(s); l.DueAt.Sub(b.now) < 30*time.Second {
		t.Errorf("the buyer has left, and it is due in %s (%s)", l.DueAt.Sub(b.now), l.Reason)
	}
}

func TestSchedule_errorsGrowApartAndAnAnswerEndsThem(t *testing.T) {
	b := newBench(t)
	s := b.of("atomopay")
	var last time.Duration
	for i := range 4 {
		b.apply(b.failed(s, payment.OutcomeTransient, 0))
		l := b.look(s)
		if d := l.DueAt.Sub(b.now); d <= last || l.Unanswered != i+1 {
			t.Errorf("error %d: due in %s after %s, %d in a row", i+1, d, last, l.Unanswered)
		} else {
			last = d
		}
		b.now = l.DueAt
	}
	b.apply(b.reported(s, payment.StatusPending, 0))
	if l := b.look(s); l.Unanswered != 0 {
		t.Errorf("%d errors in a row after an answer", l.Unanswered)
	}
	if got := b.get(s); got.LastOutcome != "status" || got.LookedAt == nil || !got.LookedAt.Equal(b.now) {
		t.Errorf("knowledge: %+v, looked at %v", got.Knowledge, got.LookedAt)
	}
}

func TestSchedule_clockThatGoesBackDelaysNothing(t *testing.T) {
	b := newBench(t)
	s := b.of("atomopay")
	b.now = b.now.Add(-time.Hour)
	back := b.now
	b.apply(b.hint(s))
	if l := b.look(s); l.DueAt.Sub(back) > time.Minute {
		t.Errorf("after the clock went back an hour it is due in %s", l.DueAt.Sub(back))
	}
	if got := b.get(s); got.LastPollAt == nil || got.LastPollAt.After(back) {
		t.Errorf("last look at %v, which is not yet", got.LastPollAt)
	}
}

func TestSchedule_saleOfTomorrowWasNotLookedAtYet(t *testing.T) {
	b := newBench(t)
	s := b.sale(1)
	s.CreatedAt = b.now.Add(4 * time.Minute) // another clock is ahead
	s = b.record(s)[0].Sale
	b.apply(b.event(s, payment.NoteAdded, nil), b.hint(s))
	if got := b.get(s); got.LastPollAt != nil {
		t.Errorf("never looked at, and the last look was at %s", got.LastPollAt)
	}
	if l := b.look(s); l.DueAt.After(b.now.Add(10 * time.Second)) {
		t.Errorf("due in %s", l.DueAt.Sub(b.now))
	}
}

func TestSchedule_lookThatEndsAfterTheSaleWasSettled(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	claimed, err := b.store.ClaimLooks(t.Context(), b.now, []store.Share{{AccountID: b.account, Newest: 1, Lease: b.now.Add(time.Minute)}})
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	b.apply(b.reported(s, payment.StatusPaid, 1990)) // somebody else saw the money
	b.apply(b.reported(s, payment.StatusPaid, 1990)) // and now we do
	if _, err := b.store.GetLook(t.Context(), key(s)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("still scheduled: %v", err)
	}
	if got := b.totals(); got != [4]int64{1, 1990, 0, 0} {
		t.Errorf("statistics: %v", got)
	}
}

func TestSchedule_hintAboutASettledSaleGetsOneLook(t *testing.T) {
	b := newBench(t)
	s := b.sale1()
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	b.now = b.now.Add(time.Hour)
	b.apply(b.hint(s)) // "refunded", says somebody
	if l := b.look(s); l.DueAt.After(b.now) {
		t.Errorf("due in %s", l.DueAt.Sub(b.now))
	}
	b.now = b.now.Add(time.Second)
	b.apply(b.reported(s, payment.StatusPaid, 1990))
	if _, err := b.store.GetLook(t.Context(), key(s)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("looked at again after the answer: %v", err)
	}
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 {
		t.Errorf("%s with %d hints", got.State, got.Hints)
	}
}

func TestRecord_firstLookCanWaitForTheCharge(t *testing.T) {
	b := newBench(t)
	s := b.sale(1)
	s.Charge = store.Charge{Reference: "r"}
	from := b.now.Add(time.Minute)
	if _, err := b.ledger.Record(t.Context(), []Opening{{Sale: s, Kind: payment.Created, Source: payment.SourceAPI, LookFrom: from}}); err != nil {
		t.Fatal(err)
	}
	if l := b.look(s); !l.DueAt.Equal(from) || b.woken.Looks {
		t.Errorf("due at %s, want %s; woken %t", l.DueAt, from, b.woken.Looks)
	}
	e := b.event(s, payment.ChargeCreated, nil)
	e.Charge, e.QRExpiresAt = &store.Charge{ID: "7", Hash: "h7", CopyPaste: "000201"}, &from
	b.apply(e)
	got := b.get(s)
	if got.Charge != (store.Charge{ID: "7", Hash: "h7", Reference: "r", CopyPaste: "000201"}) || !got.QRExpiresAt.Equal(from) {
		t.Errorf("charge %+v until %v", got.Charge, got.QRExpiresAt)
	}
	if l := b.look(s); l.DueAt.After(b.now) {
		t.Errorf("an hour old, its charge known, and due in %s", l.DueAt.Sub(b.now))
	}
}

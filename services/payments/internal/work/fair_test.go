package work

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// metered grants one call every interval, in the order asked, as the budget of an account does, and notes who was asked when.
type metered struct {
	gatewaysv1.GatewaysServiceClient
	now      func() time.Time
	interval time.Duration
	next     time.Time
	asked    map[string][]time.Time // by the charge's hash
	paid     map[string]bool        // by the charge's hash; the others are pending
}

func (m *metered) BatchGetPaymentStatus(_ context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest, _ ...grpc.CallOption) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	out := &gatewaysv1.BatchGetPaymentStatusResponse{}
	for _, one := range r.GetRequests() {
		now := m.now()
		if now.Before(m.next) && m.next.Sub(now) <= m.interval {
			out.Results = append(out.Results, &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, RetryAfter: durationpb.New(m.next.Sub(now))})
			continue
		}
		m.next = now.Add(m.interval)
		hash := one.GetRef().GetHash()
		m.asked[hash] = append(m.asked[hash], now)
		if m.paid[hash] {
			out.Results = append(out.Results, gatewaystest.Paid(1990))
			continue
		}
		out.Results = append(out.Results, gatewaystest.Pending())
	}
	return out, nil
}

// TestLook_underATightBudgetTheNewestAndTheOldestAreLookedAt is the promise of docs/scheduling.md against PostgreSQL: 60 sales wait at an
// account that grants one look a second, and new ones appear all the time.
func TestLook_underATightBudgetTheNewestAndTheOldestAreLookedAt(t *testing.T) {
	b := newBench(t)
	m := &metered{GatewaysServiceClient: b.Gateways, now: b.clock, interval: time.Second, asked: map[string][]time.Time{}}
	b.Gateways = m
	const backlog = 60
	var openings []ledger.Opening
	for i := range backlog {
		s := b.draft(b.account, "atomopay")
		s.CreatedAt = b.clock().Add(-time.Duration(backlog-i) * time.Minute)
		openings = append(openings, ledger.Opening{Sale: s, Kind: payment.Imported, Source: payment.SourceAPI})
	}
	if _, err := b.Ledger.Record(t.Context(), openings); err != nil {
		t.Fatal(err)
	}
	born := map[string]time.Time{}
	start := b.clock()
	for second := range 4*backlog + 10 {
		if second%45 == 0 {
			s := b.draft(b.account, "atomopay")
			s.CreatedAt = b.clock()
			b.record(s)
			born[s.Charge.Hash] = b.clock()
		}
		if _, err := b.looks(); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Second + time.Millisecond)
	}
	for hash, at := range born {
		if b.clock().Sub(at) < 20*time.Second {
			continue
		}
		first := m.asked[hash]
		if len(first) == 0 || first[0].Sub(at) > payment.DefaultPolicy("atomopay").FirstLook+10*time.Second {
			t.Errorf("a new sale waited %v of %v", first, at)
		}
	}
	// The oldest sale waited for nobody but its three predecessors of every fourth turn.
	if asked := m.asked[openings[0].Sale.Charge.Hash]; len(asked) == 0 || asked[0].Sub(start) > 10*time.Second {
		t.Errorf("the oldest was looked at %v", asked)
	}
	for _, o := range openings {
		if len(m.asked[o.Sale.Charge.Hash]) == 0 {
			t.Fatalf("%s was forgotten", o.Sale.Charge.Hash)
		}
	}
}

func TestLook_aMerchantWithThousandsDueDelaysNobodyWithFive(t *testing.T) {
	b := newBench(t)
	var many []ledger.Opening
	for range 2000 {
		many = append(many, ledger.Opening{Sale: b.draft(b.account, "atomopay"), Kind: payment.Imported, Source: payment.SourceAPI})
	}
	if _, err := b.Ledger.Record(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	big := b.account
	other := payment.MerchantID(uuid.New())
	if _, _, err := b.Store.CreateMerchant(t.Context(), store.Merchant{ID: other, Name: "Pequena"}); err != nil {
		t.Fatal(err)
	}
	b.merchant = other
	b.bot = payment.BotID(uuid.New())
	if _, err := b.Store.PutBot(t.Context(), store.Bot{MerchantID: other, ID: b.bot, ExternalID: "1"}); err != nil {
		t.Fatal(err)
	}
	small := b.newAccount("atomopay")
	for range 5 {
		b.record(b.draft(small, "atomopay"))
	}
	rows, err := b.claimLooks(t.Context(), 100)
	if err != nil || len(rows) != 100 {
		t.Fatal(len(rows), err)
	}
	n := map[payment.AccountID]int{}
	for _, r := range rows {
		n[r.AccountID]++
	}
	if n[small] != 5 || n[big] != 95 {
		t.Errorf("the first claim has %d of the small merchant's five, and %d of the big one's", n[small], n[big])
	}
}

// Of looks that are due at one moment a claim may get fewer of the oldest than there are; that does not end it.
func TestLook_allDueAtOneMomentAreClaimedWithoutPause(t *testing.T) {
	b := newBench(t)
	const sales, claim = 1000, 100
	var all []ledger.Opening
	for range sales {
		all = append(all, ledger.Opening{Sale: b.draft(b.account, "atomopay"), Kind: payment.Imported, Source: payment.SourceAPI, LookFrom: b.clock()})
	}
	if _, err := b.Ledger.Record(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for n := range sales / claim {
		rows, err := b.claimLooks(t.Context(), claim)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != claim {
			t.Fatalf("claim %d has %d of %d looks while %d are due: the rest waits for the next idle second", n+1, len(rows), claim, sales-n*claim)
		}
	}
}

// TestWork_clockGoesBackAndAhead: an hour each way neither starves a sale nor floods its provider.
func TestWork_clockGoesBackAndAhead(t *testing.T) {
	b := newBench(t)
	m := &metered{GatewaysServiceClient: b.Gateways, now: b.clock, asked: map[string][]time.Time{}}
	b.Gateways = m
	s := b.draft(b.account, "atomopay")
	s.CreatedAt = b.clock()
	s = b.record(s)
	elapsed, last := time.Duration(0), time.Duration(0)
	var longest, shortest time.Duration = 0, time.Hour
	calls, jumped := 0, false
	work := func(length time.Duration) {
		t.Helper()
		for end := elapsed + length; elapsed < end; elapsed += 5 * time.Second {
			if err := b.followClock(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := b.looks(); err != nil {
				t.Fatal(err)
			}
			if n := len(m.asked[s.Charge.Hash]); n > calls {
				if calls > 0 && !jumped {
					shortest = min(shortest, elapsed-last)
				}
				longest, last, calls, jumped = max(longest, elapsed-last), elapsed, n, false
			}
			b.pass(5 * time.Second)
		}
	}
	jump := func(d time.Duration) { b.pass(d); jumped = true }
	work(10 * time.Minute)
	rows, err := b.claimLooks(t.Context(), 1) // a replica claims what it can and is killed just before the clock is set
	if err != nil {
		t.Fatal(len(rows), err)
	}
	jump(-time.Hour)
	work(30 * time.Minute)
	before := calls
	jump(time.Hour)
	work(5 * time.Minute)
	jump(-time.Hour)
	work(20 * time.Minute)
	policy := payment.DefaultPolicy("atomopay")
	if longest > 15*time.Minute { // the killed replica's lease is longestWait at most after a jump
		t.Errorf("no look for %s", longest)
	}
	if shortest < policy.MinInterval {
		t.Errorf("two looks %s apart, the provider's rule is %s", shortest, policy.MinInterval)
	}
	if calls-before > 80 || before < 30 || calls-before < 20 {
		t.Errorf("%d looks in 40 minutes, %d in the next 25", before, calls-before)
	}
}

func TestLookLease_neverShorterThanTheProvidersRule(t *testing.T) {
	b := newBench(t)
	for provider, want := range map[string]time.Duration{"atomopay": 10 * time.Second, "paradise": 15 * time.Second, "pushinpay": 65 * time.Second, "sigilopay": 305 * time.Second} {
		if got := b.lookLease(b.merchant, b.account, provider); got != want {
			t.Errorf("%s: %s, want %s", provider, got, want)
		}
	}
}

// TestLook_leaseIsHeldWhileTheProviderIsSlow: nobody takes over what goes on, and what nobody holds is free when its lease ends.
func TestLook_leaseIsHeldWhileTheProviderIsSlow(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	rows, err := b.claimLooks(t.Context(), 1)
	if err != nil || len(rows) != 1 {
		t.Fatal(len(rows), err)
	}
	other := newReplica(b)
	for range 5 {
		b.pass(8 * time.Second)
		if err := b.Store.RenewLooks(t.Context(), rows, b.clock().Add(lease)); err != nil {
			t.Fatal(err)
		}
		if taken, err := other.claimLooks(t.Context(), 1); err != nil || len(taken) != 0 {
			t.Fatalf("taken over while it is held: %v, %v", taken, err)
		}
	}
	b.pass(lease)
	if taken, err := other.claimLooks(t.Context(), 1); err != nil || len(taken) != 1 || taken[0].PaymentID != s.ID {
		t.Errorf("not taken over after the lease: %v, %v", taken, err)
	}
}

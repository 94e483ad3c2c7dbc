package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// side is one replica's gate with its own pool.
type side struct {
	*gate.Gate
	store *store.Store
}

func replicas(t *testing.T, n int, change ...func(*gate.Config)) ([]side, *account.Account) {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	keyset, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	var out []side
	for range n {
		s, err := store.New(db.Pool(t, store.Schema))
		if err != nil {
			t.Fatal(err)
		}
		book, err := account.NewBook(account.BookConfig{Loader: s, Sealer: sealer})
		if err != nil {
			t.Fatal(err)
		}
		c := gate.Config{Store: s, Book: book, Log: slog.New(slog.DiscardHandler)}
		for _, f := range change {
			f(&c)
		}
		g, err := gate.New(c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, side{g, s})
	}
	a := &account.Account{Record: account.Record{Key: account.Key{Merchant: account.MerchantID{15: 1}, Account: account.NewID()}, Provider: "atomopay", Label: "l",
		WebhookKey: account.NewWebhookKey(), Sealed: []byte("x"), State: account.Active, Revision: 1, CredentialNames: []string{}}}
	if _, err := out[0].store.PutAccount(t.Context(), &a.Record); err != nil {
		t.Fatal(err)
	}
	return out, a
}

func (s side) ask(t *testing.T, a *account.Account, calls int) gate.Permit {
	t.Helper()
	got, err := s.Ask(t.Context(), []gate.Need{{Account: a, Calls: calls}})
	if err != nil {
		t.Fatal(err)
	}
	return got[a.Key]
}

// made reports calls that were granted and made.
func (s side) made(t *testing.T, a *account.Account, n int, err error) {
	t.Helper()
	for range n {
		s.Report(t.Context(), a, gate.Result{Op: provider.OpStatus, Calls: 1, Granted: 1, Err: err})
	}
}

func TestAsk_leasesNeverExceedTheBudget(t *testing.T) {
	sides, a := replicas(t, 3)
	a.CallsPerMinute = 30_000 // 3000 at once, then 450 a second
	var granted, asked atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for _, s := range sides {
		for range 8 {
			wg.Go(func() {
				for time.Since(start) < 1500*time.Millisecond {
					got, err := s.Ask(t.Context(), []gate.Need{{Account: a, Calls: 1}})
					if err != nil {
						t.Error(err)
						return
					}
					asked.Add(1)
					granted.Add(int64(got[a.Key].Granted))
				}
			})
		}
	}
	wg.Wait()
	bound := int64(3000 + time.Since(start).Seconds()*450.1 + 1)
	if n := granted.Load(); n > bound || n < bound*8/10 {
		t.Errorf("%d calls granted, the bound is %d", n, bound)
	}
	t.Logf("%d granted of a bound of %d, %d asked", granted.Load(), bound, asked.Load())
}

func TestAsk_givesBackWhatWasLeasedAndNotUsed(t *testing.T) {
	sides, a := replicas(t, 2)
	a.CallsPerMinute = 600 // 60 at once, then one every 110 ms
	busy, other := sides[0], sides[1]
	for range 12 { // busy enough for a lease
		busy.ask(t, a, 1)
	}
	deadline := time.Now().Add(10 * time.Second)
	for got := 0; got < 46; { // 60 less the 12, and a little for the clock
		if err := busy.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got += other.ask(t, a, 60).Granted
		if time.Now().After(deadline) {
			t.Fatalf("the other replica got %d of the 48 that were left", got)
		}
	}
}

func TestAsk_anotherReplicasSilenceIsSeenWithinTheLease(t *testing.T) {
	sides, a := replicas(t, 2)
	a.CallsPerMinute = 6_000_000
	for range 200 {
		if p := sides[1].ask(t, a, 1); p.Granted != 1 {
			t.Fatalf("refused: %+v", p)
		}
	}
	sides[0].made(t, a, 1, &provider.Error{Kind: provider.KindRateLimited, HTTPStatus: 429, RetryAfter: time.Minute})
	if p := sides[0].ask(t, a, 1); p.Granted != 0 || p.Why != gate.Quiet {
		t.Errorf("the replica that was told: %+v", p)
	}
	told := time.Now()
	for sides[1].ask(t, a, 1).Granted > 0 {
		if time.Since(told) > 2*time.Second {
			t.Fatal("the other replica still calls after 2 s")
		}
	}
	// 200 ms of lease, and the statement that follows it.
	if took := time.Since(told); took > time.Second {
		t.Errorf("seen after %s", took)
	}
	if p := sides[1].ask(t, a, 1); p.Why != gate.Quiet || p.Wait < 50*time.Second {
		t.Errorf("afterwards: %+v", p)
	}
}

func TestAsk_callersThatAreGoneCostNothing(t *testing.T) {
	sides, a := replicas(t, 1)
	a.CallsPerMinute = 100 // ten at once, then one every 0.66 s
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if _, err := sides[0].Ask(gone, []gate.Need{{Account: a, Calls: 5}}); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	got := 0
	for deadline := time.Now().Add(10 * time.Second); got < 10; {
		got += sides[0].ask(t, a, 10-got).Granted
		if time.Now().After(deadline) {
			t.Fatalf("%d granted of a burst of 10", got)
		}
	}
}

func TestAsk_answersEveryoneWhoWaits(t *testing.T) {
	sides, a := replicas(t, 1)
	a.CallsPerMinute = 60_000 // 6000 at once
	var wg sync.WaitGroup
	var granted atomic.Int64
	for range 50 {
		wg.Go(func() {
			for range 20 {
				got, err := sides[0].Ask(t.Context(), []gate.Need{{Account: a, Calls: 3}})
				if err != nil {
					t.Error(err)
					return
				}
				granted.Add(int64(got[a.Key].Granted))
			}
		})
	}
	wg.Wait()
	if granted.Load() != 3000 {
		t.Errorf("%d granted, want all 3000", granted.Load())
	}
}

func TestReport_settlesWhatALookCostBeyondItsGrant(t *testing.T) {
	sides, a := replicas(t, 1)
	a.CallsPerMinute = 100 // ten at once, then one every 0.66 s
	if p := sides[0].ask(t, a, 4); p.Granted != 4 {
		t.Fatalf("%+v", p)
	}
	for range 4 { // two identifiers each
		sides[0].Report(t.Context(), a, gate.Result{Op: provider.OpStatus, Calls: 2, Granted: 1})
	}
	if p := sides[0].ask(t, a, 10); p.Granted < 2 || p.Granted > 3 {
		t.Errorf("after 8 of 10 calls: %+v", p)
	}
}

func TestReport_failuresInARowOpenTheBreaker(t *testing.T) {
	transient := &provider.Error{Kind: provider.KindTransient, HTTPStatus: 500}
	for name, c := range map[string]struct {
		errs []error
		open bool
	}{
		"in a row":         {[]error{transient, transient, transient}, true},
		"an answer":        {[]error{transient, transient, nil, transient, transient}, false},
		"not found":        {[]error{transient, transient, &provider.Error{Kind: provider.KindNotFound}, transient}, false},
		"other complaints": {[]error{&provider.Error{Kind: provider.KindContract}, &provider.Error{Kind: provider.KindInvalidRequest}, &provider.Error{Kind: provider.KindContract}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			sides, a := replicas(t, 2, func(c *gate.Config) { c.Failures, c.BreakerFirst, c.BreakerLimit = 3, time.Minute, time.Minute })
			for _, err := range c.errs {
				sides[0].made(t, a, 1, err)
			}
			for i, s := range sides {
				if p := s.ask(t, a, 1); (p.Why == gate.Breaker) != c.open {
					t.Errorf("replica %d: %+v, want open %t", i, p, c.open)
				}
			}
			if _, p, err := sides[0].Enter(t.Context(), a.Key); err != nil || (p.Why == gate.Breaker) != c.open {
				t.Errorf("a call already granted: %+v, %v", p, err)
			}
		})
	}
}

func TestEnter_endsWithItsContext(t *testing.T) {
	sides, a := replicas(t, 1, func(c *gate.Config) { c.Parallel = 1 })
	leave, _, err := sides[0].Enter(t.Context(), a.Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := sides[0].Enter(ctx, a.Key); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no place: %v", err)
	}
	leave()
	if leave, _, err := sides[0].Enter(t.Context(), a.Key); err != nil || leave == nil {
		t.Errorf("after the other left: %v", err)
	}
}

func TestNew_checksItsConfig(t *testing.T) {
	for i, c := range []gate.Config{{}, {Store: &store.Store{}, Book: &account.Book{}, Parallel: -1}, {Store: &store.Store{}, Book: &account.Book{}, Quiet: -1}} {
		if _, err := gate.New(c); err == nil {
			t.Error(fmt.Sprint(i), "no error")
		}
	}
}

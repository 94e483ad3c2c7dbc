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

// never is when a test gives up.
const never = 90 * time.Second

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
	a.CallsPerMinute = 12_000 // 1200 at once, then 180 a second
	budget := func(at time.Duration) int64 { return int64(1200 + at.Seconds()*180.1 + 1) }
	var granted, asked, refused atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for _, s := range sides {
		for range 8 {
			wg.Go(func() {
				for spent := false; !spent || time.Since(start) < 1500*time.Millisecond; { // until the budget is spent, however long that takes
					began := time.Since(start)
					got, err := s.Ask(t.Context(), []gate.Need{{Account: a, Calls: 1}})
					if err != nil {
						t.Error(err)
						return
					}
					n := got[a.Key].Granted
					asked.Add(1)
					granted.Add(int64(n))
					if spent = n == 0; spent {
						for old := refused.Load(); old < int64(began) && !refused.CompareAndSwap(old, int64(began)); old = refused.Load() {
						}
					}
				}
			})
		}
	}
	wg.Wait()
	n, most, least := granted.Load(), budget(time.Since(start)), budget(time.Duration(refused.Load()))*8/10
	if n > most || n < least {
		t.Errorf("%d calls granted, want %d to %d: all of the budget but what is leased at the end", n, least, most)
	}
	t.Logf("%d granted of a bound of %d, %d asked", n, most, asked.Load())
}

func TestAsk_givesBackWhatWasLeasedAndNotUsed(t *testing.T) {
	sides, a := replicas(t, 2)
	a.CallsPerMinute = 600 // 60 at once, then one every 110 ms
	busy, other := sides[0], sides[1]
	for range 12 { // busy enough for a lease
		busy.ask(t, a, 1)
	}
	start, got := time.Now(), 0
	for { // until it has the 48 that were left and what came since, but one for the clock; what is lost never comes back
		if err := busy.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		since := time.Since(start)
		got += other.ask(t, a, 60).Granted
		if left := 48 + int(since/(111*time.Millisecond)); got >= left-1 {
			break
		} else if since > never {
			t.Fatalf("the other replica got %d of the %d that were left", got, left)
		}
	}
}

func TestAsk_anotherReplicasSilenceIsSeenWithinTheLease(t *testing.T) {
	var passed atomic.Int64 // on the replicas' clock
	sides, a := replicas(t, 2, func(c *gate.Config) { c.Now = func() time.Time { return time.Unix(1_800_000_000, passed.Load()) } })
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
	// 200 ms of lease, and the statements that were under way when it was told.
	for leases := 0; ; leases++ {
		p := sides[1].ask(t, a, 1)
		if p.Granted == 0 {
			if p.Why != gate.Quiet || p.Wait < 30*time.Second {
				t.Errorf("afterwards: %+v", p)
			}
			break
		}
		if leases == 3 {
			t.Fatal("the other replica still calls three leases later")
		}
		passed.Add(int64(200 * time.Millisecond))
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
	start, got := time.Now(), 0
	for { // until the burst and what came since are granted, but one for the clock; what is lost never comes back
		since := time.Since(start)
		got += sides[0].ask(t, a, 10).Granted
		if want := 10 + int(since/(667*time.Millisecond)); got >= want-1 {
			break
		} else if since > never {
			t.Fatalf("%d granted of %d", got, want)
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
	start := time.Now()
	if p := sides[0].ask(t, a, 4); p.Granted != 4 {
		t.Fatalf("%+v", p)
	}
	for range 4 { // two identifiers each
		sides[0].Report(t.Context(), a, gate.Result{Op: provider.OpStatus, Calls: 2, Granted: 1})
	}
	p := sides[0].ask(t, a, 10)
	if most := 2 + int(time.Since(start)/(659*time.Millisecond)); p.Granted < 2 || p.Granted > most {
		t.Errorf("after 8 of 10 calls: %+v, want 2 to %d", p, most)
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

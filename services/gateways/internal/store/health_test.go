package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func health(t *testing.T, s *store.Store, k account.Key) account.Health {
	t.Helper()
	list, err := s.ListAccounts(t.Context(), k.Merchant, "", k.Account)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d accounts, %v", len(list), err)
	}
	return list[0].Health
}

func TestBreaker_opensOnceAndLetsOneProbeThrough(t *testing.T) {
	s, db := open(t)
	other := another(t, db)
	k := put(t, s, record(ana, "default")).Key
	const first, limit = time.Hour, 150 * time.Minute
	admin := db.Admin(t)
	probe := func() { // claims it as soon as the breaker's time is over, and not before
		t.Helper()
		if mine, err := s.ClaimProbe(t.Context(), k, time.Minute); err != nil || mine {
			t.Errorf("probe before its time: %t, %v", mine, err)
		}
		if _, err := admin.Exec(t.Context(), `UPDATE gateways.health SET retry_at = clock_timestamp()`); err != nil {
			t.Fatal(err)
		}
		if mine, err := s.ClaimProbe(t.Context(), k, 10*time.Minute); err != nil || !mine {
			t.Fatalf("probe when the time is over: %t, %v", mine, err)
		}
	}
	if wait, err := s.TripBreaker(t.Context(), k, false, first, limit); err != nil || wait <= first/2 || wait > first {
		t.Fatalf("trip: %s, %v", wait, err)
	}
	if wait, err := other.TripBreaker(t.Context(), k, false, first, limit); err != nil || wait != 0 {
		t.Errorf("the second replica opens it too: %s, %v", wait, err)
	}
	probe()
	if h := health(t, s, k); h.Breaker != "half-open" {
		t.Errorf("breaker %q while probing", h.Breaker)
	}
	if mine, err := other.ClaimProbe(t.Context(), k, time.Minute); err != nil || mine {
		t.Errorf("a second probe: %t, %v", mine, err)
	}
	for i, want := range []time.Duration{2 * time.Hour, limit, limit} { // doubled, then at the limit
		wait, err := s.TripBreaker(t.Context(), k, true, first, limit)
		if err != nil || wait > want || wait <= want-time.Minute {
			t.Errorf("failed probe %d: open for %s, %v, want %s", i, wait, err, want)
		}
		probe()
	}
	if closed, err := s.CloseBreaker(t.Context(), k); err != nil || !closed {
		t.Errorf("close: %t, %v", closed, err)
	}
	if closed, err := s.CloseBreaker(t.Context(), k); err != nil || closed {
		t.Errorf("close again: %t, %v", closed, err)
	}
	if h := health(t, s, k); h.Breaker != "closed" {
		t.Errorf("breaker %q after closing", h.Breaker)
	}
	if wait, err := s.TripBreaker(t.Context(), k, false, first, limit); err != nil || wait > first {
		t.Errorf("a new trip begins with %s, %v, want %s again", wait, err, first)
	}
}

// probe claims it as soon as the breaker's time is over.
func probe(t *testing.T, s *store.Store, k account.Key) {
	t.Helper()
	for start := time.Now(); ; {
		mine, err := s.ClaimProbe(t.Context(), k, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if mine {
			return
		}
		if time.Since(start) > never {
			t.Fatalf("no probe allowed within %s", never)
		}
	}
}

func TestClaimProbe_takesOverFromADeadOne(t *testing.T) {
	s, _ := open(t)
	k := put(t, s, record(ana, "default")).Key
	if _, err := s.TripBreaker(t.Context(), k, false, time.Millisecond, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	probe(t, s, k)
	if err := s.ReleaseProbe(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	if mine, err := s.ClaimProbe(t.Context(), k, time.Microsecond); err != nil || !mine {
		t.Fatalf("released probe: %t, %v", mine, err)
	}
	probe(t, s, k) // the lease of a microsecond is over
}

func TestAddUsage_countsAllReplicasOfTheMinute(t *testing.T) {
	s, db := open(t)
	a, b := put(t, s, record(ana, "a")).Key, put(t, s, record(beto, "b")).Key
	early, late := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 12, 0, 5, 0, time.UTC)
	for _, u := range [][]store.Usage{
		{{Key: b, Calls: 1, LastFailure: early}, {Key: a, Calls: 3, LastSuccess: late}},
		{{Key: a, Calls: 4, LastSuccess: early, LastFailure: early}},
	} {
		if err := another(t, db).AddUsage(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(account.Health{Breaker: "closed", CallsLastMinute: 7, LastSuccessAt: late, LastFailureAt: early}, health(t, s, a)); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(account.Health{Breaker: "closed", CallsLastMinute: 1, LastFailureAt: early}, health(t, s, b)); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
}

func TestSweep_forgetsWhatIsOver(t *testing.T) {
	s, db := open(t)
	k := put(t, s, record(ana, "default")).Key
	admin := db.Admin(t)
	if _, err := s.ClaimLooks(t.Context(), k, []string{"id:over"}, -time.Second, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ClaimLooks(t.Context(), k, []string{"id:held"}, time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.AddUsage(t.Context(), []store.Usage{{Key: k, Calls: 2}}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `INSERT INTO gateways.calls (merchant_id, account_id, bucket, calls) VALUES ($1, $2, now() - interval '3 minutes', 9)`,
		k.Merchant, k.Account); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var looks, calls int
	if err := admin.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM gateways.sale_looks), (SELECT count(*) FROM gateways.calls)`).Scan(&looks, &calls); err != nil {
		t.Fatal(err)
	}
	if looks != 1 || calls != 1 {
		t.Errorf("%d looks and %d counters left, want 1 and 1", looks, calls)
	}
}

func TestClaimLooks_refusesTheSameSaleWithinTheInterval(t *testing.T) {
	s, db := open(t)
	k, other := put(t, s, record(ana, "default")).Key, put(t, s, record(beto, "default")).Key
	claim := func(s *store.Store, k account.Key, refs ...string) map[string]time.Duration {
		t.Helper()
		waits, err := s.ClaimLooks(t.Context(), k, refs, time.Minute, 0)
		if err != nil {
			t.Fatal(err)
		}
		return waits
	}
	if waits := claim(s, k, "id:1", "id:2"); len(waits) != 0 {
		t.Errorf("first looks wait: %v", waits)
	}
	waits := claim(another(t, db), k, "id:3", "id:2")
	if len(waits) != 1 || waits["id:2"] < 55*time.Second || waits["id:2"] > time.Minute {
		t.Errorf("waits %v, want id:2 for a minute and id:3 at once", waits)
	}
	if waits := claim(s, other, "id:1"); len(waits) != 0 {
		t.Errorf("another account's sale waits: %v", waits)
	}
	if err := s.ReleaseLooks(t.Context(), k, []string{"id:2"}); err != nil {
		t.Fatal(err)
	}
	if waits := claim(s, k, "id:2"); len(waits) != 0 {
		t.Errorf("released look waits: %v", waits)
	}
}

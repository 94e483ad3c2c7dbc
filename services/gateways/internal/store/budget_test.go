package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func ask(t *testing.T, s *store.Store, q store.Question) store.Permission {
	t.Helper()
	got, err := s.Ask(t.Context(), []store.Question{q})
	if err != nil {
		t.Fatal(err)
	}
	p, ok := got[q.Key]
	if !ok {
		t.Fatal("no answer for the account asked about")
	}
	return p
}

func TestPerMinute_neverExceedsTheMinute(t *testing.T) {
	for _, n := range []int{1, 2, 3, 9, 10, 11, 59, 60, 61, 120, 300, 1000, 1_000_000} {
		b := store.PerMinute(n)
		// In [0, 60 s): the burst at once, and then one call whenever a step is over.
		most := b.Burst + int((time.Minute-1)/b.Step)
		if most > n || most < n*99/100 || b.Burst < 1 {
			t.Errorf("%d a minute: burst %d and one every %s make %d", n, b.Burst, b.Step, most)
		}
	}
}

func TestAsk_grantsABurstAndThenByTime(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "default"))
	q := store.Question{Key: r.Key, Budget: store.Budget{Step: time.Hour, Burst: 5}, Asked: 3}
	for i, want := range []int{3, 2, 0} {
		p := ask(t, s, q)
		if p.Granted != want || p.Breaker != "closed" || p.Quiet != 0 {
			t.Fatalf("question %d: %+v, want %d granted", i, p, want)
		}
		if want < 3 && (p.Wait <= 59*time.Minute || p.Wait > time.Hour) {
			t.Errorf("question %d: wait %s, want just below an hour", i, p.Wait)
		}
	}
	q.Owed = -2 // two were not made
	if p := ask(t, s, q); p.Granted != 2 {
		t.Errorf("after two were given back: %+v", p)
	}
	q.Owed = 3 // three more than granted were made
	ask(t, s, q)
	q.Owed = -1
	if p := ask(t, s, q); p.Granted != 0 || p.Wait < 2*time.Hour {
		t.Errorf("after three were owed and one given back: %+v", p)
	}
}

func TestAsk_paysOwedCallsFirst(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "default"))
	q := store.Question{Key: r.Key, Budget: store.Budget{Step: time.Hour, Burst: 5}, Asked: 5, Owed: 3}
	if p := ask(t, s, q); p.Granted != 2 {
		t.Errorf("first question with 3 owed of 5: %+v", p)
	}
	if p := ask(t, s, q); p.Granted != 0 || p.Wait < 3*time.Hour {
		t.Errorf("three more owed: %+v", p)
	}
}

func TestAsk_refillsOnTheServersClock(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "default"))
	q := store.Question{Key: r.Key, Budget: store.Budget{Step: 5 * time.Millisecond, Burst: 1}, Asked: 1}
	granted, start := 0, time.Now()
	for granted < 20 {
		granted += ask(t, s, q).Granted
		if time.Since(start) > never {
			t.Fatalf("%d granted in %s", granted, never)
		}
	}
	if took := time.Since(start); took < 19*5*time.Millisecond {
		t.Errorf("20 calls one every 5 ms granted within %s", took)
	}
}

// Three replicas, each with its own pool, hammer one account: together they get its budget and not more.
func TestAsk_holdsOverReplicas(t *testing.T) {
	first, db := open(t)
	r := put(t, first, record(ana, "default"))
	sides := []*store.Store{first, another(t, db), another(t, db)}
	hammer := func(b store.Budget, until func(granted int, all int64) bool) int64 {
		var all atomic.Int64
		var wg sync.WaitGroup
		for _, s := range sides {
			for range 3 {
				wg.Go(func() {
					for n := 1; !until(n, all.Load()); {
						got, err := s.Ask(t.Context(), []store.Question{{Key: r.Key, Budget: b, Asked: 7}})
						if err != nil {
							t.Error(err)
							return
						}
						n = got[r.Key].Granted
						all.Add(int64(n))
					}
				})
			}
		}
		wg.Wait()
		return all.Load()
	}
	if n := hammer(store.Budget{Step: time.Hour, Burst: 300}, func(granted int, _ int64) bool { return granted == 0 }); n != 300 {
		t.Errorf("%d calls granted before anyone was refused anything, want all 300 and not more", n)
	}
	r = put(t, first, record(ana, "other"))
	b, start := store.Budget{Step: 2 * time.Millisecond, Burst: 10}, time.Now()
	n := hammer(b, func(_ int, all int64) bool { return all >= 300 || time.Since(start) > never })
	if bound := int64(b.Burst) + int64(time.Since(start)/b.Step) + 1; n > bound || n < 300 {
		t.Errorf("%d calls granted, want 300 and at most %d", n, bound)
	}
}

func TestAsk_answersManyAccountsAtOnce(t *testing.T) {
	s, db := open(t)
	var qs []store.Question
	for i := range 40 {
		r := put(t, s, record(ana, "label-"+string(rune('a'+i))))
		qs = append(qs, store.Question{Key: r.Key, Budget: store.Budget{Step: time.Hour, Burst: i + 1}, Asked: 100})
	}
	// Overlapping questions in opposite orders must not wait in a circle.
	other, reversed := another(t, db), make([]store.Question, len(qs))
	for i, q := range qs {
		reversed[len(qs)-1-i] = q
	}
	total := map[account.Key]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, side := range []struct {
		s  *store.Store
		qs []store.Question
	}{{s, qs}, {other, reversed}} {
		wg.Go(func() {
			for range 10 {
				got, err := side.s.Ask(t.Context(), side.qs)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for k, p := range got {
					total[k] += p.Granted
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i, q := range qs {
		if total[q.Key] != i+1 {
			t.Errorf("account %d was granted %d, its burst is %d", i, total[q.Key], i+1)
		}
	}
}

func TestAsk_obeysSilenceAndBreaker(t *testing.T) {
	s, db := open(t)
	r := put(t, s, record(ana, "default"))
	q := store.Question{Key: r.Key, Budget: store.Budget{Step: time.Millisecond, Burst: 100}, Asked: 1}
	if err := s.SetQuiet(t.Context(), r.Key, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.SetQuiet(t.Context(), r.Key, time.Second); err != nil { // a shorter one changes nothing
		t.Fatal(err)
	}
	if p := ask(t, another(t, db), q); p.Granted != 0 || p.Quiet < 59*time.Second || p.Quiet > time.Minute {
		t.Errorf("silence seen by another replica: %+v", p)
	}
	quiet := put(t, s, record(ana, "other"))
	if err := s.SetQuiet(t.Context(), quiet.Key, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	q.Key = quiet.Key
	granted(t, s, q)
	wait, err := s.TripBreaker(t.Context(), q.Key, false, 20*time.Millisecond, time.Minute)
	if err != nil || wait <= 0 {
		t.Fatalf("trip: %s, %v", wait, err)
	}
	if p := ask(t, s, q); p.Granted != 0 || p.Breaker != "open" {
		t.Errorf("open breaker: %+v", p)
	}
}

// granted asks until a call is granted.
func granted(t *testing.T, s *store.Store, q store.Question) {
	t.Helper()
	for start := time.Now(); ask(t, s, q).Granted == 0; {
		if time.Since(start) > never {
			t.Fatalf("nothing granted within %s", never)
		}
	}
}

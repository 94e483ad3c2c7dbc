package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func chargeKey(t *testing.T, s *store.Store) store.ChargeKey {
	t.Helper()
	return store.ChargeKey{Key: put(t, s, record(ana, "default")).Key, Reference: "ref-1"}
}

func request(t *testing.T, s *store.Store, k store.ChargeKey, lease time.Duration, want bool) {
	t.Helper()
	if mine, err := s.RequestCharge(t.Context(), k, []byte("content"), lease); err != nil || mine != want {
		t.Fatalf("request: %t, %v, want %t", mine, err, want)
	}
}

func read(t *testing.T, s *store.Store, k store.ChargeKey) store.Charge {
	t.Helper()
	c, err := s.Charge(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func finish(t *testing.T, s *store.Store, k store.ChargeKey, attempt int, state store.ChargeState, r store.ChargeResult, want bool) {
	t.Helper()
	if kept, err := s.FinishCharge(t.Context(), k, attempt, state, r); err != nil || kept != want {
		t.Fatalf("finish attempt %d as %s: %t, %v, want %t", attempt, state, kept, err, want)
	}
}

func TestCharge_isRequestedOnceAndKept(t *testing.T) {
	s, db := open(t)
	k := chargeKey(t, s)
	request(t, s, k, time.Minute, true)
	request(t, another(t, db), k, time.Minute, false)
	c := read(t, s, k)
	if c.State != store.Requested || !c.Leased || c.Attempts != 1 || string(c.Content) != "content" || c.UnsureFor <= 0 {
		t.Errorf("requested: %+v", c)
	}
	if mine, err := s.RetakeCharge(t.Context(), c, time.Minute); err != nil || mine {
		t.Errorf("a leased charge is taken: %t, %v", mine, err)
	}
	want := store.ChargeResult{ID: "77", Hash: "h77", Reference: "ref-1", CopyPaste: "000201", ExpiresAt: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), HTTPStatus: 201}
	finish(t, s, k, 1, store.Created, want, true)
	c = read(t, s, k)
	if diff := cmp.Diff(store.Charge{ChargeKey: k, Content: []byte("content"), State: store.Created, Attempts: 1, Rested: c.Rested, Result: want}, c); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if mine, err := s.RetakeCharge(t.Context(), c, time.Minute); err != nil || mine {
		t.Errorf("a created charge is taken: %t, %v", mine, err)
	}
	finish(t, s, k, 1, store.Open, store.ChargeResult{}, false)
}

func TestCharge_isTakenOverWhenItsAskerDied(t *testing.T) {
	s, _ := open(t)
	k := chargeKey(t, s)
	request(t, s, k, -time.Second, true) // the lease is over at once
	dead := read(t, s, k)
	if dead.Leased {
		t.Fatal("still leased")
	}
	if mine, err := s.RetakeCharge(t.Context(), dead, time.Minute); err != nil || !mine {
		t.Fatalf("take over: %t, %v", mine, err)
	}
	if mine, err := s.RetakeCharge(t.Context(), dead, time.Minute); err != nil || mine {
		t.Errorf("two take over from one: %t, %v", mine, err)
	}
	finish(t, s, k, 1, store.Created, store.ChargeResult{ID: "late"}, false) // the dead one wakes up
	finish(t, s, k, 2, store.Unsure, store.ChargeResult{}, true)
	unsure := read(t, s, k)
	if unsure.UnsureFor < dead.UnsureFor {
		t.Errorf("unsure for %s, but the first request was %s ago then", unsure.UnsureFor, dead.UnsureFor)
	}
	if mine, err := s.RetakeCharge(t.Context(), unsure, time.Minute); err != nil || !mine {
		t.Fatalf("retake unsure: %t, %v", mine, err)
	}
	if mine, err := s.RestartCharge(t.Context(), k, 3); err != nil || !mine {
		t.Fatalf("restart: %t, %v", mine, err)
	}
	if again := read(t, s, k); again.UnsureFor >= unsure.UnsureFor+time.Hour || again.UnsureFor > time.Minute {
		t.Errorf("unsure for %s after the restart", again.UnsureFor)
	}
	if mine, err := s.RestartCharge(t.Context(), k, 2); err != nil || mine {
		t.Errorf("a stale attempt restarts: %t, %v", mine, err)
	}
}

func TestCharge_openMayBeAskedForAgain(t *testing.T) {
	s, _ := open(t)
	k := chargeKey(t, s)
	request(t, s, k, time.Minute, true)
	finish(t, s, k, 1, store.Open, store.ChargeResult{Reason: "429", HTTPStatus: 429}, true)
	c := read(t, s, k)
	if c.State != store.Open || c.UnsureFor != 0 || c.Leased {
		t.Errorf("open: %+v", c)
	}
	if mine, err := s.RetakeCharge(t.Context(), c, time.Minute); err != nil || !mine {
		t.Errorf("retake: %t, %v", mine, err)
	}
}

func TestCharge_isOneMerchantsOnly(t *testing.T) {
	s, _ := open(t)
	k := chargeKey(t, s)
	request(t, s, k, time.Minute, true)
	stolen := k
	stolen.Merchant = beto
	if _, err := s.Charge(t.Context(), stolen); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("another merchant reads: %v", err)
	}
	finish(t, s, stolen, 1, store.Refused, store.ChargeResult{}, false)
	other := k
	other.Reference = "REF-1" // references are compared exactly
	if _, err := s.Charge(t.Context(), other); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("another case: %v", err)
	}
	if diff := cmp.Diff(store.Requested, read(t, s, k).State, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

package store_test

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func TestSettleLooks_theIntervalBeginsWithTheCall(t *testing.T) {
	s, _ := open(t)
	k := put(t, s, record(ana, "default")).Key
	wait := func(ref string) time.Duration {
		t.Helper()
		waits, err := s.ClaimLooks(t.Context(), k, []string{ref}, time.Minute, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return waits[ref]
	}
	for _, ref := range []string{"id:1", "id:2", "id:3"} {
		if d := wait(ref); d != 0 {
			t.Fatalf("%s: the first look waits %s", ref, d)
		}
	}
	if d := wait("id:1"); d <= time.Minute {
		t.Errorf("while the call may still be made it waits %s, want more than a minute", d)
	}
	if err := s.SettleLooks(t.Context(), k, []store.Made{{Ref: "id:2", Ago: 61 * time.Second}, {Ref: "id:1", Ago: 20 * time.Second}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if d := wait("id:1"); d <= 0 || d > 40*time.Second {
		t.Errorf("20 seconds after the call it waits %s, want at most 40 s", d)
	}
	if d := wait("id:2"); d != 0 {
		t.Errorf("a minute after the call it waits %s", d)
	}
	if d := wait("id:3"); d <= time.Minute {
		t.Errorf("another call was settled, and it waits %s", d)
	}
}

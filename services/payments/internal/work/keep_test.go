package work

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestTidy_purgesAndEnds(t *testing.T) {
	b := newBench(t)
	b.KeepWebhooks, b.ParkFor = 48*time.Hour, 24*time.Hour
	var id uuid.UUID // in the order of arrival, as the inbox makes them
	for i, ms := 5, b.clock().UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		id[i] = byte(ms)
	}
	if _, err := b.Store.InsertWebhooks(t.Context(), []store.Webhook{{ID: id, Provider: "atomopay", Digest: []byte(fmt.Sprint(1)),
		Body: []byte(`{"hash":"nobody","status":"paid"}`), ReceivedAt: b.clock()}}); err != nil {
		t.Fatal(err)
	}
	state := func() (string, bool) {
		t.Helper()
		list, err := b.Store.Webhooks(t.Context(), store.WebhookFilter{Limit: 10})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].State, list[0].PurgedAt != nil
	}
	for _, step := range []struct {
		pass   time.Duration
		state  string
		purged bool
	}{{0, "parked", false}, {23 * time.Hour, "parked", false}, {2 * time.Hour, "unmatched", false}, {24 * time.Hour, "unmatched", true}} {
		b.pass(step.pass)
		if _, err := b.reads(); err != nil {
			t.Fatal(err)
		}
		if err := b.tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, purged := state(); s != step.state || purged != step.purged {
			t.Errorf("after %v: %s, purged %t", step.pass, s, purged)
		}
	}
}

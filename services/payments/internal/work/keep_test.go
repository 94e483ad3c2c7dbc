package work

import (
	"encoding/json"
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

// Clicks that no sale was made with go when they are old, in as many batches as it takes, also beside those that stay.
func TestTidy_purgesClicks(t *testing.T) {
	b := newBench(t)
	b.KeepClicks = 48 * time.Hour
	sold := b.sale()
	const many = keepBatch + 20
	clicks := make([]store.Click, many)
	for i := range clicks {
		clicks[i] = store.Click{MerchantID: b.merchant, Token: fmt.Sprintf("%032x", i), ID: uuid.New(), Slug: "promo", ClickedAt: b.clock().Add(time.Duration(i) * time.Second),
			Tracking: json.RawMessage(`{}`)}
	}
	if err := b.Store.InsertClicks(t.Context(), clicks); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE payments SET tracking = jsonb_build_object('tracking_token', $1::text) WHERE id = $2`, clicks[3].Token, sold.ID); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		t.Helper()
		if err := b.tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM clicks`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, many}, {48*time.Hour + 10*time.Second, many - 9}, {time.Hour, 1}, {time.Hour, 1}} {
		b.pass(step.pass)
		if n := left(); n != step.want {
			t.Errorf("after %v there are %d clicks, want %d", step.pass, n, step.want)
		}
	}
	b.KeepClicks = 0
	if n := left(); n != 1 {
		t.Errorf("for ever leaves %d", n)
	}
}

package store

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// at makes an id of a moment, as the inbox does.
func at(t time.Time) uuid.UUID {
	id := uuid.UUID(since(t))
	copy(id[6:], uuid.NewString())
	return id
}

func (b *bench) kept(n tenant, state string, received time.Time) uuid.UUID {
	b.t.Helper()
	id := at(received)
	b.exec(`INSERT INTO payments.webhooks (id, provider, digest, body, headers, received_at, state, merchant_id)
		VALUES ($1, 'atomopay', $2, 'sealed', '{"user-agent":"x"}', $3, $4, $5)`, id, id[:], received, state, n.merchant)
	return id
}

func TestWebhooks_listedNewestFirst(t *testing.T) {
	b := newBench(t)
	old, parked, theirs := b.kept(b.one, "matched", b.now.Add(-time.Hour)), b.kept(b.one, "parked", b.now), b.kept(b.other, "parked", b.now)
	ids := func(f WebhookFilter) (out []uuid.UUID) {
		t.Helper()
		if f.Limit == 0 {
			f.Limit = 10
		}
		list, err := b.Webhooks(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range list {
			if w.Size != 6 || len(w.HeaderNames) != 1 || w.HeaderNames[0] != "user-agent" {
				t.Errorf("%+v", w)
			}
			out = append(out, w.ID)
		}
		return out
	}
	if got := ids(WebhookFilter{Merchant: &b.one.merchant}); len(got) != 2 || got[0] != parked || got[1] != old {
		t.Errorf("a merchant's: %v", got)
	}
	if got := ids(WebhookFilter{State: "parked"}); len(got) != 2 {
		t.Errorf("parked: %v", got)
	}
	if got := ids(WebhookFilter{Merchant: &b.one.merchant, To: b.now}); len(got) != 1 || got[0] != old {
		t.Errorf("a window: %v", got)
	}
	if got := ids(WebhookFilter{Merchant: &b.one.merchant, Before: &parked}); len(got) != 1 || got[0] != old {
		t.Errorf("the next page: %v", got)
	}
	if got := ids(WebhookFilter{Merchant: &b.one.merchant, ID: &theirs}); len(got) != 0 {
		t.Errorf("another merchant's: %v", got)
	}
}

func TestReplayWebhooks_byIDAndWindow(t *testing.T) {
	b := newBench(t)
	first, second := b.kept(b.one, "not_understood", b.now.Add(-time.Hour)), b.kept(b.one, "parked", b.now)
	theirs := b.kept(b.other, "parked", b.now)
	replay := func(r Replay, found, purged int64) {
		t.Helper()
		r.Now = b.now
		if f, p, err := b.ReplayWebhooks(t.Context(), r); err != nil || f != found || p != purged {
			t.Errorf("%d found, %d purged, %v; want %d and %d", f, p, err, found, purged)
		}
	}
	due := func() int {
		t.Helper()
		list, err := b.ClaimWebhooks(t.Context(), b.now, b.now, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	replay(Replay{Merchant: &b.one.merchant, IDs: []uuid.UUID{first, theirs}}, 1, 0)
	replay(Replay{Merchant: &b.one.merchant, From: b.now.Add(-2 * time.Hour), To: b.now.Add(time.Second), DryRun: true}, 2, 0)
	if n := due(); n != 0 {
		t.Errorf("%d replayed by a request that names what is not there, or by a dry run", n)
	}
	if _, n, err := b.PurgeWebhooks(t.Context(), uuid.UUID{}, b.now.Add(-time.Minute), b.now, 10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	replay(Replay{Merchant: &b.one.merchant, IDs: []uuid.UUID{first, second}}, 2, 1)
	if n := due(); n != 1 {
		t.Errorf("%d to be read", n)
	}
	list, err := b.Webhooks(t.Context(), WebhookFilter{ID: &first, Limit: 1})
	if err != nil || list[0].Size != 0 || list[0].PurgedAt == nil || list[0].State != "not_understood" || len(list[0].HeaderNames) != 0 {
		t.Errorf("purged: %+v %v", list, err)
	}
	if _, n, err := b.PurgeWebhooks(t.Context(), uuid.UUID{}, b.now.Add(-time.Minute), b.now, 10); err != nil || n != 0 {
		t.Errorf("purged again: %d %v", n, err)
	}
	// A copy of what was purged brings its bytes back.
	if _, err := b.InsertWebhooks(t.Context(), []Webhook{{ID: uuid.New(), Provider: "atomopay", Digest: first[:], Body: []byte("again"), ReceivedAt: b.now}}); err != nil {
		t.Fatal(err)
	}
	if list, err = b.Webhooks(t.Context(), WebhookFilter{ID: &first, Limit: 1}); err != nil || list[0].Size != 5 || list[0].PurgedAt != nil || list[0].State != "new" {
		t.Errorf("a copy: %+v %v", list, err)
	}
}

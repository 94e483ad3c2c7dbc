package store

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func (b *bench) enqueue(effects ...Effect) {
	b.t.Helper()
	b.must(func(ctx context.Context, tx pgx.Tx) error { return InsertEffects(ctx, tx, effects) })
}

func (b *bench) effects(kind string, limit int) []Effect {
	b.t.Helper()
	got, err := b.ClaimEffects(b.t.Context(), kind, b.now, b.now.Add(time.Minute), limit)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func names(effects []Effect) map[string]int {
	out := map[string]int{}
	for _, e := range effects {
		out[e.Name]++
	}
	return out
}

func TestEffects_lifeOfOne(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	e := Effect{Key: key(s), Name: "owner:2", Kind: "owner", Payload: json.RawMessage(`{"type": "x"}`), DueAt: b.now}
	again := e
	again.Payload = json.RawMessage(`{"type": "other"}`)
	b.enqueue(e, Effect{Key: key(s), Name: "deliver", Kind: "deliver", DueAt: b.now}, Effect{Key: key(s), Name: "owner:3", Kind: "owner", DueAt: b.now.Add(time.Second)})
	b.enqueue(again)
	b.enqueue()
	got := b.effects("owner", 10)
	if d := cmp.Diff([]Effect{e}, got); d != "" {
		t.Fatalf("claimed (-want +got):\n%s", d)
	}
	if got := b.effects("owner", 10); len(got) != 0 {
		t.Errorf("leased and claimed again: %v", names(got))
	}
	got[0].DueAt = b.now.Add(time.Hour)
	if err := b.PostponeEffects(t.Context(), got, "Unavailable"); err != nil {
		t.Fatal(err)
	}
	if err := b.PostponeEffects(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(59 * time.Minute)
	if d := cmp.Diff(map[string]int{"owner:3": 1}, names(b.effects("owner", 10))); d != "" {
		t.Errorf("before the postponed one is due (-want +got):\n%s", d)
	}
	b.now = b.now.Add(time.Minute)
	got = b.effects("owner", 10)
	if len(got) != 2 || got[0].Attempts+got[1].Attempts != 1 {
		t.Errorf("after an hour: %+v, want both, one of them tried once", got)
	}
	open, err := b.OpenEffects(t.Context(), key(s))
	if err != nil || len(open) != 3 || open[1].LastError != "Unavailable" || open[1].Attempts != 1 {
		t.Errorf("open: %+v, %v", open, err)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return FinishEffects(ctx, tx, got) })
	b.must(func(ctx context.Context, tx pgx.Tx) error { return FinishEffects(ctx, tx, nil) })
	b.now = b.now.Add(time.Hour)
	if got := b.effects("owner", 10); len(got) != 0 {
		t.Errorf("finished and claimed again: %v", names(got))
	}
	if d := cmp.Diff(map[string]int{"deliver": 1}, names(b.effects("deliver", 10))); d != "" {
		t.Errorf("the other kind (-want +got):\n%s", d)
	}
}

func TestClaimEffects_oldestFirstWithinTheLimit(t *testing.T) {
	b := newBench(t)
	s, theirs := b.insert(b.sale(b.one, "a"))[0], b.insert(b.sale(b.other, "b"))[0]
	for i, name := range []string{"third", "first", "second"} {
		b.enqueue(Effect{Key: key(s), Name: name, Kind: "owner", DueAt: b.now.Add(-[]time.Duration{1, 3, 2}[i] * time.Minute)})
	}
	b.enqueue(Effect{Key: key(theirs), Name: "first", Kind: "owner", DueAt: b.now})
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT 1 FROM effects WHERE key = 'first' AND merchant_id = $1 FOR UPDATE`, s.MerchantID)
		if d := cmp.Diff(map[string]int{"second": 1}, names(b.effects("owner", 1))); d != "" {
			t.Errorf("while another claims the first (-want +got):\n%s", d)
		}
		return err
	})
	got := b.effects("owner", 1)
	if len(got) != 1 || got[0].Name != "first" || got[0].MerchantID != s.MerchantID {
		t.Errorf("next: %+v", got)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return FinishEffects(ctx, tx, got) }) // must not end the other merchant's "first"
	if d := cmp.Diff(map[string]int{"third": 1, "first": 1}, names(b.effects("owner", 10))); d != "" {
		t.Errorf("rest (-want +got):\n%s", d)
	}
}

func TestEffects_bornLeasedAreTheirInsertersUntilReturned(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	lease := b.now.Add(10 * time.Second)
	kept := Effect{Key: key(s), Name: "owner:2", Kind: "owner", DueAt: b.now, Lease: lease}
	late := Effect{Key: key(s), Name: "owner:3", Kind: "owner", DueAt: b.now, Lease: lease}
	b.enqueue(kept, late)
	if got := b.effects("owner", 10); len(got) != 0 {
		t.Fatalf("claimed although they are somebody's: %v", names(got))
	}
	late.Lease = lease.Add(-time.Second) // as if it had been claimed by another since
	if err := b.ReturnEffects(t.Context(), []Effect{kept, late}); err != nil {
		t.Fatal(err)
	}
	if err := b.ReturnEffects(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"owner:2": 1}, names(b.effects("owner", 10))); d != "" {
		t.Errorf("returned (-want +got):\n%s", d)
	}
	b.now = lease
	if d := cmp.Diff(map[string]int{"owner:3": 1}, names(b.effects("owner", 10))); d != "" {
		t.Errorf("when the lease is over (-want +got):\n%s", d)
	}
}

func TestEmptyEffects_leavesTheRestAsItIs(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	news := Effect{Key: key(s), Name: "deliver", Kind: "deliver", DueAt: b.now, Payload: json.RawMessage(`{"tells": "owner:2"}`)}
	other := Effect{Key: key(s), Name: "deliver:4", Kind: "deliver", DueAt: b.now, Payload: json.RawMessage(`{"tells": "owner:4"}`)}
	b.enqueue(news, other)
	b.must(func(ctx context.Context, tx pgx.Tx) error { return EmptyEffects(ctx, tx, []Effect{news}) })
	b.must(func(ctx context.Context, tx pgx.Tx) error { return EmptyEffects(ctx, tx, nil) })
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		sales, err := EntrustedSales(ctx, tx, Key{}, nil, 10)
		if len(sales) != 1 || !cmp.Equal(sales[0].Effects, []string{"deliver", "deliver:4", "owner:4"}) {
			t.Errorf("open, with what they carry: %+v", sales)
		}
		return err
	})
	got := map[string]string{}
	for _, e := range b.effects("deliver", 10) {
		got[e.Name] = string(e.Payload)
	}
	if d := cmp.Diff(map[string]string{"deliver": `{}`, "deliver:4": `{"tells": "owner:4"}`}, got); d != "" {
		t.Errorf("payloads (-want +got):\n%s", d)
	}
}

package store

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestUnpark_findsByEveryIdentifier(t *testing.T) {
	b := newBench(t)
	s := b.sale(b.one, "a")
	for name, c := range map[string]struct {
		ref   Charge
		key   string
		other string // provider
		found bool
	}{
		"hash":                 {ref: Charge{Hash: s.Charge.Hash}, found: true},
		"hash in another case": {ref: Charge{Hash: strings.ToUpper(s.Charge.Hash)}},
		"id in another case":   {ref: Charge{ID: strings.ToUpper(s.Charge.ID)}, found: true},
		"reference":            {ref: Charge{Reference: s.Charge.Reference}, found: true},
		"sale key":             {key: s.SaleKey, found: true},
		"part of the hash":     {ref: Charge{Hash: s.Charge.Hash[:3]}},
		"hash as id":           {ref: Charge{ID: s.Charge.Hash}},
		"nothing":              {},
		"another provider":     {ref: s.Charge, other: "paradise"},
	} {
		h := b.hook(name)
		h.SaleKey = c.key
		if c.other != "" {
			h.Provider = c.other
		}
		b.receive(h)
		claimed := b.hooks(1)
		b.park(claimed, c.ref)
		if got := b.unpark(b.bare(b.one), s); got != c.found {
			t.Errorf("%s: found %t, want %t", name, got, c.found)
		}
		if got := b.hooks(1); (len(got) == 1) != c.found {
			t.Errorf("%s: due %t, want %t", name, len(got) == 1, c.found)
		}
		b.exec(`DELETE FROM payments.webhooks`)
	}
	if b.unpark() {
		t.Error("no sales, yet something was found")
	}
}

func TestUnpark_beatsWhoReadsItAtThisMoment(t *testing.T) {
	b := newBench(t)
	s := b.sale(b.one, "a")
	b.receive(b.hook("x"))
	b.park(b.hooks(1), s.Charge)
	b.exec(`UPDATE payments.webhooks SET due_at = $1`, b.now) // its next try
	reading := b.hooks(1)
	if !b.unpark(s) {
		t.Fatal("not found")
	}
	b.park(reading, s.Charge) // had not seen the sale
	if got := b.hooks(1); len(got) != 1 {
		t.Errorf("%d to read, want the one whose sale has appeared", len(got))
	}
}

func (b *bench) sweep(age time.Duration, want int) (more bool) {
	b.t.Helper()
	woken, more, err := b.SweepParked(b.t.Context(), age, b.now)
	if err != nil || woken != want {
		b.t.Fatalf("%d woken, want %d; %v", woken, want, err)
	}
	return more
}

// states are the webhooks' by their digests' texts.
func (b *bench) states(hooks ...Webhook) (out []string) {
	b.t.Helper()
	for _, h := range hooks {
		var state string
		if err := b.Pool().QueryRow(b.t.Context(), `SELECT state FROM payments.webhooks WHERE id = $1`, h.ID).Scan(&state); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, state)
	}
	return out
}

func TestSweepParked_wakesWhoseSaleIsThere(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	missed := func(text, provider, reason string, ref Charge, key string) Webhook {
		h := b.hook(text)
		h.Provider, h.SaleKey = provider, key
		b.receive(h)
		claimed := b.hooks(1)[0]
		b.judge(Verdict{ID: h.ID, Lease: claimed.Lease, State: "parked", Reason: reason, Ref: ref})
		return h
	}
	hooks := []Webhook{
		missed("hash", s.Provider, "", Charge{Hash: s.Charge.Hash}, ""), missed("id", s.Provider, "", Charge{ID: strings.ToUpper(s.Charge.ID)}, ""),
		missed("reference", s.Provider, "", Charge{Reference: s.Charge.Reference}, ""), missed("key", s.Provider, "", Charge{}, s.SaleKey),
		missed("nobody", s.Provider, "", Charge{Hash: "nobody"}, ""), missed("empty", s.Provider, "", Charge{}, ""),
		missed("other provider", "paradise", "", s.Charge, ""), missed("several", s.Provider, "the same identifiers belong to sales of several merchants", s.Charge, ""),
	}
	b.sweep(time.Minute, 0) // nothing is that old
	b.now = b.now.Add(time.Minute)
	versions := func() (out []string) {
		t.Helper()
		for _, h := range hooks[4:] {
			var version string
			if err := b.Pool().QueryRow(t.Context(), `SELECT ctid::text FROM payments.webhooks WHERE id = $1`, h.ID).Scan(&version); err != nil {
				t.Fatal(err)
			}
			out = append(out, version)
		}
		return out
	}
	before := versions()
	b.sweep(time.Minute, 4)
	if d := cmp.Diff([]string{"new", "new", "new", "new", "parked", "parked", "parked", "parked"}, b.states(hooks...)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(before, versions()); d != "" {
		t.Errorf("those that wait on were written:\n%s", d)
	}
	if due := b.hooks(10); len(due) != 4 {
		t.Errorf("%d to be read", len(due))
	}
}

func TestSweepParked_goesOnWhereItEnded(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	at := func(text string, after time.Duration) Webhook {
		h := b.hook(text)
		h.ReceivedAt = b.now.Add(after)
		b.receive(h)
		b.exec(`UPDATE payments.webhooks SET state = 'parked', due_at = NULL, ref_hash = $2 WHERE id = $1`, h.ID, s.Charge.Hash)
		return h
	}
	const age = time.Minute
	b.sweep(age, 0)
	b.now = b.now.Add(-age)
	first, second, third := at("first", time.Second), at("second", 2*time.Second), at("third", 2*SweepSpan)
	b.now = b.now.Add(2 * age)
	want := func(states ...string) {
		t.Helper()
		if d := cmp.Diff(states, b.states(first, second, third)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	if !b.sweep(age, 2) {
		t.Error("there is more, and it is not told")
	}
	want("new", "new", "parked")
	b.sweep(age, 1)
	if b.sweep(age, 0) {
		t.Error("more is told, and there is none")
	}
	b.exec(`UPDATE payments.webhooks SET state = 'parked', due_at = NULL`) // each is compared once at each age
	b.sweep(age, 0)
	b.sweep(age/2, 0) // an age begins with what comes to it
	b.now = b.now.Add(-time.Hour)
	b.sweep(age, 0) // the clock goes back, and what it says next counts
	late := at("late", -age+time.Second)
	b.now = b.now.Add(2 * time.Second)
	b.sweep(age, 1)
	if got := b.states(late); got[0] != "new" {
		t.Errorf("after the clock went back: %s", got[0])
	}
}

func TestSweepParked_oneAtATime(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	b.sweep(time.Minute, 0)
	b.receive(b.hook("x"))
	b.park(b.hooks(1), s.Charge)
	b.now = b.now.Add(time.Minute)
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT 1 FROM parked_sweeps FOR UPDATE`); err != nil {
			return err
		}
		b.sweep(time.Minute, 0)
		return nil
	})
	b.sweep(time.Minute, 1)
}

func TestEndParked_withAReason(t *testing.T) {
	b := newBench(t)
	old := b.kept(b.one, "parked", b.now.Add(-time.Hour))
	b.kept(b.one, "parked", b.now)
	if n, err := b.EndParked(t.Context(), b.now.Add(-time.Minute), b.now, 10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	list, err := b.Webhooks(t.Context(), WebhookFilter{State: "unmatched", Limit: 10})
	if err != nil || len(list) != 1 || list[0].ID != old || list[0].Reason == "" {
		t.Errorf("%+v %v", list, err)
	}
}

package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// storedHook is what the table has of a webhook.
type storedHook struct {
	State, Reason, RefID, Claimed string
	Attempts                      int
	Due, Leased, Account          bool
}

func (b *bench) stored(id [16]byte) (r storedHook) {
	b.t.Helper()
	err := b.pool.QueryRow(b.t.Context(), `SELECT state, reason, ref_id, claimed, attempts, due_at IS NOT NULL, leased_until IS NOT NULL, account_id IS NOT NULL
		FROM webhooks WHERE id = $1`, id).Scan(&r.State, &r.Reason, &r.RefID, &r.Claimed, &r.Attempts, &r.Due, &r.Leased, &r.Account)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// say lets a webhook have been read: it names a charge and nobody knows its sale.
func (b *bench) say(h Webhook, ref Charge) Webhook {
	h.SaleKey = ""
	h.Lease = b.now.Add(time.Minute)
	h.Said = &Said{Verdict: Verdict{State: "parked", Reason: "no sale yet", Ref: ref, Claimed: "paid"}}
	return h
}

func TestInsertWebhooks_readBefore(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	shared := b.sale(b.one, "shared")
	theirs := b.sale(b.other, "shared")
	theirs.SaleKey = "theirs"
	b.insert(shared, theirs)
	blank := b.insert(b.bare(b.one))[0]

	parked := b.say(b.hook("parked"), Charge{ID: "nobody"})
	parked.Said.Verdict.AccountID = &b.one.account
	matched := b.say(b.hook("matched"), Charge{ID: strings.ToUpper(s.Charge.ID)})
	elsewhere := b.say(b.hook("elsewhere"), s.Charge)
	elsewhere.Said.Verdict.MerchantID = &b.other.merchant
	several := b.say(b.hook("several"), Charge{Hash: shared.Charge.Hash})
	referred := b.say(b.hook("referred"), Charge{Reference: s.Charge.Reference})
	foreign := b.say(b.hook("foreign"), s.Charge)
	foreign.Provider = "paradise"
	unnamed := b.say(b.hook("unnamed"), Charge{ID: "new"})
	unnamed.SaleKey = blank.SaleKey
	ignored := b.say(b.hook("ignored"), Charge{})
	ignored.SaleKey, ignored.Said.Verdict = s.SaleKey, Verdict{State: "ignored", Reason: "a test"}
	unread := b.hook("unread")
	hooks := []Webhook{parked, matched, elsewhere, several, referred, foreign, unnamed, ignored, unread}
	slices.SortFunc(hooks, func(a, b Webhook) int { return bytes.Compare(a.Digest, b.Digest) })
	stored, err := b.InsertWebhooks(t.Context(), hooks)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hook Webhook
		row  storedHook
	}{
		{"parked", parked, storedHook{State: "parked", Reason: "no sale yet", RefID: "nobody", Claimed: "paid", Attempts: 1, Account: true}},
		{"of another merchant", elsewhere, storedHook{State: "parked", Reason: "no sale yet", RefID: s.Charge.ID, Claimed: "paid", Attempts: 1}},
		{"matched", matched, storedHook{State: "new", RefID: strings.ToUpper(s.Charge.ID), Claimed: "paid", Due: true, Leased: true}},
		{"by its hash", several, storedHook{State: "new", Claimed: "paid", Due: true, Leased: true}},
		{"by its reference", referred, storedHook{State: "new", Claimed: "paid", Due: true, Leased: true}},
		{"at another provider", foreign, storedHook{State: "parked", Reason: "no sale yet", RefID: s.Charge.ID, Claimed: "paid", Attempts: 1}},
		{"unnamed", unnamed, storedHook{State: "new", RefID: "new", Claimed: "paid", Due: true, Leased: true}},
		{"ignored", ignored, storedHook{State: "ignored", Reason: "a test", Attempts: 1}},
		{"unread", unread, storedHook{State: "new", Due: true}},
	} {
		at := stored[string(c.hook.Digest)]
		if at.ID != c.hook.ID || at.Unread != c.row.Due {
			t.Errorf("%s: %+v", c.name, at)
		}
		if d := cmp.Diff(c.row, b.stored(c.hook.ID)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestInsertWebhooks_parkedAtOnceIsWokenByItsSale(t *testing.T) {
	b := newBench(t)
	h := b.say(b.hook("a"), Charge{ID: "id-a"})
	b.receive(h)
	if !b.unpark(b.sale(b.one, "a")) {
		t.Fatal("its sale does not wake it")
	}
	if got := b.hooks(10); len(got) != 1 || got[0].ID != h.ID {
		t.Errorf("to be read: %v", got)
	}
}

// What was there is not judged by what a copy of it says.
func TestInsertWebhooks_copyThatWasReadBefore(t *testing.T) {
	b := newBench(t)
	first := b.hook("a")
	b.receive(first)
	again := b.say(b.hook("a"), Charge{ID: "nobody"})
	stored, err := b.InsertWebhooks(t.Context(), []Webhook{again})
	if err != nil {
		t.Fatal(err)
	}
	if at := stored[string(again.Digest)]; at.ID != first.ID || !at.Unread {
		t.Errorf("the copy is %+v", at)
	}
	if d := cmp.Diff(storedHook{State: "new", Due: true}, b.stored(first.ID)); d != "" {
		t.Errorf("the first (-want +got):\n%s", d)
	}
	late := b.say(b.hook("b"), Charge{ID: "nobody"})
	b.receive(late)
	b.now = b.now.Add(10 * time.Second)
	b.receive(b.say(b.hook("b"), Charge{ID: "nobody"}))
	if got := b.stored(late.ID); got.State != "new" || !got.Due {
		t.Errorf("a late copy of one that was parked at once asks for no other look: %+v", got)
	}
}

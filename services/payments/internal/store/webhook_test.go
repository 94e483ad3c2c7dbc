package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) hook(text string) Webhook {
	digest := sha256.Sum256([]byte(text))
	return Webhook{ID: uuid.New(), Provider: "atomopay", Digest: digest[:], AccountKey: "acc", SaleKey: "s-" + text, Body: []byte(text),
		ContentType: "application/json", Headers: map[string]string{"x-a": "1"}, RemoteAddr: "192.0.2.1", ReceivedAt: b.now}
}

func (b *bench) receive(hooks ...Webhook) map[string][16]byte {
	b.t.Helper()
	stored, err := b.InsertWebhooks(b.t.Context(), hooks)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string][16]byte{}
	for digest, at := range stored {
		out[digest] = at.ID
	}
	return out
}

func (b *bench) hooks(limit int) []Webhook {
	b.t.Helper()
	got, err := b.ClaimWebhooks(b.t.Context(), b.now, b.now.Add(time.Minute), limit)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// park judges webhooks as waiting for sales with these identifiers, without a time of their own.
func (b *bench) park(hooks []Webhook, ref Charge) {
	b.t.Helper()
	var verdicts []Verdict
	for _, h := range hooks {
		verdicts = append(verdicts, Verdict{ID: h.ID, Lease: h.Lease, State: "parked", Ref: ref})
	}
	b.judge(verdicts...)
}

func (b *bench) judge(v ...Verdict) {
	b.t.Helper()
	b.must(func(ctx context.Context, tx pgx.Tx) error { return JudgeWebhooks(ctx, tx, v) })
}

func (b *bench) unpark(sales ...Sale) (found bool) {
	b.t.Helper()
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = Unpark(ctx, tx, sales, b.now)
		return err
	})
	return found
}

func TestInsertWebhooks_copiesAreOneRow(t *testing.T) {
	b := newBench(t)
	first := b.hook("a")
	ids := b.receive(first, b.hook("b"))
	if len(ids) != 2 || ids[string(first.Digest)] != first.ID {
		t.Fatalf("stored as %v", ids)
	}
	again := b.hook("a")
	if ids := b.receive(again); ids[string(again.Digest)] != first.ID {
		t.Errorf("the copy is stored as %v, want %v", ids, first.ID)
	}
	got := b.hooks(10)
	if len(got) != 2 {
		t.Fatalf("%d to read, want 2", len(got))
	}
	i := slices.IndexFunc(got, func(h Webhook) bool { return h.ID == first.ID })
	first.Lease = b.now.Add(time.Minute)
	if d := cmp.Diff(first, got[i], cmp.Comparer(func(x, y time.Time) bool { return x.Equal(y) })); d != "" {
		t.Errorf("claimed (-want +got):\n%s", d)
	}
	if none, err := b.InsertWebhooks(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing to store: %v, %v", none, err)
	}
}

func TestInsertWebhooks_bornLeasedAreTheirInsertersUntilReturned(t *testing.T) {
	b := newBench(t)
	own, late, free := b.hook("own"), b.hook("late"), b.hook("free")
	own.Lease = b.now.Add(10 * time.Second)
	late.Lease = own.Lease
	b.receive(own, late, free)
	if got := b.hooks(10); len(got) != 1 || got[0].ID != free.ID {
		t.Fatalf("claimed %d, want the one that nobody holds", len(got))
	}
	late.Lease = own.Lease.Add(-time.Second) // as if it had been claimed by another since
	if err := b.ReturnWebhooks(t.Context(), []Webhook{own, late}); err != nil {
		t.Fatal(err)
	}
	if err := b.ReturnWebhooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got := b.hooks(10)
	if len(got) != 1 || got[0].ID != own.ID {
		t.Fatalf("returned %d, want the one that was still held", len(got))
	}
	copied := b.hook("own")
	copied.Lease = b.now.Add(time.Hour)
	b.receive(copied)
	b.judge(Verdict{ID: own.ID, Lease: got[0].Lease, State: "ignored"}) // a copy changes no lease
	var state string
	if err := b.pool.QueryRow(t.Context(), `SELECT state FROM webhooks WHERE id = $1`, own.ID).Scan(&state); err != nil {
		t.Fatal(err)
	}
	if state != "ignored" {
		t.Errorf("state %q after a copy came while it was read", state)
	}
}

func TestInsertWebhooks_aLateCopyAsksAgain(t *testing.T) {
	b := newBench(t)
	b.receive(b.hook("a"))
	b.park(b.hooks(1), Charge{Hash: "h"})
	b.now = b.now.Add(4 * time.Second)
	b.receive(b.hook("a"))
	if got := b.hooks(1); len(got) != 0 {
		t.Errorf("a copy of the same burst is read again: %v", got)
	}
	b.now = b.now.Add(time.Hour)
	b.receive(b.hook("a"))
	if got := b.hooks(1); len(got) != 1 || got[0].Attempts != 1 {
		t.Errorf("a copy an hour later: %v, want one more reading", got)
	}
}

func TestClaimWebhooks_leasedOnceUntilTheLeaseEnds(t *testing.T) {
	b := newBench(t)
	b.receive(b.hook("a"), b.hook("b"), b.hook("c"))
	if got := b.hooks(2); len(got) != 2 {
		t.Errorf("%d claimed, want 2", len(got))
	}
	if got := b.hooks(2); len(got) != 1 {
		t.Errorf("%d claimed, want the third", len(got))
	}
	if got := b.hooks(2); len(got) != 0 {
		t.Errorf("%d claimed of none", len(got))
	}
	b.now = b.now.Add(time.Minute)
	if got := b.hooks(9); len(got) != 3 {
		t.Errorf("%d after the lease, want all", len(got))
	}
}

func TestJudgeWebhooks_writesEverything(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	b.receive(b.hook("a"), b.hook("b"))
	got := b.hooks(2)
	due := b.now.Add(time.Hour)
	b.judge(Verdict{ID: got[0].ID, Lease: got[0].Lease, State: "matched", Reason: "r", DueAt: &due, AccountID: &s.AccountID, MerchantID: &s.MerchantID,
		PaymentID: &s.ID, Ref: Charge{ID: "i", Hash: "h", Reference: "f"}, Claimed: "paid"},
		Verdict{ID: got[1].ID, Lease: got[1].Lease, State: "ignored"})
	b.judge()
	var row struct {
		State, Reason, Hash, ID, Reference, Claimed string
		Merchant                                    payment.MerchantID
		Attempts                                    int
	}
	err := b.pool.QueryRow(t.Context(), `SELECT state, reason, ref_hash, ref_id, ref_reference, claimed, merchant_id, attempts FROM webhooks
		WHERE payment_id = $1 AND account_id = $2 AND leased_until IS NULL AND due_at = $3`, s.ID, s.AccountID, due).
		Scan(&row.State, &row.Reason, &row.Hash, &row.ID, &row.Reference, &row.Claimed, &row.Merchant, &row.Attempts)
	if err != nil || row.State+row.Reason+row.Hash+row.ID+row.Reference+row.Claimed != "matchedrhifpaid" || row.Merchant != s.MerchantID || row.Attempts != 1 {
		t.Errorf("judged %+v, %v", row, err)
	}
	b.now = due
	if got := b.hooks(9); len(got) != 1 {
		t.Errorf("%d due again, want only the one that is to be read later", len(got))
	}
}

func TestPostponeWebhooks_onlyTheHolder(t *testing.T) {
	b := newBench(t)
	b.receive(b.hook("a"))
	mine := b.hooks(1)
	b.now = b.now.Add(2 * time.Minute)
	theirs := b.hooks(1)
	if err := b.PostponeWebhooks(t.Context(), mine, b.now, "late"); err != nil {
		t.Fatal(err)
	}
	b.park(mine, Charge{})
	if got := b.hooks(1); len(got) != 0 {
		t.Errorf("whoever lost the lease gave it back: %v", got)
	}
	if err := b.PostponeWebhooks(t.Context(), theirs, b.now.Add(time.Minute), "the gateways are away"); err != nil {
		t.Fatal(err)
	}
	if err := b.PostponeWebhooks(t.Context(), nil, b.now, ""); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	if got := b.hooks(1); len(got) != 1 || got[0].Attempts != 1 {
		t.Errorf("given back for a minute: %v", got)
	}
}

func TestMatchHints_exactIdentifiersOnly(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	blank := b.insert(b.bare(b.one))[0]
	theirs := b.sale(b.other, "a") // the same identifiers at another merchant
	theirs.SaleKey = "theirs"
	b.insert(theirs)
	both := map[payment.ID]bool{s.ID: true, theirs.ID: true}
	mine := map[payment.ID]bool{s.ID: true}
	none := map[payment.ID]bool{}
	cases := []struct {
		name string
		hint Hint
		want map[payment.ID]bool
	}{
		{"hash", Hint{Ref: Charge{Hash: s.Charge.Hash}}, both},
		{"hash in another case", Hint{Ref: Charge{Hash: strings.ToUpper(s.Charge.Hash)}}, none},
		{"part of the hash", Hint{Ref: Charge{Hash: s.Charge.Hash[:4]}}, none},
		{"pattern", Hint{Ref: Charge{Hash: "%", ID: "%", Reference: "_%"}}, none},
		{"id in another case", Hint{Ref: Charge{ID: strings.ToUpper(s.Charge.ID)}, MerchantID: &b.one.merchant}, mine},
		{"reference of the account", Hint{Ref: Charge{Reference: s.Charge.Reference}, AccountID: &b.one.account}, mine},
		{"all of them", Hint{Ref: s.Charge, SaleKey: s.SaleKey, MerchantID: &b.one.merchant, AccountID: &b.one.account}, mine},
		{"another account", Hint{Ref: s.Charge, AccountID: &b.other.account, MerchantID: &b.one.merchant}, none},
		{"sale key", Hint{SaleKey: s.SaleKey}, mine},
		{"sale key of a sale without identifiers", Hint{SaleKey: blank.SaleKey}, map[payment.ID]bool{blank.ID: true}},
		{"nothing", Hint{}, none},
		{"another provider", Hint{Provider: "paradise", Ref: s.Charge, SaleKey: s.SaleKey}, none},
		{"hash in the place of the id", Hint{Ref: Charge{ID: s.Charge.Hash}}, none},
	}
	var hints []Hint
	for _, c := range cases {
		if c.hint.Provider == "" {
			c.hint.Provider = "atomopay"
		}
		hints = append(hints, c.hint)
	}
	got, err := b.MatchHints(t.Context(), hints)
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range cases {
		found := map[payment.ID]bool{}
		for _, m := range got[n] {
			if found[m.PaymentID] {
				t.Errorf("%s: %s twice", c.name, m.PaymentID)
			}
			found[m.PaymentID] = true
		}
		if d := cmp.Diff(c.want, found); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
	if m := got[4]; len(m) != 1 || m[0].MerchantID != b.one.merchant || m[0].AccountID != b.one.account {
		t.Errorf("matched %+v", m)
	}
	if none, err := b.MatchHints(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no hints: %v, %v", none, err)
	}
}

func TestCountCopies(t *testing.T) {
	b := newBench(t)
	x, y := b.hook("x"), b.hook("y")
	b.receive(x, y)
	later := b.now.Add(time.Second)
	count := func(counts ...Copies) {
		t.Helper()
		if err := b.CountCopies(t.Context(), counts); err != nil {
			t.Fatal(err)
		}
	}
	count(Copies{x.Digest, 3, later}, Copies{[]byte("nobody's"), 1, later})
	count(Copies{x.Digest, 2, b.now})
	var n, others int
	var last time.Time
	if err := b.Pool().QueryRow(t.Context(), `SELECT x.copies, x.last_copy_at, y.copies FROM webhooks x, webhooks y WHERE x.id = $1 AND y.id = $2 AND y.last_copy_at IS NULL`,
		x.ID, y.ID).Scan(&n, &last, &others); err != nil {
		t.Fatal(err)
	}
	if n != 6 || !last.Equal(later) || others != 1 {
		t.Errorf("%d copies, the last at %v; the other's %d", n, last, others)
	}
}

func TestWebhooks_copiesAndVerdictsDoNotWaitInACircle(t *testing.T) {
	b := newBench(t)
	var all []Webhook
	for i := range 40 {
		all = append(all, b.hook(fmt.Sprint(i)))
	}
	slices.SortFunc(all, func(x, y Webhook) int { return slices.Compare(x.Digest, y.Digest) }) // as the inbox does
	b.receive(all...)
	claimed := b.hooks(100)
	errs := make(chan error)
	for range 4 {
		go func() {
			var err error
			for range 15 {
				copies := slices.Clone(all)
				for i := range copies {
					copies[i].ID = uuid.New()
				}
				if _, e := b.InsertWebhooks(context.Background(), copies); e != nil {
					err = e
				}
			}
			errs <- err
		}()
		go func() {
			var err error
			verdicts := make([]Verdict, len(claimed))
			for i, h := range claimed { // in no order
				verdicts[i] = Verdict{ID: h.ID, Digest: h.Digest, Lease: h.Lease, State: "parked", DueAt: &b.now}
			}
			for range 15 {
				e := pgx.BeginFunc(context.Background(), b.pool, func(tx pgx.Tx) error {
					if err := pg.ByKey.Set(context.Background(), tx); err != nil {
						return err
					}
					return JudgeWebhooks(context.Background(), tx, verdicts)
				})
				if e == nil {
					_, e = b.pool.Exec(context.Background(), `UPDATE webhooks SET leased_until = $1 WHERE id = $2`, claimed[0].Lease, claimed[0].ID)
				}
				if e != nil {
					err = e
				}
				e = b.PostponeWebhooks(context.Background(), slices.Clone(claimed), b.now, "x")
				if e == nil {
					_, e = b.pool.Exec(context.Background(), `UPDATE webhooks SET leased_until = $1 WHERE id = $2`, claimed[0].Lease, claimed[0].ID)
				}
				if e != nil {
					err = e
				}
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

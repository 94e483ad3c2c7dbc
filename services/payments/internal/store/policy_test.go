package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) change(p Place, values map[string]*string) bool {
	b.t.Helper()
	changed, err := b.ChangePolicy(b.t.Context(), PolicyChange{Place: p, Values: values, By: "key 1", At: b.now, From: b.now,
		Check: func([]PolicyRow) error { return nil }})
	if err != nil {
		b.t.Fatal(err)
	}
	return changed
}

func TestChangePolicy_versionsAndKeepsWhoDidIt(t *testing.T) {
	b := newBench(t)
	shop := Place{MerchantID: b.one.merchant}
	if !b.change(shop, map[string]*string{"late": ptr("ask"), "grace": ptr("1m")}) {
		t.Error("nothing changed")
	}
	if b.change(shop, map[string]*string{"late": ptr("ask")}) {
		t.Error("the same again changed something")
	}
	all, err := b.PoliciesSince(t.Context(), 0)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	seen := max(all[0].Version, all[1].Version)
	b.change(shop, map[string]*string{"late": nil})
	fresh, err := b.PoliciesSince(t.Context(), seen)
	if err != nil || len(fresh) != 1 || fresh[0].Value != nil || fresh[0].Field != "late" || fresh[0].SetBy != "key 1" {
		t.Errorf("since: %+v %v", fresh, err)
	}
	var before, after *string
	if err := b.pool.QueryRow(t.Context(), `SELECT before, after FROM policy_changes WHERE field = 'late' ORDER BY version DESC LIMIT 1`).Scan(&before, &after); err != nil || *before != "ask" || after != nil {
		t.Errorf("kept: %v %v %v", before, after, err)
	}
	refused := errors.New("no")
	_, err = b.ChangePolicy(t.Context(), PolicyChange{Place: Place{MerchantID: b.other.merchant}, Values: map[string]*string{"late": ptr("hold")}, At: b.now,
		Check: func(rows []PolicyRow) error {
			if len(rows) != 1 || rows[0].MerchantID != b.other.merchant {
				t.Errorf("asked about %+v: another merchant's are none of its business", rows)
			}
			return refused
		}})
	if !errors.Is(err, refused) {
		t.Error(err)
	}
	if all, err = b.PoliciesSince(t.Context(), 0); err != nil || len(all) != 2 {
		t.Errorf("after a refusal: %+v %v", all, err)
	}
}

func TestReschedule_goesThroughTheSalesOnce(t *testing.T) {
	b := newBench(t)
	mine, also, theirs := b.look(b.one, "a", time.Minute), b.look(b.one, "b", time.Minute), b.look(b.other, "c", time.Minute)
	b.set(mine, also, theirs)
	gone := b.insert(b.sale(b.one, "d"))[0]
	b.change(Place{MerchantID: b.one.merchant}, map[string]*string{"late": ptr("ask")})
	r, err := b.ClaimReschedule(t.Context(), b.now, b.now.Add(time.Minute))
	if err != nil || r.MerchantID != b.one.merchant || r.Phase != "looks" {
		t.Fatal(r, err)
	}
	if _, err := b.ClaimReschedule(t.Context(), b.now, b.now.Add(time.Minute)); !errors.Is(err, ErrNotFound) {
		t.Errorf("claimed twice: %v", err)
	}
	var found []Key
	for {
		page, err := b.Rescheduled(t.Context(), r, b.now.Add(-time.Hour), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		r.At, found = page[0], append(found, page[0])
		if err := b.AdvanceReschedule(t.Context(), r, 1, b.now.Add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
		r.Lease = b.now.Add(2 * time.Minute)
	}
	if len(found) != 2 || found[0].MerchantID != b.one.merchant || found[1].MerchantID != b.one.merchant {
		t.Errorf("found %v", found)
	}
	r.Phase, r.At = "gone", Key{}
	page, err := b.Rescheduled(t.Context(), r, gone.CreatedAt.Add(-time.Hour), 10)
	if err != nil || len(page) != 1 || page[0] != key(gone) {
		t.Errorf("without a look: %v %v", page, err)
	}
	stale := r
	stale.Lease = b.now
	if err := b.AdvanceReschedule(t.Context(), stale, 1, b.now); !errors.Is(err, ErrNotFound) {
		t.Errorf("advanced by who does not hold it: %v", err)
	}
	if err := b.EndReschedule(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		return InsertReschedule(ctx, tx, Reschedule{ID: uuid.New(), Place: Place{Provider: "atomopay"}, Reason: "policy", DueAt: b.now})
	})
	everything, err := b.ClaimReschedule(t.Context(), b.now, b.now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if page, err = b.Rescheduled(t.Context(), everything, b.now, 10); err != nil || len(page) != 3 {
		t.Errorf("a whole provider's: %v %v", page, err)
	}
}

func TestOverdueLooks_pages(t *testing.T) {
	b := newBench(t)
	old, older, due := b.look(b.one, "a", -time.Hour), b.look(b.one, "b", -2*time.Hour), b.look(b.one, "c", 0)
	for _, l := range []*Look{&old, &older, &due} {
		l.Lane = 3
	}
	b.set(old, older, due)
	page := func(after Position) []Look {
		t.Helper()
		out, err := b.OverdueLooks(t.Context(), b.one.account, 3, b.now.Add(-time.Minute), after, 1)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := page(Position{})
	if len(first) != 1 || first[0].PaymentID != older.PaymentID {
		t.Fatalf("first %+v", first)
	}
	second := page(Position{first[0].DueAt, first[0].PaymentID})
	if len(second) != 1 || second[0].PaymentID != old.PaymentID {
		t.Fatalf("second %+v", second)
	}
	if rest := page(Position{second[0].DueAt, second[0].PaymentID}); len(rest) != 0 {
		t.Errorf("rest %+v", rest)
	}
}

func TestCommissions_unknownMerchant(t *testing.T) {
	b := newBench(t)
	c := Commission{MerchantID: b.one.merchant, FromDay: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), BasisPoints: 250}
	if err := b.SetCommission(t.Context(), c, "key 1", b.now); err != nil {
		t.Fatal(err)
	}
	if list, err := b.Commissions(t.Context(), b.one.merchant); err != nil || len(list) != 1 || list[0].BasisPoints != 250 {
		t.Error(list, err)
	}
	c.MerchantID = payment.MerchantID(uuid.New())
	if err := b.SetCommission(t.Context(), c, "key 1", b.now); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) advance(from, to string) error {
	return b.tx(func(ctx context.Context, tx pgx.Tx) error { return Advance(ctx, tx, "delivery", from, to) })
}

func TestAdvance_onlyFromWhereItStands(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	if at, err := b.Cursor(ctx, "delivery"); err != nil || at != "" {
		t.Fatalf("never followed: %q, %v", at, err)
	}
	for _, step := range []struct {
		from, to string
		want     error
	}{{"", "5", nil}, {"", "9", ErrFollowed}, {"4", "9", ErrFollowed}, {"5", "9", nil}, {"5", "9", ErrFollowed}, {"9", "9", nil}} {
		if err := b.advance(step.from, step.to); !errors.Is(err, step.want) {
			t.Errorf("from %q to %q: %v, want %v", step.from, step.to, err, step.want)
		}
	}
	if at, err := b.Cursor(ctx, "delivery"); err != nil || at != "9" {
		t.Errorf("cursor %q, %v", at, err)
	}
	if at, err := b.Cursor(ctx, "notifier"); err != nil || at != "" {
		t.Errorf("the other log's cursor %q, %v", at, err)
	}
}

func TestAdvance_oneFollowerAtATime(t *testing.T) {
	for name, start := range map[string]string{"first ever": "", "later": "5"} {
		b := newBench(t)
		if start != "" {
			if err := b.advance("", start); err != nil {
				t.Fatal(err)
			}
		}
		b.must(func(ctx context.Context, tx pgx.Tx) error {
			if err := Advance(ctx, tx, "delivery", start, "7"); err != nil {
				return err
			}
			if err := b.advance(start, "8"); !errors.Is(err, ErrFollowed) { // at once: a second follower never waits
				t.Errorf("%s: a second follower: %v", name, err)
			}
			return nil
		})
		if err := b.advance(start, "8"); !errors.Is(err, ErrFollowed) {
			t.Errorf("%s: behind the first: %v", name, err)
		}
		if at, err := b.Cursor(t.Context(), "delivery"); err != nil || at != "7" {
			t.Errorf("%s: cursor %q, %v", name, at, err)
		}
	}
}

func TestNoteRun_addsUp(t *testing.T) {
	b := newBench(t)
	for i := range 2 {
		if err := b.NoteRun(t.Context(), "poll", b.now.Add(time.Duration(i)*time.Second), 3, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.advance("", "1"); err != nil {
		t.Fatal(err)
	}
	runs, err := b.Runs(t.Context())
	if err != nil || len(runs) != 2 || !runs["poll"].Equal(b.now.Add(time.Second)) || runs["follow delivery"].IsZero() {
		t.Errorf("runs: %v, %v", runs, err)
	}
	var worked, failed int
	err = b.pool.QueryRow(t.Context(), `SELECT worked, failed FROM work_runs WHERE name = 'poll'`).Scan(&worked, &failed)
	if err != nil || worked != 6 || failed != 2 {
		t.Errorf("worked %d, failed %d, %v", worked, failed, err)
	}
}

func TestExisting_onlyTheMerchantsOwn(t *testing.T) {
	b := newBench(t)
	mine, theirs := b.sale(b.one, "mine"), b.sale(b.other, "theirs")
	b.insert(mine, theirs)
	own := Key{mine.MerchantID, mine.ID}
	got, err := b.Existing(t.Context(), []Key{own, {mine.MerchantID, theirs.ID}, {mine.MerchantID, payment.ID{1}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !got[own] {
		t.Errorf("existing are %v, want only %v", got, own)
	}
	if got, err := b.Existing(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of no keys %v exist (%v)", got, err)
	}
}

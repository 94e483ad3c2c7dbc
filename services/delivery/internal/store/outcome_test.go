package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func TestFollow_everyOutcomeOnceInOrder(t *testing.T) {
	r := newRig(t)
	const sales, each = 40, 2 // opened and queued
	r.putPixel(merchantA, botOne, "11111")
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	seen := map[string]int{}
	var last eventlog.Cursor
	done := make(chan error, 1)
	enough := errors.New("enough")
	go func() {
		after := eventlog.Cursor{}
		for {
			err := r.Follow(ctx, after, 7, nil, func(_ context.Context, rows []store.Outcome) error {
				for _, o := range rows {
					if o.Cursor.Compare(last) <= 0 {
						return errors.New("out of order")
					}
					last, after = o.Cursor, o.Cursor
					seen[o.Cursor.String()]++
				}
				if len(seen) == sales*each {
					return enough
				}
				if len(seen)%3 == 0 {
					return errors.New("disconnect")
				}
				return nil
			})
			if err.Error() != "disconnect" {
				done <- err
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range sales / 4 {
				is := draft()
				if _, err := r.IssueBatch(r.ctx, []store.Issue{is}); err != nil {
					t.Errorf("IssueBatch: %v", err)
				}
				if _, err := r.Open(r.ctx, is.TokenHash, store.Visit{UserAgent: "Phone/1"}); err != nil {
					t.Errorf("Open: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := <-done; !errors.Is(err, enough) {
		t.Fatalf("follow ended with %v after %d of %d outcomes", err, len(seen), sales*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("outcome %s came %d times", id, n)
		}
	}
}

func TestOutcomes_ofOneMerchant(t *testing.T) {
	r := newRig(t)
	a, b := draft(), draft(func(is *store.Issue) { is.Merchant = merchantB })
	r.issue(a, b)
	r.open(a)
	r.open(b)
	r.settle()
	for _, m := range []sale.MerchantID{merchantA, merchantB} {
		got, cursor, err := r.Outcomes(r.ctx, eventlog.Cursor{}, 100, &m)
		if err != nil || len(got) != 3 || cursor != got[2].Cursor {
			t.Fatalf("outcomes = %+v, %v, %v; want three and the last one's cursor", got, cursor, err)
		}
		for _, o := range got {
			if o.Merchant != m {
				t.Errorf("merchant %s got an outcome of %s", m, o.Merchant)
			}
		}
	}
}

func TestSchema_appendOnly(t *testing.T) {
	r := newRig(t)
	for _, statement := range []string{
		`UPDATE outcomes SET detail = 'x'`, `DELETE FROM outcomes`, `DELETE FROM deliveries`, `DELETE FROM purchases`,
		`UPDATE token_keys SET version = 9`, `DELETE FROM token_keys`,
	} {
		if _, err := r.pool.Exec(r.ctx, statement); err == nil {
			t.Errorf("%s is allowed", statement)
		}
	}
}

func TestAddTokenKey_firstWins(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"first", "second"} {
		if err := r.AddTokenKey(r.ctx, 1, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := r.TokenKeys(r.ctx)
	if err != nil || len(keys) != 1 || string(keys[1]) != "first" {
		t.Errorf("keys = %q, %v; want the first", keys, err)
	}
}

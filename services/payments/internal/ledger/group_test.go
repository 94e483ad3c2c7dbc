package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// crowd makes calls while as many transactions as may be under way are held up, and lets them go together.
func (b *bench) crowd(calls ...func()) {
	b.t.Helper()
	var held, all sync.WaitGroup
	release := make(chan struct{})
	for range maxUnderWay {
		held.Add(1)
		var once sync.Once
		all.Go(func() {
			_, err := b.ledger.Apply(context.Background(), nil, func(context.Context, pgx.Tx) error {
				once.Do(held.Done)
				<-release
				return nil
			})
			if err != nil {
				b.t.Error(err)
			}
		})
		held.Wait()
	}
	for n, do := range calls {
		all.Go(do)
		for tick := time.Tick(time.Millisecond); ; <-tick { // in their order, so that a failure can be told
			b.ledger.group.mu.Lock()
			waiting := len(b.ledger.group.waiting)
			b.ledger.group.mu.Unlock()
			if waiting > n {
				break
			}
		}
	}
	close(release)
	all.Wait()
}

func xact(ctx context.Context, tx pgx.Tx, id *string) error {
	return tx.QueryRow(ctx, `SELECT pg_current_xact_id()::text`).Scan(id)
}

func TestApply_callsThatComeTogetherShareATransaction(t *testing.T) {
	b := newBench(t)
	const n = 20
	var calls []func()
	ids := make([]string, n)
	for i := range n {
		s := b.record(b.sale(i))[0].Sale
		calls = append(calls, func() {
			out, err := b.ledger.Apply(context.Background(), []Entry{b.reported(s, payment.StatusPaid, 1990)},
				func(ctx context.Context, tx pgx.Tx) error { return xact(ctx, tx, &ids[i]) })
			if err != nil {
				t.Error(err)
			}
			if k := (store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}); len(out) != 1 || out[k].State != payment.Paid {
				t.Errorf("call %d was given %d sales", i, len(out))
			}
		})
	}
	b.crowd(calls...)
	different := map[string]bool{}
	for _, id := range ids {
		different[id] = true
	}
	if len(different) > maxUnderWay || different[""] {
		t.Errorf("%d calls made %d transactions", n, len(different))
	}
	if got := len(b.effects(KindDeliver)); got != n {
		t.Errorf("%d deliveries of %d sales", got, n)
	}
}

// Whoever comes second in a shared transaction is told what came of the second, and the first of the first.
func TestApply_eachCallIsToldOfItsOwn(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	k := store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}
	var first, second map[store.Key]store.Sale
	var errs [2]error
	b.crowd(
		func() {
			first, errs[0] = b.ledger.Apply(context.Background(), []Entry{b.reported(s, payment.StatusPending, 0)})
		},
		func() {
			second, errs[1] = b.ledger.Apply(context.Background(), []Entry{b.reported(s, payment.StatusPaid, 1990)})
		},
	)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if first[k].State != payment.Pending || second[k].State != payment.Paid || second[k].EventCount != first[k].EventCount+1 {
		t.Errorf("told %s after %d events and %s after %d", first[k].State, first[k].EventCount, second[k].State, second[k].EventCount)
	}
}

// What is wrong with one call is told to its caller alone; the others are applied, once.
func TestApply_oneCallSpoilsNoOther(t *testing.T) {
	b := newBench(t)
	good, twin := b.record(b.sale(1))[0].Sale, b.record(b.sale(2))[0].Sale
	stranger := b.sale(3)
	stranger.ID = payment.ID(uuid.New())
	refused := errors.New("the cursor was moved by somebody else")
	var unknown, also, first, last error
	var raised any
	b.crowd(
		func() {
			_, first = b.ledger.Apply(context.Background(), []Entry{b.reported(good, payment.StatusPaid, 1990)})
		},
		func() {
			_, unknown = b.ledger.Apply(context.Background(), []Entry{b.reported(stranger, payment.StatusPaid, 1990)})
		},
		func() {
			_, also = b.ledger.Apply(context.Background(), []Entry{b.hint(twin)}, func(context.Context, pgx.Tx) error { return refused })
		},
		func() {
			defer func() { raised = recover() }()
			_, _ = b.ledger.Apply(context.Background(), nil, func(context.Context, pgx.Tx) error { panic("oh") })
		},
		func() {
			_, last = b.ledger.Apply(context.Background(), []Entry{b.reported(twin, payment.StatusPaid, 1990)})
		},
	)
	if first != nil || last != nil {
		t.Errorf("the good calls failed: %v, %v", first, last)
	}
	if !errors.Is(unknown, ErrUnknownSale) || !errors.Is(also, refused) || raised != "oh" {
		t.Errorf("the others ended with %v, %v, and the panic %v", unknown, also, raised)
	}
	for _, s := range []store.Sale{good, twin} {
		kinds := map[payment.Kind]int{}
		for _, e := range b.history(s) {
			kinds[e.Kind]++
		}
		if kinds[payment.Reported] != 1 || kinds[payment.HintReceived] != 0 {
			t.Errorf("history %v, want one report and no hint", kinds)
		}
	}
}

// A caller that gives up alone does not take the others with it.
func TestApply_oneImpatientCallerAmongOthers(t *testing.T) {
	b := newBench(t)
	s := b.record(b.sale(1))[0].Sale
	gone, leave := context.WithCancel(context.Background())
	leave()
	var err error
	b.crowd(
		func() { _, _ = b.ledger.Apply(gone, nil) },
		func() {
			_, err = b.ledger.Apply(context.Background(), []Entry{b.reported(s, payment.StatusPaid, 1990)})
		},
	)
	if err != nil {
		t.Error(err)
	}
	if _, err := b.ledger.Apply(gone, []Entry{b.hint(s)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call of somebody who has left ended with %v", err)
	}
}

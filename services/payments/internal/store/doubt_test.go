package store

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestDoubts_ofTheSalesAskedForOnly(t *testing.T) {
	b := newBench(t)
	sales := b.insert(b.sale(b.one, "a"), b.sale(b.one, "b"), b.sale(b.one, "c"), b.sale(b.one, "d"))
	line := func(s Sale, number int, kind payment.Kind, details map[string]string) Event {
		return Event{MerchantID: s.MerchantID, PaymentID: s.ID, Number: number, At: b.now, Kind: kind, Details: details}
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		var lines []Event
		for n := range 60 {
			lines = append(lines, line(sales[2], n+1, payment.ChargeUnsure, map[string]string{"reason": "Unavailable"}))
		}
		return Append(ctx, tx, append(lines,
			line(sales[0], 1, payment.Created, map[string]string{"reason": "none"}),
			line(sales[0], 2, payment.ChargeUnsure, map[string]string{"reason": "hidden", "http_status": "404"}),
			line(sales[0], 3, payment.ChargeUnsure, nil),
			line(sales[3], 1, payment.ChargeUnsure, map[string]string{"reason": "another sale's"})))
	})
	k := func(n int) Key { return Key{MerchantID: sales[n].MerchantID, PaymentID: sales[n].ID} }
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		got, err := Doubts(ctx, tx, []Key{k(0), k(1), k(2)})
		long := slices.DeleteFunc(slices.Clone(got), func(d Doubt) bool { return d.Key != k(2) })
		short := slices.DeleteFunc(got, func(d Doubt) bool { return d.Key == k(2) })
		if len(long) != 50 {
			t.Errorf("of 60 lines %d are read, want the newest 50", len(long))
		}
		if diff := cmp.Diff([]Doubt{{Key: k(0)}, {k(0), "hidden", "404"}}, short); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return err
	})
}

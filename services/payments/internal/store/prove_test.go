package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestProven_readsWhatIsThere(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	b.insert(b.sale(b.other, "b"))
	b.enqueue(Effect{Key: key(s), Name: "x", Kind: "x", DueAt: b.now})
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		if err := Append(ctx, tx, []Event{{MerchantID: s.MerchantID, PaymentID: s.ID, Number: 1, At: b.now, Kind: payment.Created, To: "pending",
			Details: map[string]string{"status": "paid"}, Decision: &Decision{Booked: []Booked{{Metric: "created", Count: 1, Amount: 1990, Day: "2026-11-23"}}}}}); err != nil {
			return err
		}
		return AddStatistics(ctx, tx, []Line{{MerchantID: s.MerchantID, BotID: s.BotID, Provider: s.Provider, Campaign: s.Campaign, Day: b.now, Metric: "created", Count: 1, Amount: 5}})
	})
	b.exec(`UPDATE payments.payments SET token_issued_at = now(), message = 'sent' WHERE id = $1`, s.ID)
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		sales, err := ProvenSales(ctx, tx, Key{}, &b.one.merchant, 10)
		if err != nil || len(sales) != 1 || sales[0].State != "pending" || sales[0].HasLook || len(sales[0].Effects) != 1 {
			t.Errorf("sales %+v %v", sales, err)
		}
		events, lines, strays := 0, 0, map[string]int{}
		err = errors.Join(ProvenEvents(ctx, tx, sales, func(e ProvenEvent) error {
			if events++; e.Status != "paid" || e.Decision == "" || e.Kind != payment.Created {
				t.Errorf("event %+v", e)
			}
			return nil
		}), ProvenStatistics(ctx, tx, b.one.merchant, func(l Line) error {
			if lines++; l.Amount != 5 {
				t.Errorf("line %+v", l)
			}
			return nil
		}), Strays(ctx, tx, &b.one.merchant, []string{"deliver"}, func(s Stray) error { strays[s.Kind]++; return nil }))
		if err != nil || events != 1 || lines != 1 || strays["effect_unknown"] != 1 || len(strays) != 1 {
			t.Errorf("%d events, %d lines, %v: %v", events, lines, strays, err)
		}
		hooks, effects, looks, moving, err := ProvenCounts(ctx, tx, nil)
		if err != nil || hooks != 0 || effects != 1 || looks != 0 || moving {
			t.Error(hooks, effects, looks, moving, err)
		}
		return nil
	})
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		entrusted, err := EntrustedSales(ctx, tx, Key{}, nil, 10)
		at := slices.IndexFunc(entrusted, func(e Entrusted) bool { return e.Key == key(s) })
		if err != nil || at < 0 || !entrusted[at].Link || !entrusted[at].Message || entrusted[at].Group || len(entrusted[at].Effects) != 1 {
			t.Errorf("entrusted: %+v %v", entrusted, err)
		}
		var told []Telling
		for _, kinds := range [][]payment.Kind{nil, {payment.Opened}} { // what decided something, whatever its kind
			told = nil
			err = errors.Join(err, Tellings(ctx, tx, entrusted, kinds, func(x Telling) error { told = append(told, x); return nil }))
		}
		if len(told) != 1 || told[0].Key != key(s) || told[0].Number != 1 || told[0].Kind != payment.Created || !told[0].Decided {
			t.Errorf("tellings: %+v", told)
		}
		return err
	})
}

func TestRebuildStatistics_fromTheHistory(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	event := Event{MerchantID: s.MerchantID, PaymentID: s.ID, Number: 1, At: b.now, Kind: payment.Created, To: "pending"}
	older := b.insert(b.sale(b.other, "b"))[0]
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		event.Decision = &Decision{Booked: []Booked{{Metric: "created", Count: 1, Amount: 1990, Day: "2026-11-23"}}}
		return Append(ctx, tx, []Event{event, {MerchantID: older.MerchantID, PaymentID: older.ID, Number: 1, At: b.now, Kind: payment.Created, To: "pending"}})
	})
	r, err := b.RebuildStatistics(t.Context(), Rebuild{Merchant: b.one.merchant, By: "key 1", Note: "x", At: b.now})
	if err != nil || len(r.Corrections) != 1 || r.Corrections[0].After != 1990 || r.Corrections[0].Day.Format(time.DateOnly) != "2026-11-23" {
		t.Errorf("%+v %v", r, err)
	}
	if r, err = b.RebuildStatistics(t.Context(), Rebuild{Merchant: b.one.merchant, At: b.now}); err != nil || len(r.Corrections) != 0 || r.Lines != 1 {
		t.Errorf("again: %+v %v", r, err)
	}
	if _, err = b.RebuildStatistics(t.Context(), Rebuild{Merchant: b.other.merchant, At: b.now}); !errors.Is(err, ErrUnaccounted) {
		t.Errorf("a history without decisions: %v", err)
	}
}

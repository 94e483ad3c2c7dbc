package prove

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestRun_wholeHistoryIsProved(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.sold()
	}
	b.sale()
	refunded, disputed, doubtful, expired := b.sold(), b.sold(), b.sale(), b.sale()
	b.apply(refunded, payment.Reported, payment.StatusRefunded)
	b.apply(disputed, payment.Reported, payment.StatusDisputed)
	b.apply(disputed, payment.Reported, payment.StatusPaid)
	b.apply(expired, payment.Reported, payment.StatusExpired)
	b.apply(expired, payment.Reported, payment.StatusPaid) // late money
	b.apply(doubtful, payment.HintReceived, 0)
	counts, found := b.prove()
	if !counts.Proved() || len(found) > 0 {
		t.Fatalf("found %v", found)
	}
	if counts.Sales != 8 || counts.Events < 30 || counts.Deliveries != 5 || counts.Lines == 0 || counts.Looks == 0 || counts.Older != 0 {
		t.Errorf("counts: %+v", counts)
	}
}

// alert enqueues one alert to the owner.
func (b *bench) alert() {
	b.t.Helper()
	err := pgx.BeginFunc(b.t.Context(), b.store.Pool(), func(tx pgx.Tx) error {
		return store.InsertAlerts(b.t.Context(), tx, []store.Alert{{MerchantID: b.merchant, Kind: "disputed", Subject: "x", Item: json.RawMessage(`{}`)}}, b.now)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// Alerts wait, are claimed, and are told: all of it is proved.
func TestRun_alertsAreCounted(t *testing.T) {
	b := newBench(t)
	for range 2 { // the second time it is a new alert of the same subject
		b.alert()
		b.alert() // the same one
		for _, do := range []func(store.AlertBatch) error{
			func(store.AlertBatch) error { return nil },
			func(a store.AlertBatch) error { return b.store.PostponeAlerts(t.Context(), a, b.now) },
			func(a store.AlertBatch) error { return b.store.FinishAlerts(t.Context(), a, b.now) },
		} {
			batches, err := b.store.ClaimAlerts(t.Context(), b.now, b.now, 10)
			if err != nil || len(batches) != 1 {
				t.Fatalf("claimed %v, %v", batches, err)
			}
			if _, found := b.prove(); len(found) > 0 {
				t.Errorf("claimed: %v", found)
			}
			if err := do(batches[0]); err != nil {
				t.Fatal(err)
			}
			if _, found := b.prove(); len(found) > 0 {
				t.Errorf("after it: %v", found)
			}
		}
	}
}

// Rows are edited by hand, one kind at a time, and each must be found.
func TestRun_findsEveryEdit(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		edit func(b *bench, sold, pending store.Key)
	}{
		"state of a pending sale": {"state_without_event", func(b *bench, _, p store.Key) {
			b.edit(`UPDATE payments SET state = 'paid' WHERE id = $1`, p.PaymentID)
		}},
		"state of a sold one": {"state_without_event", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payments SET state = 'pending' WHERE id = $1`, s.PaymentID)
		}},
		"history removed": {"state_without_event", func(b *bench, s, _ store.Key) {
			b.edit(`DELETE FROM payment_events WHERE payment_id = $1`, s.PaymentID)
		}},
		"event removed": {"history_gap", func(b *bench, s, _ store.Key) {
			b.edit(`DELETE FROM payment_events WHERE payment_id = $1 AND number = 3`, s.PaymentID)
		}},
		"last removed": {"history_gap", func(b *bench, s, _ store.Key) {
			b.edit(`DELETE FROM payment_events WHERE payment_id = $1 AND number = 5`, s.PaymentID)
		}},
		"way between states": {"history_broken", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET from_state = 'failed' WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"where an event leads": {"not_by_table", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET to_state = 'refunded' WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"the input": {"not_by_table", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET decision = jsonb_set(decision, '{in}', '"failed"') WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"the reading": {"not_by_table", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET details = jsonb_set(details, '{status}', '"pending"') WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"a word that is no input": {"decision_unreadable", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET decision = '{"in":"gift"}' WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"what was booked": {"entries_differ", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payment_events SET decision = jsonb_set(decision, '{booked,0,a}', '1') WHERE payment_id = $1 AND number = 2`, s.PaymentID)
		}},
		"statistics": {"statistics_differ", func(b *bench, _, _ store.Key) {
			b.edit(`UPDATE statistics SET centavos = centavos + 1 WHERE metric = 'paid'`)
		}},
		"statistics removed": {"statistics_differ", func(b *bench, _, _ store.Key) { b.edit(`DELETE FROM statistics WHERE metric = 'paid'`) }},
		"statistics of nobody": {"statistics_differ", func(b *bench, _, _ store.Key) {
			b.edit(`UPDATE statistics SET merchant_id = '11111111-1111-1111-1111-111111111111' WHERE metric = 'paid'`)
		}},
		"statistics of another day": {"statistics_differ", func(b *bench, _, _ store.Key) { b.edit(`UPDATE statistics SET day = day - 1 WHERE metric = 'paid'`) }},
		"amount paid": {"columns_differ", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payments SET paid_centavos = 1 WHERE id = $1`, s.PaymentID)
		}},
		"facts": {"entries_differ", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payments SET facts = jsonb_set(facts, '{paid_amount}', '5'), paid_centavos = 5 WHERE id = $1`, s.PaymentID)
		}},
		"facts that cannot be read": {"row_unreadable", func(b *bench, s, _ store.Key) {
			b.edit(`UPDATE payments SET facts = '{"paid_amount":"x"}' WHERE id = $1`, s.PaymentID)
		}},
		"delivered by hand": {"delivery_not_by_table", func(b *bench, _, p store.Key) {
			b.edit(`UPDATE payments SET facts = '{"delivered_ever":true}' WHERE id = $1`, p.PaymentID)
		}},
		"second link": {"delivered_twice", func(b *bench, s, _ store.Key) {
			b.edit(`INSERT INTO payment_events (merchant_id, payment_id, number, at, kind, source, from_state, to_state)
				SELECT merchant_id, payment_id, 6, at, 'token_issued', 'system', 'paid', 'paid' FROM payment_events WHERE payment_id = $1 AND number = 5`, s.PaymentID)
		}},
		"link of an unpaid sale": {"delivered_unpaid", func(b *bench, _, p store.Key) {
			b.edit(`INSERT INTO payment_events (merchant_id, payment_id, number, at, kind, source, from_state, to_state)
				SELECT merchant_id, payment_id, 2, at, 'token_issued', 'system', 'pending', 'pending' FROM payment_events WHERE payment_id = $1`, p.PaymentID)
		}},
		"delivery of an unpaid sale": {"delivered_unpaid", func(b *bench, _, p store.Key) {
			b.edit(`INSERT INTO effects (merchant_id, payment_id, key, kind) VALUES ($1, $2, 'deliver', 'deliver')`, p.MerchantID, p.PaymentID)
		}},
		"look removed": {"look_lost", func(b *bench, _, p store.Key) { b.edit(`DELETE FROM looks WHERE payment_id = $1`, p.PaymentID) }},
		"unknown effect": {"effect_unknown", func(b *bench, s, _ store.Key) {
			b.edit(`INSERT INTO effects (merchant_id, payment_id, key, kind) VALUES ($1, $2, 'x', 'x')`, s.MerchantID, s.PaymentID)
		}},
		"sale removed": {"event_without_sale", func(b *bench, s, _ store.Key) { b.edit(`DELETE FROM payments WHERE id = $1`, s.PaymentID) }},
		"effect without sale": {"effect_without_sale", func(b *bench, s, _ store.Key) {
			b.edit(`INSERT INTO effects (merchant_id, payment_id, key, kind) VALUES ($1, gen_random_uuid(), 'deliver', 'deliver')`, s.MerchantID)
		}},
		"look without sale": {"look_without_sale", func(b *bench, _, p store.Key) {
			b.edit(`UPDATE looks SET payment_id = gen_random_uuid() WHERE payment_id = $1`, p.PaymentID)
		}},
		"alert removed": {"alert_lost", func(b *bench, s, _ store.Key) {
			b.alert()
			b.edit(`DELETE FROM alerts`)
		}},
		"alert in a batch that nobody sends": {"alert_lost", func(b *bench, s, _ store.Key) {
			b.alert()
			b.edit(`UPDATE alerts SET batch = gen_random_uuid()`)
		}},
		"lane of alerts removed": {"alert_lost", func(b *bench, s, _ store.Key) {
			b.alert()
			b.edit(`DELETE FROM alert_lanes`)
		}},
		"webhook that nothing reads": {"webhook_lost", func(b *bench, _, _ store.Key) {
			b.edit(`INSERT INTO webhooks (id, provider, digest, body, due_at) VALUES (gen_random_uuid(), 'atomopay', 'a', 'x', NULL)`)
		}},
		"webhook of no sale": {"webhook_without_sale", func(b *bench, s, _ store.Key) {
			b.edit(`INSERT INTO webhooks (id, provider, digest, body, state, merchant_id, payment_id) VALUES (gen_random_uuid(), 'atomopay', 'a', 'x', 'matched', $1, gen_random_uuid())`, s.MerchantID)
		}},
		"hint that left no line": {"hint_lost", func(b *bench, s, _ store.Key) {
			b.edit(`INSERT INTO webhooks (id, provider, digest, body, state, merchant_id, payment_id) VALUES (gen_random_uuid(), 'atomopay', 'a', 'x', 'matched', $1, $2)`, s.MerchantID, s.PaymentID)
		}},
		"parked though the sale is there": {"webhook_unmatched", func(b *bench, _, _ store.Key) {
			b.edit(`INSERT INTO webhooks (id, provider, digest, body, state, ref_hash) VALUES (gen_random_uuid(), 'atomopay', 'a', 'x', 'parked', 'h1')`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			sold, pending := b.sold(), b.sale()
			if _, found := b.prove(); len(found) > 0 {
				t.Fatalf("before the edit: %v", found)
			}
			c.edit(b, sold, pending)
			counts, found := b.prove()
			if counts.Found[c.want] == 0 || counts.Proved() {
				t.Errorf("found %v, want %s", found, c.want)
			}
			for _, f := range found {
				if f.Text == "" {
					t.Errorf("%s says nothing", f.Kind)
				}
			}
		})
	}
}

// What was ordered and neither done nor open is lost.
func TestRun_findsLostWork(t *testing.T) {
	b := newBench(t)
	undelivered, untold, open := b.sale(), b.sale(), b.sold()
	b.apply(undelivered, payment.Reported, payment.StatusPaid)
	b.apply(untold, payment.Reported, payment.StatusPaid)
	b.apply(untold, payment.TokenIssued, 0)
	b.apply(open, payment.Reported, payment.StatusRefunded)
	if _, found := b.prove(); len(found) > 0 {
		t.Fatalf("while the work is open: %v", found)
	}
	b.edit(`DELETE FROM effects`)
	counts, found := b.prove()
	for _, kind := range []string{"delivery_lost", "message_lost", "link_open"} {
		if counts.Found[kind] != 1 {
			t.Errorf("%s: %d, in %v", kind, counts.Found[kind], found)
		}
	}
}

// More sales than a batch holds, of several merchants, and more faults than are sent.
func TestRun_batchesAndLimit(t *testing.T) {
	b := newBench(t)
	for range batch + 10 {
		b.sale()
	}
	other := newMerchant(b)
	b.merchant, b.bot = other, payment.BotID(uuid.New())
	if _, err := b.store.PutBot(t.Context(), store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "36"}); err != nil {
		t.Fatal(err)
	}
	b.sold()
	counts, found := b.prove()
	if !counts.Proved() || counts.Sales != batch+11 {
		t.Fatalf("%+v %v", counts, found)
	}
	b.edit(`DELETE FROM looks`)
	counts, found = b.prove()
	if counts.Found["look_lost"] != batch+10 || len(found) != 20 {
		t.Errorf("%d lost, %d sent", counts.Found["look_lost"], len(found))
	}
	only, err := Run(t.Context(), Config{Pool: b.store.Pool(), Policy: func(payment.MerchantID, payment.AccountID, string) (payment.Policy, payment.PollPolicy) {
		return payment.StandardPolicy(), payment.DefaultPolicy("atomopay")
	}}, &other, func([]Found, Counts) error { return nil })
	if err != nil || only.Sales != 1 || !only.Proved() {
		t.Errorf("one merchant alone: %+v %v", only, err)
	}
}

type forgetful struct{ link, message payment.ID }

func (f forgetful) Undelivered(context.Context, payment.MerchantID, []payment.ID) ([]payment.ID, error) {
	return []payment.ID{f.link}, nil
}

func (f forgetful) Untold(context.Context, payment.MerchantID, []payment.ID) ([]payment.ID, error) {
	return []payment.ID{f.message}, nil
}

func (f forgetful) Unrecorded(_ context.Context, _ payment.MerchantID, duties []Duty) ([]Unrecorded, error) {
	return []Unrecorded{{duties[0].PaymentID, "access_stuck", ""}, {duties[0].PaymentID, "message_stuck", "delivery"}}, nil
}

func TestRun_asksTheLeaves(t *testing.T) {
	b := newBench(t)
	one, two := b.sold(), b.sold()
	var texts []string
	counts, err := Run(t.Context(), Config{Pool: b.store.Pool(), Leaves: forgetful{one.PaymentID, two.PaymentID}, Now: func() time.Time { return b.now },
		Policy: func(payment.MerchantID, payment.AccountID, string) (payment.Policy, payment.PollPolicy) {
			return payment.StandardPolicy(), payment.DefaultPolicy("atomopay")
		}}, nil, func(f []Found, _ Counts) error {
		for _, x := range f {
			texts = append(texts, x.Kind+" "+x.PaymentID.String())
		}
		return nil
	})
	if err != nil || counts.Asked != 2 || counts.Found["link_unknown"] != 1 || counts.Found["message_unknown"] != 1 ||
		counts.Found["access_stuck"] != 1 || counts.Found["message_stuck"] != 1 {
		t.Errorf("%+v %v", counts, err)
	}
	if all := strings.Join(texts, " "); !strings.Contains(all, "link_unknown "+one.PaymentID.String()) || !strings.Contains(all, "message_unknown "+two.PaymentID.String()) {
		t.Errorf("found %s", all)
	}
}

package prove

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// notebook is a notifier that knows what was written down: "payment key", and "payment access".
type notebook map[string]bool

func (notebook) Undelivered(context.Context, payment.MerchantID, []payment.ID) ([]payment.ID, error) {
	return nil, nil
}

func (notebook) Untold(context.Context, payment.MerchantID, []payment.ID) ([]payment.ID, error) {
	return nil, nil
}

func (n notebook) Unrecorded(_ context.Context, _ payment.MerchantID, duties []Duty) (out []Unrecorded, _ error) {
	for _, d := range duties {
		for _, key := range d.Keys {
			if !n[d.PaymentID.String()+" "+key] {
				out = append(out, Unrecorded{d.PaymentID, "notice", key})
			}
		}
		if d.Access && !n[d.PaymentID.String()+" access"] {
			out = append(out, Unrecorded{d.PaymentID, "access", ""})
		}
	}
	return out, nil
}

// carryOut ends every open effect of a sale and writes down what was told.
func (b *bench) carryOut(n notebook, k store.Key) {
	b.t.Helper()
	for _, name := range b.open(k) {
		n[k.PaymentID.String()+" "+name] = true
	}
	b.edit(`DELETE FROM effects WHERE payment_id = $1`, k.PaymentID)
}

// open are the names of a sale's open effects.
func (b *bench) open(k store.Key) []string {
	b.t.Helper()
	rows, err := b.admin.Query(b.t.Context(), `SELECT key FROM payments.effects WHERE payment_id = $1 ORDER BY key`, k.PaymentID)
	if err != nil {
		b.t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

// What the owner must be told waits, or was told, or is found to be lost.
func TestRun_findsWhatTheOwnerWasNeverTold(t *testing.T) {
	b, n := newBench(t), notebook{}
	k := b.sale()
	b.apply(k, payment.Reported, payment.StatusPaid)
	b.apply(k, payment.TokenIssued, 0)
	b.apply(k, payment.MessageQueued, 0)
	b.apply(k, payment.MessageSent, 0)
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Fatalf("while everything waits: %v", found)
	}
	b.edit(`DELETE FROM effects WHERE key = 'owner:2'`)
	b.edit(`UPDATE effects SET payload = '{"tells": "owner:2"}' WHERE key = 'deliver'`)
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Fatalf("while the delivery carries the news: %v", found)
	}
	b.edit(`UPDATE effects SET payload = '{}' WHERE key = 'deliver'`)
	if counts, found := b.proveWith(n); counts.Found["notice_lost"] != 1 {
		t.Fatalf("when nothing carries them: %v", found)
	}
	n[k.PaymentID.String()+" owner:2"] = true
	b.carryOut(n, k)
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Fatalf("once everything was told: %v", found)
	}
	b.apply(k, payment.Reported, payment.StatusRefunded)
	b.edit(`DELETE FROM effects WHERE key = 'owner:6'`) // by hand, or by whatever lost it
	counts, found := b.proveWith(n)
	if counts.Proved() || counts.Found["notice_lost"] != 1 || len(found) != 1 || found[0].PaymentID != k.PaymentID ||
		found[0].Text != "the owner was to be told (owner:6), nothing here will tell, and notifier knows of nothing" {
		t.Errorf("a notice was deleted: %v", found)
	}
	delete(n, k.PaymentID.String()+" owner:5") // notifier lost what it had
	if counts, found = b.proveWith(n); counts.Found["notice_lost"] != 2 {
		t.Errorf("a notice and a record were deleted: %v", found)
	}
	if counts, _ = b.prove(); !counts.Proved() {
		t.Errorf("without the leaves nobody can say: %v", counts.Found)
	}
}

// The duties are exactly what the ledger orders, whatever happens to a sale.
func TestDuty_isWhatTheLedgerOrders(t *testing.T) {
	b := newBench(t)
	paid, pending := b.sale(), b.sale()
	b.apply(paid, payment.Reported, payment.StatusPaid)
	for _, m := range payment.Vocabulary() {
		switch m.Kind {
		case payment.Created, payment.Imported, payment.Registered, payment.Reported, payment.SecondPayment, payment.ResendOrdered:
		default:
			b.apply(paid, m.Kind, 0)
			b.apply(pending, m.Kind, 0)
		}
	}
	for _, s := range []payment.Status{payment.StatusDisputed, payment.StatusPaid, payment.StatusRefunded, payment.StatusPaid} {
		b.apply(paid, payment.Reported, s)
		b.apply(pending, payment.Reported, s)
	}
	ordered := map[payment.ID][]string{}
	for _, k := range []store.Key{paid, pending} {
		for _, name := range b.open(k) {
			if len(name) > 6 && name[:6] == "owner:" {
				ordered[k.PaymentID] = append(ordered[k.PaymentID], name)
			}
		}
	}
	b.edit(`DELETE FROM effects`)
	err := pgx.BeginFunc(t.Context(), b.store.Pool(), func(tx pgx.Tx) error {
		sales, err := store.EntrustedSales(t.Context(), tx, store.Key{}, nil, 10)
		if err != nil {
			return err
		}
		duties, err := readDuties(t.Context(), tx, sales)
		for _, d := range duties {
			slices.Sort(d.Keys)
			if want := ordered[d.PaymentID]; len(want) < 10 || !slices.Equal(d.Keys, want) {
				t.Errorf("duties %q, ordered %q", d.Keys, want)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An order to send the link again is open, carried out, refused, or lost.
func TestRun_findsALostOrderOfTheLink(t *testing.T) {
	b, n := newBench(t), notebook{}
	k := b.sale()
	b.apply(k, payment.Reported, payment.StatusPaid)
	b.apply(k, payment.TokenIssued, 0)
	b.apply(k, payment.MessageQueued, 0)
	b.carryOut(n, k)
	order := func(o ledger.ResendOrder) {
		b.now = b.now.Add(1e9)
		e := ledger.Entry{Key: k, Resend: &o, Details: map[string]string{"order": o.Word(), "key": o.Key},
			Event: payment.Event{Kind: payment.ResendOrdered, At: b.now, Source: payment.SourceAPI}}
		if _, err := b.ledger.Apply(t.Context(), []ledger.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	order(ledger.ResendOrder{Key: "one"})
	order(ledger.ResendOrder{Key: "two", LinkOnly: true}) // sends nothing
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Fatalf("while it waits: %v", found)
	}
	b.edit(`DELETE FROM effects WHERE kind = 'resend'`)
	if counts, found := b.proveWith(n); counts.Found["resend_lost"] != 1 || len(found) != 1 {
		t.Errorf("lost: %v", found)
	}
	n[k.PaymentID.String()+" delivery:one"] = true
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Errorf("carried out: %v", found)
	}
	order(ledger.ResendOrder{Key: "three", Regenerate: true})
	b.edit(`DELETE FROM effects WHERE kind = 'resend'`)
	b.now = b.now.Add(1e9)
	if _, err := b.ledger.Apply(t.Context(), []ledger.Entry{{Key: k, Details: map[string]string{"reason": "not_paid"},
		Event: payment.Event{Kind: payment.MessageFailed, At: b.now, Source: payment.SourceSystem}}}); err != nil {
		t.Fatal(err)
	}
	b.carryOut(n, k)
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Errorf("refused, and the owner was told: %v", found)
	}
}

// Work of every kind that somebody carries out is known.
func TestRun_knowsEveryKindOfWork(t *testing.T) {
	b := newBench(t)
	k := b.sold()
	for _, kind := range []string{ledger.KindDeliver, ledger.KindOwner, ledger.KindRevoke, ledger.KindRestore, ledger.KindGroup, ledger.KindResend} {
		b.edit(`INSERT INTO effects (merchant_id, payment_id, key, kind) VALUES ($1, $2, $3, $3)`, k.MerchantID, k.PaymentID, kind)
	}
	if counts, found := b.prove(); counts.Found["effect_unknown"] != 0 {
		t.Errorf("found %v", found)
	}
}

// A sale of a group that was delivered has its access, unless notifier refused it and the owner was told.
func TestRun_findsALostAccess(t *testing.T) {
	b, n := newBench(t), notebook{}
	k := b.sold()
	n[k.PaymentID.String()+" owner:2"], n[k.PaymentID.String()+" owner:5"] = true, true
	b.edit(`UPDATE payments SET group_access = '{"chat_id":-1,"unit":"days","value":30}' WHERE id = $1`, k.PaymentID)
	if counts, found := b.proveWith(n); counts.Found["access_unknown"] != 1 || len(found) != 1 {
		t.Errorf("never granted: %v", found)
	}
	n[k.PaymentID.String()+" access"] = true
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Errorf("granted: %v", found)
	}
	delete(n, k.PaymentID.String()+" access")
	b.now = b.now.Add(1e9)
	if _, err := b.ledger.Apply(t.Context(), []ledger.Entry{{Key: k, Details: map[string]string{"reason": "invalid_request"},
		Event: payment.Event{Kind: payment.GroupLate, At: b.now, Source: payment.SourceSystem}}}); err != nil {
		t.Fatal(err)
	}
	if _, found := b.proveWith(n); len(found) > 0 {
		t.Errorf("refused: %v", found)
	}
}

package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestInsert_keepsEveryField(t *testing.T) {
	b := newBench(t)
	s := b.sale(b.one, "a")
	s.QRExpiresAt, s.TelegramID, s.BuyerName = ptr(b.now.Add(time.Hour)), -(1 << 51), "Bia Souza"
	s.BuyerEmail, s.BuyerPhone, s.AccessURL, s.ContactText = "bia@example.com", "11999990000", "https://curso.example.com", "fale conosco"
	s.DeliveredElsewhere, s.DeliveredEver, s.Traceparent = true, true, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s.Tracking = []byte(`{"utm_source": "x"}`)
	b.insert(s)
	got, err := b.Get(t.Context(), s.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, got, cmpopts.EquateApproxTime(time.Microsecond)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

func TestInsert_leavesOutWhatIsTaken(t *testing.T) {
	b := newBench(t)
	first := b.insert(b.sale(b.one, "a"))[0]
	account := b.one.account
	elsewhere := b.one
	elsewhere.account = payment.AccountID(uuid.New())
	for name, c := range map[string]struct {
		change func(*Sale)
		in     bool
	}{
		"nothing shared":                 {func(*Sale) {}, true},
		"external id":                    {func(s *Sale) { s.ExternalID = first.ExternalID }, false},
		"idempotency key":                {func(s *Sale) { s.IdempotencyKey = first.IdempotencyKey }, false},
		"charge id in another case":      {func(s *Sale) { s.Charge.ID = strings.ToUpper(first.Charge.ID) }, false},
		"charge hash":                    {func(s *Sale) { s.Charge.Hash = first.Charge.Hash }, false},
		"charge hash in another case":    {func(s *Sale) { s.Charge.Hash = strings.ToUpper(first.Charge.Hash) }, true},
		"charge reference":               {func(s *Sale) { s.Charge.Reference = first.Charge.Reference }, false},
		"sale key":                       {func(s *Sale) { s.SaleKey = first.SaleKey }, false},
		"id":                             {func(s *Sale) { s.ID = first.ID }, false},
		"charge of another account":      {func(s *Sale) { s.Charge, s.AccountID = first.Charge, elsewhere.account }, true},
		"everything, another merchant's": {func(s *Sale) { *s = first; s.MerchantID, s.BotID = b.other.merchant, b.other.bot }, true},
		"no identifiers at all":          {func(s *Sale) { *s = b.bare(b.one) }, true},
	} {
		s := b.sale(b.one, uuid.NewString())
		s.AccountID = account
		c.change(&s)
		var in map[payment.ID]bool
		b.must(func(ctx context.Context, tx pgx.Tx) (err error) { in, err = Insert(ctx, tx, []Sale{s}); return err })
		if in[s.ID] != c.in {
			t.Errorf("%s: inserted %t, want %t", name, in[s.ID], c.in)
		}
	}
}

func TestInsert_ofTwoInOneCallTheFirstStays(t *testing.T) {
	b := newBench(t)
	x, y := b.sale(b.one, "a"), b.sale(b.one, "a")
	y.SaleKey = "other"
	var in map[payment.ID]bool
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) { in, err = Insert(ctx, tx, []Sale{x, y}); return err })
	if d := cmp.Diff(map[payment.ID]bool{x.ID: true}, in); d != "" {
		t.Errorf("inserted (-want +got):\n%s", d)
	}
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) { in, err = Insert(ctx, tx, nil); return err })
	if len(in) != 0 {
		t.Errorf("an empty call inserted %v", in)
	}
}

func TestTaken_findsTheHolderOfEachKey(t *testing.T) {
	b := newBench(t)
	holder := b.insert(b.sale(b.one, "a"))[0]
	theirs := b.sale(b.other, "b")
	b.insert(theirs)
	var wanted []Sale
	add := func(change func(*Sale)) {
		s := b.bare(b.one)
		change(&s)
		wanted = append(wanted, s)
	}
	add(func(s *Sale) { s.ExternalID = holder.ExternalID })
	add(func(s *Sale) { s.IdempotencyKey = holder.IdempotencyKey })
	add(func(s *Sale) { s.Charge.ID = strings.ToUpper(holder.Charge.ID) })
	add(func(s *Sale) { s.Charge.Hash = holder.Charge.Hash })
	add(func(s *Sale) { s.Charge.Reference = holder.Charge.Reference })
	found := len(wanted)
	add(func(s *Sale) {})
	add(func(s *Sale) { s.Charge.Hash = strings.ToUpper(holder.Charge.Hash) })
	add(func(s *Sale) { s.Charge, s.AccountID = holder.Charge, payment.AccountID(uuid.New()) })
	add(func(s *Sale) {
		s.Charge, s.ExternalID, s.IdempotencyKey = theirs.Charge, theirs.ExternalID, theirs.IdempotencyKey
	})
	var got map[int]Sale
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) { got, err = Taken(ctx, tx, wanted); return err })
	for n := range wanted {
		if s, ok := got[n]; ok != (n < found) || ok && s.ID != holder.ID {
			t.Errorf("key %d: found %t (%s)", n, ok, s.ID)
		}
	}
}

func TestTaken_prefersTheCallersOwnKeys(t *testing.T) {
	b := newBench(t)
	byKey, byExternal, byCharge := b.sale(b.one, "k"), b.sale(b.one, "e"), b.sale(b.one, "c")
	b.insert(byCharge, byExternal, byKey)
	mixed := b.sale(b.one, "k")
	mixed.ExternalID, mixed.Charge = byExternal.ExternalID, byCharge.Charge
	second := mixed
	second.IdempotencyKey = ""
	third := second
	third.ExternalID = ""
	var got map[int]Sale
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) {
		got, err = Taken(ctx, tx, []Sale{mixed, second, third})
		return err
	})
	if got[0].ID != byKey.ID || got[1].ID != byExternal.ID || got[2].ID != byCharge.ID {
		t.Errorf("found %s %s %s, want %s %s %s", got[0].IdempotencyKey, got[1].IdempotencyKey, got[2].IdempotencyKey, "idem-k", "idem-e", "idem-c")
	}
	b.must(func(ctx context.Context, tx pgx.Tx) (err error) { got, err = Taken(ctx, tx, nil); return err })
	if len(got) != 0 {
		t.Errorf("nothing wanted, found %v", got)
	}
}

func TestLock_returnsOnlyTheNamedAndHoldsThem(t *testing.T) {
	b := newBench(t)
	mine, theirs := b.insert(b.sale(b.one, "a"))[0], b.insert(b.sale(b.other, "b"))[0]
	b.must(func(ctx context.Context, tx pgx.Tx) error {
		got, _, err := Lock(ctx, tx, []Key{{b.one.merchant, theirs.ID}, {b.other.merchant, mine.ID}, key(mine)})
		if err != nil || len(got) != 1 || got[0].ID != mine.ID {
			t.Errorf("locked %v, %v", got, err)
		}
		_, err = b.pool.Exec(ctx, `SELECT 1 FROM payments WHERE id = $1 FOR UPDATE NOWAIT`, mine.ID)
		if err == nil || !pg.Unavailable(err) {
			t.Errorf("a locked sale could be locked again: %v", err)
		}
		if none, _, err := Lock(ctx, tx, nil); err != nil || len(none) != 0 {
			t.Errorf("no keys: %v, %v", none, err)
		}
		return nil
	})
}

func TestSave_writesWhatTheLedgerMayChange(t *testing.T) {
	b := newBench(t)
	s, untouched := b.sale(b.one, "a"), b.sale(b.one, "b")
	b.insert(s, untouched)
	at := b.now.Add(-time.Minute)
	s.State, s.ReviewReason, s.StateSince, s.DeliveredEver = payment.NeedsReview, payment.ReviewAmountDiffers, at, true
	s.PaidAmount, s.PaidAt, s.EventCount = ptr(money.Amount(1000)), &at, 9
	s.Charge = Charge{ID: "i2", Hash: "h2", Reference: "r2", CopyPaste: "000201"}
	s.QRExpiresAt, s.Polls, s.Hints, s.LastPollAt, s.LookedAt = &at, 3, 2, &at, &at
	s.LastOutcome, s.LastProviderStatus = "status", "paid"
	s.TokenIssuedAt, s.Message, s.MessageReason, s.MessageSentAt, s.OpenedAt, s.Purchase = &at, "sent", "x", &at, &at, "queued"
	wanted := s
	s.Amount, s.ProductName = 1, "another" // what a sale is does not change
	b.must(func(ctx context.Context, tx pgx.Tx) error { return Save(ctx, tx, []*Sale{&s}, true) })
	b.must(func(ctx context.Context, tx pgx.Tx) error { return Save(ctx, tx, nil, true) })
	for _, want := range []Sale{wanted, untouched} {
		got, err := b.Get(t.Context(), want.ID, &b.one.merchant)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Microsecond)); d != "" {
			t.Errorf("saved (-want +got):\n%s", d)
		}
	}
}

func TestSave_refusesAnotherSalesCharge(t *testing.T) {
	b := newBench(t)
	x, y := b.sale(b.one, "a"), b.sale(b.one, "b")
	b.insert(x, y)
	y.Charge.Hash = x.Charge.Hash
	if err := b.tx(func(ctx context.Context, tx pgx.Tx) error { return Save(ctx, tx, []*Sale{&y}, true) }); !pg.IsUnique(err, "payments_charge_hash") {
		t.Errorf("got %v", err)
	}
}

func TestAppend_numbersAreTakenOnce(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	e := Event{MerchantID: s.MerchantID, PaymentID: s.ID, Number: 1, At: b.now, Kind: payment.Created, Source: payment.SourceAPI, To: "pending",
		Details: map[string]string{"a": "b", "odd": "x\x00y\xff"}, TraceID: "t"}
	second := e
	second.Number, second.Details, second.From = 2, nil, "pending"
	b.must(func(ctx context.Context, tx pgx.Tx) error { return Append(ctx, tx, []Event{second, e}) })
	b.must(func(ctx context.Context, tx pgx.Tx) error { return Append(ctx, tx, nil) })
	got, err := b.Events(t.Context(), s.MerchantID, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	e.Details, second.Details = map[string]string{"a": "b", "odd": "xy\ufffd"}, map[string]string{}
	if d := cmp.Diff([]Event{e, second}, got, cmpopts.EquateApproxTime(0)); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if err := b.tx(func(ctx context.Context, tx pgx.Tx) error { return Append(ctx, tx, []Event{second}) }); !pg.IsUnique(err, "") {
		t.Errorf("a number twice: %v", err)
	}
	if none, err := b.Events(t.Context(), b.other.merchant, s.ID); err != nil || len(none) != 0 {
		t.Errorf("another merchant's eyes: %v, %v", none, err)
	}
}

func TestHistory_cannotBeChanged(t *testing.T) {
	b := newBench(t)
	for _, sql := range []string{`UPDATE payment_events SET kind = 'x'`, `DELETE FROM payment_events`, `DELETE FROM payments`, `DELETE FROM statistics`,
		`UPDATE api_keys SET hash = ''`} {
		if _, err := b.pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestGet_belongsToOneMerchant(t *testing.T) {
	b := newBench(t)
	s := b.insert(b.sale(b.one, "a"))[0]
	if _, err := b.Get(t.Context(), s.ID, &b.other.merchant); !errors.Is(err, ErrNotFound) {
		t.Errorf("another merchant: %v", err)
	}
	if _, err := b.Get(t.Context(), payment.ID(uuid.New()), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	got, _, err := b.Sales(t.Context(), []Key{key(s), key(s), {b.other.merchant, s.ID}})
	if err != nil || len(got) != 1 || got[key(s)].ID != s.ID || got[key(s)].BotExternalID != "35" {
		t.Errorf("by keys: %v, %v", got, err)
	}
	if none, _, err := b.Sales(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no keys: %v, %v", none, err)
	}
}

package store

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) owned(n tenant) AlertSettings {
	b.t.Helper()
	a, err := b.PutAlertSettings(b.t.Context(), AlertSettings{MerchantID: n.merchant, ChatID: 5, BotID: n.bot, Kinds: []string{}, Lang: "en", Timezone: "UTC",
		DigestHour: 9, DigestAt: b.now, DigestDay: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func TestAlertSettings_lifeOfThem(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	if _, err := b.AlertSettings(ctx, b.one.merchant); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	put := b.owned(b.one)
	got, err := b.AlertSettings(ctx, b.one.merchant)
	if d := cmp.Diff(put, got); d != "" || err != nil {
		t.Errorf("%v (-put +got):\n%s", err, d)
	}
	for m, n := range map[payment.MerchantID]payment.BotID{b.other.merchant: payment.BotID(uuid.New()), payment.MerchantID(uuid.New()): b.one.bot} {
		if _, err := b.PutAlertSettings(ctx, AlertSettings{MerchantID: m, BotID: n, Kinds: []string{}, Timezone: "UTC", DigestAt: b.now, DigestDay: b.now}); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown merchant or bot: %v", err)
		}
	}
	for _, failure := range []string{"", "blocked"} {
		if err := b.NoteAlert(ctx, b.one.merchant, b.now, failure); err != nil {
			t.Fatal(err)
		}
	}
	of, err := b.AlertSettingsOf(ctx, []payment.MerchantID{b.one.merchant, b.other.merchant})
	if err != nil || len(of) != 1 || of[b.one.merchant].LastFailure != "blocked" || !of[b.one.merchant].LastSentAt.Equal(b.now) {
		t.Errorf("of both: %+v, %v", of, err)
	}
	put.ChatID = 0
	if put, err = b.PutAlertSettings(ctx, put); err != nil || put.LastFailure != "" {
		t.Errorf("another chat: %+v, %v", put, err)
	}
	if of, err = b.AlertSettingsOf(ctx, []payment.MerchantID{b.one.merchant}); err != nil || len(of) != 0 {
		t.Errorf("nobody to tell: %+v, %v", of, err)
	}
}

func (b *bench) alert(n tenant, kind string, subjects ...string) {
	b.t.Helper()
	var list []Alert
	for _, s := range subjects {
		list = append(list, Alert{MerchantID: n.merchant, Kind: kind, Subject: s, Item: json.RawMessage(`"` + s + `"`)})
	}
	b.must(func(ctx context.Context, tx pgx.Tx) error { return InsertAlerts(ctx, tx, list, b.now) })
}

func (b *bench) claimAlerts() []AlertBatch {
	b.t.Helper()
	got, err := b.ClaimAlerts(b.t.Context(), b.now, b.now.Add(time.Minute), 10)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func items(a AlertBatch) (out []string) {
	for _, i := range a.Items {
		out = append(out, string(i))
	}
	return out
}

func TestAlerts_lifeOfABatch(t *testing.T) {
	b := newBench(t)
	b.alert(b.one, "sale_paid")
	b.alert(b.one, "sale_paid", "a", "b")
	b.alert(b.one, "sale_paid", "b", "c") // b is told once
	b.alert(b.other, "sale_paid", "x")
	first := b.claimAlerts()
	if len(first) != 2 {
		t.Fatalf("claimed %+v", first)
	}
	mine := first[0]
	if mine.MerchantID != b.one.merchant {
		mine = first[1]
	}
	if d := cmp.Diff([]string{`"a"`, `"b"`, `"c"`}, items(mine)); d != "" {
		t.Error(d)
	}
	if again := b.claimAlerts(); len(again) != 0 {
		t.Errorf("leased and claimed again: %+v", again)
	}
	b.alert(b.one, "sale_paid", "d") // while the others are on their way
	if err := b.PostponeAlerts(t.Context(), mine, b.now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(2 * time.Second)
	again := b.claimAlerts()
	if len(again) != 1 || again[0].ID != mine.ID || again[0].Attempts != 1 || len(again[0].Items) != 3 {
		t.Fatalf("a batch that is tried again is %+v, want it as it was", again)
	}
	if err := b.FinishAlerts(t.Context(), again[0], b.now.Add(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if early := b.claimAlerts(); len(early) != 0 {
		t.Errorf("claimed %+v before the time was over", early)
	}
	b.now = b.now.Add(30 * time.Second)
	next := b.claimAlerts()
	if len(next) != 1 || next[0].ID == mine.ID || len(next[0].Items) != 1 {
		t.Errorf("the next batch is %+v", next)
	}
}

func TestDigests_madeOnce(t *testing.T) {
	b := newBench(t)
	due := b.owned(b.one)
	b.insert(b.sale(b.one, "a"))
	if got, err := b.DueDigests(t.Context(), b.now, 10); err != nil || len(got) != 1 {
		t.Fatalf("due %+v, %v", got, err)
	}
	next, day := b.now.Add(24*time.Hour), due.DigestDay.AddDate(0, 0, 1)
	for _, want := range []bool{true, false} {
		made, err := b.MakeDigest(t.Context(), due, next, day, b.now, func(ctx context.Context, tx pgx.Tx) (*Alert, error) {
			d, err := SumDay(ctx, tx, b.one.merchant, b.now.Add(-24*time.Hour), b.now)
			if d.Pending != 1 || d.PendingAmount == 0 || d.Paid+d.Back+d.Stuck != 0 {
				t.Errorf("the day is %+v", d)
			}
			return &Alert{MerchantID: b.one.merchant, Kind: "digest", Subject: "2026-11-22", Item: json.RawMessage(`{}`)}, err
		})
		if made != want || err != nil {
			t.Fatalf("made %v, %v, want %v", made, err, want)
		}
	}
	if got, err := b.DueDigests(t.Context(), b.now, 10); err != nil || len(got) != 0 {
		t.Errorf("still due: %+v, %v", got, err)
	}
	got, err := b.AlertSettings(t.Context(), b.one.merchant)
	if err != nil || !got.DigestAt.Equal(next) || !got.DigestDay.Equal(day) || len(b.claimAlerts()) != 1 {
		t.Errorf("afterwards %+v, %v", got, err)
	}
}

func TestWatch_newConditionsAlone(t *testing.T) {
	b := newBench(t)
	b.owned(b.one)
	watch := func(want int) {
		t.Helper()
		told, err := b.Watch(t.Context(), b.now, time.Minute, func(c Condition) json.RawMessage {
			if c.Kind != "credential_refused" || c.Sales != 1 || c.Amount == 0 || c.MerchantID != b.one.merchant || c.Provider != "atomopay" {
				t.Errorf("condition %+v", c)
			}
			return json.RawMessage(`{}`)
		})
		if told != want || err != nil {
			t.Fatalf("told %d, %v, want %d", told, err, want)
		}
	}
	watch(0)
	for _, n := range []tenant{b.one, b.other} { // the other has nobody to tell
		s := b.insert(b.sale(n, "a"))[0]
		if _, err := b.Pool().Exec(t.Context(), `UPDATE payments SET last_outcome = 'credential' WHERE id = $1`, s.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Pool().Exec(t.Context(), `INSERT INTO looks (merchant_id, payment_id, account_id, provider, created_at, due_at, unanswered)
			VALUES ($1, $2, $3, 'atomopay', $4, $4, 1)`, s.MerchantID, s.ID, s.AccountID, b.now); err != nil {
			t.Fatal(err)
		}
	}
	watch(1)
	watch(0)
	b.now = b.now.Add(2 * time.Minute) // forgotten meanwhile, and back
	watch(1)
}

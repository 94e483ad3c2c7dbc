package work

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/alert"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Owners' alerts: what an owner must know goes to a chat as well. The first of a kind is sent at once; while that is fresh the
// others of its kind wait and go together, so that a busy hour is a few messages and no flood.

// together is for how long alerts of one kind are held back after one was sent.
const together = 30 * time.Second

// alerts are what a batch of news is worth to merchants who want to be told.
func (w *Worker) alerts(ctx context.Context, told []tidings) ([]store.Alert, error) {
	merchants := map[payment.MerchantID]bool{}
	var list []payment.MerchantID
	for _, t := range told {
		if _, worth := alert.Of(t.news.Type, t.news.Status, t.news.Detail); worth && !merchants[t.effect.MerchantID] {
			merchants[t.effect.MerchantID] = true
			list = append(list, t.effect.MerchantID)
		}
	}
	settings, err := w.Store.AlertSettingsOf(ctx, list)
	if err != nil || len(settings) == 0 {
		return nil, err
	}
	var out []store.Alert
	for _, t := range told {
		kind, worth := alert.Of(t.news.Type, t.news.Status, t.news.Detail)
		if s, ok := settings[t.effect.MerchantID]; !worth || !ok || t.request.GetOwnerEvent() == nil || !wants(s, kind) {
			continue
		}
		item, err := json.Marshal(saleItem(*t.sale, t.news))
		if err != nil {
			return nil, err
		}
		out = append(out, store.Alert{MerchantID: t.effect.MerchantID, Kind: string(kind), Item: item,
			Subject: subject(t.effect)})
	}
	return out, nil
}

// subject is what an alert of an effect's news is about.
func subject(e store.Effect) string { return e.PaymentID.String() + ":" + e.Name }

func wants(s store.AlertSettings, k alert.Kind) bool {
	if len(s.Kinds) == 0 {
		return true
	}
	for _, kind := range s.Kinds {
		if kind == string(k) {
			return true
		}
	}
	return false
}

// saleItem is a sale as an alert shows it.
func saleItem(s store.Sale, n ledger.OwnerNews) alert.Item {
	if n.Status == ledger.WebhooksSilent { // about no single sale
		return alert.Item{Provider: s.Provider, Sales: int64(n.Run)}
	}
	i := alert.Item{PaymentID: s.ID.String(), ExternalID: s.ExternalID, Amount: s.Amount, Product: s.ProductName, Buyer: s.BuyerName,
		Bot: s.BotExternalID, Provider: s.Provider, Word: n.Detail}
	if n.Type == "alert" {
		i.Word, i.Reason = n.Status, n.Detail
	}
	return i
}

func (w *Worker) claimAlerts(ctx context.Context, limit int) ([]store.AlertBatch, error) {
	now := w.Now()
	return w.Store.ClaimAlerts(ctx, now, now.Add(lease), limit)
}

// alertOwners sends batches, each as one message. Idempotency key: the batch, so that a crash behind the call sends nothing twice.
func (w *Worker) alertOwners(ctx context.Context, batches []store.AlertBatch) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var first error
	for _, b := range batches {
		if err := w.alertOwner(call, b); err != nil {
			first = firstOf(first, err)
			wait := min(backoff(b.Attempts), awayFor)
			if err := w.Store.PostponeAlerts(context.WithoutCancel(ctx), b, w.Now().Add(wait)); err != nil {
				slog.WarnContext(ctx, "alerts not given back; their lease ends by itself", slog.Any("error", err))
			}
		}
	}
	return first
}

func (w *Worker) alertOwner(ctx context.Context, b store.AlertBatch) error {
	settings, err := w.Store.AlertSettingsOf(ctx, []payment.MerchantID{b.MerchantID})
	if err != nil {
		return err
	}
	s, ok := settings[b.MerchantID]
	items := make([]alert.Item, 0, len(b.Items))
	for _, raw := range b.Items {
		var i alert.Item
		if err := json.Unmarshal(raw, &i); err != nil {
			slog.ErrorContext(ctx, "alert not readable", slog.String("kind", b.Kind), slog.Any("error", err))
			continue
		}
		i.Provider = w.Title(i.Provider)
		items = append(items, i)
	}
	if ok && len(items) > 0 {
		lang, _ := wording.Parse(s.Lang)
		title, body := alert.Compose(lang, alert.Kind(b.Kind), items)
		_, err := w.Notifier.Notify(ctx, OwnerMessage(s, alertKey(b), title, body))
		if status.Code(err) == codes.InvalidArgument {
			slog.ErrorContext(ctx, "alert refused as invalid", slog.String("kind", b.Kind), slog.Any("error", err))
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return w.Store.FinishAlerts(ctx, b, w.Now().Add(together))
}

// alertKey is the idempotency key of a batch at notifier.
func alertKey(b store.AlertBatch) string { return kindAlert + ":" + b.Kind + ":" + b.ID.String() }

// The kinds of notifier's messages to owners.
const (
	kindAlert = "alert"
	kindTest  = "test"
)

// TestKey is the idempotency key of one test message.
func TestKey(once string) string { return kindTest + ":" + once }

// OwnerMessage asks notifier to write to a merchant's owner.
func OwnerMessage(s store.AlertSettings, key, title, body string) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: s.MerchantID.String(), BotId: s.BotID.String(), Key: key,
		What: &notifierv1.NotifyRequest_OwnerMessage{OwnerMessage: &notifierv1.OwnerMessage{ChatId: s.ChatID, Title: clip(title, 200), Body: clip(body, 3500)}}}
}

// noteOwners keeps whether owners' messages arrive, for whoever looks at the settings. It is no part of any sale's story.
func (w *Worker) noteOwners(ctx context.Context, outcomes []*notifierv1.Outcome) {
	for _, o := range outcomes {
		m, err := payment.ParseMerchantID(o.GetMerchantId())
		if o.GetKind() != kindAlert && o.GetKind() != kindTest || err != nil {
			continue
		}
		failure := o.GetReason()
		if o.GetState() == notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
			failure = ""
		}
		if err := w.Store.NoteAlert(ctx, m, o.GetAt().AsTime(), failure); err != nil {
			slog.WarnContext(ctx, "end of an owner's message not noted", slog.Any("error", err))
		}
	}
}

const (
	watchEvery = 30 * time.Second
	wellFor    = 10 * time.Minute // after which a trouble that returns is told again
)

// claimWatch gives one turn each watchEvery.
func (w *Worker) claimWatch(context.Context, int) ([]time.Time, error) {
	now := w.Now()
	if last := w.watched.Load(); last != nil && !now.Before(*last) && now.Sub(*last) < watchEvery {
		return nil, nil
	}
	w.watched.Store(&now)
	return []time.Time{now}, nil
}

// watch finds providers that are silent and credentials that are refused.
func (w *Worker) watch(ctx context.Context, turns []time.Time) error {
	_, err := w.Store.Watch(ctx, turns[0], wellFor, func(c store.Condition) json.RawMessage {
		raw, _ := json.Marshal(alert.Item{Provider: c.Provider, Amount: c.Amount, Sales: c.Sales}) // of texts and numbers
		return raw
	})
	return err
}

func (w *Worker) claimDigests(ctx context.Context, limit int) ([]store.AlertSettings, error) {
	return w.Store.DueDigests(ctx, w.Now(), limit)
}

// digests makes what is due. Idempotency key: merchant and day, since a digest moves its time on in the same transaction. After a
// long stop only the newest one is told.
func (w *Worker) digests(ctx context.Context, due []store.AlertSettings) error {
	var first error
	for _, s := range due {
		if err := w.digest(ctx, s); err != nil {
			first = firstOf(first, err)
		}
	}
	return first
}

func (w *Worker) digest(ctx context.Context, s store.AlertSettings) error {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil { // a zone that this binary does not know any more
		slog.ErrorContext(ctx, "time zone unknown; digest in UTC", slog.String("zone", strconv.Quote(s.Timezone)))
		zone = time.UTC
	}
	now, day := w.Now(), s.DigestDay
	next, nextDay := alert.Next(s.DigestAt, zone, s.DigestHour)
	for !next.After(now) {
		day = nextDay
		next, nextDay = alert.Next(next, zone, s.DigestHour)
	}
	from, to := alert.Period(day, zone)
	_, err = w.Store.MakeDigest(ctx, s, next, nextDay, now, func(ctx context.Context, tx pgx.Tx) (*store.Alert, error) {
		if !wants(s, alert.DailyDigest) {
			return nil, nil
		}
		d, err := store.SumDay(ctx, tx, s.MerchantID, from, to)
		if err != nil {
			return nil, err
		}
		of := day.AddDate(0, 0, -1).Format(time.DateOnly)
		item, err := json.Marshal(alert.Item{Digest: &alert.Digest{Day: of, Paid: alert.Sum{Sales: d.Paid, Amount: d.PaidAmount},
			Back: alert.Sum{Sales: d.Back, Amount: d.BackAmount}, Pending: alert.Sum{Sales: d.Pending, Amount: d.PendingAmount},
			Stuck: alert.Sum{Sales: d.Stuck, Amount: d.StuckAmount}}})
		if err != nil {
			return nil, err
		}
		return &store.Alert{MerchantID: s.MerchantID, Kind: string(alert.DailyDigest), Subject: of, Item: item}, nil
	})
	return err
}

package work

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The owners' news: every change of a sale becomes an event on the sockets of its bot's owner.

func (w *Worker) claimNews(ctx context.Context, limit int) ([]store.Effect, error) {
	now := w.Now()
	return w.Store.ClaimEffects(ctx, ledger.KindOwner, now, now.Add(lease), limit)
}

// tidings is one piece of news on its way. One effect may have two: the owner's, and the buyer's.
type tidings struct {
	effect  store.Effect
	news    ledger.OwnerNews
	sale    *store.Sale
	request *notifierv1.NotifyRequest
}

func (w *Worker) tell(ctx context.Context, effects []store.Effect) error {
	sales, effects, err := w.salesOf(ctx, effects)
	if err != nil {
		return err
	}
	var all []tidings
	var over []store.Effect
	for _, e := range effects {
		news, err := ledger.ParseNews(e.Payload)
		sale, ok := sales[e.Key]
		if err != nil || !ok {
			slog.ErrorContext(ctx, "news without a sale", slog.String("payment_id", e.PaymentID.String()), slog.Any("error", err))
			over = append(over, e)
			continue
		}
		all = append(all, tidings{e, news, sale, request(e, news, sale)})
		if news.Detail == string(payment.NoticeReviewNeeded) && sale.State == payment.NeedsReview {
			if r := w.notice(ctx, *sale, "in_review", e.Name); r != nil {
				all = append(all, tidings{e, news, sale, r})
			}
		}
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	told, refused, cause := inBatches(call, all, w.batchNotify)
	open, later := map[string]bool{}, []store.Effect(nil)
	for _, t := range all {
		open[t.request.GetPaymentId()+t.request.GetKey()] = true
	}
	for _, t := range slices.Concat(told, refused) {
		delete(open, t.request.GetPaymentId()+t.request.GetKey())
	}
	waits := map[string]bool{} // effects of which a part is still to be told
	for _, t := range all {
		if open[t.request.GetPaymentId()+t.request.GetKey()] && !waits[nameOf(t.effect)] {
			waits[nameOf(t.effect)] = true
			later = append(later, t.effect)
		}
	}
	told = slices.DeleteFunc(told, func(t tidings) bool { return waits[nameOf(t.effect)] })
	for _, t := range slices.Concat(told, refused) {
		if !waits[nameOf(t.effect)] {
			over = append(over, t.effect)
		}
	}
	alerts, err := w.alerts(ctx, told)
	if err != nil {
		return err
	}
	if len(over) > 0 {
		err := pg.InTx(ctx, w.Store.Pool(), func(tx pgx.Tx) error {
			if err := store.InsertAlerts(ctx, tx, alerts, w.Now()); err != nil {
				return err
			}
			return store.FinishEffects(ctx, tx, over)
		})
		if err != nil {
			return err
		}
		if len(alerts) > 0 {
			w.alarm.Wake()
		}
	}
	return w.postpone(ctx, later, cause)
}

func nameOf(e store.Effect) string { return e.PaymentID.String() + e.Name }

// notice is a message to the buyer of a kind that merchants may want, or nil when the buyer has no chat. notifier sends it only
// where the merchant has stored a text for it. Idempotency key: the effect that it follows from.
func (w *Worker) notice(ctx context.Context, s store.Sale, kind, effect string) *notifierv1.NotifyRequest {
	if s.TelegramID == 0 || s.DeliveredElsewhere {
		return nil
	}
	return &notifierv1.NotifyRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), BotId: s.BotID.String(), Key: kind + ":" + effect,
		Traceparent: s.Traceparent,
		What: &notifierv1.NotifyRequest_BuyerMessage{BuyerMessage: &notifierv1.BuyerMessage{ChatId: s.TelegramID, ProductName: s.ProductName,
			Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, BuyerName: s.BuyerName, BotName: w.botName(ctx, s)}}}
}

func (w *Worker) batchNotify(ctx context.Context, all []tidings) error {
	req := &notifierv1.BatchNotifyRequest{}
	for _, t := range all {
		req.Requests = append(req.Requests, t.request)
	}
	if _, err := w.Notifier.BatchNotify(ctx, req); err != nil {
		return fmt.Errorf("tell owners: %w", err)
	}
	return nil
}

func request(e store.Effect, n ledger.OwnerNews, s *store.Sale) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String(), BotId: s.BotID.String(), Key: e.Name,
		Traceparent: s.Traceparent,
		What: &notifierv1.NotifyRequest_OwnerEvent{OwnerEvent: &notifierv1.OwnerEvent{Type: n.Type, Status: n.Status,
			Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, PaymentExternalId: s.ExternalID,
			BotExternalId: s.BotExternalID, CustomerName: s.BuyerName, Provider: s.Provider, Detail: n.Detail, At: timestamppb.New(n.At)}}}
}

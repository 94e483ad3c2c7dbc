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
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The owners' news: every change of a sale becomes an event on the sockets of its bot's owner.

func (w *Worker) claimNews(ctx context.Context, limit int) ([]store.Effect, error) {
	now := w.Now()
	return w.Store.ClaimEffects(ctx, ledger.KindOwner, now, now.Add(lease), limit)
}

// tidings is one piece of news on its way.
type tidings struct {
	effect  store.Effect
	request *notifierv1.NotifyRequest
}

func (w *Worker) tell(ctx context.Context, effects []store.Effect) error {
	sales, err := w.Store.Sales(ctx, keysOf(effects))
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
		all = append(all, tidings{e, request(e, news, sale)})
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	told, refused, cause := inBatches(call, all, w.batchNotify)
	ended := map[string]bool{}
	for _, t := range slices.Concat(told, refused) {
		over = append(over, t.effect)
		ended[t.request.GetPaymentId()+t.request.GetKey()] = true
	}
	if len(over) > 0 {
		err := pg.InTx(ctx, w.Store.Pool(), func(tx pgx.Tx) error { return store.FinishEffects(ctx, tx, over) })
		if err != nil {
			return err
		}
	}
	var later []store.Effect
	for _, t := range all {
		if !ended[t.request.GetPaymentId()+t.request.GetKey()] {
			later = append(later, t.effect)
		}
	}
	return w.postpone(ctx, later, cause)
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

func request(e store.Effect, n ledger.OwnerNews, s store.Sale) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String(), BotId: s.BotID.String(), Key: e.Name,
		Traceparent: s.Traceparent,
		What: &notifierv1.NotifyRequest_OwnerEvent{OwnerEvent: &notifierv1.OwnerEvent{Type: n.Type, Status: n.Status,
			Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, PaymentExternalId: s.ExternalID,
			BotExternalId: s.BotExternalID, CustomerName: s.BuyerName, Provider: s.Provider, Detail: n.Detail, At: timestamppb.New(n.At)}}}
}

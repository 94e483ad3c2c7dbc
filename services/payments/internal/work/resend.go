package work

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// resend carries out one order of the link: a new one where that is wanted, and the message with it. Both calls are idempotent by
// the order's key, so a crash between any two lines is repaired by doing it again.
func (w *Worker) resend(ctx context.Context, e store.Effect, s store.Sale) error {
	order, err := ledger.ParseResend(e.Payload)
	if err != nil || s.ID != e.PaymentID {
		slog.ErrorContext(ctx, "order that cannot be carried out", slog.String("payment_id", e.PaymentID.String()), slog.Any("error", err))
		return w.closeResend(ctx, e, nil)
	}
	ctx, span := tracer.Start(telemetry.Resume(ctx, s.Traceparent), "resend", trace.WithLinks(trace.LinkFromContext(ctx)),
		trace.WithAttributes(attribute.String("baixa.payment_id", s.ID.String())))
	defer span.End()
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	line := func(kind payment.Kind, d map[string]string) ledger.Entry {
		return ledger.Entry{Key: e.Key, Details: d, TraceID: spanTrace(span), Resend: &order,
			Event: payment.Event{Kind: kind, At: w.Now(), Source: payment.SourceSystem}}
	}
	if s.State != payment.Paid { // the money went back in the meantime
		if order.LinkOnly {
			return w.closeResend(ctx, e, nil)
		}
		return w.closeResend(ctx, e, []ledger.Entry{line(payment.MessageFailed, because("not_paid"))})
	}
	var entries []ledger.Entry
	url, err := w.linkFor(call, s, order)
	if err == nil && order.Regenerate {
		entries = append(entries, line(payment.TokenRegenerated, nil))
	}
	if err == nil && !order.LinkOnly {
		var note *notifierv1.NotifyResponse
		if note, err = w.notifyAgain(call, s, order, url); err == nil {
			entries = append(entries, outcomeOf(note, s, line)...)
		}
	}
	switch status.Code(err) {
	case codes.OK:
		return w.closeResend(ctx, e, entries)
	case codes.InvalidArgument, codes.NotFound:
		slog.ErrorContext(ctx, "link not sent again", slog.String("payment_id", s.ID.String()), slog.Any("error", err))
		if !order.LinkOnly {
			entries = append(entries, line(payment.MessageFailed, because("invalid_request")))
		}
		return w.closeResend(ctx, e, entries)
	}
	return fmt.Errorf("send link again: %w", err)
}

// linkFor is the sale's link, or a new one. Idempotency key of the latter: the payment and the order.
func (w *Worker) linkFor(ctx context.Context, s store.Sale, o ledger.ResendOrder) (string, error) {
	if !o.Regenerate {
		link, err := w.Delivery.GetLink(ctx, &deliveryv1.GetLinkRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String()})
		return link.GetUrl(), err
	}
	link, err := w.Delivery.RegenerateToken(ctx, &deliveryv1.RegenerateTokenRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), Key: o.Key})
	return link.GetUrl(), err
}

// notifyAgain sends the message. Idempotency key: the payment and the order.
func (w *Worker) notifyAgain(ctx context.Context, s store.Sale, o ledger.ResendOrder, url string) (*notifierv1.NotifyResponse, error) {
	return w.Notifier.Notify(ctx, &notifierv1.NotifyRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), BotId: s.BotID.String(),
		Key: ledger.ResendKey(o.Key), Traceparent: telemetry.Carrier(ctx),
		What: &notifierv1.NotifyRequest_BuyerMessage{BuyerMessage: &notifierv1.BuyerMessage{ChatId: s.TelegramID, ProductName: s.ProductName,
			Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, Url: url, BuyerName: s.BuyerName}}})
}

// outcomeOf is what the history says of a message that was handed over. One that had been handed over before has ended, perhaps,
// and is not told of again by the notifier's log.
func outcomeOf(note *notifierv1.NotifyResponse, s store.Sale, line func(payment.Kind, map[string]string) ledger.Entry) []ledger.Entry {
	n := note.GetNotification()
	switch kind, ended := notifierKinds[n.GetState()]; {
	case !ended:
		return []ledger.Entry{line(payment.MessageQueued, because(n.GetReason()))}
	case !note.GetCreated() && s.Message == "queued":
		return []ledger.Entry{line(kind, because(n.GetReason()))}
	}
	return nil
}

func (w *Worker) closeResend(ctx context.Context, e store.Effect, entries []ledger.Entry) error {
	err := w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error {
		return store.FinishEffects(ctx, tx, []store.Effect{e})
	})
	return err
}

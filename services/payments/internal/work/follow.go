package work

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What happens later in a leaf comes back by following its log: each outcome becomes a line of the sale's history, once, since
// the cursor moves in the transaction that records it.

func (w *Worker) followDelivery(ctx context.Context) error {
	return follow(ctx, w, "delivery",
		func(ctx context.Context, cursor string) (grpc.ServerStreamingClient[deliveryv1.FollowOutcomesResponse], error) {
			return w.Delivery.FollowOutcomes(ctx, &deliveryv1.FollowOutcomesRequest{Cursor: cursor})
		},
		func(r *deliveryv1.FollowOutcomesResponse) (entries []ledger.Entry, cursor string) {
			for _, o := range r.GetOutcomes() {
				kind, known := deliveryKinds[o.GetKind()]
				entries = appendOutcome(entries, known, outcome{o.GetMerchantId(), o.GetPaymentId(), kind, payment.SourceDelivery, o.GetAt(),
					o.GetTraceparent(), because(o.GetDetail())})
			}
			return entries, r.GetCursor()
		})
}

func (w *Worker) followNotifier(ctx context.Context) error {
	return follow(ctx, w, "notifier",
		func(ctx context.Context, cursor string) (grpc.ServerStreamingClient[notifierv1.FollowOutcomesResponse], error) {
			return w.Notifier.FollowOutcomes(ctx, &notifierv1.FollowOutcomesRequest{Cursor: cursor})
		},
		func(r *notifierv1.FollowOutcomesResponse) (entries []ledger.Entry, cursor string) {
			w.noteOwners(ctx, r.GetOutcomes())
			for _, o := range r.GetOutcomes() {
				if o.GetChannel() == notifierv1.Channel_CHANNEL_GROUP {
					entries = appendGroup(entries, o)
					continue
				}
				kind, known := notifierKinds[o.GetState()]
				d := because(o.GetReason())
				if o.GetMessageId() != 0 {
					d["message_id"] = strconv.FormatInt(o.GetMessageId(), 10)
				}
				set(d, "carrier", o.GetCarrierBotId())
				set(d, "carrier_because", clip(o.GetCarrierBecause(), 300))
				// Other kinds say nothing of whether the buyer has what was bought.
				known = known && o.GetChannel() == notifierv1.Channel_CHANNEL_TELEGRAM && o.GetKind() == kindDelivery
				entries = appendOutcome(entries, known, outcome{o.GetMerchantId(),
					o.GetPaymentId(), kind, payment.SourceNotifier, o.GetAt(), o.GetTraceparent(), d})
			}
			return entries, r.GetCursor()
		})
}

var deliveryKinds = map[deliveryv1.OutcomeKind]payment.Kind{
	deliveryv1.OutcomeKind_OUTCOME_KIND_OPENED:                  payment.Opened,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_QUEUED:         payment.PurchaseQueued,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_SENT:           payment.PurchaseSent,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_FAILED:         payment.PurchaseFailed,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_NOT_CONFIGURED: payment.PurchaseSkipped,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_PAUSED:            payment.PixelPaused,
	deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_MISSING:           payment.PixelMissing,
	deliveryv1.OutcomeKind_OUTCOME_KIND_ACCESS_MISSING:          payment.AccessMissing,
}

// kindDelivery is notifier's kind of the message that brings the link, however often it is sent.
const kindDelivery = "delivery"

// A message that waits for its merchant (no token, or one that is refused) reaches nobody until somebody acts: it counts as failed
// until notifier says that it went out after all.
var notifierKinds = map[notifierv1.NotificationState]payment.Kind{
	notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED:        payment.MessageFailed,
	notifierv1.NotificationState_NOTIFICATION_STATE_SENT:          payment.MessageSent,
	notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE: payment.MessageFailed,
	notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT:    payment.MessageUnsure,
}

type outcome struct {
	merchant, payment string
	kind              payment.Kind
	source            payment.Source
	at                *timestamppb.Timestamp
	traceparent       string
	details           map[string]string
}

// appendOutcome adds an outcome that can be a line of a history. What cannot is logged and passed over, for a log that is
// followed must not stand still.
func appendOutcome(entries []ledger.Entry, known bool, o outcome) []ledger.Entry {
	if !known {
		return entries
	}
	m, err1 := payment.ParseMerchantID(o.merchant)
	id, err2 := payment.ParseID(o.payment)
	if err := errors.Join(err1, err2); err != nil {
		slog.Error("outcome names no sale", slog.String("source", string(o.source)), slog.Any("error", err))
		return entries
	}
	return append(entries, ledger.Entry{Key: store.Key{MerchantID: m, PaymentID: id}, Details: o.details, TraceID: traceOf(o.traceparent),
		Event: payment.Event{Kind: o.kind, At: o.at.AsTime(), Source: o.source}})
}

const pause = time.Second

// follow reads a leaf's log for ever, from where it was followed to. Errors are logged once a change and tried again.
func follow[R any](ctx context.Context, w *Worker, source string,
	open func(context.Context, string) (grpc.ServerStreamingClient[R], error), read func(*R) ([]ledger.Entry, string)) error {
	var last string
	for ctx.Err() == nil {
		err := followOnce(ctx, w, source, open, read)
		if text := errText(err); text != last && ctx.Err() == nil {
			slog.InfoContext(ctx, "log is followed again", slog.String("source", source), slog.String("after", text))
			last = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func followOnce[R any](ctx context.Context, w *Worker, source string,
	open func(context.Context, string) (grpc.ServerStreamingClient[R], error), read func(*R) ([]ledger.Entry, string)) error {
	from, err := w.Store.Cursor(ctx, source)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := open(ctx, from)
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		entries, to := read(r)
		if err := w.record(ctx, entries, func(ctx context.Context, tx pgx.Tx) error { return store.Advance(ctx, tx, source, from, to) }); err != nil {
			return err
		}
		from = to
		w.noteRun(ctx, NameFollow, len(entries), nil)
	}
}

// record lets the ledger note outcomes, behind the deliveries of this process that wait for them.
func (w *Worker) record(ctx context.Context, outcomes []ledger.Entry, advance ledger.Also) error {
	waited := w.unwritten.of(outcomes)
	entries, finish := w.writing(waited)
	err := w.Ledger.ApplyOrHold(ctx, append(entries, outcomes...), finish, advance)
	if errors.Is(err, ledger.ErrUnknownSale) {
		var there []ledger.Entry
		if there, err = w.existing(ctx, append(entries, outcomes...)); err == nil {
			err = w.Ledger.ApplyOrHold(ctx, there, finish, advance)
		}
	}
	w.unwritten.followed(err == nil)
	if err != nil {
		w.write(ctx, waited)
		return err
	}
	w.written(waited)
	return nil
}

// existing drops entries of sales that are not there: a leaf restored from another backup, say.
func (w *Worker) existing(ctx context.Context, entries []ledger.Entry) ([]ledger.Entry, error) {
	keys := make([]store.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	there, err := w.Store.Existing(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := entries[:0]
	for _, e := range entries {
		if !there[e.Key] {
			slog.ErrorContext(ctx, "outcome of an unknown sale", slog.String("payment_id", e.PaymentID.String()))
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// because are the details of a line that has a reason, and none when it has not.
func because(reason string) map[string]string {
	d := map[string]string{}
	set(d, "reason", clip(reason, 300))
	return d
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

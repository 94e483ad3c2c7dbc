package work

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The deliveries: a paid sale gets its link (delivery), and the buyer the message with it (notifier). Both calls are
// idempotent by payment, so a crash between any two lines is repaired by doing it again.

func (w *Worker) claimDeliveries(ctx context.Context, limit int) ([]store.Effect, error) {
	now := w.Now()
	return w.Store.ClaimEffects(ctx, ledger.KindDeliver, now, now.Add(lease), limit)
}

// handover is one delivery on its way.
type handover struct {
	effect store.Effect
	sale   store.Sale
	ctx    context.Context // of the sale's own trace
	span   trace.Span
	link   *deliveryv1.IssueTokenResponse
	note   *notifierv1.NotifyResponse
	group  string // the group's invite link, when the sale gives one and it is there
	late   string // why the buyer does not wait for it any longer; empty: there is no such wait
}

// first reports whether the delivery made the link and the message just now, so that the message's outcome is still to come.
func (d *handover) first() bool {
	return d.sale.TokenIssuedAt == nil && d.sale.Message == "" && d.late == "" && d.note.GetCreated()
}

func (w *Worker) deliver(ctx context.Context, effects []store.Effect) error {
	sales, effects, err := w.salesOf(ctx, effects)
	if err != nil {
		return err
	}
	var todo []*handover
	out := handed{riders: ridersOf(effects, sales)}
	for _, e := range effects {
		sale, ok := sales[e.Key]
		if !ok || sale.State != payment.Paid {
			out.moot = append(out.moot, e) // a refund came first, say: what is not paid now is not delivered
			if ok && sale.TokenIssuedAt == nil {
				out.closing = append(out.closing, store.Effect{Key: e.Key, Name: "revoke:undelivered", Kind: ledger.KindRevoke, DueAt: w.Now()})
			}
			continue
		}
		h := &handover{effect: e, sale: *sale}
		h.ctx, h.span = tracer.Start(telemetry.Resume(ctx, sale.Traceparent), "deliver", trace.WithLinks(trace.LinkFromContext(ctx)),
			trace.WithAttributes(attribute.String("baixa.payment_id", sale.ID.String())))
		defer h.span.End()
		todo = append(todo, h)
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	enough := w.tellInTime(call, out.riders)
	ready, failed, groupErr := w.admit(call, todo)
	todo = slices.Concat(ready, failed)
	linked, refused, tokenErr := inBatches(call, ready, w.issue)
	linked, showErr := w.showGroups(call, linked)
	tokenErr = firstOf(tokenErr, firstOf(groupErr, showErr))
	enough()
	sent, unsayable, noteErr := w.announce(call, linked, out.riders)
	if err := w.weigh(ctx, out.riders); err != nil {
		return err
	}
	out.linked, out.sent, out.refused = linked, sent, slices.Concat(refused, unsayable)
	return w.recordDeliveries(ctx, out, todo, firstOf(tokenErr, noteErr))
}

func (w *Worker) issue(ctx context.Context, all []*handover) error {
	req := &deliveryv1.BatchIssueTokensRequest{}
	for _, h := range all {
		s := &h.sale
		tracking := &typev1.Tracking{}
		if err := protojson.Unmarshal(s.Tracking, tracking); err != nil {
			slog.WarnContext(h.ctx, "tracking not readable; delivered without", slog.String("payment_id", s.ID.String()))
			tracking = nil // tracking never blocks what was paid for
		}
		r := &deliveryv1.IssueTokenRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), BotId: s.BotID.String(),
			ProductName: s.ProductName, Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, AccessUrl: firstText(h.group, s.AccessURL),
			FileUrl: s.FileURL, ContactText: s.ContactText, Tracking: tracking, BuyerEmail: s.BuyerEmail, BuyerPhone: s.BuyerPhone,
			Traceparent: telemetry.Carrier(h.ctx)}
		if s.PaidAt != nil {
			r.PaidAt = timestamppb.New(*s.PaidAt)
		}
		if s.TelegramID != 0 {
			r.BuyerExternalId = fmt.Sprintf("telegram:%d", s.TelegramID)
		}
		req.Requests = append(req.Requests, r)
	}
	resp, err := w.Delivery.BatchIssueTokens(ctx, req)
	if err != nil {
		return fmt.Errorf("issue tokens: %w", err)
	}
	if len(resp.GetResponses()) != len(all) {
		return fmt.Errorf("issue tokens: %d asked, %d issued", len(all), len(resp.GetResponses()))
	}
	for i, h := range all {
		h.link = resp.GetResponses()[i]
	}
	return nil
}

// message is the buyer's message with the link.
func (w *Worker) message(ctx context.Context, h *handover) *notifierv1.NotifyRequest {
	s := &h.sale
	return &notifierv1.NotifyRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), BotId: s.BotID.String(), Key: "delivery",
		Traceparent: telemetry.Carrier(h.ctx),
		What: &notifierv1.NotifyRequest_BuyerMessage{BuyerMessage: &notifierv1.BuyerMessage{ChatId: s.TelegramID, ProductName: s.ProductName,
			Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, Url: h.link.GetUrl(), BuyerName: s.BuyerName, BotName: w.botName(ctx, *s)}}}
}

// handed is how far each delivery of a batch came.
type handed struct {
	linked, sent, refused []*handover
	// moot are of sales that are not paid any more. closing closes their links all the same: an attempt that ended in a crash
	// may have made one that nobody knows of.
	moot, closing []store.Effect
	riders        []*rider
}

// recordDeliveries writes the history of what was done, or lets it wait for the messages' outcomes, ends what is done and postpones the rest.
func (w *Worker) recordDeliveries(ctx context.Context, h handed, todo []*handover, cause error) error {
	now := w.Now()
	var entries []ledger.Entry
	var over []store.Effect
	news := newPassengers(h.riders)
	end := func(e store.Effect) {
		over, h.closing = append(over, e), append(h.closing, news.leave(e, now)...)
	}
	for _, e := range h.moot {
		end(e)
	}
	open := map[*handover]bool{}
	for _, d := range todo {
		open[d] = true
	}
	line := func(d *handover, kind payment.Kind, details map[string]string) ledger.Entry {
		return ledger.Entry{Key: d.effect.Key, TraceID: spanTrace(d.span), Details: details,
			Event: payment.Event{Kind: kind, At: now, Source: payment.SourceSystem}}
	}
	note := func(d *handover, kind payment.Kind, details map[string]string) {
		entries = append(entries, line(d, kind, details))
	}
	h.sent = slices.DeleteFunc(slices.Clone(h.sent), func(d *handover) bool {
		if !d.first() || d.effect.Lease.Sub(now) < outcomeLease || !news.told(d.effect) {
			return false
		}
		open[d] = !w.unwritten.put(delivered{effect: d.effect, since: time.Now(), alerts: news.alertsOf(d.effect), entries: []ledger.Entry{
			line(d, payment.TokenIssued, nil), line(d, payment.MessageQueued, because(d.note.GetNotification().GetReason()))}})
		if !open[d] {
			news.drop(d.effect)
		}
		return !open[d]
	})
	for _, d := range h.linked {
		if d.sale.TokenIssuedAt == nil && open[d] {
			note(d, payment.TokenIssued, nil)
		}
	}
	for _, d := range h.sent {
		if d.sale.Message == "" {
			note(d, payment.MessageQueued, because(d.note.GetNotification().GetReason()))
		}
		if d.late != "" && d.sale.Message == "" {
			note(d, payment.GroupLate, map[string]string{"reason": d.late})
			h.closing = append(h.closing, store.Effect{Key: d.effect.Key, Name: "group:issued", Kind: ledger.KindGroup, DueAt: now})
		}
		end(d.effect)
		open[d] = false
	}
	for _, d := range h.refused {
		kind := payment.TokenFailed
		if d.link != nil {
			kind = payment.MessageFailed
		}
		note(d, kind, map[string]string{"reason": "invalid_request"})
		end(d.effect)
		open[d] = false
	}
	lighter := news.off()
	todo = slices.DeleteFunc(todo, func(d *handover) bool { return !open[d] })
	if len(entries)+len(over)+len(lighter) == 0 {
		return w.postpone(ctx, effectsOf(todo), cause)
	}
	err := w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error {
		if err := store.InsertEffects(ctx, tx, h.closing); err != nil {
			return err
		}
		if err := store.InsertAlerts(ctx, tx, news.alerts, now); err != nil {
			return err
		}
		if err := store.EmptyEffects(ctx, tx, lighter); err != nil {
			return err
		}
		return store.FinishEffects(ctx, tx, over)
	})
	if err != nil {
		return err
	}
	if len(h.closing) > 0 {
		w.Wakers.Token.Wake()
		w.Wakers.kept[ledger.KindOwner].note()
	}
	if len(news.alerts) > 0 {
		w.alarm.Wake()
	}
	return w.postpone(ctx, effectsOf(todo), cause)
}

func effectsOf(all []*handover) []store.Effect {
	out := make([]store.Effect, len(all))
	for i, d := range all {
		out[i] = d.effect
	}
	return out
}

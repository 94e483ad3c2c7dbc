package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Why an endpoint is disabled, as stored.
const (
	DisabledGone    = "gone"
	DisabledFailing = "failing"
)

// deliver makes one attempt and writes what came of it. It always frees its slot.
func (s *Sender) deliver(ctx context.Context, m store.WebhookMessage) {
	defer func() {
		if m.Failing {
			release(s.failing, 1)
		}
		release(s.slots, 1)
		s.waker.Wake()
	}()
	ctx, span := s.tracer.Start(telemetry.Resume(ctx, m.Traceparent), "webhook deliver", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("endpoint_id", m.EndpointID.String()), attribute.String("event_id", m.EventID.String()),
		attribute.String("payment_id", m.PaymentID.String()), attribute.Int("attempt", m.Attempt)))
	defer span.End()
	began := time.Now()
	call, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	a := s.post(call, m)
	cancel()
	end := attribute.String("reason", a.reason)
	span.SetAttributes(end, attribute.Int("http.response.status_code", a.status))
	s.ends.Add(ctx, 1, metric.WithAttributes(end))
	s.settle(ctx, s.result(m, a, began, time.Now()), m)
}

// result says what an answer means for the message and its endpoint.
func (s *Sender) result(m store.WebhookMessage, a answer, began, now time.Time) store.WebhookResult {
	r := store.WebhookResult{MerchantID: m.MerchantID, EndpointID: m.EndpointID, EventID: m.EventID, Attempt: m.Attempt, At: began,
		Elapsed: now.Sub(began), HTTPStatus: a.status, Reason: a.reason, Pause: s.cfg.Pause}
	switch {
	case a.reason == "":
		return r
	case a.reason == ReasonGone:
		r.Disable, r.GiveUp = DisabledGone, true
	case m.Try > len(s.cfg.Schedule):
		r.GiveUp = true
	default:
		r.Wait = max(jittered(s.cfg.Schedule[m.Try-1]), a.wait)
	}
	if r.Disable == "" && m.FailingSince != nil && now.Sub(*m.FailingSince) >= s.cfg.DisableAfter {
		r.Disable = DisabledFailing
	}
	return r
}

// settle writes a result, trying again until the lease is over; then the message is claimed again and its receiver knows the id.
// The owner is told first: telling twice is one event by its key, never telling would be silence.
func (s *Sender) settle(ctx context.Context, r store.WebhookResult, m store.WebhookMessage) {
	retry := queue.Backoff{Base: 50 * time.Millisecond, Limit: 2 * time.Second}
	deadline := time.Now().Add(leaseMargin)
	for attempt := 1; time.Now().Before(deadline); attempt++ {
		err := s.alert(ctx, r, m)
		if err == nil {
			err = s.cfg.Store.SettleWebhook(ctx, r)
		}
		if err == nil {
			return
		}
		slog.ErrorContext(ctx, "result of a webhook is not written", slog.String("endpoint_id", m.EndpointID.String()),
			slog.String("event_id", m.EventID.String()), slog.Int("attempt", attempt), slog.Any("error", err))
		pause(ctx, retry.Delay(attempt))
	}
}

// alert tells the owner that an endpoint is disabled, or, once each time that it begins to fail, that an event was given up. The
// event belongs to the sale whose message failed. Idempotency key: the endpoint, and since when it fails.
func (s *Sender) alert(ctx context.Context, r store.WebhookResult, m store.WebhookMessage) error {
	status := ""
	switch {
	case r.Disable != "":
		status = "webhook_disabled"
	case r.GiveUp:
		status = "webhook_given_up"
	}
	if status == "" || m.PaymentID == uuid.Nil { // whoever sends a test event looks at what becomes of it
		return nil
	}
	since := r.At
	if m.FailingSince != nil {
		since = *m.FailingSince
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("alert id: %w", err)
	}
	event, err := websocket.Event{ID: id, Type: "alert", PaymentID: m.PaymentID, BotID: m.BotID, Status: status,
		Detail: fmt.Sprintf("endpoint %s: %s", m.EndpointID, r.Reason), At: time.Now(), Traceparent: m.Traceparent}.JSON()
	if err != nil {
		return err
	}
	_, err = s.cfg.Store.Record(ctx, []store.Intent{{MerchantID: m.MerchantID, ID: id, PaymentID: m.PaymentID, BotID: m.BotID, Kind: "alert",
		Key: fmt.Sprintf("%s:%s:%d", status, m.EndpointID, since.UnixMicro()), Channel: store.WebSocket, Traceparent: m.Traceparent, Event: event}})
	return err
}

// TestEvent is the event that only one endpoint gets; it is about no sale.
func TestEvent(id, endpoint uuid.UUID, at time.Time) ([]byte, error) {
	event, err := json.Marshal(map[string]string{"id": id.String(), "type": "test", "status": "test", "at": at.UTC().Format(time.RFC3339Nano),
		"detail": "endpoint " + endpoint.String()})
	if err != nil {
		return nil, fmt.Errorf("test event: %w", err)
	}
	return event, nil
}

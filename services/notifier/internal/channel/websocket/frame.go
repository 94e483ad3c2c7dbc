package websocket

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Event is what an owner's screen is to know, before it becomes a row of the log.
type Event struct {
	ID                uuid.UUID // the notification's: the same event has the same id however often it is read
	Type              string
	PaymentID, BotID  uuid.UUID
	Status            string
	Amount            *money.Amount // nil when the event is about no sum
	PaymentExternalID string
	BotExternalID     string
	CustomerName      string
	Provider, Detail  string
	At                time.Time
	Traceparent       string
}

// payload is an event on the wire. payment_id, bot_id, status, amount (reais, a number), customer_name and delivery_method mean
// what they mean in the origin system's payment_update and delivery_sent, so that its dashboard understands them; the ids are
// the origin's when the sale has them. The rest is ours.
type payload struct {
	ID             string       `json:"id"`
	Type           string       `json:"type"`
	TraceID        string       `json:"trace_id,omitempty"`
	At             string       `json:"at"`
	PaymentID      any          `json:"payment_id"`
	BotID          any          `json:"bot_id"`
	Status         string       `json:"status,omitempty"`
	Amount         *json.Number `json:"amount,omitempty"`
	AmountCentavos *int64       `json:"amount_centavos,omitempty"`
	CustomerName   string       `json:"customer_name,omitempty"`
	Provider       string       `json:"provider,omitempty"`
	DeliveryMethod string       `json:"delivery_method,omitempty"`
	Detail         string       `json:"detail,omitempty"`
	BaixaPaymentID string       `json:"baixa_payment_id"`
	BaixaBotID     string       `json:"baixa_bot_id"`
}

// JSON is the event as it is stored: an object without its cursor, which only the log knows.
func (e Event) JSON() ([]byte, error) {
	p := payload{
		ID: e.ID.String(), Type: e.Type, TraceID: traceID(e.Traceparent), At: e.At.UTC().Format(time.RFC3339Nano),
		PaymentID: foreign(e.PaymentExternalID, e.PaymentID), BotID: foreign(e.BotExternalID, e.BotID), Status: e.Status,
		CustomerName: e.CustomerName, Provider: e.Provider, Detail: e.Detail,
		BaixaPaymentID: e.PaymentID.String(), BaixaBotID: e.BotID.String(),
	}
	if e.Amount != nil {
		reais, centavos := json.Number(e.Amount.Reais()), int64(*e.Amount)
		p.Amount, p.AmountCentavos = &reais, &centavos
	}
	if e.Type == "delivery_sent" {
		p.DeliveryMethod = "telegram"
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("owner event %s: %w", e.ID, err)
	}
	return body, nil
}

// foreign is the origin's id, as the number that it was there, or ours.
func foreign(external string, ours uuid.UUID) any {
	if external == "" {
		return ours.String()
	}
	if n, err := strconv.ParseInt(external, 10, 53); err == nil && n > 0 && strconv.FormatInt(n, 10) == external {
		return n
	}
	return external
}

// traceID is the second field of a W3C traceparent, or nothing.
func traceID(traceparent string) string {
	part := strings.Split(traceparent, "-")
	if len(part) < 4 || len(part[1]) != 32 {
		return ""
	}
	return part[1]
}

// frame is one event on its way to the sockets, made once for all of them.
type frame struct {
	cursor eventlog.Cursor
	bot    uuid.UUID
	body   []byte
}

// newFrame puts the cursor in front of a stored object's first field.
func newFrame(e store.Event) *frame {
	object := strings.TrimLeft(string(e.JSON), " \t\r\n")
	var b strings.Builder
	b.WriteString(`{"cursor":"`)
	b.WriteString(e.Cursor.String())
	b.WriteString(`",`)
	b.WriteString(strings.TrimPrefix(object, "{"))
	return &frame{cursor: e.Cursor, bot: e.BotID, body: []byte(b.String())}
}

// hello is the first frame: a client that loses its connection before any event resumes from here.
func hello(c eventlog.Cursor) []byte {
	return []byte(`{"cursor":"` + c.String() + `","type":"hello"}`)
}

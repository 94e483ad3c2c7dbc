package ledger

import (
	"encoding/json"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// The kinds of effects, as stored.
const (
	KindDeliver = "deliver" // token, then the message to the buyer
	KindOwner   = "owner"   // an event for the owner's socket
	KindRevoke  = "revoke"  // close the link
	KindRestore = "restore" // open the link again
)

// OwnerNews is the payload of KindOwner: what the owner is told.
type OwnerNews struct {
	Type   string    `json:"type"`   // "payment_update", "delivery_sent", "delivery_opened", "purchase_sent", "alert"
	Status string    `json:"status"` // the sale's state, or the event's
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// TokenOrder is the payload of KindRevoke.
type TokenOrder struct {
	Reason string `json:"reason"` // the state that closes the link
}

// ParseNews reads the payload of KindOwner.
func ParseNews(raw json.RawMessage) (n OwnerNews, err error) { return n, json.Unmarshal(raw, &n) }

// note writes an entry's own facts onto the sale, before anything is decided.
func (p *page) note(e Entry) {
	s := &p.sale
	at := e.Event.At.UTC()
	if l := e.Look; l != nil {
		p.ended, p.asked, p.retry = true, true, l.RetryAfter
		started := l.StartedAt.UTC()
		s.Polls++
		s.LastPollAt, s.LastOutcome = &started, string(l.Outcome)
		if l.Outcome.Answered() {
			s.LookedAt, p.look.Unanswered = &started, 0
		} else {
			p.look.Unanswered++
		}
		if l.ProviderStatus != "" {
			s.LastProviderStatus = l.ProviderStatus
		}
	}
	if c := e.Charge; c != nil {
		keep(&s.Charge.ID, c.ID)
		keep(&s.Charge.Hash, c.Hash)
		keep(&s.Charge.Reference, c.Reference)
		keep(&s.Charge.CopyPaste, c.CopyPaste)
		p.asked = true
	}
	if e.QRExpiresAt != nil {
		s.QRExpiresAt, p.asked = e.QRExpiresAt, true
	}
	if e.Hint {
		p.look.HintAt, p.asked = &at, true
		if e.Event.Kind == payment.HintReceived {
			s.Hints++
		}
	}
	if e.BuyerUntil != nil {
		p.look.BuyerUntil, p.asked = e.BuyerUntil, true
	}
	p.follow(e, at)
}

// follow keeps where the way to the buyer stands.
func (p *page) follow(e Entry, at time.Time) {
	s := &p.sale
	switch e.Event.Kind {
	case payment.TokenIssued:
		s.TokenIssuedAt = first(s.TokenIssuedAt, at)
	case payment.MessageQueued:
		if s.Message == "" {
			s.Message, s.MessageReason = "queued", e.Details["reason"]
		}
	case payment.MessageSent:
		s.Message, s.MessageReason, s.MessageSentAt = "sent", "", first(s.MessageSentAt, at)
	case payment.MessageFailed:
		s.Message, s.MessageReason = "undeliverable", e.Details["reason"]
	case payment.MessageUnsure:
		s.Message, s.MessageReason = "maybe_sent", e.Details["reason"]
	case payment.Opened:
		s.OpenedAt = first(s.OpenedAt, at)
	case payment.PurchaseQueued:
		if s.Purchase == "" {
			s.Purchase = "queued"
		}
	case payment.PurchaseSent:
		s.Purchase = "sent"
	case payment.PurchaseFailed:
		s.Purchase = "failed"
	case payment.PurchaseSkipped:
		s.Purchase = "not_configured"
	}
}

func first(t *time.Time, at time.Time) *time.Time {
	if t != nil {
		return t
	}
	return &at
}

func keep(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// Day is the day in Brazil to which an instant is booked, as midnight UTC. Brazil has had no daylight saving since 2019, so
// São Paulo is three hours behind UTC.
func Day(t time.Time) time.Time {
	t = t.UTC().Add(-3 * time.Hour)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

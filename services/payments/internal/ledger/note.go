package ledger

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The kinds of effects, as stored.
const (
	KindDeliver = "deliver" // token, then the message to the buyer
	KindOwner   = "owner"   // an event for the owner's socket
	KindRevoke  = "revoke"  // close the link
	KindRestore = "restore" // open the link again
	KindGroup   = "group"   // put the group's invite link onto the page
	KindResend  = "resend"  // send the link again, or another one
)

// EffectKinds lists the kinds that somebody carries out.
func EffectKinds() []string {
	return []string{KindDeliver, KindOwner, KindRevoke, KindRestore, KindGroup, KindResend}
}

// OwnerKey is the name of the effect that tells the owner of a sale's event by its number, and its idempotency key at notifier.
func OwnerKey(number int) string { return "owner:" + strconv.Itoa(number) }

// ResendName is the name of the effect of an order to send the link again.
func ResendName(key string) string { return "resend:" + key }

// ResendKey is the idempotency key at notifier of the message that such an order sends.
func ResendKey(key string) string { return "delivery:" + key }

// OwnerNews is the payload of KindOwner: what the owner is told.
type OwnerNews struct {
	Type   string    `json:"type"`   // "payment_update", "delivery_sent", "delivery_opened", "purchase_sent", "alert"
	Status string    `json:"status"` // the sale's state, or the event's
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
	// Of webhooks that are silent: how many paid sales in a row had none, 0 when the provider notifies nobody.
	Run int `json:"run,omitempty"`
}

// WebhooksSilent is the status of the news that a provider stopped notifying; it is about no single sale.
const WebhooksSilent = "webhooks_silent"

// DeliverOrder is the payload of KindDeliver: the news that the delivery tells the owner, and the name of the effect that they would have been. Without
// news it is empty.
type DeliverOrder struct {
	Tells string     `json:"tells,omitempty"`
	News  *OwnerNews `json:"news,omitempty"`
}

// carrying is DeliverOrder with its news as they are stored.
type carrying struct {
	Tells string          `json:"tells"`
	News  json.RawMessage `json:"news"`
}

// ParseDeliver reads the payload of KindDeliver; one that cannot be read carries no news.
func ParseDeliver(raw json.RawMessage) (o DeliverOrder) {
	if err := json.Unmarshal(raw, &o); err != nil || o.Tells == "" {
		return DeliverOrder{}
	}
	return o
}

// Alone is the payload of the news as an effect of its own.
func (o DeliverOrder) Alone() json.RawMessage { return encoded(o.News) }

// encoded is a payload. Our own structs of texts always marshal.
func encoded(payload any) json.RawMessage {
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil
	}
	return raw
}

// TokenOrder is the payload of KindRevoke.
type TokenOrder struct {
	Reason string `json:"reason"` // "refunded", "charged_back", "disputed" or "manual": the words that the delivery knows
}

// closing is the reason with which a sale's link is closed in a state.
func closing(s payment.State) string {
	switch s {
	case payment.Refunded, payment.ChargedBack, payment.Disputed:
		return s.String()
	}
	return "manual"
}

// ParseTokenOrder reads the payload of KindRevoke; one that gives no reason gets that of the state in which the sale is.
func ParseTokenOrder(raw json.RawMessage, now payment.State) TokenOrder {
	var o TokenOrder
	if err := json.Unmarshal(raw, &o); err != nil || o.Reason == "" {
		return TokenOrder{Reason: closing(now)}
	}
	return o
}

// ResendOrder is the payload of KindResend.
type ResendOrder struct {
	Key        string `json:"key"`                  // of the order, in the leaves' idempotency keys
	Regenerate bool   `json:"regenerate,omitempty"` // make a new link
	LinkOnly   bool   `json:"link_only,omitempty"`  // send nothing
}

// Word names the order in the history.
func (o ResendOrder) Word() string {
	switch {
	case o.Regenerate && o.LinkOnly:
		return "regenerate_link"
	case o.Regenerate:
		return "regenerate"
	case o.LinkOnly:
		return "link"
	}
	return "send"
}

// ParseResend reads the payload of KindResend.
func ParseResend(raw json.RawMessage) (o ResendOrder, err error) { return o, json.Unmarshal(raw, &o) }

// ParseNews reads the payload of KindOwner.
func ParseNews(raw json.RawMessage) (n OwnerNews, err error) { return n, json.Unmarshal(raw, &n) }

// note writes an entry's own facts onto the sale, before anything is decided.
func (p *page) note(e Entry) {
	s := &p.sale
	at := e.Event.At.UTC()
	if l := e.Look; l != nil {
		p.ended, p.asked, p.look.RetryAfter = true, true, max(0, l.RetryAfter)
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
		s.Charge = completed(s.Charge, *c)
		p.asked, p.changed, p.charged = true, true, true
	}
	if e.QRExpiresAt != nil {
		end := moment(*e.QRExpiresAt)
		s.QRExpiresAt, p.asked, p.changed, p.charged = &end, true, true, true
	}
	if e.Hint {
		p.look.HintAt, p.asked = &at, true
	}
	switch e.Event.Kind {
	case payment.HintReceived:
		s.Hints++
		p.posted = true
	case payment.HintRefused:
		p.posted = true
	default:
		p.wanted = p.wanted || e.Hint
	}
	if e.BuyerUntil != nil {
		p.look.BuyerUntil, p.asked = e.BuyerUntil, true
	}
	p.follow(e, at)
}

// knows reports whether an entry only repeats what is recorded: a step that was done twice because the first time ended in a
// crash, an outcome that a leaf sent again, or what two processes saw. Such a line would tell something that did not happen.
func (p *page) knows(e Entry) bool {
	s := &p.sale
	switch e.Event.Kind {
	case payment.ChargeCreated:
		return e.Charge != nil && (s.Charge.ID != "" || s.Charge.Hash != "") && s.Charge == completed(s.Charge, *e.Charge)
	case payment.ChargeUnsure:
		return p.doubted(e)
	case payment.BuyerPresent: // another process noted the same visit
		return e.BuyerUntil != nil && p.look.BuyerUntil != nil && !p.look.BuyerUntil.Before(e.Event.At)
	case payment.TokenIssued:
		return s.TokenIssuedAt != nil
	case payment.MessageQueued:
		if e.Resend != nil { // what became of it may be known before this
			return s.Message != "queued" || e.Details["reason"] == ""
		}
		return s.Message != ""
	case payment.MessageSent:
		return s.Message == "sent"
	case payment.Opened:
		return s.OpenedAt != nil
	case payment.PurchaseQueued:
		return s.Purchase == "queued" || s.Purchase == "sent"
	case payment.PurchaseSent:
		return s.Purchase == "sent"
	}
	return false
}

// implied are the lines that an outcome proves to be missing before it: what became of the buyer's message may be followed, by this replica or another,
// before the delivery that made the link and the message is written. What is written afterwards is known by then.
func (p *page) implied(e Entry) (out []Entry) {
	s := &p.sale
	if e.Event.Source != payment.SourceNotifier || !s.DeliveredEver || s.DeliveredElsewhere || s.Message != "" {
		return nil
	}
	switch e.Event.Kind {
	case payment.MessageSent, payment.MessageFailed, payment.MessageUnsure:
	default:
		return nil
	}
	for _, kind := range []payment.Kind{payment.TokenIssued, payment.MessageQueued} {
		if kind != payment.TokenIssued || s.TokenIssuedAt == nil {
			out = append(out, Entry{Key: e.Key, TraceID: e.TraceID, Event: payment.Event{Kind: kind, At: e.Event.At, Source: payment.SourceSystem}})
		}
	}
	return out
}

// completed is a charge with what became known of it.
func completed(c, known store.Charge) store.Charge {
	return store.Charge{ID: cmp.Or(known.ID, c.ID), Hash: cmp.Or(known.Hash, c.Hash), Reference: cmp.Or(known.Reference, c.Reference),
		CopyPaste: cmp.Or(known.CopyPaste, c.CopyPaste)}
}

// follow keeps where the way to the buyer stands.
func (p *page) follow(e Entry, at time.Time) {
	s := &p.sale
	switch e.Event.Kind {
	case payment.TokenIssued:
		s.TokenIssuedAt = first(s.TokenIssuedAt, at)
	case payment.MessageQueued:
		s.Message, s.MessageReason = "queued", e.Details["reason"]
	case payment.ResendOrdered:
		if e.Resend != nil && !e.Resend.LinkOnly {
			s.Message, s.MessageReason = "queued", ""
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
		s.Purchase = "queued" // also after a failure: new credentials were put
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

// moment is an instant as PostgreSQL keeps it, so that what is returned is what will be read.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Day is the day in Brazil to which an instant is booked, as midnight UTC. Brazil has had no daylight saving since 2019, so
// São Paulo is three hours behind UTC.
func Day(t time.Time) time.Time {
	t = t.UTC().Add(-3 * time.Hour)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

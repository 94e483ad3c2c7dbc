package server

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// The database's numbers and the contract's are the same by choice, but not by type.
var (
	channels = map[store.Channel]notifierv1.Channel{
		store.Group: notifierv1.Channel_CHANNEL_GROUP, store.Telegram: notifierv1.Channel_CHANNEL_TELEGRAM, store.WebSocket: notifierv1.Channel_CHANNEL_WEBSOCKET,
	}
	states = map[store.State]notifierv1.NotificationState{
		store.Queued:        notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED,
		store.Sent:          notifierv1.NotificationState_NOTIFICATION_STATE_SENT,
		store.Undeliverable: notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE,
		store.MaybeSent:     notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT,
		store.Skipped:       notifierv1.NotificationState_NOTIFICATION_STATE_SKIPPED,
	}
)

func notification(n store.Notification) *notifierv1.Notification {
	return &notifierv1.Notification{
		Id: n.ID.String(), MerchantId: n.MerchantID.String(), PaymentId: sale(n.PaymentID), Kind: n.Kind,
		Channel: channels[n.Channel], State: states[n.State], Reason: n.Reason, MessageId: n.MessageID, Attempts: n.Attempts,
		CreatedAt: timestamppb.New(n.CreatedAt), SentAt: optional(n.SentAt), NextAttemptAt: optional(n.NextAt),
		CarrierBotId: carrier(n.Carrier), CarrierBecause: n.Because,
	}
}

// sale is a payment's id, or nothing for a message that is about none.
func sale(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// carrier is the bot that took a message over, or nothing.
func carrier(bot *uuid.UUID) string {
	if bot == nil {
		return ""
	}
	return bot.String()
}

func optional(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func outcome(o store.Outcome) *notifierv1.Outcome {
	out := &notifierv1.Outcome{
		Id: o.ID.String(), MerchantId: o.MerchantID.String(), PaymentId: sale(o.PaymentID), Kind: o.Kind,
		Channel: channels[o.Channel], State: states[o.State], Reason: o.Reason, MessageId: o.MessageID,
		At: timestamppb.New(o.At), Traceparent: o.Traceparent, CarrierBotId: carrier(o.Carrier), CarrierBecause: o.Because,
	}
	if a := o.Access; a != nil {
		out.State = notifierv1.NotificationState_NOTIFICATION_STATE_UNSPECIFIED
		out.Access = &notifierv1.AccessOutcome{AccessId: a.AccessID.String(), What: a.What, ChatId: a.ChatID, ExpiresAt: optional(a.ExpiresAt)}
	}
	return out
}

package explain

import (
	"time"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// fulfilment is where the way to the buyer stands, as the service knows it where the thing happens; what that service did not
// tell is as the sale's own row has it.
type fulfilment struct {
	store.Fulfilment
	// retry is when a message that waits is tried again; nil when it is not known or does not wait.
	retry *time.Time
	// purchaseReason says why there is no Purchase.
	purchaseReason string
	// purchaseTries is how often Meta was asked.
	purchaseTries int32
	// closed says why the link gives no access; empty when it does.
	closed string
}

func (t *teller) fulfilment() fulfilment {
	f := fulfilment{Fulfilment: t.Sale.Fulfilment}
	for _, n := range t.Notifications {
		if n.GetChannel() != notifierv1.Channel_CHANNEL_TELEGRAM || n.GetKind() != "delivery" {
			continue
		}
		f.retry = nil
		if n.GetNextAttemptAt() != nil {
			when := n.GetNextAttemptAt().AsTime()
			f.retry = &when
		}
		switch n.GetState() {
		case notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED:
			f.Message = "queued"
		case notifierv1.NotificationState_NOTIFICATION_STATE_SENT:
			f.Message = "sent"
			if f.MessageSentAt == nil && n.GetSentAt() != nil {
				when := n.GetSentAt().AsTime()
				f.MessageSentAt = &when
			}
		case notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE:
			f.Message = "undeliverable"
		case notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT:
			f.Message = "maybe_sent"
		default:
			continue
		}
		f.MessageReason = n.GetReason()
	}
	if f.Message == "sent" {
		f.MessageReason = ""
	}
	t.fromDelivery(&f)
	return f
}

func (t *teller) fromDelivery(f *fulfilment) {
	d := t.Delivery
	if d == nil {
		return
	}
	if f.OpenedAt == nil && d.GetFirstOpenedAt() != nil {
		when := d.GetFirstOpenedAt().AsTime()
		f.OpenedAt = &when
	}
	if f.TokenIssuedAt == nil && d.GetIssuedAt() != nil {
		when := d.GetIssuedAt().AsTime()
		f.TokenIssuedAt = &when
	}
	switch d.GetPurchase().GetState() {
	case deliveryv1.PurchaseState_PURCHASE_STATE_QUEUED:
		f.Purchase = "queued"
	case deliveryv1.PurchaseState_PURCHASE_STATE_SENT:
		f.Purchase = "sent"
	case deliveryv1.PurchaseState_PURCHASE_STATE_FAILED:
		f.Purchase = "failed"
	case deliveryv1.PurchaseState_PURCHASE_STATE_NOT_CONFIGURED:
		f.Purchase = "not_configured"
	}
	f.purchaseReason, f.purchaseTries = d.GetPurchase().GetReason(), d.GetPurchase().GetAttempts()
	switch d.GetState() {
	case deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED, deliveryv1.DeliveryState_DELIVERY_STATE_EXPIRED, deliveryv1.DeliveryState_DELIVERY_STATE_USED_UP:
		f.closed = d.GetStateReason()
	}
}

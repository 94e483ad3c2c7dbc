package server

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

var states = map[payment.State]paymentsv1.PaymentStatus{
	payment.Pending:     paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING,
	payment.Paid:        paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID,
	payment.Failed:      paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED,
	payment.Expired:     paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED,
	payment.Cancelled:   paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED,
	payment.Refunded:    paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED,
	payment.ChargedBack: paymentsv1.PaymentStatus_PAYMENT_STATUS_CHARGED_BACK,
	payment.Disputed:    paymentsv1.PaymentStatus_PAYMENT_STATUS_DISPUTED,
	payment.NeedsReview: paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW,
}

func stateOf(s paymentsv1.PaymentStatus) payment.State {
	for state, status := range states {
		if status == s {
			return state
		}
	}
	return 0
}

// message is a sale as callers see it. next is when it is looked at next, nil for never again. The buyer's document is never
// kept, so it is never returned.
func (srv *Server) message(s store.Sale, next *time.Time) *paymentsv1.Payment {
	out := &paymentsv1.Payment{Id: s.ID.String(), MerchantId: s.MerchantID.String(), BotId: s.BotID.String(), AccountId: s.AccountID.String(),
		Provider: s.Provider, Status: states[s.State], StatusReason: string(s.ReviewReason), Amount: sum(s.Amount, s.Currency),
		Charge: &paymentsv1.Charge{Id: s.Charge.ID, Hash: s.Charge.Hash, Reference: s.Charge.Reference, CopyPaste: s.Charge.CopyPaste,
			ExpiresAt: stamp(s.QRExpiresAt)},
		Buyer:      &paymentsv1.Buyer{TelegramId: s.TelegramID, Name: s.BuyerName, Email: s.BuyerEmail, Phone: s.BuyerPhone},
		Product:    &paymentsv1.Product{Name: s.ProductName, AccessUrl: s.AccessURL, FileUrl: s.FileURL, ContactText: s.ContactText, Group: groupMessage(s.Group)},
		Tracking:   &typev1.Tracking{},
		ExternalId: s.ExternalID, CreatedAt: timestamppb.New(s.CreatedAt), PaidAt: stamp(s.PaidAt), UpdatedAt: timestamppb.New(s.UpdatedAt),
		BotExternalId: s.BotExternalID, PayUrl: srv.payURL(s.PageKey),
		Knowledge: &paymentsv1.Knowledge{LastPollAt: stamp(s.LastPollAt), LastOutcome: s.LastOutcome, LastProviderStatus: s.LastProviderStatus,
			Polls: int32(s.Polls), Hints: int32(s.Hints), NextPollAt: stamp(next)},
		Fulfilment: &paymentsv1.Fulfilment{TokenIssuedAt: stamp(s.TokenIssuedAt), Message: s.Message, MessageReason: s.MessageReason,
			MessageSentAt: stamp(s.MessageSentAt), OpenedAt: stamp(s.OpenedAt), Purchase: s.Purchase, DeliveredElsewhere: s.DeliveredElsewhere}}
	if s.PaidAmount != nil {
		out.PaidAmount = sum(*s.PaidAmount, s.Currency)
	}
	if protojson.Unmarshal(s.Tracking, out.Tracking) != nil {
		out.Tracking = nil // written by another version: the sale is worth more than its tracking
	}
	if link, ok := telemetry.LinkFrom(s.Traceparent); ok {
		out.TraceId = link.SpanContext.TraceID().String()
	}
	return out
}

// payURL is where a sale's buyer pays.
func (srv *Server) payURL(key string) string {
	if srv.PublicURL == "" || key == "" {
		return ""
	}
	return strings.TrimRight(srv.PublicURL, "/") + "/pay/" + key
}

func sum(a money.Amount, currency string) *typev1.Money {
	return &typev1.Money{Centavos: int64(a), Currency: currency}
}

func stamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func event(e store.Event) *paymentsv1.Event {
	out := &paymentsv1.Event{Number: int32(e.Number), At: timestamppb.New(e.At), Kind: string(e.Kind), Source: string(e.Source),
		Details: e.Details, TraceId: e.TraceID}
	if from, err := payment.ParseState(e.From); err == nil {
		out.From = states[from]
	}
	if to, err := payment.ParseState(e.To); err == nil {
		out.To = states[to]
	}
	return out
}

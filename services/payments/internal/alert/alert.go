// Package alert is what owners are told by Telegram: which news are worth a message, in what words, and when the digest of a day is
// due in a merchant's zone.
//
// It is pure: it refuses to send, to store and to look at a clock.
package alert

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Kind is a kind of alert, as settings and the contract name it.
type Kind string

// The kinds.
const (
	SalePaid          Kind = "sale_paid"
	NeedsReview       Kind = "needs_review"
	MoneyBack         Kind = "money_back"
	BuyerUnreachable  Kind = "buyer_unreachable"
	LinkUndeliverable Kind = "link_undeliverable"
	PurchaseFailed    Kind = "purchase_failed"
	ProviderSilent    Kind = "provider_silent"
	CredentialRefused Kind = "credential_refused"
	WebhooksSilent    Kind = "webhooks_silent"
	DailyDigest       Kind = "digest"
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{SalePaid, NeedsReview, MoneyBack, BuyerUnreachable, LinkUndeliverable, PurchaseFailed, ProviderSilent, CredentialRefused,
		WebhooksSilent, DailyDigest}
}

// Known reports whether text names a kind.
func Known(text string) bool { return slices.Contains(Kinds(), Kind(text)) }

// Item is one thing to tell. Texts are as they are stored; empty ones are left out.
type Item struct {
	PaymentID  string       `json:"payment_id,omitempty"`
	ExternalID string       `json:"external_id,omitempty"`
	Amount     money.Amount `json:"amount,omitempty"` // of the sale, or at risk
	Product    string       `json:"product,omitempty"`
	Buyer      string       `json:"buyer,omitempty"`
	Bot        string       `json:"bot,omitempty"`
	Provider   string       `json:"provider,omitempty"` // as it is stored; Compose is given how it writes itself
	Word       string       `json:"word,omitempty"`     // the notice, or the kind of the event
	Reason     string       `json:"reason,omitempty"`   // why, in a leaf's words
	Sales      int64        `json:"sales,omitempty"`    // of a provider or account: how many wait
	Digest     *Digest      `json:"digest,omitempty"`
}

// Digest is a merchant's day. Paid and Back are of that day, Pending and Stuck of the moment when it was made.
type Digest struct {
	Day                        string `json:"day"` // 2006-01-02
	Paid, Back, Pending, Stuck Sum
}

// Sum is sales and their money.
type Sum struct {
	Sales  int64        `json:"n"`
	Amount money.Amount `json:"a"`
}

// notices are the changes of a sale that are worth a message; the others are on the owner's screen only.
var notices = map[payment.Notice]Kind{
	payment.NoticePaid:         SalePaid,
	payment.NoticeReviewNeeded: NeedsReview, payment.NoticeLateHeld: NeedsReview, payment.NoticeSecondPayment: NeedsReview, payment.NoticeAmountCorrected: NeedsReview,
	payment.NoticeRefunded: MoneyBack, payment.NoticeChargedBack: MoneyBack, payment.NoticeDisputed: MoneyBack,
}

// Of says which kind an owner's event is, by its type, status and detail; ok is false for what is no alert.
func Of(kind, status, detail string) (k Kind, ok bool) {
	switch kind {
	case "payment_update":
		k, ok = notices[payment.Notice(detail)]
		return k, ok
	case "alert":
		switch payment.Kind(status) {
		case payment.MessageFailed, payment.MessageUnsure:
			return BuyerUnreachable, true
		case payment.PurchaseFailed, payment.PixelPaused, payment.PixelMissing:
			return PurchaseFailed, true
		case payment.Kind(WebhooksSilent): // of an account, told with the sale that revealed it
			return WebhooksSilent, true
		}
		return LinkUndeliverable, true
	}
	return "", false
}

// Next is the first digest after an instant: when it is sent, and the local day on which. The day that it tells of is the one
// before.
//
// Days are counted by the calendar, so that each has one digest, also where a day has 23 hours or 25, or lacks the hour.
func Next(after time.Time, zone *time.Location, hour int) (at, day time.Time) {
	local := after.In(zone)
	day = time.Date(local.Year(), local.Month(), local.Day()-1, 0, 0, 0, 0, time.UTC)
	for {
		if at = in(day, zone, hour); at.After(after) {
			return at, day
		}
		day = day.AddDate(0, 0, 1)
	}
}

// Period is the day before day, from its first instant to that of the next, in the zone.
func Period(day time.Time, zone *time.Location) (from, to time.Time) {
	return in(day.AddDate(0, 0, -1), zone, 0), in(day, zone, 0)
}

// in is an hour of a local day; where a change of the clocks left it out, the next that there is.
func in(day time.Time, zone *time.Location, hour int) time.Time {
	at := time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, zone)
	for i := 0; i < 8 && (at.Day() != day.Day() || at.Hour() < hour); i++ {
		at = at.Add(15 * time.Minute)
	}
	return at
}

package payment

import (
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Payment is a sale as far as decisions need it. Facts are what decisions write; the rest they only read.
type Payment struct {
	ID         ID
	MerchantID MerchantID
	State      State
	// Amount is the price in centavos, positive. Currency is its ISO 4217 code.
	Amount   money.Amount
	Currency string
	// CreatedAt is when the sale was made: the origin's time for what was imported.
	CreatedAt time.Time
	// QRExpiresAt is when the charge's QR code ends, nil when the provider did not say.
	QRExpiresAt *time.Time
	// LookedAt is when a poll last got the provider's answer about this sale (a status, or "not found"), nil for never. Own expiry
	// waits for a look after the QR code's end, see Policy.BlindGrace.
	LookedAt *time.Time
	Facts
}

// Facts are what has been learned and ordered so far; they are stored with the sale, as JSON, and written by decisions only.
type Facts struct {
	// StateSince is when the present state was entered, zero for a sale that never changed.
	StateSince time.Time `json:"state_since,omitzero"`
	// ChargeID and EndToEndID name the money that settles the sale, or the current charge while nothing was paid. Empty: not known.
	ChargeID   string `json:"charge_id,omitempty"`
	EndToEndID string `json:"end_to_end_id,omitempty"`
	// PaidAt is the provider's moment of payment, or ours when it named none that makes sense. nil until money was reported.
	PaidAt *time.Time `json:"paid_at,omitempty"`
	// PaidAmount is what arrived, or the price when the provider names no amount. nil until money was reported, and while money of
	// another currency is under review.
	PaidAmount *money.Amount `json:"paid_amount,omitempty"`
	// Extras are further payments of the same sale.
	Extras []Extra `json:"extras,omitempty"`
	// ReviewReason says why a person must look, or looked and refused (state Cancelled). Empty: nothing to ask.
	ReviewReason ReviewReason `json:"review_reason,omitempty"`
	// DeliveredEver is true once a delivery was ordered; it never becomes false again. A sale that the origin system had delivered is
	// imported with it true.
	DeliveredEver bool `json:"delivered_ever,omitempty"`
	// UnsafeReads counts the agreeing "paid" readings since ClaimedAt that were not believed yet, and ClaimedAt is the first of them:
	// the status needs a second read, or the end-to-end id is missing. Zero and nil when there is no such claim.
	UnsafeReads int        `json:"unsafe_reads,omitempty"`
	ClaimedAt   *time.Time `json:"claimed_at,omitempty"`
}

// Extra is a payment of a sale besides the one that settles it. Its identity is kept for ever, so that a provider may report it any
// number of times.
type Extra struct {
	ChargeID   string       `json:"charge_id,omitempty"`
	EndToEndID string       `json:"end_to_end_id,omitempty"`
	Amount     money.Amount `json:"amount"`
	At         time.Time    `json:"at"`
	Outcome    ExtraOutcome `json:"outcome"`
}

// ExtraOutcome says what became of an extra payment.
type ExtraOutcome string

// The outcomes of an extra payment.
const (
	// ExtraOpen waits for a person.
	ExtraOpen ExtraOutcome = "open"
	// ExtraKept counts as the sale's money.
	ExtraKept ExtraOutcome = "kept"
	// ExtraReturned went back, or is to be given back.
	ExtraReturned ExtraOutcome = "returned"
)

// ReviewOpen reports whether a person has something to answer: the sale is in NeedsReview, or a settled sale carries a question.
func (p Payment) ReviewOpen() bool {
	return p.ReviewReason != "" && p.State != Cancelled || p.State == NeedsReview
}

// ReviewAmount is the money under review in centavos: open extras, and in NeedsReview the payment itself. Money of another currency
// counts as zero.
func (p Payment) ReviewAmount() money.Amount {
	sum := p.extras(ExtraOpen)
	if p.State == NeedsReview && p.PaidAmount != nil {
		sum += *p.PaidAmount
	}
	return sum
}

// ReceivedAmount is the money that counts as the sale's in centavos: what settled it and the extras that were kept.
func (p Payment) ReceivedAmount() money.Amount {
	sum := p.extras(ExtraKept)
	if p.PaidAmount != nil {
		sum += *p.PaidAmount
	}
	return sum
}

// ExpiresAt is when our own clock ends the sale: the QR code's end, or the assumed life when the provider named none, plus the grace.
func (p Payment) ExpiresAt(policy Policy) time.Time {
	return p.qrEnd(policy).Add(policy.Grace)
}

func (p Payment) qrEnd(policy Policy) time.Time {
	if p.QRExpiresAt != nil {
		return *p.QRExpiresAt
	}
	return p.CreatedAt.Add(policy.AssumedQRLife)
}

func (p Payment) extras(outcome ExtraOutcome) (sum money.Amount) {
	for _, x := range p.Extras {
		if x.Outcome == outcome {
			sum += x.Amount
		}
	}
	return sum
}

// settleExtras returns a copy of the extras in which every open one has the outcome; the caller's slice is not touched.
func settleExtras(extras []Extra, from, to ExtraOutcome) []Extra {
	out := slices.Clone(extras)
	for i := range out {
		if out[i].Outcome == from {
			out[i].Outcome = to
		}
	}
	return out
}

// sameMoney tells whether two pairs of identifiers can be one payment: by end-to-end id when both have it (unique for a PIX), else by
// charge when both have it. Without evidence of a difference it is the same money, for an alarm needs a proof.
func sameMoney(chargeA, e2eA, chargeB, e2eB string) bool {
	if e2eA != "" && e2eB != "" {
		return strings.EqualFold(e2eA, e2eB)
	}
	if chargeA != "" && chargeB != "" {
		return chargeA == chargeB
	}
	return true
}

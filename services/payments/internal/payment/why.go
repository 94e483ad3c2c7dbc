package payment

import (
	"strconv"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Why explains a decision by a key and machine-readable arguments, to be put into words in the reader's language. Amounts are integer
// centavos in decimal, times RFC 3339 in UTC, durations as Go prints them. No argument ever carries a secret or a person's data.
type Why struct {
	Key  WhyKey            `json:"key"`
	Args map[string]string `json:"args,omitempty"`
}

// WhyKey names one explanation; the text may be stored.
type WhyKey string

// The explanations. Arguments are in parentheses.
const (
	WhyNote              WhyKey = "note"                // the event only tells what happened
	WhyNotYet            WhyKey = "not_yet"             // the provider says "not yet"
	WhyUnknown           WhyKey = "unknown"             // the status was not learned
	WhyPaid              WhyKey = "paid"                // paid, and everything agrees (amount)
	WhyPaidLate          WhyKey = "paid_late"           // late money, delivered by policy (amount, state)
	WhyPaidInTime        WhyKey = "paid_in_time"        // paid before the QR code's end, learned after it (amount, state)
	WhyRepeat            WhyKey = "repeat"              // the same was reported before
	WhyRegression        WhyKey = "regression"          // a settled sale does not go back (status)
	WhyClosedAlready     WhyKey = "closed_already"      // the sale ended before (state, status)
	WhyOtherCharge       WhyKey = "other_charge"        // the reading is about another charge of the sale (status)
	WhyStale             WhyKey = "stale"               // the reading is older than the present state (since)
	WhyAmountDiffers     WhyKey = "amount_differs"      // (expected, got)
	WhyAmountCorrected   WhyKey = "amount_corrected"    // (before, got)
	WhyOtherCurrency     WhyKey = "other_currency"      // (expected, got)
	WhySecondRead        WhyKey = "second_read"         // an unsafe "paid" waits for a second read (from)
	WhyNoEndToEndYet     WhyKey = "no_end_to_end_yet"   // waiting for the end-to-end id (until)
	WhyNoEndToEnd        WhyKey = "no_end_to_end"       // the end-to-end id never came (waited)
	WhyLateMoney         WhyKey = "late_money"          // late money, held or asked by policy (state, policy)
	WhySecondPayment     WhyKey = "second_payment"      // (amount)
	WhyExtraReturned     WhyKey = "extra_returned"      // (amount)
	WhyPaidAfterRefund   WhyKey = "paid_after_refund"   // (state)
	WhyPaidAfterRefusal  WhyKey = "paid_after_refusal"  // ()
	WhyRefusedBefore     WhyKey = "refused_before"      // this money was refused by a person
	WhyFailed            WhyKey = "failed"              // the provider says failed
	WhyExpired           WhyKey = "expired"             // the provider says expired
	WhyCancelled         WhyKey = "cancelled"           // the provider says cancelled
	WhyRefunded          WhyKey = "refunded"            // the money went back
	WhyRefundedUnseen    WhyKey = "refunded_unseen"     // the money came and went back before we saw it
	WhyChargedBack       WhyKey = "charged_back"        // the money was taken back
	WhyChargedBackUnseen WhyKey = "charged_back_unseen" // the money came and was taken back before we saw it
	WhyDisputed          WhyKey = "disputed"            // the money is blocked by a dispute
	WhyDisputedInReview  WhyKey = "disputed_in_review"  // a dispute was opened while a person was asked
	WhyDisputeWon        WhyKey = "dispute_won"         // the blocked money is free again (amount)
	WhyReturnedAlready   WhyKey = "returned_already"    // the money had gone back before (state, status)
	WhyExpiredByClock    WhyKey = "expired_by_clock"    // (qr_end)
	WhyExpiredBlind      WhyKey = "expired_blind"       // our clock ended it though the provider could not be asked (qr_end)
	WhyExpiryEarly       WhyKey = "expiry_early"        // our clock has not reached the end (expires)
	WhyExpiryUnseen      WhyKey = "expiry_unseen"       // one look is needed after the QR code's end (qr_end)
	WhyChargeFailed      WhyKey = "charge_failed"       // the charge could not be made
	WhyReviewAccepted    WhyKey = "review_accepted"     // (reason, amount)
	WhyReviewRefused     WhyKey = "review_refused"      // (reason, amount)
	WhyNothingToReview   WhyKey = "nothing_to_review"   // there is no open question
	WhyDeliveryOrdered   WhyKey = "delivery_ordered"    // a sale that came to us as paid is delivered now
	WhyNothingToDeliver  WhyKey = "nothing_to_deliver"  // not paid, or delivered before
	WhyNoReading         WhyKey = "no_reading"          // the event should carry a reading and does not
)

// WhyKeys lists every explanation, for those who render them.
func WhyKeys() []WhyKey {
	return []WhyKey{WhyNote, WhyNotYet, WhyUnknown, WhyPaid, WhyPaidLate, WhyPaidInTime, WhyRepeat, WhyRegression, WhyClosedAlready,
		WhyOtherCharge, WhyStale, WhyAmountDiffers, WhyAmountCorrected, WhyOtherCurrency, WhySecondRead, WhyNoEndToEndYet,
		WhyNoEndToEnd, WhyLateMoney, WhySecondPayment, WhyExtraReturned, WhyPaidAfterRefund, WhyPaidAfterRefusal, WhyRefusedBefore,
		WhyFailed, WhyExpired, WhyCancelled, WhyRefunded, WhyRefundedUnseen, WhyChargedBack, WhyChargedBackUnseen, WhyDisputed,
		WhyDisputedInReview, WhyDisputeWon, WhyReturnedAlready, WhyExpiredByClock, WhyExpiredBlind, WhyExpiryEarly, WhyExpiryUnseen,
		WhyChargeFailed, WhyReviewAccepted, WhyReviewRefused, WhyNothingToReview, WhyDeliveryOrdered, WhyNothingToDeliver, WhyNoReading}
}

// why builds an explanation from pairs of name and value.
func why(key WhyKey, pairs ...string) Why {
	w := Why{Key: key}
	if len(pairs) > 0 {
		w.Args = make(map[string]string, len(pairs)/2)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		w.Args[pairs[i]] = pairs[i+1]
	}
	return w
}

func centavos(a money.Amount) string { return strconv.FormatInt(int64(a), 10) }

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

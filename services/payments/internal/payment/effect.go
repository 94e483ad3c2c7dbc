package payment

import "time"

// Effect is what must follow from a decision. Effects are enqueued in the transaction that saves the decision; each is carried out at
// least once by a job that is idempotent.
type Effect struct {
	Kind EffectKind
	// Notice says what the owner is told; set for NotifyOwner only.
	Notice Notice
	// Again and At say why and from when a look is wanted; set for PollAgain only. At never overrules a provider's rule.
	Again PollReason
	At    time.Time
}

// EffectKind names an effect; the text may be stored.
type EffectKind string

// The effects.
const (
	// Deliver orders the one delivery of a sale: token, then the message to the buyer. It is ordered at most once in a sale's life.
	// Who carries it out looks at the state again, for a refund may have come in between.
	Deliver EffectKind = "deliver"
	// RevokeToken closes the delivery link. Idempotent by sale.
	RevokeToken EffectKind = "revoke_token"
	// RestoreToken opens the delivery link of a sale that had been delivered before. Nothing is sent to the buyer a second time.
	RestoreToken EffectKind = "restore_token"
	// NotifyOwner tells the owner of the bot. Every change of state has exactly one.
	NotifyOwner EffectKind = "notify_owner"
	// StopPolling takes the sale out of the settling schedule; Schedule, asked with the new state, says whether anything remains.
	StopPolling EffectKind = "stop_polling"
	// PollAgain wants one more look from the moment At, since this reading alone was not enough.
	PollAgain EffectKind = "poll_again"
)

// Notice is what the owner is told; the words are made elsewhere.
type Notice string

// The notices.
const (
	NoticePaid            Notice = "paid"             // the sale is settled
	NoticeFailed          Notice = "failed"           // the charge failed
	NoticeExpired         Notice = "expired"          // time ran out
	NoticeCancelled       Notice = "cancelled"        // the charge was withdrawn
	NoticeRefunded        Notice = "refunded"         // the money went back
	NoticeChargedBack     Notice = "charged_back"     // the money was taken back
	NoticeDisputed        Notice = "disputed"         // the money is blocked
	NoticeDisputeWon      Notice = "dispute_won"      // the blocked money is free again
	NoticeReviewNeeded    Notice = "review_needed"    // a person must accept or refuse
	NoticeLateHeld        Notice = "late_held"        // late money is held, for information
	NoticeSecondPayment   Notice = "second_payment"   // the sale was paid once more
	NoticeAmountCorrected Notice = "amount_corrected" // a settled sale turns out to have brought another amount
	NoticeExtraReturned   Notice = "extra_returned"   // a second payment went back
	NoticeReviewAccepted  Notice = "review_accepted"  // a question was answered with yes
	NoticeReviewRefused   Notice = "review_refused"   // a question was answered with no
)

// PollReason says why one more look is wanted.
type PollReason string

// The reasons for one more look.
const (
	AgainSecondRead   PollReason = "second_read"   // an unsafe "paid" needs a second agreeing read
	AgainEndToEnd     PollReason = "end_to_end"    // the end-to-end id is missing
	AgainBeforeExpiry PollReason = "before_expiry" // our clock may not end a sale that was not looked at since its QR code ended
)

// ReviewReason says what a person must judge; the text is stored.
type ReviewReason string

// The reasons for a review.
const (
	ReviewAmountDiffers    ReviewReason = "amount_differs"     // another amount than the price arrived
	ReviewAmountCorrected  ReviewReason = "amount_corrected"   // after delivery the provider names another amount
	ReviewOtherCurrency    ReviewReason = "other_currency"     // another currency than the sale's
	ReviewSecondPayment    ReviewReason = "second_payment"     // the sale was paid more than once
	ReviewPaidAfterRefund  ReviewReason = "paid_after_refund"  // paid is reported of a sale whose money went back
	ReviewPaidAfterRefusal ReviewReason = "paid_after_refusal" // new money for a sale whose review was refused
	ReviewLateMoney        ReviewReason = "late_money"         // money after the end, and the merchant wants to be asked or to hold it
	ReviewNoEndToEnd       ReviewReason = "no_end_to_end"      // the merchant requires the end-to-end id and it never came
	ReviewDisputed         ReviewReason = "disputed"           // a dispute was opened while the sale was under review
)

// ReviewReasons lists every reason, for those who render them.
func ReviewReasons() []ReviewReason {
	return []ReviewReason{ReviewAmountDiffers, ReviewAmountCorrected, ReviewOtherCurrency, ReviewSecondPayment, ReviewPaidAfterRefund,
		ReviewPaidAfterRefusal, ReviewLateMoney, ReviewNoEndToEnd, ReviewDisputed}
}

// Notices lists every notice, for those who render them.
func Notices() []Notice {
	return []Notice{NoticePaid, NoticeFailed, NoticeExpired, NoticeCancelled, NoticeRefunded, NoticeChargedBack, NoticeDisputed,
		NoticeDisputeWon, NoticeReviewNeeded, NoticeLateHeld, NoticeSecondPayment, NoticeAmountCorrected, NoticeExtraReturned,
		NoticeReviewAccepted, NoticeReviewRefused}
}

package payment

// Input is what an event means for a sale once the guards have looked at it: the column of the state table.
type Input int

// The inputs. Those from InPaid to InAmountCorrected come from a reading that says "paid".
const (
	// InNothing changes nothing: a note, a repetition, a reading about something else.
	InNothing Input = iota
	// InUnknown is a reading that learned nothing.
	InUnknown
	// InPending is the provider's "not yet".
	InPending
	// InPaid is money that agrees with the sale.
	InPaid
	// InPaidUnproven is a "paid" that needs a second read, or an end-to-end id.
	InPaidUnproven
	// InPaidDoubtful is money that a person must judge.
	InPaidDoubtful
	// InPaidExtra is a further payment of a sale that has its money.
	InPaidExtra
	// InAmountCorrected is another amount for money that was already believed.
	InAmountCorrected
	// InFailed is the provider's "failed".
	InFailed
	// InExpired is the provider's "expired".
	InExpired
	// InCancelled is the provider's "cancelled".
	InCancelled
	// InRefunded says that the sale's money went back.
	InRefunded
	// InChargedBack says that the sale's money was taken back.
	InChargedBack
	// InDisputed says that the sale's money is blocked.
	InDisputed
	// InExtraReturned says that a further payment went back.
	InExtraReturned
	// InExpiryReached says that our clock passed the end.
	InExpiryReached
	// InExpiryUnseen says that our clock passed the end of a sale that was not looked at since.
	InExpiryUnseen
	// InChargeFailed says that the charge was never made.
	InChargeFailed
	// InReviewAccepted is a person's yes to an open question.
	InReviewAccepted
	// InReviewRefused is a person's no to an open question.
	InReviewRefused

	// InDeliveryOrdered orders the delivery of a sale that came to us as paid and undelivered.
	InDeliveryOrdered

	inputEnd
)

var inputWords = [inputEnd]string{
	InNothing: "nothing", InUnknown: "unknown", InPending: "pending", InPaid: "paid", InPaidUnproven: "paid_unproven",
	InPaidDoubtful: "paid_doubtful", InPaidExtra: "paid_extra", InAmountCorrected: "amount_corrected", InFailed: "failed",
	InExpired: "expired", InCancelled: "cancelled", InRefunded: "refunded", InChargedBack: "charged_back", InDisputed: "disputed",
	InExtraReturned: "extra_returned", InExpiryReached: "expiry_reached", InExpiryUnseen: "expiry_unseen",
	InChargeFailed: "charge_failed", InReviewAccepted: "review_accepted", InReviewRefused: "review_refused",
	InDeliveryOrdered: "delivery_ordered",
}

// String is the input's word in documents.
func (in Input) String() string {
	if in < 0 || in >= inputEnd {
		return "input(?)"
	}
	return inputWords[in]
}

// cell is one field of the state table. The zero cell changes nothing and orders nothing.
type cell struct {
	next   State
	orders []Effect
}

func tell(n Notice) Effect { return Effect{Kind: NotifyOwner, Notice: n} }

// table is the state machine: every pair that it does not name changes nothing. Deliver in it means "deliver, or open the link again
// when this sale was delivered before", which keeps the one delivery of a sale the only one.
var table = [stateEnd][inputEnd]cell{
	Pending: {
		InPaid:          {Paid, []Effect{{Kind: Deliver}, tell(NoticePaid), {Kind: StopPolling}}},
		InPaidUnproven:  {Pending, []Effect{{Kind: PollAgain}}},
		InPaidDoubtful:  {NeedsReview, []Effect{tell(NoticeReviewNeeded)}},
		InFailed:        {Failed, []Effect{tell(NoticeFailed)}},
		InExpired:       {Expired, []Effect{tell(NoticeExpired)}},
		InCancelled:     {Cancelled, []Effect{tell(NoticeCancelled)}},
		InRefunded:      {Refunded, []Effect{tell(NoticeRefunded), {Kind: StopPolling}}},
		InChargedBack:   {ChargedBack, []Effect{tell(NoticeChargedBack), {Kind: StopPolling}}},
		InDisputed:      {Disputed, []Effect{tell(NoticeDisputed)}},
		InExpiryReached: {Expired, []Effect{tell(NoticeExpired)}},
		InExpiryUnseen:  {Pending, []Effect{{Kind: PollAgain}}},
		InChargeFailed:  {Failed, []Effect{tell(NoticeFailed), {Kind: StopPolling}}},
	},
	Paid: {
		InPaidExtra:       {Paid, []Effect{tell(NoticeSecondPayment)}},
		InDeliveryOrdered: {Paid, []Effect{{Kind: Deliver}}},
		InAmountCorrected: {Paid, []Effect{tell(NoticeAmountCorrected)}},
		InRefunded:        {Refunded, []Effect{{Kind: RevokeToken}, tell(NoticeRefunded), {Kind: StopPolling}}},
		InChargedBack:     {ChargedBack, []Effect{{Kind: RevokeToken}, tell(NoticeChargedBack), {Kind: StopPolling}}},
		InDisputed:        {Disputed, []Effect{{Kind: RevokeToken}, tell(NoticeDisputed)}},
		InExtraReturned:   {Paid, []Effect{tell(NoticeExtraReturned)}},
		InReviewAccepted:  {Paid, []Effect{tell(NoticeReviewAccepted)}},
		InReviewRefused:   {Paid, []Effect{tell(NoticeReviewRefused)}},
	},
	Failed:      closed(Failed),
	Expired:     closed(Expired),
	Cancelled:   closed(Cancelled),
	Refunded:    returned(Refunded),
	ChargedBack: returned(ChargedBack),
	Disputed: {
		InPaid:            {Paid, []Effect{{Kind: Deliver}, tell(NoticeDisputeWon), {Kind: StopPolling}}},
		InPaidUnproven:    {Disputed, []Effect{{Kind: PollAgain}}},
		InPaidDoubtful:    {NeedsReview, []Effect{tell(NoticeReviewNeeded)}},
		InPaidExtra:       {Disputed, []Effect{tell(NoticeSecondPayment)}},
		InAmountCorrected: {Paid, []Effect{{Kind: Deliver}, tell(NoticeAmountCorrected), {Kind: StopPolling}}},
		InRefunded:        {Refunded, []Effect{tell(NoticeRefunded), {Kind: StopPolling}}},
		InChargedBack:     {ChargedBack, []Effect{tell(NoticeChargedBack), {Kind: StopPolling}}},
		InExtraReturned:   {Disputed, []Effect{tell(NoticeExtraReturned)}},
		InReviewAccepted:  {Disputed, []Effect{tell(NoticeReviewAccepted)}},
		InReviewRefused:   {Disputed, []Effect{tell(NoticeReviewRefused)}},
	},
	NeedsReview: {
		InPaidExtra:      {NeedsReview, []Effect{tell(NoticeSecondPayment)}},
		InRefunded:       {Refunded, []Effect{tell(NoticeRefunded), {Kind: StopPolling}}},
		InChargedBack:    {ChargedBack, []Effect{tell(NoticeChargedBack), {Kind: StopPolling}}},
		InDisputed:       {NeedsReview, []Effect{tell(NoticeDisputed)}},
		InExtraReturned:  {NeedsReview, []Effect{tell(NoticeExtraReturned)}},
		InReviewAccepted: {Paid, []Effect{{Kind: Deliver}, tell(NoticeReviewAccepted), {Kind: StopPolling}}},
		InReviewRefused:  {Cancelled, []Effect{tell(NoticeReviewRefused), {Kind: StopPolling}}},
	},
}

// closed is the row of a state that ended without money: late money counts, whatever else is said later changes nothing.
func closed(s State) [inputEnd]cell {
	return [inputEnd]cell{
		InPaid:         {Paid, []Effect{{Kind: Deliver}, tell(NoticePaid), {Kind: StopPolling}}},
		InPaidUnproven: {s, []Effect{{Kind: PollAgain}}},
		InPaidDoubtful: {NeedsReview, []Effect{tell(NoticeReviewNeeded)}},
		InRefunded:     {Refunded, []Effect{tell(NoticeRefunded), {Kind: StopPolling}}},
		InChargedBack:  {ChargedBack, []Effect{tell(NoticeChargedBack), {Kind: StopPolling}}},
		InDisputed:     {Disputed, []Effect{tell(NoticeDisputed)}},
	}
}

// returned is the row of a state whose money went back: only new money, or a person's word about a second payment, moves it.
func returned(s State) [inputEnd]cell {
	return [inputEnd]cell{
		InPaidUnproven:   {s, []Effect{{Kind: PollAgain}}},
		InPaidDoubtful:   {NeedsReview, []Effect{tell(NoticeReviewNeeded)}},
		InExtraReturned:  {s, []Effect{tell(NoticeExtraReturned)}},
		InReviewAccepted: {Paid, []Effect{{Kind: Deliver}, tell(NoticeReviewAccepted), {Kind: StopPolling}}},
		InReviewRefused:  {s, []Effect{tell(NoticeReviewRefused)}},
	}
}

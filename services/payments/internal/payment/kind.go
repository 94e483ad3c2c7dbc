package payment

// Kind is the one vocabulary of a sale's history. Its text is stored; a word is never reused for something else.
type Kind string

// The kinds that Decide may act on.
const (
	Reported        Kind = "reported"         // a look at the provider gave a reading
	ExpiryReached   Kind = "expiry_reached"   // our clock passed the QR code's end and the grace
	ChargeFailed    Kind = "charge_failed"    // the provider refused to make the charge, for good
	ReviewAccepted  Kind = "review_accepted"  // a person accepted the money under review
	ReviewRefused   Kind = "review_refused"   // a person refused the money under review
	SecondPayment   Kind = "second_payment"   // a statement or a person names a further payment; its identifiers decide, as for a reading
	DeliveryOrdered Kind = "delivery_ordered" // a sale that came to us as paid and was never delivered is to be delivered
)

// The kinds that only tell what happened: they never change a state.
const (
	Created          Kind = "created"             // the sale's row was committed
	Imported         Kind = "imported"            // the sale came from another system
	Registered       Kind = "registered"          // the sale was registered with a charge that already existed
	ChargeRequested  Kind = "charge_requested"    // the provider is being asked for a charge
	ChargeCreated    Kind = "charge_created"      // the provider made the charge
	ChargeUnsure     Kind = "charge_unsure"       // the provider's answer to the charge was lost; it may exist
	HintReceived     Kind = "hint_received"       // a webhook named this sale
	HintRefused      Kind = "hint_refused"        // a webhook named this sale and was over its rate limit
	HintDisproved    Kind = "hint_disproved"      // a webhook claimed what the provider's truth denied
	RecheckRequested Kind = "recheck_requested"   // somebody asked for a look now
	BuyerPresent     Kind = "buyer_present"       // the buyer has the payment page open
	PollFailed       Kind = "poll_failed"         // a look at the provider got no status
	StateChanged     Kind = "state_changed"       // the state moved; the event before it says why
	TokenIssued      Kind = "token_issued"        // the delivery token exists
	TokenFailed      Kind = "token_failed"        // the delivery token could not be made
	TokenRevoked     Kind = "token_revoked"       // the delivery link was closed
	TokenRestored    Kind = "token_restored"      // the delivery link was opened again
	TokenRegenerated Kind = "token_regenerated"   // the delivery link was made anew; the one before ended
	GroupLinkReady   Kind = "group_link_ready"    // the buyer's invite link of the group is there, or a new one
	GroupJoined      Kind = "group_joined"        // the buyer was seen in the group; the time counts from here
	GroupExtended    Kind = "group_extended"      // the time counts from the end of another access, or its end was moved
	GroupEnded       Kind = "group_ended"         // the time is over and the buyer stays by another access
	GroupRemoved     Kind = "group_removed"       // the buyer was taken out of the group
	GroupCancelled   Kind = "group_cancelled"     // the access ended before its time
	GroupRestored    Kind = "group_restored"      // the access was given back
	GroupFailed      Kind = "group_failed"        // something about the group must be mended by the owner
	GroupLate        Kind = "group_late"          // the delivery went out before the group's link was there
	AccessMissing    Kind = "access_missing"      // the delivery link leads nowhere: no address, or no key for the file
	ResendOrdered    Kind = "resend_ordered"      // somebody asked for the link, or for it to be sent again
	MessageQueued    Kind = "message_queued"      // a message to the buyer was handed to the notifier
	MessageSent      Kind = "message_sent"        // the buyer's message was accepted by Telegram
	MessageFailed    Kind = "message_failed"      // the buyer's message was refused for good
	MessageUnsure    Kind = "message_unsure"      // the buyer's message may or may not have arrived
	BuyerUnreachable Kind = "buyer_unreachable"   // there is no way left to reach the buyer
	Opened           Kind = "opened"              // the buyer opened the delivery page
	PurchaseQueued   Kind = "purchase_queued"     // the Purchase for Meta was decided
	PurchaseSent     Kind = "purchase_sent"       // Meta accepted the Purchase
	PurchaseFailed   Kind = "purchase_failed"     // Meta refused the Purchase for good
	PurchaseSkipped  Kind = "purchase_skipped"    // there is no Purchase to send, with the reason
	PixelPaused      Kind = "pixel_paused"        // Meta refuses the pixel's token; its Purchases wait for a new one
	PixelMissing     Kind = "pixel_missing"       // the first sale of a bot that has no pixel
	OwnerNotified    Kind = "owner_notified"      // the owner was told
	OwnerFailed      Kind = "owner_notify_failed" // the owner could not be told
	NoteAdded        Kind = "note_added"          // a person wrote something down
)

// Meaning is one kind in words.
type Meaning struct {
	Kind Kind
	// Decides is true for the kinds that may change a state.
	Decides bool
	// Text is English, without a full stop.
	Text string
}

// Vocabulary lists every kind once, those that decide first.
func Vocabulary() []Meaning {
	return []Meaning{
		{Reported, true, "a look at the provider gave a reading"},
		{ExpiryReached, true, "our clock passed the QR code's end and the grace"},
		{ChargeFailed, true, "the provider refused to make the charge, for good"},
		{ReviewAccepted, true, "a person accepted the money under review"},
		{ReviewRefused, true, "a person refused the money under review"},
		{SecondPayment, true, "a statement or a person names a further payment; its identifiers decide, as for a reading"},
		{DeliveryOrdered, true, "a sale that came to us as paid and was never delivered is to be delivered"},
		{Created, false, "the sale's row was committed"},
		{Imported, false, "the sale came from another system"},
		{Registered, false, "the sale was registered with a charge that already existed"},
		{ChargeRequested, false, "the provider is being asked for a charge"},
		{ChargeCreated, false, "the provider made the charge"},
		{ChargeUnsure, false, "the provider's answer to the charge was lost; it may exist"},
		{HintReceived, false, "a webhook named this sale"},
		{HintRefused, false, "a webhook named this sale and was over its rate limit"},
		{HintDisproved, false, "a webhook claimed what the provider's truth denied"},
		{RecheckRequested, false, "somebody asked for a look now"},
		{BuyerPresent, false, "the buyer has the payment page open"},
		{PollFailed, false, "a look at the provider got no status"},
		{StateChanged, false, "the state moved; the event before it says why"},
		{TokenIssued, false, "the delivery token exists"},
		{TokenFailed, false, "the delivery token could not be made"},
		{TokenRevoked, false, "the delivery link was closed"},
		{TokenRestored, false, "the delivery link was opened again"},
		{TokenRegenerated, false, "the delivery link was made anew; the one before ended"},
		{GroupLinkReady, false, "the buyer's invite link of the group is there, or a new one"},
		{GroupJoined, false, "the buyer was seen in the group; the time counts from here"},
		{GroupExtended, false, "the time counts from the end of another access, or its end was moved"},
		{GroupEnded, false, "the time is over and the buyer stays by another access"},
		{GroupRemoved, false, "the buyer was taken out of the group"},
		{GroupCancelled, false, "the access ended before its time"},
		{GroupRestored, false, "the access was given back"},
		{GroupFailed, false, "something about the group must be mended by the owner"},
		{GroupLate, false, "the delivery went out before the group's link was there"},
		{AccessMissing, false, "the delivery link leads nowhere: no address, or no key for the file"},
		{ResendOrdered, false, "somebody asked for the link, or for it to be sent again"},
		{MessageQueued, false, "a message to the buyer was handed to the notifier"},
		{MessageSent, false, "the buyer's message was accepted by Telegram"},
		{MessageFailed, false, "the buyer's message was refused for good"},
		{MessageUnsure, false, "the buyer's message may or may not have arrived"},
		{BuyerUnreachable, false, "there is no way left to reach the buyer"},
		{Opened, false, "the buyer opened the delivery page"},
		{PurchaseQueued, false, "the Purchase for Meta was decided"},
		{PurchaseSent, false, "Meta accepted the Purchase"},
		{PurchaseFailed, false, "Meta refused the Purchase for good"},
		{PurchaseSkipped, false, "there is no Purchase to send, with the reason"},
		{PixelPaused, false, "Meta refuses the pixel's token; its Purchases wait for a new one"},
		{PixelMissing, false, "the first sale of a bot that has no pixel"},
		{OwnerNotified, false, "the owner was told"},
		{OwnerFailed, false, "the owner could not be told"},
		{NoteAdded, false, "a person wrote something down"},
	}
}

// Decides reports whether Decide may act on the kind; for every other kind, also one it has never seen, it changes nothing.
func (k Kind) Decides() bool {
	switch k {
	case Reported, ExpiryReached, ChargeFailed, ReviewAccepted, ReviewRefused, SecondPayment, DeliveryOrdered:
		return true
	}
	return false
}

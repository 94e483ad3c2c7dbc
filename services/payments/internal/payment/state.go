package payment

import (
	"errors"
	"fmt"
)

// ErrUnknownWord is wrapped when a text is not a word of one of this package's vocabularies.
var ErrUnknownWord = errors.New("unknown word")

// State is where a sale stands for us. The zero value is no state and is never stored.
type State int

// The states of a sale, in the order in which documents show them.
const (
	// Pending waits for money.
	Pending State = iota + 1
	// Paid is settled: delivery was ordered, once.
	Paid
	// Failed means that the charge was refused or could not be made. Late money still counts.
	Failed
	// Expired means that the QR code's time ran out, by the provider's word or by our clock. Late money still counts.
	Expired
	// Cancelled means that the charge was withdrawn, or that a review was refused (then the review's reason stays with it).
	Cancelled
	// Refunded means that the money went back.
	Refunded
	// ChargedBack means that the money was taken back.
	ChargedBack
	// Disputed means that the money is blocked by a dispute (MED). It may come back to Paid.
	Disputed
	// NeedsReview holds money that a person must judge. Nothing is delivered until the review is accepted.
	NeedsReview

	stateEnd
)

// Status is what a provider says of a charge, in the words common to all adapters. The zero value is StatusUnknown: what was
// not learned is never mistaken for a "not yet".
type Status int

// The statuses that a reading may carry.
const (
	// StatusUnknown means that we could not learn the status, or that the word is not in the adapter's vocabulary.
	StatusUnknown Status = iota
	// StatusPending means that the provider says "not yet".
	StatusPending
	// StatusPaid means that the provider says that the money arrived.
	StatusPaid
	// StatusFailed means refused or failed.
	StatusFailed
	// StatusExpired means that the charge ran out of time at the provider.
	StatusExpired
	// StatusCancelled means that the charge was withdrawn at the provider.
	StatusCancelled
	// StatusRefunded means that the money was sent back.
	StatusRefunded
	// StatusChargedBack means that the money was taken back.
	StatusChargedBack
	// StatusDisputed means that the money is blocked by a dispute (MED).
	StatusDisputed

	statusEnd
)

var stateWords = [stateEnd]string{
	Pending: "pending", Paid: "paid", Failed: "failed", Expired: "expired", Cancelled: "cancelled",
	Refunded: "refunded", ChargedBack: "charged_back", Disputed: "disputed", NeedsReview: "needs_review",
}

var statusWords = [statusEnd]string{
	StatusUnknown: "unknown", StatusPending: "pending", StatusPaid: "paid", StatusFailed: "failed", StatusExpired: "expired",
	StatusCancelled: "cancelled", StatusRefunded: "refunded", StatusChargedBack: "charged_back", StatusDisputed: "disputed",
}

// States lists every state in the order in which documents show them.
func States() []State {
	all := make([]State, 0, stateEnd-1)
	for s := Pending; s < stateEnd; s++ {
		all = append(all, s)
	}
	return all
}

// Statuses lists every status, StatusUnknown first.
func Statuses() []Status {
	all := make([]Status, 0, statusEnd)
	for s := StatusUnknown; s < statusEnd; s++ {
		all = append(all, s)
	}
	return all
}

// String is the stored form: lower case with underscores. A value outside the list prints as state(n) and is not parsed back.
func (s State) String() string {
	if s < Pending || s >= stateEnd {
		return fmt.Sprintf("state(%d)", int(s))
	}
	return stateWords[s]
}

// ParseState reads the stored form exactly; anything else is ErrUnknownWord.
func ParseState(word string) (State, error) {
	for s := Pending; s < stateEnd; s++ {
		if stateWords[s] == word {
			return s, nil
		}
	}
	return 0, fmt.Errorf("parse state %q: %w", word, ErrUnknownWord)
}

// Closed reports whether the sale ended without money: Failed, Expired or Cancelled. Money that arrives later still counts.
func (s State) Closed() bool { return s == Failed || s == Expired || s == Cancelled }

// Returned reports whether the money went back: Refunded or ChargedBack.
func (s State) Returned() bool { return s == Refunded || s == ChargedBack }

// MarshalText gives the stored form and fails for a value outside the list.
func (s State) MarshalText() ([]byte, error) {
	if s < Pending || s >= stateEnd {
		return nil, fmt.Errorf("state %d: %w", int(s), ErrUnknownWord)
	}
	return []byte(stateWords[s]), nil
}

// UnmarshalText is ParseState.
func (s *State) UnmarshalText(b []byte) (err error) { *s, err = ParseState(string(b)); return err }

// Scan reads the stored form from a database's text column (sql.Scanner); NULL and other types are ErrUnknownWord.
func (s *State) Scan(src any) (err error) {
	switch v := src.(type) {
	case string:
		*s, err = ParseState(v)
		return err
	case []byte:
		*s, err = ParseState(string(v))
		return err
	}
	return fmt.Errorf("scan state from %T: %w", src, ErrUnknownWord)
}

// String is the stored form: lower case with underscores. A value outside the list prints as status(n) and is not parsed back.
func (s Status) String() string {
	if s < StatusUnknown || s >= statusEnd {
		return fmt.Sprintf("status(%d)", int(s))
	}
	return statusWords[s]
}

// ParseStatus reads the stored form exactly; anything else is ErrUnknownWord. It does not read providers' words: adapters do.
func ParseStatus(word string) (Status, error) {
	for s := StatusUnknown; s < statusEnd; s++ {
		if statusWords[s] == word {
			return s, nil
		}
	}
	return StatusUnknown, fmt.Errorf("parse status %q: %w", word, ErrUnknownWord)
}

// MarshalText gives the stored form and fails for a value outside the list.
func (s Status) MarshalText() ([]byte, error) {
	if s < StatusUnknown || s >= statusEnd {
		return nil, fmt.Errorf("status %d: %w", int(s), ErrUnknownWord)
	}
	return []byte(statusWords[s]), nil
}

// UnmarshalText is ParseStatus.
func (s *Status) UnmarshalText(b []byte) (err error) { *s, err = ParseStatus(string(b)); return err }

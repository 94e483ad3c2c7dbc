// Package sale holds the words that all parts of the delivery service share about a sale: its ids and where it came from.
//
// It refuses to know tokens, pages, tables and Meta; it is pure.
package sale

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrBadID is wrapped by every failure to parse an id.
var ErrBadID = errors.New("not a UUID in its 36-character text form")

// MerchantID is the owner of bots, and the tenant of every row.
type MerchantID [16]byte

// PaymentID is a sale, as the payments service names it.
type PaymentID [16]byte

// BotID is one Telegram bot of a merchant. The zero value means all of them.
type BotID [16]byte

// Key names one sale of one merchant: the key of every row about it.
type Key struct {
	Merchant MerchantID
	Payment  PaymentID
}

// ParseMerchantID reads the 36-character text form, in either case; anything else is ErrBadID.
func ParseMerchantID(s string) (MerchantID, error) { b, err := parse(s); return MerchantID(b), err }

// ParsePaymentID reads the text form of a sale's id; see ParseMerchantID.
func ParsePaymentID(s string) (PaymentID, error) { b, err := parse(s); return PaymentID(b), err }

// ParseBotID reads the text form of a bot's id; see ParseMerchantID.
func ParseBotID(s string) (BotID, error) { b, err := parse(s); return BotID(b), err }

// String is the lower-case 36-character text form.
func (id MerchantID) String() string { return uuid.UUID(id).String() }

// String is the lower-case 36-character text form.
func (id PaymentID) String() string { return uuid.UUID(id).String() }

// String is the lower-case 36-character text form.
func (id BotID) String() string { return uuid.UUID(id).String() }

// IsZero reports whether the id names all bots.
func (id BotID) IsZero() bool { return id == BotID{} }

func parse(s string) ([16]byte, error) {
	if len(s) != 36 {
		return [16]byte{}, fmt.Errorf("parse id of %d characters: %w", len(s), ErrBadID)
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return [16]byte{}, fmt.Errorf("parse id: %w", ErrBadID)
	}
	if id == (uuid.UUID{}) {
		return [16]byte{}, fmt.Errorf("parse id: all zeros: %w", ErrBadID)
	}
	return id, nil
}

package payment

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrBadID is wrapped by every failure to parse an id.
var ErrBadID = errors.New("not a UUID in its 36-character text form")

// ID is a sale: a UUID, version 7 when we made it. The zero value means "none".
type ID [16]byte

// MerchantID is the owner of bots, and the tenant of every row.
type MerchantID [16]byte

// BotID is one Telegram bot of a merchant.
type BotID [16]byte

// AccountID is one merchant's credentials at one provider.
type AccountID [16]byte

// ParseID reads the text form of a sale's id, in either case. Other lengths, braces and URN prefixes are refused with ErrBadID.
func ParseID(s string) (ID, error) { b, err := parseUUID(s); return ID(b), err }

// ParseMerchantID reads the text form of a merchant's id; see ParseID.
func ParseMerchantID(s string) (MerchantID, error) { b, err := parseUUID(s); return MerchantID(b), err }

// ParseBotID reads the text form of a bot's id; see ParseID.
func ParseBotID(s string) (BotID, error) { b, err := parseUUID(s); return BotID(b), err }

// ParseAccountID reads the text form of an account's id; see ParseID.
func ParseAccountID(s string) (AccountID, error) { b, err := parseUUID(s); return AccountID(b), err }

// String is the lower-case 36-character text form.
func (id ID) String() string { return formatUUID(id) }

// String is the lower-case 36-character text form.
func (id MerchantID) String() string { return formatUUID(id) }

// String is the lower-case 36-character text form.
func (id BotID) String() string { return formatUUID(id) }

// String is the lower-case 36-character text form.
func (id AccountID) String() string { return formatUUID(id) }

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// IsZero reports whether there is no id.
func (id MerchantID) IsZero() bool { return id == MerchantID{} }

// IsZero reports whether there is no id.
func (id BotID) IsZero() bool { return id == BotID{} }

// IsZero reports whether there is no id.
func (id AccountID) IsZero() bool { return id == AccountID{} }

// MarshalText makes ids readable in JSON; it never fails.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText makes ids readable in JSON; it never fails.
func (id MerchantID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText makes ids readable in JSON; it never fails.
func (id BotID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText makes ids readable in JSON; it never fails.
func (id AccountID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) (err error) { *id, err = ParseID(string(b)); return err }

// UnmarshalText is ParseMerchantID.
func (id *MerchantID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseMerchantID(string(b))
	return err
}

// UnmarshalText is ParseBotID.
func (id *BotID) UnmarshalText(b []byte) (err error) { *id, err = ParseBotID(string(b)); return err }

// UnmarshalText is ParseAccountID.
func (id *AccountID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseAccountID(string(b))
	return err
}

// parseUUID is by hand because the domain imports the standard library and money only.
func parseUUID(s string) (id [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("parse id of %d characters: %w", len(s), ErrBadID)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return [16]byte{}, fmt.Errorf("parse id: %w", ErrBadID)
	}
	return id, nil
}

func formatUUID(id [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Package emv reads the text behind a PIX QR code (BR Code, "copia e cola"): EMV merchant-presented mode as the
// Banco Central's "Manual de Padrões para Iniciação do Pix" prescribes it.
//
// It refuses to trust a field's name: a code is a code because it begins with 000201, its fields have the lengths
// that they declare, and its checksum is right.
package emv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/baixapay/baixa/internal/money"
)

// Prefix begins every code: payload format indicator, two digits, value 01.
const Prefix = "000201"

// gui identifies PIX among the merchant account templates (ids 26 to 51).
const gui = "br.gov.bcb.pix"

// ErrNotCode is wrapped by every error of Parse.
var ErrNotCode = errors.New("not a pix code")

// Code is what a PIX code says about a payment.
type Code struct {
	// Text is the whole code, trimmed, as the buyer pastes it.
	Text string
	// Amount is nil when the payer's bank must ask (static codes) or the amount lies behind URL (dynamic codes).
	Amount *money.Amount
	// Key is the receiver's PIX key of a static code, URL the location of a dynamic one, without scheme.
	Key, URL string
	// TxID is the receiver's identifier; "***" when there is none.
	TxID string
	// Merchant and City are the receiver as the payer's bank will show it.
	Merchant, City string
}

// Looks reports whether text begins like a code. It is cheap and proves nothing; Valid decides.
func Looks(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), Prefix) }

// Valid reports whether text is a code by its beginning and its checksum, whatever lies between: banks count the length
// of accented names in different ways, and a code that they accept must not be thrown away for it.
func Valid(text string) bool {
	text = strings.TrimSpace(text)
	body, sum, ok := cutChecksum(text)
	return ok && strings.HasPrefix(text, Prefix) && strings.EqualFold(sum, fmt.Sprintf("%04X", Checksum(body)))
}

// Parse reads a code. Surrounding white space is ignored. A wrong checksum, a field longer than the text, a missing
// checksum or a currency other than 986 (BRL) is an error wrapping ErrNotCode.
func Parse(text string) (Code, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, Prefix) {
		return Code{}, fmt.Errorf("%w: does not begin with %s", ErrNotCode, Prefix)
	}
	body, sum, ok := cutChecksum(text)
	if !ok {
		return Code{}, fmt.Errorf("%w: no checksum field at its end", ErrNotCode)
	}
	if want := fmt.Sprintf("%04X", Checksum(body)); !strings.EqualFold(sum, want) {
		return Code{}, fmt.Errorf("%w: checksum differs", ErrNotCode)
	}
	code := Code{Text: text}
	if err := fields(text, code.set); err != nil {
		return Code{}, err
	}
	return code, nil
}

func (c *Code) set(id int, value string) error {
	switch {
	case id >= 26 && id <= 51:
		return c.account(value)
	case id == 53 && value != "986":
		return fmt.Errorf("%w: currency %q is not 986", ErrNotCode, value)
	case id == 54:
		amount, err := money.ParseReais(value)
		if err != nil {
			return fmt.Errorf("%w: amount: %w", ErrNotCode, err)
		}
		c.Amount = &amount
	case id == 59:
		c.Merchant = value
	case id == 60:
		c.City = value
	case id == 62:
		return fields(value, func(id int, value string) error {
			if id == 5 {
				c.TxID = value
			}
			return nil
		})
	}
	return nil
}

func (c *Code) account(value string) error {
	var isPix bool
	var key, url string
	err := fields(value, func(id int, value string) error {
		switch id {
		case 0:
			isPix = strings.EqualFold(value, gui)
		case 1:
			key = value
		case 25:
			url = value
		}
		return nil
	})
	if err == nil && isPix {
		c.Key, c.URL = key, url
	}
	return err
}

// fields walks id, length, value triples: two digits, two digits, that many characters.
func fields(text string, each func(id int, value string) error) error {
	for text != "" {
		id, length, rest, ok := head(text)
		if !ok {
			return fmt.Errorf("%w: field without id and length", ErrNotCode)
		}
		end := 0
		for range length {
			if end == len(rest) {
				return fmt.Errorf("%w: field %02d longer than the code", ErrNotCode, id)
			}
			_, size := utf8.DecodeRuneInString(rest[end:])
			end += size
		}
		if err := each(id, rest[:end]); err != nil {
			return err
		}
		text = rest[end:]
	}
	return nil
}

func head(text string) (id, length int, rest string, ok bool) {
	if len(text) < 4 || strings.Trim(text[:4], "0123456789") != "" {
		return 0, 0, "", false
	}
	id, _ = strconv.Atoi(text[:2])
	length, _ = strconv.Atoi(text[2:4])
	return id, length, text[4:], true
}

func cutChecksum(text string) (body, sum string, ok bool) {
	const tag = "6304"
	at := len(text) - len(tag) - 4
	if at < len(Prefix) || text[at:at+len(tag)] != tag {
		return "", "", false
	}
	return text[:at+len(tag)], text[at+len(tag):], true
}

// Checksum is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF), the one that ends a code; it covers everything
// up to and including its own "6304".
func Checksum(body string) uint16 {
	// What four bits at once make of the register; every status answer with a code in it comes through here.
	table := [16]uint16{0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
		0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF}
	crc := uint16(0xFFFF)
	for i := range len(body) {
		b := uint16(body[i])
		crc = crc<<4 ^ table[crc>>12^b>>4]
		crc = crc<<4 ^ table[crc>>12^b&15]
	}
	return crc
}

package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// BRCode describes a PIX copy-and-paste code, the EMV text behind the QR code
// (central bank of Brazil, "Manual do BR Code").
type BRCode struct {
	// Key is a static code's PIX key; URL a dynamic code's payload location,
	// without the scheme. Exactly one of them.
	Key, URL string
	// AmountCentavos is left out of the code when 0.
	AmountCentavos int64
	// Name and City of the receiver: ASCII, cut at 25 and 15 characters.
	Name, City string
	// TxID is 1 to 25 letters and digits; "***" when empty.
	TxID string
}

// String builds the code with its CRC.
func (c BRCode) String() string {
	var b strings.Builder
	tlv(&b, "00", "01")
	if c.URL != "" {
		tlv(&b, "01", "12") // payable once
	}
	var acct strings.Builder
	tlv(&acct, "00", "br.gov.bcb.pix")
	if c.URL != "" {
		tlv(&acct, "25", c.URL)
	} else {
		tlv(&acct, "01", c.Key)
	}
	tlv(&b, "26", acct.String())
	tlv(&b, "52", "0000")
	tlv(&b, "53", "986")
	if c.AmountCentavos > 0 {
		tlv(&b, "54", reais(c.AmountCentavos))
	}
	tlv(&b, "58", "BR")
	tlv(&b, "59", cut(c.Name, 25))
	tlv(&b, "60", cut(c.City, 15))
	var extra strings.Builder
	tlv(&extra, "05", cut(or(c.TxID, "***"), 25))
	tlv(&b, "62", extra.String())
	b.WriteString("6304")
	return b.String() + fmt.Sprintf("%04X", crc16(b.String()))
}

// CheckBRCode returns nil for a text that is a well-formed BR Code with the
// right CRC, else what is wrong with it.
func CheckBRCode(code string) error {
	if !strings.HasPrefix(code, "000201") {
		return errors.New("sim: does not begin with 000201")
	}
	if len(code) < 12 || code[len(code)-8:len(code)-4] != "6304" {
		return errors.New("sim: does not end with a CRC")
	}
	body, sum := code[:len(code)-4], code[len(code)-4:]
	if want := fmt.Sprintf("%04X", crc16(body)); !strings.EqualFold(want, sum) {
		return fmt.Errorf("sim: CRC is %s, want %s", sum, want)
	}
	for rest := code; rest != ""; {
		if len(rest) < 4 {
			return errors.New("sim: cut short")
		}
		n, err := strconv.Atoi(rest[2:4])
		if err != nil || !digits(rest[:2]) || len(rest) < 4+n {
			return fmt.Errorf("sim: bad field %q", rest[:4])
		}
		rest = rest[4+n:]
	}
	return nil
}

func tlv(b *strings.Builder, id, v string) {
	b.WriteString(id)
	if len(v) < 10 {
		b.WriteByte('0')
	}
	b.WriteString(strconv.Itoa(len(v)))
	b.WriteString(v)
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// crc16 is CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF.
func crc16(s string) uint16 {
	crc := uint16(0xFFFF)
	for i := 0; i < len(s); i++ {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// code makes the EMV text of a charge; no bank knows the address in it.
func (w *World) code(p Provider, c Charge) string {
	txid := alnum(c.ID)
	return BRCode{
		URL:            "pix.simulador.invalid/qr/v2/" + cut(txid, 40),
		AmountCentavos: c.AmountCentavos,
		Name:           "SIMULADOR " + strings.ToUpper(string(p)),
		City:           "SAO PAULO",
		TxID:           txid,
	}.String()
}

func alnum(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

const hexDigits = "0123456789abcdef"
const letters = "0123456789abcdefghijklmnopqrstuvwxyz"

// random draws n characters of alphabet from the world's seed.
func (w *World) random(alphabet string, n int) string {
	b := make([]byte, n)
	w.randMu.Lock()
	for i := range b {
		b[i] = alphabet[w.rand.IntN(len(alphabet))]
	}
	w.randMu.Unlock()
	return string(b)
}

// chance draws from [0,1).
func (w *World) chance() float64 {
	w.randMu.Lock()
	defer w.randMu.Unlock()
	return w.rand.Float64()
}

// uuid is a random one (version 4), lower case.
func (w *World) uuid() string {
	h := w.random(hexDigits, 31)
	variant := hexDigits[8+strings.IndexByte(hexDigits, h[30])%4]
	return h[:8] + "-" + h[8:12] + "-4" + h[12:15] + "-" + string(variant) + h[15:18] + "-" + h[18:30]
}

// endToEnd is the central bank's id of a settled PIX: E, the payer's ISPB (one
// that no bank has), the minute in UTC, eleven characters.
func (w *World) endToEnd(at time.Time) string {
	return "E99999999" + at.UTC().Format("200601021504") + w.random(letters, 11)
}

// pngDot is a PNG of one dot; providers send a QR code's picture here.
const pngDot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg=="

const pngURI = "data:image/png;base64," + pngDot

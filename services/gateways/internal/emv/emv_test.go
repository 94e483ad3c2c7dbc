package emv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/emv"
)

// manual is the example of the Banco Central's BR Code manual, whose checksum is printed there as 1D3D.
const manual = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"

func seal(body string) string { return body + fmt.Sprintf("%04X", emv.Checksum(body)) }

func TestChecksum_knownVectors(t *testing.T) {
	if got := emv.Checksum("123456789"); got != 0x29B1 {
		t.Errorf("CRC-16/CCITT-FALSE of 123456789: got %04X, want 29B1", got)
	}
	if got := emv.Checksum(strings.TrimSuffix(manual, "1D3D")); got != 0x1D3D {
		t.Errorf("checksum of the manual's example: got %04X, want 1D3D", got)
	}
}

func TestParse_staticCode(t *testing.T) {
	c, err := emv.Parse(" " + manual + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Text != manual || c.Key != "123e4567-e12b-12d1-a456-426655440000" || c.Merchant != "Fulano de Tal" || c.City != "BRASILIA" || c.TxID != "***" || c.Amount != nil {
		t.Errorf("got %+v", c)
	}
}

func TestParse_dynamicCodeWithAmountAndAccents(t *testing.T) {
	url := "pix.example.com/qr/v2/9d36b84f"
	body := "000201010212" + field(26, "0014BR.GOV.BCB.PIX"+field(25, url)) + "520400005303986" + field(54, "1234.50") + "5802BR" +
		field(59, "João Café") + field(60, "Goiânia") + "62070503***6304"
	c, err := emv.Parse(seal(body))
	if err != nil {
		t.Fatal(err)
	}
	if c.URL != url || c.Amount == nil || *c.Amount != 123450 || c.Merchant != "João Café" || c.City != "Goiânia" {
		t.Errorf("got %+v", c)
	}
}

func field(id int, value string) string {
	return fmt.Sprintf("%02d%02d%s", id, len([]rune(value)), value)
}

func TestParse_refuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"another beginning":   "00020226" + manual[8:],
		"wrong checksum":      manual[:len(manual)-1] + "E",
		"changed amount":      strings.Replace(manual, "BRASILIA", "BRASILIO", 1),
		"no checksum":         manual[:len(manual)-8],
		"prefix alone":        "000201",
		"field beyond end":    seal("0002016299short6304"),
		"letters for lengths": seal("000201ABCD6304"),
		"dollars":             seal("00020153038406304"),
		"amount with comma":   seal("0002015303986" + field(54, "12,50") + "6304"),
	} {
		if c, err := emv.Parse(text); !errors.Is(err, emv.ErrNotCode) {
			t.Errorf("%s: got %+v, %v; want ErrNotCode", name, c, err)
		}
	}
}

func TestValid_checksumAndBeginningOnly(t *testing.T) {
	bytesCounted := seal("0002015911João Café66304") // the length counts bytes
	for text, want := range map[string]bool{
		manual: true, "\n" + manual + " ": true, bytesCounted: true, strings.ToLower(manual[len(manual)-4:]): false,
		manual[:len(manual)-4] + "1d3d": true, manual[:len(manual)-1] + "E": false, "": false, "000201": false, seal("0002026304"): false,
	} {
		if got := emv.Valid(text); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(manual)
	f.Add("0002016304")
	f.Fuzz(func(t *testing.T, text string) {
		// Whatever it is, with its right checksum it is read or refused, and what is read can be pasted.
		for _, s := range []string{text, seal(emv.Prefix + text + "6304")} {
			if c, err := emv.Parse(s); err == nil && c.Text != strings.TrimSpace(s) {
				t.Errorf("text %q became %q", s, c.Text)
			}
		}
	})
}

package providertest

import (
	"fmt"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/emv"
)

func withChecksum(body string) string { return body + fmt.Sprintf("%04X", emv.Checksum(body)) }

// OtherCode is a right code that asks the buyer for R$ 199,00 instead of R$ 19,90.
func OtherCode() string { return withChecksum(strings.Replace(Code, "540519.90", "5406199.00", 1)) }

// BrokenCode is a code whose checksum is wrong in the last digit.
func BrokenCode() string {
	code := ValidCode()
	last := byte('0')
	if code[len(code)-1] == '0' {
		last = '1'
	}
	return code[:len(code)-1] + string(last)
}

package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
)

// HashEmail is the hexadecimal SHA-256 of an e-mail address as Meta normalises it: white space around it off, lower case.
// What cannot be an address gives "", since a hash of garbage matches nobody.
// https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
func HashEmail(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	name, domain, ok := strings.Cut(s, "@")
	if !ok || name == "" || !strings.Contains(strings.Trim(domain, "."), ".") || strings.ContainsAny(domain, "@") || strings.ContainsAny(s, " \t\r\n<>,;") {
		return ""
	}
	return sum(s)
}

// HashPhone is the hexadecimal SHA-256 of a telephone number as Meta normalises it: digits only, with the country's code, no
// leading zeros. A Brazilian number without the country's code gets its 55; one that begins with + or 00 has one already.
// What cannot be a number gives "".
func HashPhone(s string) string {
	s = strings.TrimSpace(s)
	international := strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00")
	var digits strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case strings.ContainsRune(" +-.()/", r), r == '\u00a0':
		default:
			return ""
		}
	}
	d := strings.TrimLeft(digits.String(), "0")
	if !international && brazilian(d) {
		d = "55" + d
	}
	if len(d) < 8 || len(d) > 15 { // E.164 has 15 at most
		return ""
	}
	return sum(d)
}

// brazilian reports whether the digits are an area code and a number of Brazil's plan: mobiles have nine digits and begin with
// 9, land lines have eight and begin with 2 to 5. A foreign number of eleven digits, such as the 16505551212 of Meta's
// documentation, is told apart by its third digit.
func brazilian(d string) bool {
	if len(d) < 10 || d[0] == '0' || d[1] == '0' {
		return false
	}
	switch len(d) {
	case 11:
		return d[2] == '9'
	case 10:
		return d[2] >= '2' && d[2] <= '5'
	}
	return false
}

// HashExternalID is the hexadecimal SHA-256 of our stable id of a buyer, white space around it off; "" for none. Browser and
// server report the same hash.
func HashExternalID(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return sum(s)
}

// ClientIP is the address in the form to report: IPv4 or IPv6 as really seen, never the one dressed as the other; "" for
// anything else.
func ClientIP(s string) string {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

package provider

import (
	"regexp"
	"strings"
)

// private reports whether a key's value never belongs into evidence: it belongs to a person or opens a door. The words
// are looked for anywhere in the key, in any case, "_" and "-" left out.
func private(key []byte) bool {
	var room [64]byte
	folded := room[:0]
	for _, c := range key {
		switch {
		case c >= 'A' && c <= 'Z':
			folded = append(folded, c+('a'-'A'))
		case c != '_' && c != '-':
			folded = append(folded, c)
		}
	}
	switch string(folded) {
	case "ip", "fbp", "fbc", "key":
		return true
	}
	for i := range folded {
		if privateWord(folded[i:]) {
			return true
		}
	}
	return false
}

// privateWord reports whether one of the words begins here.
func privateWord(at []byte) bool {
	switch at[0] {
	case 'a':
		return begins(at, "authorization") || begins(at, "apikey") || begins(at, "address")
	case 'b':
		return begins(at, "buyer") || begins(at, "birth")
	case 'c':
		return begins(at, "cpf") || begins(at, "cnpj") || begins(at, "customer") || begins(at, "client") || begins(at, "card")
	case 'd':
		return begins(at, "document")
	case 'e':
		return begins(at, "email")
	case 'n':
		return begins(at, "name") || begins(at, "nationalregistration")
	case 'p':
		return begins(at, "password") || begins(at, "phone") || begins(at, "payer")
	case 's':
		return begins(at, "secret")
	case 't':
		return begins(at, "token")
	case 'u':
		return begins(at, "useragent")
	}
	return false
}

func begins(at []byte, word string) bool {
	return len(at) >= len(word) && string(at[:len(word)]) == word
}

var personalPattern = regexp.MustCompile(`\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b|\b\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\b|\b\d{10,14}\b|[\w.+-]+@[\w-]+\.[\w.-]+`)

// personal masks CPF, CNPJ, telephone numbers and e-mail addresses in running text.
func personal(text string) string {
	if !numbered(text) && !strings.Contains(text, "@") {
		return text
	}
	return personalPattern.ReplaceAllString(text, redacted)
}

// numbered reports whether ten digits stand together, with nothing between them but what CPF and CNPJ are written
// with. Only then can personalPattern find a number. Their dash stands before the last two digits, unlike those of a UUID.
func numbered[T ~string | ~[]byte](text T) bool {
	digits := 0
	for i := range len(text) {
		switch c := text[i]; {
		case digit(c):
			if digits++; digits == 10 {
				return true
			}
		case c == '.' || c == '/':
		case c == '-' && i+2 < len(text) && digit(text[i+1]) && digit(text[i+2]) && (i+3 == len(text) || !digit(text[i+3])):
		default:
			digits = 0
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

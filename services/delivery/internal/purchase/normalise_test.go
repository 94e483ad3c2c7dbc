package purchase

import "testing"

// The vectors of Meta's page on customer information parameters.
const (
	docEmail = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f" // john_smith@gmail.com
	docPhone = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176" // 16505551212
)

func TestHashEmail(t *testing.T) {
	for in, want := range map[string]string{
		"john_smith@gmail.com":      docEmail,
		"  John_Smith@GMAIL.com \n": docEmail,
		"":                          "",
		"john_smith":                "",
		"@gmail.com":                "",
		"a@b":                       "",
		"a b@c.com":                 "",
		"a@b.com, c@d.com":          "",
	} {
		if got := HashEmail(in); got != want {
			t.Errorf("HashEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHashPhone(t *testing.T) {
	mobile, landline := sum("5511987654321"), sum("551133334444")
	for in, want := range map[string]string{
		"16505551212":         docPhone,
		"+1 (650) 555-1212":   docPhone,
		"0016505551212":       docPhone,
		"11987654321":         mobile,
		"(11) 98765-4321":     mobile,
		"011 98765-4321":      mobile,
		"+55 11 98765-4321":   mobile,
		"5511987654321":       mobile,
		"1133334444":          landline,
		"+351 912 345 678":    sum("351912345678"),
		"":                    "",
		"123":                 "",
		"not a number":        "",
		"1234567890123456789": "",
	} {
		if got := HashPhone(in); got != want {
			t.Errorf("HashPhone(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHashExternalID(t *testing.T) {
	if got := HashExternalID(" 42 "); got != sum("42") {
		t.Errorf("HashExternalID = %q, want the hash of 42", got)
	}
	if got := HashExternalID("  "); got != "" {
		t.Errorf("HashExternalID of nothing = %q, want nothing", got)
	}
}

func TestClientIP(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "2001:DB8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
		"": "", "203.0.113.9:80": "", "nobody": "",
	} {
		if got := ClientIP(in); got != want {
			t.Errorf("ClientIP(%q) = %q, want %q", in, got, want)
		}
	}
}

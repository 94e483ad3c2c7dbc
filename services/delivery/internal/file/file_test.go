package file_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/delivery/internal/file"
)

var (
	secret = []byte("an invented secret of a merchant")
	now    = time.Unix(1_780_000_000, 0)
)

// check is what docs/delivery.md tells merchants to do with a request.
func check(r *http.Request, at time.Time) bool {
	target, signature, ok := strings.Cut(r.RequestURI, "&baixa_signature=")
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(target))
	given, err := hex.DecodeString(signature)
	if !ok || err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return false
	}
	end, err := strconv.ParseInt(r.URL.Query().Get("baixa_expires"), 10, 64)
	return err == nil && at.Unix() < end
}

// arrived is the request as the merchant's server sees it.
func arrived(t *testing.T, signed string) *http.Request {
	t.Helper()
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
}

func TestSign_merchantsServerBelievesItOnlyUnchangedAndInTime(t *testing.T) {
	for _, address := range []string{
		"https://files.example/a.pdf", "https://files.example/aula%201/m%C3%B3dulo.mp4?v=2&x=a%26b", "https://files.example", "https://files.example:8443/?q=1",
		"https://files.example/violão.pdf", "https://files.example/a.pdf?",
	} {
		signed, err := file.Sign(address, "k 1", secret, now.Add(5*time.Minute))
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		r := arrived(t, signed)
		if !check(r, now) {
			t.Errorf("%s: signed as %s, which a server refuses", address, signed)
		}
		if check(r, now.Add(5*time.Minute)) {
			t.Errorf("%s: believed after its end", address)
		}
		if r.URL.Query().Get("baixa_key") != "k 1" || !strings.HasPrefix(signed, "https://files.example") {
			t.Errorf("%s: signed as %s", address, signed)
		}
		for _, change := range []func(string) string{
			func(s string) string { return strings.Replace(s, "178", "179", 1) },
			func(s string) string { return strings.Replace(s, "k+1", "k+2", 1) },
			func(s string) string { return s[:len(s)-2] },
			func(s string) string { return s[:len(s)-2] + "00&x=1" },
			func(s string) string { return s + "&baixa_expires=99999999999" },
		} {
			if forged := change(signed); check(arrived(t, forged), now) {
				t.Errorf("%s: believed when forged: %s", address, forged)
			}
		}
	}
}

func TestSign_vectorOfTheDocumentation(t *testing.T) {
	got, err := file.Sign("https://files.example/curso.pdf?v=2", "k1", []byte("segredo-de-exemplo-1234"), time.Unix(1_780_000_300, 0))
	const want = "https://files.example/curso.pdf?v=2&baixa_expires=1780000300&baixa_key=k1&baixa_signature=" +
		"4912d251004153c279c0351d477f62fd95fd5c38ffb774d286722d2adf247a55"
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestCheck_refusesNonsense(t *testing.T) {
	for _, address := range []string{
		"", "http://files.example/a", "files.example/a", "https://", "https://user:secret@files.example/a", "https://files.example/a#b",
		"https://files.example/a?baixa_expires=1", "https://files.example/a?x=1&BAIXA_key=2", "https://files.example/a?%62aixa_key=2",
		"https://files.example/a b", "https://files.example/\r\nx", "javascript:alert(1)", "https:files.example", "https://files.example/" + strings.Repeat("a", 2048),
		"https://files.example/?x=%zz",
	} {
		if err := file.Check(address); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: %v, want an error that says what is expected", address, err)
		}
		if _, err := file.Sign(address, "k", secret, now); err == nil {
			t.Errorf("%q was signed", address)
		}
	}
}

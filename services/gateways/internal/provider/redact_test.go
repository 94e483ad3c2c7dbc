package provider

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

// The quick ways of the excerpt must not be quicker than its promises.
func TestExcerpt_harmlessAndNot(t *testing.T) {
	red := newRedactor(NewSecret("sk_live_abcdef"), NewSecret("10203"))
	for body, want := range map[string]string{
		`{"id":40718225,"status":"paid","ok":true,"none":null,"list":[1,"a"]}`: `{"id":40718225,"status":"paid","ok":true,"none":null,"list":[1,"a"]}`,
		`{"at":"2026-11-23 11:00:00","amount":19.90}`:                          `{"at":"2026-11-23 11:00:00","amount":19.90}`,
		`{"note":"cpf 123.456.789-09"}`:                                        `{"note":"cpf [redacted]"}`,
		`{"note":"cnpj 12.345.678/0001-95"}`:                                   `{"note":"cnpj [redacted]"}`,
		`{"note":"11987654321"}`:                                               `{"note":"[redacted]"}`,
		`{"note":"ana@example.com"}`:                                           `{"note":"[redacted]"}`,
		`{"note":12345678909}`:                                                 `{"note":"[redacted]"}`,
		`{"note":1234567890}`:                                                  `{"note":[redacted]}`,
		`{"note":"key sk_live_abcdef"}`:                                        `{"note":"key [redacted]"}`,
		`{"note":"key sk_live\u005fabcdef"}`:                                   `{"note":"key [redacted]"}`,
		`{"sk_live_abcdef":1}`:                                                 `{"[redacted]":1}`,
		`{"sk_live\u005fabcdef":1}`:                                            `{"[redacted]":1}`,
		`{"company":10203}`:                                                    `{"company":[redacted]}`,
		`{"Customer_Name":{"x":1},"payerDocument":null,"API-KEY":"x"}`:         `{"Customer_Name":"[redacted]","payerDocument":null,"API-KEY":"[redacted]"}`,
		`{"code":"00020126330014br.gov.bcb.pix0111baixa-teste"}`:               `{"code":"[pix code]"}`,
		`{"image":"` + strings.Repeat("A", 500) + `"}`:                         `{"image":"[500 bytes]"}`,
		`{"title":"Curso de inglês"}`:                                          `{"title":"Curso de inglês"}`,
	} {
		doc, err := document.Parse([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if got := red.excerpt([]byte(body), doc); got != want {
			t.Errorf("%s:\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestPrivate_words(t *testing.T) {
	for key, want := range map[string]bool{
		"name": true, "Payer_Name": true, "customer": true, "cpf": true, "customerCPF": true, "e-mail": true, "phone_number": true, "api_token": true,
		"API-Key": true, "key": true, "ip": true, "fbp": true, "user_agent": true, "clientSecret": true, "nationalRegistration": true,
		"id": false, "status": false, "amount": false, "description": false, "shipping": false, "keys": false, "paid_at": false, "": false,
		"hash": false, "_": false,
	} {
		if private([]byte(key)) != want {
			t.Errorf("private(%q) is %v", key, !want)
		}
	}
}

// FuzzExcerpt: no secret and no address comes through, whatever the body, and the excerpt keeps its size.
func FuzzExcerpt(f *testing.F) {
	const secret = "s3cr3t/+&\"<key>"
	for _, form := range formsOf(secret).texts {
		f.Add([]byte(fmt.Sprintf(`{"a":%q,"b":["x%s"]}`, form, strings.ReplaceAll(form, `"`, `\"`))))
	}
	f.Add([]byte(`{"a":"s3cr3t\/+\u0026\"<key>","s3cr3t\u002f+&\"<key>":1}`))
	f.Add([]byte(`<html>s3cr3t/+&"<key> ana@example.com`))
	red := newRedactor(NewSecret(secret))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, _ := document.Parse(body)
		got := red.excerpt(body, doc)
		if len(got) > maxExcerpt {
			t.Errorf("%d bytes", len(got))
		}
		for _, form := range red.all[0].texts {
			if strings.Contains(got, form) {
				t.Errorf("form %q in %q", form, got)
			}
		}
		if doc.Kind() == document.Object && bytes.Contains(body, []byte(`"ana@example.com"`)) && strings.Contains(got, "ana@example.com") {
			t.Errorf("an address in %q", got)
		}
	})
}

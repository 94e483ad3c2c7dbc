package declarative_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/declarative"
)

// plain is a right file; the cases below spoil one thing of it.
const plain = `name: plain
title: Plain
base_url: https://api.example.com/v1
auth:
  kind: header
  name: x-key
  credentials: [key]
identifiers:
  - kind: id
    path: /charges/{id}
    meaning: the id
    confidence: low
unit: centavos
answer:
  status: [status]
  id: [id]
  amount: [amount]
webhook:
  trust: none
  formats: [json]
words:
  paid:
    high: [paid]
  pending:
    high: [waiting]
poll:
  min_interval: 10s
  cadence: 60s
  calls_per_minute: 60
  confidence: low
create:
  path: /charges
  body:
    amount: $amount
    hook: $webhook_url
credentials:
  - name: key
    required: true
    pt: chave
    en: key
`

func deps(t *testing.T) provider.Deps {
	t.Helper()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return provider.Deps{Client: client}
}

func TestLoad_plainFileIsRight(t *testing.T) {
	if _, err := declarative.Load(deps(t), "plain.yaml", []byte(plain)); err != nil {
		t.Fatal(err)
	}
	if _, err := declarative.Load(provider.Deps{}, "plain.yaml", []byte(plain)); err == nil {
		t.Error("a file without a client was accepted")
	}
}

// Every mistake is told with its file, its line and its field.
func TestLoad_refusals(t *testing.T) {
	for _, c := range []struct {
		old, new string // what is replaced in plain
		line     int
		field    string
		reason   string // part of it
	}{
		{"unit: centavos", "unti: centavos", 13, "unti", "unknown field"},
		{"    meaning: the id", "    meening: the id", 11, "identifiers.0.meening", "unknown field"},
		{"unit: centavos", "unit: cents", 13, "unit", "want one of [centavos reais]"},
		{"unit: centavos", "unit: [centavos]", 13, "unit", "want text, not a list"},
		{"  calls_per_minute: 60", "  calls_per_minute: many", 29, "poll.calls_per_minute", "want a whole number, not text"},
		{"  calls_per_minute: 60", "  calls_per_minute: 0", 29, "poll.calls_per_minute", "want 1 to 100000"},
		{"  cadence: 60s", "  cadence: 5s", 28, "poll.cadence", "denser"},
		{"  cadence: 60s", "  cadence: soon", 28, "poll.cadence", "want a time"},
		{"  min_interval: 10s", "  min_interval: -1s", 27, "poll.min_interval", "want a time"},
		{"unit: centavos", "unit: centavos\nunit: reais", 14, "unit", "already defined"},
		{"name: plain", "name: Plain Provider", 1, "name", "lower-case word"},
		{"title: Plain", "title: \"\"", 2, "title", "must not be empty"},
		{"https://api.example.com/v1", "http://api.example.com/v1", 3, "base_url", "https"},
		{"https://api.example.com/v1", "https://user:pw@api.example.com/v1", 3, "base_url", "must not hold user"},
		{"  kind: header", "  kind: magic", 5, "auth.kind", "want query, header, basic or bearer"},
		{"  kind: header", "  kind: basic", 7, "auth.credentials", "want 2 for basic, got 1"},
		{"  name: x-key", "  name: \"x key\"", 6, "auth.name", "want the name of a header"},
		{"  credentials: [key]", "  credentials: [other]", 7, "auth.credentials.0", "not a required credential"},
		{"unit: centavos", "headers: {Authorization: x}\nunit: centavos", 13, "headers.Authorization", "not a header that a file may set"},
		{"  - kind: id", "  - kind: name", 9, "identifiers.0.kind", "want one of [hash id reference]"},
		{"    path: /charges/{id}", "    path: /charges", 10, "identifiers.0.path", "want a path"},
		{"    path: /charges/{id}", "    path: /charges/{id}/{x}", 10, "identifiers.0.path", "want a path"},
		{"    path: /charges/{id}", "    path: /../charges/{id}", 10, "identifiers.0.path", "want a path"},
		{"    path: /charges/{id}", "    path: https://evil.example/{id}", 10, "identifiers.0.path", "want a path"},
		{"    path: /charges/{id}", "    path: /charges/{id", 10, "identifiers.0.path", "want a path"},
		{"    confidence: low", "    confidence: sure", 12, "identifiers.0.confidence", "want one of [high medium low]"},
		{"  status: [status]", "  status: []", 15, "answer.status", "at least one"},
		{"  id: [id]", "  hash: [id]", 14, "answer", "no path for id"},
		{"  id: [id]", "  id: [\"a..b\"]", 16, "answer.id.0", "want a path"},
		{"  trust: none", "  trust: signature", 19, "webhook.trust", "want one of"},
		{"  trust: none", "  trust: header", 18, "webhook.header", "want the name of a header"},
		{"  trust: none", "  trust: header\n  header: x-secret", 37, "credentials", "webhook_secret is not declared"},
		{"  trust: none", "  trust: body_token", 18, "webhook.fields.token", "path of the secret"},
		{"  formats: [json]", "  formats: [xml]", 20, "webhook.formats.0", "want one of [json form]"},
		{"    high: [paid]", "    high: [paid, waiting]", 23, "words.paid.high.1", "occurs twice (pending)"},
		{"    high: [paid]", "    high: [paid, PAID]", 23, "words.paid.high.1", "occurs twice"},
		{"    high: [paid]", "    high: [\" \"]", 23, "words.paid.high.0", "empty word"},
		{"    high: [paid]", "    certain: [paid]", 23, "words.paid.certain", "want one of"},
		{"  paid:\n", "  payed:\n", 22, "words.payed", "want one of"},
		{"  paid:\n", "  expired:\n", 21, "words", "no word means paid"},
		{"poll:\n", "envelope_words: [paid]\npoll:\n", 21, "words", "both a status and an envelope"},
		{"poll:\n", "unsafe: [done]\nrecheck: 3s\npoll:\n", 26, "unsafe.0", "not among the words"},
		{"poll:\n", "unsafe: [paid]\npoll:\n", 0, "recheck", "want a time"},
		{"poll:\n", "recheck: 3s\npoll:\n", 26, "recheck", "nothing is unsafe"},
		{"poll:\n", "final: [paid]\npoll:\n", 26, "final.0", "want one of"},
		{"  path: /charges\n", "  path: /charges/{x}\n", 32, "create.path", "want a path"},
		{"    amount: $amount", "    amount: 5", 33, "create.body", "$amount is nowhere"},
		{"    amount: $amount", "    amount: $amonut", 34, "create.body.amount", "unknown placeholder"},
		{"    amount: $amount", "    amount: $amount\n    shop: $setting.shop", 35, "create.body.shop", "not declared"},
		{"    hook: $webhook_url", "    hook: nowhere", 33, "create.body", "want $webhook_url"},
		{"    hook: $webhook_url", "    hook: $webhook_url\n    days: $expires_in_days", 31, "create.expires_in_days", "goes together"},
		{"  path: /charges\n", "  path: /charges\n  customer_fields: [shoe_size]\n", 33, "create.customer_fields.0", "want one of"},
		{"  path: /charges\n", "  path: /charges\n  min_amount: 5\n  max_amount: 1\n", 33, "create.min_amount", "cannot be"},
		{"    pt: chave", "    pt: \"\"", 39, "credentials.0.pt", "must not be empty"},
		{"  - name: key", "  - name: Key!", 37, "credentials.0.name", "lower-case"},
		{"poll:\n", "verify: {path: \"charges\"}\npoll:\n", 26, "verify.path", "want a path"},
		{"poll:\n", "notes: [{text: x, confidence: certainly}]\npoll:\n", 26, "notes.0.confidence", "want one of"},
		{"title: Plain", "title: *nobody", 0, "", "anchor"},
		{"title: Plain", "title: {", 0, "", "did not find"},
	} {
		text := strings.Replace(plain, c.old, c.new, 1)
		if text == plain {
			t.Fatalf("case %q changes nothing", c.new)
		}
		_, err := declarative.Load(deps(t), "plain.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q was accepted", c.new)
			continue
		}
		found := false
		for _, e := range mistakes(err) {
			found = found || e.File == "plain.yaml" && e.Field == c.field && strings.Contains(e.Reason, c.reason) && (c.line == 0 || e.Line == c.line)
		}
		if !found {
			t.Errorf("%q: want line %d, field %s, %q; got\n%v", c.new, c.line, c.field, c.reason, err)
		}
	}
}

func mistakes(err error) []*declarative.Error {
	var all []*declarative.Error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, mistakes(e)...)
		}
		return all
	}
	var one *declarative.Error
	if errors.As(err, &one) {
		all = append(all, one)
	}
	return all
}

// All mistakes of a file are told at once, in the order of lines.
func TestLoad_tellsEverythingAtOnce(t *testing.T) {
	text := strings.NewReplacer("name: plain", "name: P", "unit: centavos", "unit: x", "cadence: 60s", "cadence: 1s").Replace(plain)
	_, err := declarative.Load(deps(t), "plain.yaml", []byte(text))
	var got []string
	for _, e := range mistakes(err) {
		got = append(got, e.Field)
	}
	if diff := cmp.Diff([]string{"name", "unit", "poll.cadence"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s\n%v", diff, err)
	}
	if want := "plain.yaml:13: unit: "; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not contain %q", err, want)
	}
}

func TestLoad_oddFiles(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing\n", "list": "- a\n", "text": "hello", "two documents": plain + "---\n" + plain,
		"binary": "\x00\x01\x02", "too large": plain + "# " + strings.Repeat("x", declarative.MaxFile),
		"bomb": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
	} {
		_, err := declarative.Load(deps(t), name+".yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), name+".yaml") {
			t.Errorf("%s: got %v, want an error that begins with the file", name, err)
		}
	}
}

func TestLoadFS_joinsTheMistakesOfAllFiles(t *testing.T) {
	folder := fstest.MapFS{
		"a.yaml": {Data: []byte(plain)}, "b.yml": {Data: []byte("name: 7\n")}, "c.yaml": {Data: []byte("nonsense: 1\n")},
		"README.md": {Data: []byte("no provider")}, "sub/d.yaml": {Data: []byte("nonsense: 1\n")},
	}
	_, err := declarative.LoadFS(deps(t), folder)
	if err == nil || !strings.Contains(err.Error(), "b.yml") || !strings.Contains(err.Error(), "c.yaml") || strings.Contains(err.Error(), "d.yaml") {
		t.Errorf("got %v, want the mistakes of b.yml and c.yaml and of no other", err)
	}
	delete(folder, "b.yml")
	delete(folder, "c.yaml")
	adapters, err := declarative.LoadFS(deps(t), folder)
	if err != nil || len(adapters) != 1 || adapters[0].Name() != "plain" {
		t.Errorf("got %v, %v; want plain alone", adapters, err)
	}
}

// FuzzLoad: no file, however broken, panics, and each refusal names the file.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(plain))
	for _, name := range []string{"aguia", "babylon"} {
		text, err := os.ReadFile("shipped/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := declarative.Load(provider.Deps{Client: client}, "f.yaml", text)
		switch {
		case err != nil:
			for _, e := range mistakes(err) {
				if e.File != "f.yaml" || e.Reason == "" {
					t.Errorf("mistake without a file or a reason: %+v", e)
				}
			}
			if len(mistakes(err)) == 0 {
				t.Errorf("refusal without a mistake: %v", err)
			}
		case a.Name() == "" || len(a.Capabilities().Identifiers) == 0:
			t.Error("an adapter without a name or an identifier")
		}
	})
}

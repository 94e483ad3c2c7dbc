package providertest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Run is the conformance suite.
func Run(t *testing.T, s Subject) {
	t.Run("capabilities", func(t *testing.T) { s.testCapabilities(t) })
	t.Run("vocabulary", func(t *testing.T) { s.testVocabulary(t) })
	t.Run("never nearly paid", func(t *testing.T) { s.testNearlyPaid(t) })
	t.Run("outcomes", func(t *testing.T) { s.testOutcomes(t) })
	t.Run("time and size", func(t *testing.T) { s.testTimeAndSize(t) })
	t.Run("identifiers", func(t *testing.T) { s.testIdentifiers(t) })
	t.Run("canary", func(t *testing.T) { s.testCanary(t) })
	t.Run("redirect", func(t *testing.T) { s.testRedirect(t) })
	t.Run("connections", func(t *testing.T) { s.testConnections(t) })
	t.Run("webhook", func(t *testing.T) { s.testWebhook(t) })
	t.Run("create", func(t *testing.T) { s.testCreate(t) })
	t.Run("verify", func(t *testing.T) { s.testVerify(t) })
	t.Run("list", func(t *testing.T) { List(t, s) })
}

func (s Subject) testCapabilities(t *testing.T) {
	b := s.newBench(t, answer(200, "{}"))
	c := b.adapter.Capabilities()
	if c.Name != b.adapter.Name() || c.Title == "" || c.Auth == "" {
		t.Errorf("name %q, title %q, auth %q: all three must be told, the name as Name() does", c.Name, c.Title, c.Auth)
	}
	if err := provider.CheckBaseURL(c.BaseURL); err != nil {
		t.Errorf("documented base url: %v", err)
	}
	if len(c.Identifiers) == 0 || c.Unit != provider.Centavos && c.Unit != provider.Reais {
		t.Errorf("identifiers %v, unit %q: both must be told", c.Identifiers, c.Unit)
	}
	for _, id := range c.Identifiers {
		if s.Ref.Get(id.Kind) == "" {
			t.Errorf("subject has no %s", id.Kind)
		}
	}
	if c.Poll.MinInterval <= 0 || c.Poll.Cadence < c.Poll.MinInterval || c.Poll.CallsPerMinute <= 0 {
		t.Errorf("poll rule %+v: interval, cadence and budget must be positive and cadence no denser than the interval", c.Poll)
	}
	if c.PrimarySecret() == "" {
		t.Error("no required secret credential")
	}
	for _, f := range append(append([]provider.Field(nil), c.Credentials...), c.Settings...) {
		if f.Name == "" || f.PT == "" || f.EN == "" {
			t.Errorf("field %+v lacks a name or a meaning in either language", f)
		}
	}
	for _, status := range c.Final {
		if status == provider.StatusPaid || status == provider.StatusPending || !status.Valid() {
			t.Errorf("status %q cannot be final", status)
		}
	}
	if _, err := s.New(provider.Deps{}); err == nil {
		t.Error("New without a client: want an error")
	}
}

// testVocabulary asks for every word in several spellings and checks that what the table says is what comes out.
func (s Subject) testVocabulary(t *testing.T) {
	var body string
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) { answer(200, body)(w, r) })
	c := b.adapter.Capabilities()
	kind, ref := s.first(c)
	ask := func(word string) (provider.Reading, error) {
		body = fillWord(s.Status, word)
		return b.adapter.GetStatus(context.Background(), b.account, ref)
	}
	for _, w := range c.Words {
		for _, spelling := range []string{w.Raw, strings.ToUpper(w.Raw), strings.ToLower(w.Raw), "  " + w.Raw + " ", strings.ReplaceAll(w.Raw, "_", "-")} {
			reading, err := ask(spelling)
			if err != nil {
				t.Errorf("word %q: %v", spelling, err)
				continue
			}
			if reading.Status != w.Status || reading.ProviderStatus != strings.TrimSpace(spelling) {
				t.Errorf("word %q: got %s %q, want %s", spelling, reading.Status, reading.ProviderStatus, w.Status)
			}
			if reading.HTTPStatus != 200 || !strings.HasPrefix(reading.Endpoint, "GET /") || strings.Contains(reading.Endpoint, ref.Get(kind)) {
				t.Errorf("word %q: http %d, endpoint %q: want 200 and a template without the identifier", spelling, reading.HTTPStatus, reading.Endpoint)
			}
			if reading.Evidence == "" || len(reading.Evidence) > 512 {
				t.Errorf("word %q: evidence of %d bytes", spelling, len(reading.Evidence))
			}
		}
	}
	for _, word := range c.EnvelopeWords {
		if reading, err := ask(word); provider.KindOf(err) != provider.KindContract {
			t.Errorf("envelope word %q alone: got %+v, %v; want contract", word, reading, err)
		}
	}
	for _, word := range c.ErrorWords {
		if reading, err := ask(word); provider.KindOf(err) != provider.KindTransient {
			t.Errorf("error word %q: got %+v, %v; want transient", word, reading, err)
		}
	}
	const odd = "liquidado_parcialmente_x"
	if reading, err := ask(odd); err != nil || reading.Status != provider.StatusUnknown || reading.ProviderStatus != odd {
		t.Errorf("unknown word: got %s %q, %v; want unknown with the word kept", reading.Status, reading.ProviderStatus, err)
	}
}

// testNearlyPaid sends words that contain, resemble or accompany paid.
func (s Subject) testNearlyPaid(t *testing.T) {
	var body string
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) { answer(200, body)(w, r) })
	_, ref := s.first(b.adapter.Capabilities())
	var words []string
	for _, w := range b.adapter.Capabilities().Words {
		if w.Status == provider.StatusPaid {
			words = append(words, "un"+w.Raw, w.Raw+"_partial", "not "+w.Raw, w.Raw+"!", w.Raw+"\u200b", w.Raw+"\\u0000", "p\u0430id", "\u017fuccess", w.Raw+","+w.Raw)
		}
	}
	for _, word := range append(words, "true", "1", "yes", "200", "success", "ok", "null") {
		body = fillWord(s.Status, word)
		if reading, err := b.adapter.GetStatus(context.Background(), b.account, ref); err == nil && reading.Status == provider.StatusPaid {
			t.Errorf("word %q became paid: %+v", word, reading)
		}
	}
	// Everything that comes with a payment except the word.
	const company = `,"payer_name":"Fulana","payer_national_registration":"00000000191","end_to_end_id":"E00000000202611231200abcdefghijk","endToEndId":"E1","paid_at":"2026-11-23 11:00:00","paidAt":"2026-11-23T11:00:00Z","paid":true,"is_paid":1}`
	for _, word := range []string{"pending", "expired", "refunded", "liquidado_x", ""} {
		whole := fillWord(s.Status, word)
		at := strings.LastIndex(whole, "}")
		body = whole[:at] + company + whole[at+1:]
		if reading, err := b.adapter.GetStatus(context.Background(), b.account, ref); err == nil && reading.Status == provider.StatusPaid {
			t.Errorf("word %q beside payer data became paid: %+v", word, reading)
		}
	}
}

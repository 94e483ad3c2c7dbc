package gateways

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const own = `name: lojapay
title: Loja Pay
base_url: https://api.lojapay.example.com/v1
auth: {kind: bearer, credentials: [token]}
identifiers: [{kind: id, path: "/charges/{id}", meaning: the id, confidence: low}]
unit: reais
answer: {wrappers: [charge], status: [state], id: [id], amount: [total]}
webhook: {trust: none, formats: [json]}
words: {paid: {high: [pago]}, pending: {high: [aberto]}}
poll: {min_interval: 10s, cadence: 60s, calls_per_minute: 60, confidence: low}
credentials: [{name: token, required: true, pt: chave, en: token}]
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A provider of a file behaves as those that come with the system, and so does a version of one.
func TestProviders_ofAFolder(t *testing.T) {
	dir := folder(t, map[string]string{"lojapay.yaml": own, "next.yml": strings.NewReplacer("title:", "version: next\ntitle:", "[pago]", "[pago, quitado]").Replace(own), "README": "not read"})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer segredo" || r.URL.Path != "/charges/c1" {
			t.Errorf("asked %s", r.URL.Path)
		}
		_, _ = w.Write([]byte(`{"charge":{"id":"c1","state":"quitado","total":19.9}}`))
	}))
	defer srv.Close()
	for name, want := range map[string]string{"lojapay": "unknown", "lojapay@next": "paid"} {
		f, err := Try(t.Context(), Trial{Provider: name, Providers: dir, BaseURL: srv.URL, Secrets: "segredo", Identifier: "c1"})
		if err != nil || f.Outcome != "status" || f.Status != want || f.AmountCentavos == nil || *f.AmountCentavos != 1990 {
			t.Errorf("%s: %+v, %v; want %s", name, f, err, want)
		}
	}
	f, err := ParseWith(dir, "lojapay", "", nil, []byte(`{"charge":{"id":"c1","state":"pago"}}`))
	if err != nil || f.Status != "paid" || f.Identifiers["id"] != "c1" {
		t.Errorf("webhook: %+v, %v", f, err)
	}
	if _, err := Parse("lojapay", "", nil, nil); err == nil {
		t.Error("known without its folder")
	}
	if _, err := ParseWith(dir, "lojapay@v7", "", nil, nil); err == nil || !strings.Contains(err.Error(), "there are next") {
		t.Errorf("an unknown version: %v", err)
	}
}

// What is wrong with a file is told with file, line and field.
func TestProviders_wrongFolder(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"unknown field":   {map[string]string{"a.yaml": own + "colour: red\n"}, []string{"a.yaml:12: colour: unknown field"}},
		"wrong type":      {map[string]string{"a.yaml": strings.Replace(own, "calls_per_minute: 60", "calls_per_minute: many", 1)}, []string{"a.yaml:10:", "whole number"}},
		"two files wrong": {map[string]string{"a.yaml": own + "colour: red\n", "b.yaml": strings.Replace(own, "unit: reais", "unit: dollars", 1)}, []string{"a.yaml:12: colour", "b.yaml:6: unit"}},
		"a name twice":    {map[string]string{"a.yaml": own, "b.yaml": own}, []string{"lojapay twice"}},
		"a shipped name":  {map[string]string{"a.yaml": strings.Replace(own, "lojapay\n", "atomopay\n", 1)}, []string{"atomopay twice"}},
		"an orphan":       {map[string]string{"a.yaml": strings.Replace(own, "title:", "version: v2\ntitle:", 1)}, []string{"lojapay", "no provider's name"}},
		"a bad version":   {map[string]string{"a.yaml": strings.Replace(own, "title:", "version: V 2\ntitle:", 1)}, []string{"a.yaml:2: version"}},
		"nothing":         {map[string]string{"a.txt": own}, []string{"no file", ".yaml"}},
	} {
		_, err := ParseWith(folder(t, c.files), "pushinpay", "", nil, nil)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
	if _, err := ParseWith(filepath.Join(t.TempDir(), "nowhere"), "pushinpay", "", nil, nil); err == nil || !strings.Contains(err.Error(), "expected a folder") {
		t.Errorf("no folder: %v", err)
	}
}

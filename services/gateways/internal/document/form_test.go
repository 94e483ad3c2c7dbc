package document_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

// FuzzParseForm compares forms with what net/url reads, and every flat value with what encoding/json makes of it.
func FuzzParseForm(f *testing.F) {
	f.Add("id=9C29870C&status=paid&value=1990&status=refunded")
	f.Add("a=%22%5c&b=%C3%A7&c+d=e+f&&=x&y")
	f.Add("data[id]=1&data[x][y]=2&data=3&z={\"a\":1}&w=[1")
	f.Add("a;b=1")
	f.Add("a=\xff&b=<&>")
	f.Add("\xff=1&\xfe=2")
	f.Fuzz(func(t *testing.T, form string) {
		want, wantErr := url.ParseQuery(form)
		doc, err := document.ParseForm([]byte(form))
		if wantErr != nil {
			if !errors.Is(err, document.ErrForm) {
				t.Fatalf("got %v, want ErrForm as net/url says %v", err, wantErr)
			}
			return
		}
		if err != nil {
			t.Fatalf("got %v; net/url reads %v", err, want)
		}
		got := map[string]document.Value{}
		for member := range doc.Children {
			got[member.Key()] = member
		}
		flat := map[string]string{}
		for name, values := range want {
			if strings.Contains(name, "[") {
				return
			}
			flat[plain(t, name)] = values[len(values)-1]
		}
		if len(flat) < len(want) {
			return // names that JSON cannot tell apart
		}
		if len(got) != len(flat) {
			t.Fatalf("names: got %v, want %v", maps.Keys(got), maps.Keys(flat))
		}
		for name, value := range flat {
			if inner := strings.TrimSpace(value); len(inner) > 1 && (inner[0] == '{' || inner[0] == '[') && json.Valid([]byte(inner)) {
				continue
			}
			if want := plain(t, value); got[name].Kind() != document.String || got[name].Text() != want {
				t.Errorf("%q: got %q, want %q", name, got[name].Text(), want)
			}
		}
	})
}

// plain is a text as JSON can say it.
func plain(t *testing.T, s string) (out string) {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkSniff_form(b *testing.B) {
	form := []byte("id=9C29870C-9F69-4BB6-90D3-2DCE9453BB45&status=paid&value=1990&end_to_end_id=E00000000202611300000000000000000&payer_name=Pagador+Simulado")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := document.Sniff(form); err != nil {
			b.Fatal(err)
		}
	}
}

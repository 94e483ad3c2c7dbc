package gateways

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTry_outcomes(t *testing.T) {
	const canary = "segredo-canario-0001"
	for name, c := range map[string]struct {
		status  int
		header  string
		body    string
		outcome string
		want    string
	}{
		"paid":         {200, "", `{"hash":"h1","payment_status":"paid","status":"success","amount":1990}`, "status", "paid"},
		"unknown word": {200, "", `{"hash":"h1","payment_status":"teleported","amount":1990}`, "status", "unknown"},
		"refused":      {401, "", `{"message":"Unauthenticated."}`, "credential", "unknown"},
		"limited":      {429, "7", `{}`, "rate_limited", "unknown"},
		"html":         {200, "", `<html>` + canary + `</html>`, "transient", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("api_token") != canary {
					t.Errorf("asked without the token")
				}
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer srv.Close()
			f, err := Try(t.Context(), Trial{Provider: "AtomoPay", BaseURL: srv.URL, Secrets: " " + canary + "\n", Identifier: "h1"})
			if err != nil {
				t.Fatal(err)
			}
			if f.Outcome != c.outcome || f.Status != c.want || f.HTTPStatus != c.status {
				t.Errorf("%+v", f)
			}
			if c.header != "" && (f.RetryAfterSeconds == nil || *f.RetryAfterSeconds != 7) {
				t.Errorf("retry after: %v", f.RetryAfterSeconds)
			}
			if len(f.Calls) != 1 || strings.Contains(strings.Join([]string{f.Calls[0].URL, f.Calls[0].Answer, f.Calls[0].Err, f.Reason}, " "), canary) {
				t.Errorf("a secret is shown, or no call: %+v", f.Calls)
			}
		})
	}
}

func TestTry_cannotBeAsked(t *testing.T) {
	for _, q := range []Trial{{Provider: "nosuch", Identifier: "x"}, {Provider: "supremuspay", Identifier: "x"}, {Provider: "pushinpay", Kind: "hash", Identifier: "x", Secrets: "t"}, {Provider: "atomopay", Identifier: "x"}} {
		if _, err := Try(t.Context(), q); err == nil {
			t.Errorf("%+v was asked", q)
		}
	}
}

func TestParse_asOneObject(t *testing.T) {
	f, err := Parse("pushynpay", "application/json", nil, []byte("id=ABCDEF01-0000-4000-8000-000000000001&status=paid&value=999"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"outcome":"status","status":"paid","provider_status":"paid","amount_centavos":999,` +
		`"identifiers":{"id":"abcdef01-0000-4000-8000-000000000001"},"paid_at":null,"retry_after_seconds":null,"http_status":0}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	if f, err = Parse("paradise", "", nil, []byte(`{"x":1}`)); err != nil || f.Outcome != "contract" || f.AmountCentavos != nil {
		t.Errorf("%+v, %v", f, err)
	}
	// What was pasted came with no HTTP status, so none is told.
	if f, err = Parse("atomopay", "", nil, []byte("null")); err != nil || f.Outcome != "not_found" || f.HTTPStatus != 0 || strings.Contains(f.Reason, "http") {
		t.Errorf("%+v, %v", f, err)
	}
}

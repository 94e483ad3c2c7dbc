package provider_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

func TestUnit_number(t *testing.T) {
	for amount, want := range map[int64][2]json.Number{1: {"1", "0.01"}, 29: {"29", "0.29"}, 1990: {"1990", "19.90"}, 100_000_000_000_01: {"10000000000001", "100000000000.01"}} {
		if got := provider.Centavos.Number(money.Amount(amount)); got != want[0] {
			t.Errorf("%d in centavos: got %s", amount, got)
		}
		if got := provider.Reais.Number(money.Amount(amount)); got != want[1] {
			t.Errorf("%d in reais: got %s", amount, got)
		}
	}
}

func TestLocalPhone_countryCode(t *testing.T) {
	for phone, want := range map[string]string{"+55 (11) 90000-0000": "11900000000", "551133334444": "1133334444", "5511900000000": "11900000000",
		"5590000000": "5590000000", "11900000000": "11900000000", "55900000000": "55900000000", "": ""} {
		if got := provider.LocalPhone(phone); got != want {
			t.Errorf("%q: got %q, want %q", phone, got, want)
		}
	}
}

func TestWholeDays_bounds(t *testing.T) {
	for life, want := range map[time.Duration]int{0: 1, time.Minute: 1, 24 * time.Hour: 1, 25 * time.Hour: 2, 1000 * time.Hour: 7} {
		if got := provider.WholeDays(life, 1, 7); got != want {
			t.Errorf("%s: got %d days, want %d", life, got, want)
		}
	}
}

// Not knowing a charge that does not exist proves the credentials; every other failure proves nothing.
func TestProbe_whatProves(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		body string
		want provider.Kind
	}{
		"not found": {404, `{}`, ""}, "gone": {410, `{}`, ""}, "null": {200, `null`, ""}, "list": {200, `{"data":[]}`, ""},
		"401": {401, `{}`, provider.KindCredential}, "403": {403, `{}`, provider.KindCredential}, "page": {404, `<html>`, provider.KindTransient},
		"400": {400, `{}`, provider.KindInvalidRequest}, "500": {500, ``, provider.KindTransient}, "error": {200, `{"status":"error"}`, provider.KindTransient},
		"false": {200, `{"success":false}`, provider.KindTransient}, "empty": {200, ``, provider.KindTransient},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, c.body)
		}))
		client, err := provider.NewClient(provider.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		info, err := client.Probe(context.Background(), provider.Request{Provider: "x", Account: provider.Account{BaseURL: server.URL}, Path: "/t/{id}", Args: []string{provider.NoCharge}})
		if provider.KindOf(err) != c.want || err == nil && (info.HTTPStatus != c.code || info.Endpoint == "") {
			t.Errorf("%s: got %+v, %v; want %q", name, info, err, c.want)
		}
		server.Close()
	}
}

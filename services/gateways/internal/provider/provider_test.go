package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

func TestSecret_neverPrints(t *testing.T) {
	s := provider.NewSecret(" \ufefftop\n-\u200bsecret\t ")
	if s.Reveal() != "top-secret" {
		t.Errorf("cleaned to %q, want top-secret", s.Reveal())
	}
	account := provider.Account{Credentials: provider.Credentials{"token": s}}
	text, err := json.Marshal(account)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "account", account)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "account", account)
	all := string(text) + log.String() + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, account, account, s, s, s, s)
	if strings.Contains(all, "top") || strings.Contains(all, fmt.Sprintf("%x", "top-secret")) {
		t.Errorf("the secret is in %s", all)
	}
}

func TestCheckBaseURL(t *testing.T) {
	for _, good := range []string{"https://api.example.com/v1", "http://127.0.0.1:8080/x", "http://localhost:1", "http://[::1]:9/y"} {
		if err := provider.CheckBaseURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "api.example.com", "http://api.example.com", "http://10.0.0.1", "http://localhost.example.com", "ftp://x",
		"https://user:hunter2@x", "https://x?api_token=hunter2", "https://x#f", "https://%zz", "/relative", "mailto:a@b"} {
		err := provider.CheckBaseURL(bad)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want an error that does not quote it", bad, err)
		}
	}
}

func TestNewVocabulary_refusesContradictions(t *testing.T) {
	for name, build := range map[string]func() error{
		"two meanings": func() error {
			_, err := provider.NewVocabulary([]provider.Word{{Raw: "Paid", Status: "paid"}, {Raw: "paid ", Status: "failed"}}, nil, nil)
			return err
		},
		"status and envelope": func() error {
			_, err := provider.NewVocabulary([]provider.Word{{Raw: "ok", Status: "paid"}}, []string{"OK"}, nil)
			return err
		},
		"no status": func() error {
			_, err := provider.NewVocabulary([]provider.Word{{Raw: "x", Status: "bezahlt"}}, nil, nil)
			return err
		},
		"unknown as a meaning": func() error {
			_, err := provider.NewVocabulary([]provider.Word{{Raw: "x", Status: provider.StatusUnknown}}, nil, nil)
			return err
		},
	} {
		if build() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReadTime(t *testing.T) {
	want := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-11-23 09:00:00", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00.000000Z", "2026-11-23T09:00:00-03:00",
		"2026-11-23T09:00:00", "1795435200", "1795435200000", "2026-11-23T09:00:00-0300", " 23/11/2026 09:00:00 "} {
		if got := provider.ReadTime(text); got == nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "ontem", "12", "2026-13-40 00:00:00", "true"} {
		if got := provider.ReadTime(text); got != nil {
			t.Errorf("%q: got %v, want nothing", text, got)
		}
	}
}

func TestWebhookURL(t *testing.T) {
	for want, got := range map[string]string{
		"https://b.example/webhook/payment/atomopay":           provider.WebhookURL("https://b.example/", "atomopay", "", "s"),
		"https://b.example/webhook/payment/atomopay/k1":        provider.WebhookURL("https://b.example", "atomopay", "k1", ""),
		"https://b.example/x/webhook/payment/atomopay/k%2F1/s": provider.WebhookURL("https://b.example/x", "atomopay", "k/1", "s"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCheckWebhook(t *testing.T) {
	with := func(secret, header string) provider.Account {
		return provider.Account{Settings: map[string]string{provider.SettingWebhookHeader: header},
			Credentials: provider.Credentials{provider.CredentialWebhookSecret: provider.NewSecret(secret)}}
	}
	hook := func(name, value string) provider.Webhook {
		h := http.Header{}
		h.Set(name, value)
		return provider.Webhook{Headers: h}
	}
	header := provider.WebhookRule{Trust: provider.TrustHeader, Header: "X-Usual"}
	body := provider.WebhookRule{Trust: provider.TrustBodyToken}
	token := []provider.Hint{{BodyToken: provider.NewSecret("s3cret")}}
	for name, c := range map[string]struct {
		rule    provider.WebhookRule
		account provider.Account
		hook    provider.Webhook
		hints   []provider.Hint
		refused bool
	}{
		"nothing configured, nothing sent":   {header, with("", ""), provider.Webhook{}, nil, false},
		"nothing configured, something sent": {header, with("", ""), hook("X-Usual", "zzz"), nil, false},
		"right by the usual name":            {header, with("s3cret", ""), hook("x-usual", "s3cret"), nil, false},
		"right by the merchant's name":       {header, with("s3cret", "X-Mine"), hook("X-Mine", "s3cret"), nil, false},
		"wrong":                              {header, with("s3cret", ""), hook("X-Usual", "s3crets"), nil, true},
		"missing":                            {header, with("s3cret", ""), provider.Webhook{}, nil, true},
		"right in another header":            {header, with("s3cret", "X-Mine"), hook("X-Usual", "s3cret"), nil, true},
		"body right":                         {body, with("s3cret", ""), provider.Webhook{}, token, false},
		"body wrong":                         {body, with("other", ""), provider.Webhook{}, token, true},
		"body missing":                       {body, with("s3cret", ""), provider.Webhook{}, []provider.Hint{{}}, true},
		"provider without any":               {provider.WebhookRule{Trust: provider.TrustNone}, with("s3cret", ""), provider.Webhook{}, nil, false},
	} {
		err := provider.CheckWebhook(c.rule, c.account, c.hook, c.hints)
		if errors.Is(err, provider.ErrWebhookSecret) != c.refused {
			t.Errorf("%s: got %v, want refused %t", name, err, c.refused)
		}
	}
}

func TestKindOf(t *testing.T) {
	if k := provider.KindOf(fmt.Errorf("poll: %w", &provider.Error{Kind: provider.KindContract})); k != provider.KindContract {
		t.Errorf("wrapped: got %s", k)
	}
	if k := provider.KindOf(errors.New("x")); k != provider.KindTransient {
		t.Errorf("foreign: got %s", k)
	}
	if k := provider.KindOf(nil); k != "" {
		t.Errorf("nil: got %s", k)
	}
}

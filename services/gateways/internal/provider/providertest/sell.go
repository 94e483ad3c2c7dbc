package providertest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// testWebhook: every word is claimed as the table says, the header is not believed, rubbish is an error and no hint.
func (s Subject) testWebhook(t *testing.T) {
	b := s.newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("a webhook made a call") })
	c := b.adapter.Capabilities()
	for _, w := range c.Words {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "text/plain", ""} {
			hints, err := b.adapter.ParseWebhook(provider.Webhook{Body: []byte(fillWord(s.Webhook, w.Raw)), ContentType: contentType})
			if err != nil || len(hints) != 1 || hints[0].Status != w.Status || hints[0].Identifiers.IsZero() {
				t.Errorf("word %q as %q: got %+v, %v; want one hint of %s", w.Raw, contentType, hints, err, w.Status)
			}
		}
	}
	hints, err := b.adapter.ParseWebhook(provider.Webhook{Body: []byte(fillWord(s.Webhook, "liquidado_x"))})
	if err != nil || len(hints) != 1 || hints[0].Status != provider.StatusUnknown || hints[0].ProviderStatus != "liquidado_x" {
		t.Errorf("unknown word: got %+v, %v; want a hint of unknown with the word kept", hints, err)
	}
	for body, kind := range map[string]provider.Kind{
		"": provider.KindInvalidRequest, "  ": provider.KindInvalidRequest, page: provider.KindInvalidRequest,
		"hello": provider.KindInvalidRequest, // nothing that anybody would send as news
		"{":     provider.KindContract, `{"a":`: provider.KindContract, `{"a":b}`: provider.KindContract, "a=1&b=%4": provider.KindContract,
		"null": provider.KindContract, "[]": provider.KindContract, "{}": provider.KindContract, "42": provider.KindContract,
		`{"status":"paid"}`: provider.KindContract, "a=b": provider.KindContract, `"paid"`: provider.KindContract,
	} {
		if hints, err := b.adapter.ParseWebhook(provider.Webhook{Body: []byte(body)}); provider.KindOf(err) != kind || len(hints) > 0 {
			t.Errorf("body %q: got %+v, %v; want %s", body, hints, err, kind)
		}
	}
}

// testCreate: bounds are kept before a call, the code is found by content, refusals inside a 2xx are failed charges.
func (s Subject) testCreate(t *testing.T) {
	var body string
	var sent atomic.Value
	var calls atomic.Int64
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		text, _ := io.ReadAll(r.Body)
		sent.Store(string(text))
		answer(200, body)(w, r)
	})
	c := b.adapter.Capabilities()
	if !c.Create {
		if _, err := b.adapter.CreateCharge(context.Background(), b.account, s.Request); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("provider without creation: got %v, want invalid_request", err)
		}
		return
	}
	create := func(r provider.ChargeRequest) (provider.Charge, error) {
		return b.adapter.CreateCharge(context.Background(), b.account, r)
	}
	for name, spoil := range map[string]func(*provider.ChargeRequest){
		"zero":         func(r *provider.ChargeRequest) { r.Amount = 0 },
		"negative":     func(r *provider.ChargeRequest) { r.Amount = -100 },
		"below":        func(r *provider.ChargeRequest) { r.Amount = c.MinAmount - 1 },
		"no reference": func(r *provider.ChargeRequest) { r.Reference = " " },
		"long":         func(r *provider.ChargeRequest) { r.Reference = strings.Repeat("r", 51) },
		"bad webhook":  func(r *provider.ChargeRequest) { r.WebhookURL = "/relative" },
	} {
		request := s.Request
		spoil(&request)
		if _, err := create(request); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("%s: got %v, want invalid_request", name, err)
		}
	}
	if c.MaxAmount > 0 {
		request := s.Request
		request.Amount = c.MaxAmount + 1
		if _, err := create(request); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("above the maximum: got %v, want invalid_request", err)
		}
	}
	if calls.Load() != 0 {
		t.Fatalf("%d calls for requests that no provider accepts", calls.Load())
	}
	body = fillWord(s.Created, ValidCode())
	charge, err := create(s.Request)
	if err != nil || charge.Code != ValidCode() || charge.Identifiers.Hash+charge.Identifiers.ID == "" || charge.Status != provider.StatusPending {
		t.Errorf("created: got %+v, %v; want a pending charge with identifier and code", charge, err)
	}
	if charge.Identifiers.Reference == "" {
		t.Error("created: the charge does not carry our reference")
	}
	if text, _ := sent.Load().(string); !json.Valid([]byte(text)) || strings.Contains(text, s.Request.WebhookURL) == c.Webhook.Panel {
		t.Errorf("sent %s: want json with the webhook url, without it where the address belongs into the panel", text)
	}
	body = fillWord(s.Created, OtherCode())
	if charge, err := create(s.Request); provider.KindOf(err) != provider.KindContract {
		t.Errorf("code that asks for another amount: got %+v, %v; want contract", charge, err)
	}
	body = fillWord(s.Created, BrokenCode())
	if charge, err := create(s.Request); provider.KindOf(err) != provider.KindContract {
		t.Errorf("code with a wrong checksum: got %+v, %v; want contract", charge, err)
	}
	body = fillWord(s.Created, "")
	if charge, err := create(s.Request); err != nil || charge.Code != "" || charge.Status != provider.StatusPending {
		t.Errorf("code still being prepared: got %+v, %v; want a pending charge without one", charge, err)
	}
	body = `{"success":false,"message":"limite excedido"}`
	if charge, err := create(s.Request); err != nil || charge.Status != provider.StatusFailed || charge.Code != "" || !strings.Contains(charge.Reason, "limite") {
		t.Errorf("refused inside a 200: got %+v, %v; want a failed charge with its reason", charge, err)
	}
}

// testVerify: good credentials give no error, refused ones are KindCredential.
func (s Subject) testVerify(t *testing.T) {
	good := s.newBench(t, answer(200, `{"success":true,"data":[]}`))
	if !good.adapter.Capabilities().Verify {
		if _, err := good.adapter.VerifyAccount(context.Background(), good.account); provider.KindOf(err) != provider.KindInvalidRequest {
			t.Errorf("provider without a harmless call: got %v, want invalid_request", err)
		}
		return
	}
	info, err := good.adapter.VerifyAccount(context.Background(), good.account)
	if err != nil || info.HTTPStatus != 200 || info.Endpoint == "" {
		t.Errorf("good credentials: got %+v, %v", info, err)
	}
	bad := s.newBench(t, answer(401, `{"message":"Unauthenticated."}`))
	if _, err := bad.adapter.VerifyAccount(context.Background(), bad.account); provider.KindOf(err) != provider.KindCredential {
		t.Errorf("bad credentials: got %v, want credential", err)
	}
	ill := s.newBench(t, answer(200, page))
	if _, err := ill.adapter.VerifyAccount(context.Background(), ill.account); provider.KindOf(err) != provider.KindTransient {
		t.Errorf("web page: got %v, want transient", err)
	}
}

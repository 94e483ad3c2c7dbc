package gateways

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Parse reads one body as the named provider sends it to webhooks; nothing is called. A body that names no charge is read as an
// answer of the provider's status call instead, as far as it is one: people paste either. Header names may be in any case. An
// error means an unknown or refused provider.
func Parse(name, contentType string, headers map[string]string, body []byte) (Finding, error) {
	return ParseWith("", name, contentType, headers, body)
}

// ParseWith is Parse with a folder of further providers' files; "" is none.
func ParseWith(providers, name, contentType string, headers map[string]string, body []byte) (Finding, error) {
	adapter, err := adapterOf(name, providers, nil)
	if err != nil {
		return Finding{}, err
	}
	hook := provider.Webhook{Body: body, ContentType: contentType, Headers: http.Header{}}
	for header, value := range headers {
		hook.Headers.Set(header, value)
	}
	hints, err := adapter.ParseWebhook(hook)
	if err != nil {
		if out, ok := asAnswer(name, providers, body); ok {
			return out, nil
		}
	} else if len(hints) == 0 {
		err = &provider.Error{Kind: provider.KindInvalidRequest, Provider: adapter.Name(), Op: provider.OpParse, Reason: "a test event: it names no charge"}
	}
	out := failure(err)
	c := adapter.Capabilities()
	for i, h := range hints {
		one := failure(nil)
		if isFault(c, h.ProviderStatus) {
			one = failure(&provider.Error{Kind: provider.KindTransient, Provider: c.Name, Op: provider.OpParse, Reason: "the body tells of an error, not of the charge"})
		}
		one.set(h.Status, h.ProviderStatus, h.Amount, c.Canonical(h.Identifiers), h.PaidAt)
		if i == 0 {
			out = one
		} else {
			out.More = append(out.More, one)
		}
	}
	return out, nil
}

func isFault(c provider.Capabilities, word string) bool {
	return word != "" && slices.ContainsFunc(c.ErrorWords, func(w string) bool { return provider.Fold(w) == provider.Fold(word) })
}

// asAnswer reads a body as the answer to a status call, which is made against the body itself. It is not one when even so it
// is not understood.
func asAnswer(name, providers string, body []byte) (Finding, bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return Finding{}, false
	}
	adapter, err := adapterOf(name, providers, pasted(body))
	if err != nil {
		return Finding{}, false
	}
	c := adapter.Capabilities()
	account := provider.Account{ID: "pasted", Credentials: provider.Credentials{}}
	for _, f := range c.Credentials {
		account.Credentials[f.Name] = provider.NewSecret("none")
	}
	ref := provider.Ref{}.With(c.Identifiers[len(c.Identifiers)-1].Kind, "pasted")
	reading, err := adapter.GetStatus(context.Background(), account, ref)
	var e *provider.Error
	if errors.As(err, &e) {
		e.HTTPStatus = 0 // none was told
	}
	out := failure(err)
	if err == nil {
		out.set(reading.Status, reading.ProviderStatus, reading.Amount, reading.Identifiers, reading.PaidAt)
	}
	kind := provider.KindOf(err)
	return out, kind != provider.KindContract && kind != provider.KindInvalidRequest && kind != provider.KindCredential
}

// pasted answers every call with itself, but for a token where one is asked for.
type pasted []byte

func (p pasted) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte(p)
	if strings.HasSuffix(r.URL.Path, "/auth-token") {
		body = []byte(`{"access_token":"none","expires_in":3600}`)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// A secret too short to be searched for in texts must still not leave by the URL that it was put into.
func TestClient_shortSecretInTheQuery(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	defer server.Close()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	request := provider.Request{Provider: "x", Op: provider.OpStatus, DefaultBase: server.URL, Path: "/a?b={c}", Args: []string{"d"},
		SecretQuery: map[string]provider.Secret{"api_token": provider.NewSecret("q7z")}}
	var urls []string
	ctx := provider.WithTap(context.Background(), func(x provider.Exchange) { urls = append(urls, x.URL) })
	if _, err := client.Do(ctx, request); err != nil {
		t.Fatal(err)
	}
	server.Close()
	_, err = client.Do(ctx, request)
	if provider.KindOf(err) != provider.KindTransient || strings.Contains(err.Error(), "q7z") || strings.Contains(err.Error(), "://") {
		t.Errorf("got %v, want transient without the URL", err)
	}
	if len(urls) != 2 || strings.Contains(strings.Join(urls, ""), "q7z") || !strings.Contains(urls[0], "b=d") {
		t.Errorf("exchanges show %q, want the identifier and not the secret", urls)
	}
}

func TestClient_followsAReadWithinOneHost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		_, _ = w.Write([]byte(`{"path":"` + r.URL.Path + `"}`))
	}))
	defer server.Close()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(context.Background(), provider.Request{Provider: "x", Op: provider.OpStatus, DefaultBase: server.URL, Path: "/old"})
	if err != nil || string(response.Body) != `{"path":"/new"}` {
		t.Errorf("got %v, %v; want the new place's answer", response, err)
	}
	if _, err := client.Do(context.Background(), provider.Request{Provider: "x", Op: provider.OpCreate, Method: http.MethodPost, DefaultBase: server.URL, Path: "/old", Body: 1}); provider.KindOf(err) != provider.KindContract {
		t.Errorf("post: got %v, want contract: a redirected creation is not repeated", err)
	}
}

func TestNewClient_refusesNegatives(t *testing.T) {
	for _, c := range []provider.ClientConfig{{Timeout: -1}, {MaxBody: -1}} {
		if _, err := provider.NewClient(c); err == nil {
			t.Errorf("%+v: accepted", c)
		}
	}
}

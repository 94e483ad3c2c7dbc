package syncpay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/syncpay"
)

// office is a provider that hands out numbered tokens and takes only those in force.
type office struct {
	*httptest.Server
	adapter *syncpay.Adapter
	account provider.Account
	now     atomic.Int64 // seconds

	mu      sync.Mutex
	issued  int
	valid   map[string]bool
	answer  func(w http.ResponseWriter) // of the token call; nil issues a token
	gate    chan struct{}               // the token call waits for it when not nil
	arrived chan struct{}
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{valid: map[string]bool{}, arrived: make(chan struct{}, 64)}
	o.now.Store(1_800_000_000)
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	client, err := provider.NewClient(provider.ClientConfig{Now: func() time.Time { return time.Unix(o.now.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if o.adapter, err = syncpay.New(provider.Deps{Client: client}); err != nil {
		t.Fatal(err)
	}
	o.account = provider.Account{ID: "acc_1", BaseURL: o.URL, Credentials: provider.Credentials{
		"client_id": provider.NewSecret("id-1"), "client_secret": provider.NewSecret("secret-1")}}
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/auth-token") {
		o.mu.Lock()
		good := o.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		o.mu.Unlock()
		if !good {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"data":{"reference_id":"x","status":"pending","amount":1}}`)
		return
	}
	o.arrived <- struct{}{}
	o.mu.Lock()
	gate, answer := o.gate, o.answer
	o.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	if answer != nil {
		answer(w)
		return
	}
	o.mu.Lock()
	o.issued++
	token := fmt.Sprintf("token-number-%d", o.issued)
	o.valid[token] = true
	o.mu.Unlock()
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, token)
}

func (o *office) ask(ctx context.Context) error {
	_, err := o.adapter.GetStatus(ctx, o.account, provider.Ref{ID: "x"})
	return err
}

func (o *office) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.issued
}

func TestToken_isFetchedOnceForManyCalls(t *testing.T) {
	o := newOffice(t)
	o.gate = make(chan struct{})
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if err := o.ask(context.Background()); err != nil {
				t.Errorf("get status: %v", err)
			}
		})
	}
	<-o.arrived
	close(o.gate)
	group.Wait()
	if n := o.count(); n != 1 {
		t.Errorf("%d tokens for 32 calls at once, want 1", n)
	}
}

func TestToken_isReplacedBeforeItsEnd(t *testing.T) {
	o := newOffice(t)
	for _, step := range []struct {
		after int64
		want  int
	}{{0, 1}, {3500, 1}, {45, 2}, {3600, 3}} {
		o.now.Add(step.after)
		if err := o.ask(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := o.count(); n != step.want {
			t.Errorf("%d s later: %d tokens so far, want %d", step.after, n, step.want)
		}
	}
}

func TestToken_isReplacedOnceWhenEndedEarly(t *testing.T) {
	o := newOffice(t)
	if err := o.ask(context.Background()); err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	clear(o.valid)
	o.mu.Unlock()
	if err := o.ask(context.Background()); err != nil || o.count() != 2 {
		t.Errorf("after the provider ended the token: %v with %d tokens; want success with 2", err, o.count())
	}
	// A provider that takes no token at all is not asked for ever.
	o.mu.Lock()
	o.answer = func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"access_token":"never-good","expires_in":60}`) }
	clear(o.valid)
	o.mu.Unlock()
	for len(o.arrived) > 0 {
		<-o.arrived
	}
	if err := o.ask(context.Background()); provider.KindOf(err) != provider.KindCredential || len(o.arrived) != 1 {
		t.Errorf("no token is good: got %v after %d fetches; want credential after one", err, len(o.arrived))
	}
}

func TestToken_isAnAccounts(t *testing.T) {
	o := newOffice(t)
	for i, change := range []func(){
		func() {}, func() { o.account.ID = "acc_2" },
		func() { o.account.Credentials["client_secret"] = provider.NewSecret("secret-2") }, func() {},
	} {
		change()
		if err := o.ask(context.Background()); err != nil {
			t.Fatal(err)
		}
		if want := min(i+1, 3); o.count() != want {
			t.Errorf("step %d: %d tokens, want %d", i, o.count(), want)
		}
	}
}

// The one that fetches is cancelled: those who wait do not fail with it.
func TestToken_cancelledFetchIsTakenOver(t *testing.T) {
	o := newOffice(t)
	gate := make(chan struct{})
	o.gate = gate
	ctx, cancel := context.WithCancel(context.Background())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- o.ask(ctx) }()
	<-o.arrived
	go func() { second <- o.ask(context.Background()) }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call: got %v", err)
	}
	<-o.arrived // the second one fetches now
	close(gate)
	if err := <-second; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
}

func TestToken_refusals(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		body string
		want provider.Kind
	}{
		"401": {401, `{"message":"Unauthenticated."}`, provider.KindCredential},
		"422": {422, `{"message":"invalid client"}`, provider.KindCredential},
		"400": {400, `{}`, provider.KindCredential},
		"404": {404, `{}`, provider.KindContract}, // never "this charge is not known"
		"503": {503, ``, provider.KindTransient}, "429": {429, ``, provider.KindRateLimited},
		"page": {200, `<html>`, provider.KindTransient}, "no token": {200, `{"token_type":"Bearer"}`, provider.KindContract},
	} {
		o := newOffice(t)
		o.answer = func(w http.ResponseWriter) {
			w.WriteHeader(c.code)
			_, _ = io.WriteString(w, c.body)
		}
		err := o.ask(context.Background())
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != c.want || e.Op != provider.OpToken {
			t.Errorf("%s: got %v, want %s of the token call", name, err, c.want)
		}
		if _, err := o.adapter.VerifyAccount(context.Background(), o.account); provider.KindOf(err) != c.want {
			t.Errorf("%s: verify gives %v, want %s", name, err, c.want)
		}
	}
}

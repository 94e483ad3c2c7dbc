package syncpay

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const (
	// shortLife is how long a token is used whose life is not told.
	shortLife = 5 * time.Minute
	// margin is how long before its end a token is given up.
	margin     = time.Minute
	maxAccount = 4096
)

// tokens keeps one token for each account and fetches each only once, however many calls wait for it.
type tokens struct {
	now func() time.Time

	mu     sync.Mutex
	byName map[name]*entry
}

// name is an account as the provider sees it; changed credentials are another account.
type name struct {
	account     provider.AccountID
	base        string
	credentials [sha256.Size]byte
}

type entry struct {
	token provider.Secret
	until time.Time
	wait  *flight
}

// flight is one fetch that is under way.
type flight struct {
	done  chan struct{}
	token provider.Secret
	err   error
}

type fetch func(context.Context) (provider.Secret, time.Time, error)

func newTokens(now func() time.Time) *tokens {
	return &tokens{now: now, byName: map[name]*entry{}}
}

// get returns a live token; fresh tells that it was fetched during this call. One caller fetches with its own context;
// when that is cancelled, the next one that waits fetches in its place.
func (t *tokens) get(ctx context.Context, key name, fetch fetch) (token provider.Secret, fresh bool, err error) {
	for {
		t.mu.Lock()
		e := t.entry(key)
		if !e.token.IsZero() && t.now().Before(e.until) {
			defer t.mu.Unlock()
			return e.token, false, nil
		}
		f := e.wait
		if f == nil {
			f = &flight{done: make(chan struct{})}
			e.wait = f
			t.mu.Unlock()
			t.fly(ctx, e, f, fetch)
			return f.token, true, f.err
		}
		t.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return provider.Secret{}, false, &provider.Error{Kind: provider.KindTransient, Provider: Name, Op: provider.OpToken, Reason: "no token in time", Err: ctx.Err()}
		}
		if gaveUp := errors.Is(f.err, context.Canceled) || errors.Is(f.err, context.DeadlineExceeded); !gaveUp {
			return f.token, true, f.err
		}
	}
}

func (t *tokens) fly(ctx context.Context, e *entry, f *flight, fetch fetch) {
	var until time.Time
	f.err = errors.New("fetch a token: broken off")
	defer func() {
		t.mu.Lock()
		if e.wait = nil; f.err == nil {
			e.token, e.until = f.token, until
		}
		t.mu.Unlock()
		close(f.done)
	}()
	f.token, until, f.err = fetch(ctx)
}

// entry finds or makes an account's entry; too many are thinned out. The caller holds the lock.
func (t *tokens) entry(key name) *entry {
	e, ok := t.byName[key]
	if !ok {
		for old, other := range t.byName {
			if len(t.byName) < maxAccount {
				break
			}
			if other.wait == nil {
				delete(t.byName, old)
			}
		}
		e = &entry{}
		t.byName[key] = e
	}
	return e
}

// drop forgets a token that the provider no longer takes; a newer one stays.
func (t *tokens) drop(key name, token provider.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.byName[key]; ok && e.token == token {
		e.token = provider.Secret{}
	}
}

type exchange struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// fetch asks POST /api/partner/v1/auth-token. Credentials are all that is asked about, so a refusal of the request is
// a refusal of them, and a path that is not there is no missing charge.
func (a *Adapter) fetch(account provider.Account, id, secret provider.Secret) fetch {
	return func(ctx context.Context) (provider.Secret, time.Time, error) {
		response, err := a.client.Do(ctx, provider.Request{Provider: Name, Op: provider.OpToken, Account: account, DefaultBase: a.capabilities.BaseURL,
			Method: http.MethodPost, Path: "/api/partner/v1/auth-token", Body: exchange{ClientID: id.Reveal(), ClientSecret: secret.Reveal()}})
		if e := (*provider.Error)(nil); errors.As(err, &e) {
			switch {
			case e.Kind == provider.KindInvalidRequest && e.HTTPStatus != 0:
				e.Kind, e.Reason = provider.KindCredential, "credentials refused"
			case e.Kind == provider.KindNotFound:
				e.Kind, e.Reason = provider.KindContract, "no token call there"
			}
		}
		if err != nil {
			return provider.Secret{}, time.Time{}, err
		}
		doc, err := response.Document()
		if err != nil {
			return provider.Secret{}, time.Time{}, err
		}
		if inner := doc.Get("data"); inner.Kind() == document.Object && !doc.Get("access_token").Present() {
			doc = inner
		}
		token := provider.NewSecret(doc.Get("access_token").Text())
		if token.IsZero() {
			return provider.Secret{}, time.Time{}, response.Fail(provider.KindContract, "no token in the answer")
		}
		return token, a.tokens.now().Add(life(doc)), nil
	}
}

// life is how long a token may be used: what is told, less a margin.
func life(doc document.Value) time.Duration {
	seconds, err := strconv.ParseInt(doc.Get("expires_in").Text(), 10, 32)
	if err != nil || seconds <= 0 {
		return shortLife
	}
	told := time.Duration(seconds) * time.Second
	return told - min(margin, told/10)
}

func keyOf(account provider.Account, id, secret provider.Secret) name {
	return name{account: account.ID, base: account.BaseURL, credentials: sha256.Sum256([]byte(id.Reveal() + "\x00" + secret.Reveal()))}
}

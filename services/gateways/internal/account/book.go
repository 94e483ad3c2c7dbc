package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const (
	// staleAfter bounds how long another replica's change goes unseen: with the length of a load it stays below 2 s.
	staleAfter = 1500 * time.Millisecond
	// usedWithin is how long after its last use an account is kept fresh in advance.
	usedWithin = 15 * time.Second
	// maxKnownKeys bounds the memory for webhook keys; beyond it everything is forgotten and found again.
	maxKnownKeys = 100_000
)

// Account is an account ready to be used. It is never changed: a newer state is another value.
type Account struct {
	Record
	// Open has the secrets; adapters take it.
	Open provider.Account
}

// Loader is where accounts come from.
type Loader interface {
	// Accounts returns those of the keys that exist, in any order.
	Accounts(ctx context.Context, in []Key) ([]*Record, error)
	// ByWebhookKey finds the accounts of webhook keys; unknown ones are left out.
	ByWebhookKey(ctx context.Context, webhookKeys []string) (map[string]Key, error)
}

// BookConfig says what a Book reads from. Loader and Sealer must be set.
type BookConfig struct {
	Loader Loader
	Sealer *seal.Sealer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Book is this replica's memory of accounts, never older than 2 s. It is safe for concurrent use.
type Book struct {
	c       BookConfig
	mu      sync.Mutex
	entries map[Key]*entry
	byKey   map[string]Key
}

type entry struct {
	account    *Account
	read, used time.Time
}

// NewBook checks c.
func NewBook(c BookConfig) (*Book, error) {
	if c.Loader == nil || c.Sealer == nil {
		return nil, errors.New("account book: a loader and a sealer are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Book{c: c, entries: map[Key]*entry{}, byKey: map[string]Key{}}, nil
}

// Get returns the accounts of the keys, each given once; those that do not exist are left out. An account whose secrets do not
// open is left out too, and logged: the others go on.
func (b *Book) Get(ctx context.Context, keys []Key) (map[Key]*Account, error) {
	out := make(map[Key]*Account, len(keys))
	var missing []Key
	now := b.c.Now()
	b.mu.Lock()
	for _, k := range keys {
		if e := b.entries[k]; e != nil && now.Sub(e.read) < staleAfter {
			e.used = now
			out[k] = e.account
		} else {
			missing = append(missing, k)
		}
	}
	b.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	loaded, err := b.load(ctx, missing, true)
	if err != nil {
		return nil, err
	}
	for k, a := range loaded {
		out[k] = a
	}
	return out, nil
}

// load reads keys anew; used says that somebody wants them, and not only Refresh.
func (b *Book) load(ctx context.Context, keys []Key, used bool) (map[Key]*Account, error) {
	read := b.c.Now()
	records, err := b.c.Loader.Accounts(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[Key]*Account, len(records))
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		if e := b.entries[k]; e != nil && e.read.Before(read) && !contains(records, k) {
			delete(b.entries, k)
		}
	}
	for _, r := range records {
		e := b.entries[r.Key]
		if e == nil {
			e = &entry{}
		}
		a := &Account{Record: *r}
		if e.account != nil && e.account.Revision == r.Revision {
			a.Open = e.account.Open
		} else if a.Open, err = Open(b.c.Sealer, r); err != nil {
			slog.ErrorContext(ctx, "account cannot be opened", slog.String("account_id", r.Account.String()), slog.Any("error", err))
			delete(b.entries, r.Key)
			continue
		}
		if e.account == nil || !read.Before(e.read) {
			e.account, e.read = a, read
		}
		if used {
			e.used = read
		}
		b.entries[r.Key] = e
		out[r.Key] = e.account
	}
	return out, nil
}

func contains(records []*Record, k Key) bool {
	for _, r := range records {
		if r.Key == k {
			return true
		}
	}
	return false
}

// Refresh reads the accounts anew that are in use, and forgets the others, so that Get need not wait for the store.
func (b *Book) Refresh(ctx context.Context) error {
	now := b.c.Now()
	var keys []Key
	b.mu.Lock()
	for k, e := range b.entries {
		if now.Sub(e.used) > usedWithin {
			delete(b.entries, k)
		} else {
			keys = append(keys, k)
		}
	}
	b.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	if _, err := b.load(ctx, keys, false); err != nil {
		return fmt.Errorf("refresh accounts: %w", err)
	}
	return nil
}

// Forget makes the next Get read an account anew: this replica changed it.
func (b *Book) Forget(k Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, k)
}

// ByWebhookKey finds accounts by the key in webhook URLs; unknown keys are left out.
func (b *Book) ByWebhookKey(ctx context.Context, webhookKeys []string) (map[string]Key, error) {
	out := make(map[string]Key, len(webhookKeys))
	var missing []string
	b.mu.Lock()
	for _, w := range webhookKeys {
		if k, ok := b.byKey[w]; ok {
			out[w] = k
		} else {
			missing = append(missing, w)
		}
	}
	b.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	found, err := b.c.Loader.ByWebhookKey(ctx, missing)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.byKey)+len(found) > maxKnownKeys {
		clear(b.byKey)
	}
	for w, k := range found {
		b.byKey[w], out[w] = k, k
	}
	return out, nil
}

// Package policy keeps what was configured at hand, so that a decision costs no question: every replica reads what was changed every
// two seconds, and what it answers is never older than that while the database can be reached.
//
// It refuses to fail: what no longer makes sense together is left out, and a provider's own rule is never broken.
package policy

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	every = 2 * time.Second
	// Staleness is how long after a change every replica decides by it; what is scheduled again begins after that.
	Staleness = 5 * time.Second
)

// Book answers what applies to a sale. It is safe for concurrent use.
type Book struct {
	store *store.Store
	mu    sync.Mutex // of refreshing
	now   atomic.Pointer[edition]
}

// edition is the settings of one version and what was computed from them.
type edition struct {
	version  int64
	places   map[store.Place]map[string]store.PolicyRow
	resolved sync.Map // of key to *payment.Resolved
	many     atomic.Int64
}

type key struct {
	store.Place
	provider string
}

// most is how many answers an edition keeps before it starts anew.
const most = 50_000

// New returns a book with nothing in it: the defaults apply until Refresh was called.
func New(s *store.Store) *Book {
	b := &Book{store: s}
	b.now.Store(&edition{places: map[store.Place]map[string]store.PolicyRow{}})
	return b
}

// Refresh reads what was changed since the last time.
func (b *Book) Refresh(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.now.Load()
	rows, err := b.store.PoliciesSince(ctx, old.version)
	if err != nil || len(rows) == 0 {
		return err
	}
	next := &edition{version: old.version, places: make(map[store.Place]map[string]store.PolicyRow, len(old.places)+1)}
	for p, values := range old.places {
		next.places[p] = values
	}
	copied := map[store.Place]bool{}
	for _, r := range rows {
		next.version = max(next.version, r.Version)
		if !copied[r.Place] {
			fresh := make(map[string]store.PolicyRow, len(next.places[r.Place])+1)
			for field, row := range next.places[r.Place] {
				fresh[field] = row
			}
			next.places[r.Place], copied[r.Place] = fresh, true
		}
		if r.Value == nil {
			delete(next.places[r.Place], r.Field)
		} else {
			next.places[r.Place][r.Field] = r
		}
		if len(next.places[r.Place]) == 0 {
			delete(next.places, r.Place)
			copied[r.Place] = false
		}
	}
	b.now.Store(next)
	return nil
}

// Run keeps the book fresh until ctx is done. While the database is away what was read last applies.
func (b *Book) Run(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	well := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := b.Refresh(ctx)
		if (err == nil) != well && ctx.Err() == nil {
			well = err == nil
			slog.WarnContext(ctx, "policies are read again or not", slog.Bool("well", well), slog.Any("error", err))
		}
	}
}

// Of is what applies to a merchant's sales at an account of a provider. Zero ids are none.
func (b *Book) Of(m payment.MerchantID, a payment.AccountID, provider string) *payment.Resolved {
	e := b.now.Load()
	k := key{Place: store.Place{MerchantID: m, AccountID: a}, provider: provider}
	if e.places[k.Place] == nil { // the account has nothing of its own
		if k.AccountID = (payment.AccountID{}); e.places[k.Place] == nil {
			k.MerchantID = payment.MerchantID{}
		}
	}
	if r, ok := e.resolved.Load(k); ok {
		return r.(*payment.Resolved)
	}
	r := e.resolve(m, k.AccountID, provider)
	if e.many.Add(1) < most {
		e.resolved.Store(k, r)
	}
	return r
}

func (e *edition) resolve(m payment.MerchantID, a payment.AccountID, provider string) *payment.Resolved {
	r := payment.Resolve(provider, Layers(func(p store.Place) map[string]store.PolicyRow { return e.places[p] }, m, a, provider)...)
	return &r
}

// Policy is Of in the form that the ledger takes.
func (b *Book) Policy(m payment.MerchantID, a payment.AccountID, provider string) (payment.Policy, payment.PollPolicy) {
	r := b.Of(m, a, provider)
	return r.Policy, r.Poll
}

// Row is the stored setting of a place.
func (b *Book) Row(p store.Place, field string) (store.PolicyRow, bool) {
	r, ok := b.now.Load().places[p][field]
	return r, ok
}

// Layers are what was set for the provider, the merchant and the account, weakest first, as find knows it.
func Layers(find func(store.Place) map[string]store.PolicyRow, m payment.MerchantID, a payment.AccountID, provider string) []payment.Layer {
	var out []payment.Layer
	for _, from := range []struct {
		origin payment.Origin
		place  store.Place
		skip   bool
	}{
		{payment.FromProvider, store.Place{Provider: provider}, provider == ""},
		{payment.FromMerchant, store.Place{MerchantID: m}, m == payment.MerchantID{}},
		{payment.FromAccount, store.Place{MerchantID: m, AccountID: a}, a == payment.AccountID{}},
	} {
		rows := find(from.place)
		if from.skip || len(rows) == 0 {
			continue
		}
		l := payment.Layer{Origin: from.origin, Values: make(map[string]string, len(rows))}
		for field, row := range rows {
			l.Values[field] = *row.Value
		}
		out = append(out, l)
	}
	return out
}

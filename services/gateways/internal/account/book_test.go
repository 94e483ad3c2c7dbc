package account_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/account"
)

// rows is a store that counts how often it is read.
type rows struct {
	mu    sync.Mutex
	of    map[account.Key]account.Record
	reads int
	err   error
}

func (r *rows) Accounts(_ context.Context, in []account.Key) ([]*account.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	var out []*account.Record
	for _, k := range in {
		if record, ok := r.of[k]; ok {
			out = append(out, &record)
		}
	}
	return out, r.err
}

func (r *rows) ByWebhookKey(_ context.Context, webhookKeys []string) (map[string]account.Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	out := map[string]account.Key{}
	for k, record := range r.of {
		for _, w := range webhookKeys {
			if record.WebhookKey == w {
				out[w] = k
			}
		}
	}
	return out, r.err
}

func (r *rows) change(k account.Key, f func(*account.Record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record := r.of[k]
	f(&record)
	r.of[k] = record
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	keyset, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newBook(t *testing.T) (*account.Book, *rows, account.Key, func(time.Duration)) {
	t.Helper()
	s := newSealer(t)
	k := account.Key{Merchant: account.MerchantID{15: 1}, Account: account.NewID()}
	sealed, err := account.SealSecrets(s, k.Account, map[string]string{"token": " secret\n"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rows{of: map[account.Key]account.Record{k: {Key: k, Provider: "pushinpay", WebhookKey: "wk", State: account.Active, Sealed: sealed, Revision: 1}}}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	b, err := account.NewBook(account.BookConfig{Loader: r, Sealer: s, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return b, r, k, func(d time.Duration) { now = now.Add(d) }
}

func get(t *testing.T, b *account.Book, k account.Key) *account.Account {
	t.Helper()
	got, err := b.Get(t.Context(), []account.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	return got[k]
}

func TestBook_opensAndRemembersForLessThanTwoSeconds(t *testing.T) {
	b, r, k, pass := newBook(t)
	if a := get(t, b, k); a.Open.Credentials.Get("token").Reveal() != "secret" || string(a.Open.ID) != k.Account.String() || a.Open.AccountKey != "wk" {
		t.Errorf("opened: %+v", a)
	}
	r.change(k, func(a *account.Record) { a.State, a.StateReason = account.CredentialRefused, "401" })
	pass(time.Second)
	if a := get(t, b, k); a.State != account.Active || r.reads != 1 {
		t.Errorf("after 1 s: %s, read %d times", a.State, r.reads)
	}
	pass(900 * time.Millisecond)
	if a := get(t, b, k); a.State != account.CredentialRefused || r.reads != 2 {
		t.Errorf("after 1.9 s: %s, read %d times", a.State, r.reads)
	}
	r.change(k, func(a *account.Record) { a.State = account.Active })
	b.Forget(k)
	if a := get(t, b, k); a.State != account.Active {
		t.Errorf("after Forget: %s", a.State)
	}
}

func TestBook_refreshesWhatIsUsedAndForgetsTheRest(t *testing.T) {
	b, r, k, pass := newBook(t)
	get(t, b, k)
	for range 10 { // kept fresh in advance: Get does not read
		pass(time.Second)
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		reads := r.reads
		if a := get(t, b, k); a == nil || r.reads != reads {
			t.Fatalf("Get read the store")
		}
	}
	pass(20 * time.Second)
	before := r.reads
	for range 2 {
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r.reads != before {
		t.Errorf("an unused account was refreshed")
	}
	r.err = errors.New("store is away")
	if _, err := b.Get(t.Context(), []account.Key{k}); !errors.Is(err, r.err) {
		t.Errorf("store away: %v", err)
	}
}

func TestBook_forgetsWhatIsGone(t *testing.T) {
	b, r, k, pass := newBook(t)
	get(t, b, k)
	delete(r.of, k)
	pass(2 * time.Second)
	if a := get(t, b, k); a != nil {
		t.Errorf("still there: %+v", a)
	}
	stranger := account.Key{Merchant: account.MerchantID{15: 2}, Account: k.Account}
	if a := get(t, b, stranger); a != nil {
		t.Errorf("another merchant's: %+v", a)
	}
}

func TestBook_leavesOutWhatDoesNotOpen(t *testing.T) {
	b, r, k, _ := newBook(t)
	bad := account.Key{Merchant: k.Merchant, Account: account.NewID()}
	r.of[bad] = account.Record{Key: bad, Sealed: r.of[k].Sealed, Revision: 1} // sealed for another account
	got, err := b.Get(t.Context(), []account.Key{k, bad})
	if err != nil || got[k] == nil || got[bad] != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBook_remembersWebhookKeys(t *testing.T) {
	b, r, k, _ := newBook(t)
	for range 3 {
		got, err := b.ByWebhookKey(t.Context(), []string{"wk"})
		if err != nil || got["wk"] != k {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if r.reads != 1 {
		t.Errorf("read %d times, want 1", r.reads)
	}
	if got, err := b.ByWebhookKey(t.Context(), []string{"nobody", "wk"}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOpen_tellsAnotherKeyset(t *testing.T) {
	s := newSealer(t)
	id := account.NewID()
	sealed, err := account.SealSecrets(s, id, map[string]string{"token": "canary-1234"})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("canary")) {
		t.Error("not sealed")
	}
	r := &account.Record{Key: account.Key{Account: id}, Sealed: sealed}
	if _, err := account.Open(newSealer(t), r); !errors.Is(err, account.ErrKeyset) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("another keyset: %v", err)
	}
	a, err := account.Open(s, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, a); strings.Contains(text, "canary") {
			t.Errorf("%s prints the secret: %s", verb, text)
		}
	}
}

func TestParseID_takesOnlyTheTextForm(t *testing.T) {
	id := account.NewID()
	for _, text := range []string{id.String(), strings.ToUpper(id.String())} {
		if got, err := account.ParseID(text); err != nil || got != id {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "{" + id.String() + "}", "urn:uuid:" + id.String(), "00000000-0000-0000-0000-000000000000", strings.ReplaceAll(id.String(), "-", "")} {
		if _, err := account.ParseMerchantID(text); !errors.Is(err, account.ErrBadID) {
			t.Errorf("%q: %v, want ErrBadID", text, err)
		}
	}
}

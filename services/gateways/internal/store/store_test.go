package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// never is when a test gives up.
const never = 90 * time.Second

var (
	ana  = account.MerchantID{15: 1}
	beto = account.MerchantID{15: 2}
)

func open(t *testing.T) (*store.Store, *pgtest.DB) {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	return another(t, db), db
}

// another is a store on a pool of its own, as another replica has it.
func another(t *testing.T, db *pgtest.DB) *store.Store {
	t.Helper()
	s, err := store.New(db.Pool(t, store.Schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(m account.MerchantID, label string) *account.Record {
	return &account.Record{Key: account.Key{Merchant: m, Account: account.NewID()}, Provider: "atomopay", Label: label, WebhookKey: account.NewWebhookKey(),
		BaseURL: "https://api.example.test/v1", CallsPerMinute: 60, State: account.Active, Settings: map[string]string{"offer_hash": "of1"},
		Sealed: []byte("sealed"), CredentialNames: []string{"api_token", "offer_hash"}, Revision: 1}
}

func put(t *testing.T, s *store.Store, r *account.Record) *account.Record {
	t.Helper()
	if _, err := s.PutAccount(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t *testing.T, s *store.Store, k account.Key) *account.Record {
	t.Helper()
	got, err := s.Accounts(t.Context(), []account.Key{k})
	if err != nil || len(got) != 1 {
		t.Fatalf("load %s: %d accounts, %v", k.Account, len(got), err)
	}
	return got[0]
}

func TestPutAccount_createsAndReplaces(t *testing.T) {
	s, _ := open(t)
	r := record(ana, "default")
	r.Routes = []account.Route{{Hash: "prod-b"}, {Hash: "prod-a"}}
	if created, err := s.PutAccount(t.Context(), r); err != nil || !created {
		t.Fatalf("created %t, %v", created, err)
	}
	r.Routes = []account.Route{{Hash: "prod-a"}, {Hash: "prod-b"}}
	ignore := cmpopts.IgnoreFields(account.Record{}, "CreatedAt", "UpdatedAt")
	if diff := cmp.Diff(r, load(t, s, r.Key), ignore); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if _, err := s.PauseAccount(t.Context(), r.Key, 1, "refused"); err != nil {
		t.Fatal(err)
	}
	changed := *r
	changed.Sealed, changed.Settings, changed.WebhookKey = []byte("other"), map[string]string{}, account.NewWebhookKey()
	changed.Routes = nil
	if created, err := s.PutAccount(t.Context(), &changed); err != nil || created {
		t.Fatalf("created again %t, %v", created, err)
	}
	got := load(t, s, r.Key)
	changed.WebhookKey, changed.Revision = r.WebhookKey, 2
	changed.Routes = []account.Route{}
	if diff := cmp.Diff(&changed, got, ignore); diff != "" {
		t.Errorf("replaced (-want +got): the key stays, the pause ends, configured routes go\n%s", diff)
	}
}

func TestPutAccount_refusesAnotherIdUnderTheLabel(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "loja"))
	if _, err := s.PutAccount(t.Context(), record(ana, "loja")); !errors.Is(err, store.ErrTaken) {
		t.Errorf("second id: %v, want ErrTaken", err)
	}
	id, err := s.FindAccount(t.Context(), ana, "atomopay", "loja")
	if err != nil || id != r.Account {
		t.Errorf("found %s, %v, want %s", id, err, r.Account)
	}
	for _, other := range []struct {
		m     account.MerchantID
		p     provider.Name
		label string
	}{{beto, "atomopay", "loja"}, {ana, "paradise", "loja"}, {ana, "atomopay", "Loja"}} {
		if _, err := s.FindAccount(t.Context(), other.m, other.p, other.label); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("find %v: %v, want ErrNotFound", other, err)
		}
	}
}

func TestAccounts_areKeptApart(t *testing.T) {
	s, _ := open(t)
	a := put(t, s, record(ana, "default"))
	b := put(t, s, record(beto, "default"))
	stolen := account.Key{Merchant: beto, Account: a.Account}
	if got, err := s.Accounts(t.Context(), []account.Key{stolen}); err != nil || len(got) != 0 {
		t.Errorf("another merchant loads %v, %v", got, err)
	}
	for name, change := range map[string]func() (bool, error){
		"pause":  func() (bool, error) { return s.PauseAccount(t.Context(), stolen, 1, "x") },
		"resume": func() (bool, error) { return s.ResumeAccount(t.Context(), stolen, 1) },
		"close":  func() (bool, error) { return s.CloseBreaker(t.Context(), stolen) },
		"probe":  func() (bool, error) { return s.ClaimProbe(t.Context(), stolen, 1) },
	} {
		if done, err := change(); err != nil || done {
			t.Errorf("%s by another merchant: %t, %v", name, done, err)
		}
	}
	list, err := s.ListAccounts(t.Context(), beto, "", account.ID{})
	if err != nil || len(list) != 1 || list[0].Account != b.Account {
		t.Errorf("beto's accounts: %v, %v", list, err)
	}
	all, err := s.ListAccounts(t.Context(), account.MerchantID{}, "atomopay", account.ID{})
	if err != nil || len(all) != 2 || all[0].Account != a.Account {
		t.Errorf("all accounts, oldest first: %d, %v", len(all), err)
	}
	none, err := s.ListAccounts(t.Context(), account.MerchantID{}, "paradise", account.ID{})
	if err != nil || len(none) != 0 {
		t.Errorf("accounts of another provider: %v, %v", none, err)
	}
}

func TestPauseAccount_isFencedByRevision(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "default"))
	put(t, s, r) // revision 2: the credentials were replaced
	if done, err := s.PauseAccount(t.Context(), r.Key, 1, "refused"); err != nil || done {
		t.Errorf("a stale refusal pauses: %t, %v", done, err)
	}
	if done, err := s.PauseAccount(t.Context(), r.Key, 2, "refused"); err != nil || !done {
		t.Errorf("pause: %t, %v", done, err)
	}
	if done, err := s.PauseAccount(t.Context(), r.Key, 2, "again"); err != nil || done {
		t.Errorf("second pause: %t, %v", done, err)
	}
	if got := load(t, s, r.Key); got.State != account.CredentialRefused || got.StateReason != "refused" {
		t.Errorf("state %s, %q", got.State, got.StateReason)
	}
	if done, err := s.ResumeAccount(t.Context(), r.Key, 2); err != nil || !done {
		t.Errorf("resume: %t, %v", done, err)
	}
	if got := load(t, s, r.Key); got.State != account.Active || got.StateReason != "" {
		t.Errorf("state after resume %s, %q", got.State, got.StateReason)
	}
}

func TestByWebhookKey_findsExactly(t *testing.T) {
	s, _ := open(t)
	r := put(t, s, record(ana, "default"))
	got, err := s.ByWebhookKey(t.Context(), []string{r.WebhookKey, strings.ToLower(r.WebhookKey), "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]account.Key{r.WebhookKey: r.Key}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestByRoute_refusesSharedWords(t *testing.T) {
	s, _ := open(t)
	a, b := put(t, s, record(ana, "default")), put(t, s, record(beto, "default"))
	learn := func(r *account.Record, hashes ...string) {
		t.Helper()
		if err := s.LearnRoutes(t.Context(), r.Key, "atomopay", hashes); err != nil {
			t.Fatal(err)
		}
	}
	learn(a, "prod-a", "shared")
	learn(a, "prod-a") // again
	learn(b, "shared")
	got, err := s.ByRoute(t.Context(), []store.Word{{Provider: "atomopay", Hash: "prod-a"}, {Provider: "atomopay", Hash: "shared"},
		{Provider: "paradise", Hash: "prod-a"}, {Provider: "atomopay", Hash: "prod-a"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[store.Word]account.Key{{Provider: "atomopay", Hash: "prod-a"}: a.Key}, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestLearnRoutes_leavesConfiguredOnesAlone(t *testing.T) {
	s, _ := open(t)
	r := record(ana, "default")
	r.Routes = []account.Route{{Hash: "mine"}}
	put(t, s, r)
	if err := s.LearnRoutes(t.Context(), r.Key, "atomopay", []string{"theirs"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]account.Route{{Hash: "mine"}}, load(t, s, r.Key).Routes); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	r.Routes = nil
	put(t, s, r)
	if err := s.LearnRoutes(t.Context(), r.Key, "atomopay", []string{"theirs"}); err != nil {
		t.Fatal(err)
	}
	put(t, s, r) // without words: what was learned stays
	if diff := cmp.Diff([]account.Route{{Hash: "theirs", Learned: true}}, load(t, s, r.Key).Routes); diff != "" {
		t.Errorf("routes after learning (-want +got):\n%s", diff)
	}
}

func TestNewestSecret_tellsOfAnEmptyStore(t *testing.T) {
	s, _ := open(t)
	if _, err := s.NewestSecret(t.Context()); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	r := put(t, s, record(ana, "default"))
	got, err := s.NewestSecret(t.Context())
	if err != nil || got.Key != r.Key || string(got.Sealed) != "sealed" {
		t.Errorf("newest %+v, %v", got, err)
	}
}

func TestStore_endsWithItsContext(t *testing.T) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Accounts(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := store.New(nil); err == nil {
		t.Error("a store without a pool")
	}
}

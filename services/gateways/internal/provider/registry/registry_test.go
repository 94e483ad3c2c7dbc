package registry_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
)

var write = flag.Bool("write", false, "rewrite docs/providers.md")

func open(t *testing.T) *registry.Registry {
	t.Helper()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.New(provider.Deps{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLookup_aliasAndCase(t *testing.T) {
	r := open(t)
	for _, name := range []string{"pushinpay", "pushynpay", " PushinPay\n", "PUSHYNPAY"} {
		if a, err := r.Lookup(name); err != nil || a.Name() != "pushinpay" || r.Canonical(name) != "pushinpay" {
			t.Errorf("%q: got %v, %v; want pushinpay", name, a, err)
		}
	}
}

func TestLookup_unknownListsTheKnown(t *testing.T) {
	r := open(t)
	_, err := r.Lookup("stripe")
	if !errors.Is(err, registry.ErrUnknown) {
		t.Fatalf("got %v, want ErrUnknown", err)
	}
	for _, a := range r.All() {
		if !strings.Contains(err.Error(), string(a.Name())) {
			t.Errorf("%v does not list %s", err, a.Name())
		}
	}
	if r.Canonical("stripe") != "" {
		t.Error("an unknown name has a canonical one")
	}
}

func TestLookup_refusedSaysWhy(t *testing.T) {
	if _, err := open(t).Lookup("SupremusPay"); !errors.Is(err, registry.ErrRefused) || !strings.Contains(err.Error(), "unencrypted") {
		t.Errorf("got %v, want ErrRefused with the reason", err)
	}
}

func TestOf_refusesTwoOfAName(t *testing.T) {
	r := open(t)
	a, _ := r.Lookup("pushinpay")
	if _, err := registry.Of(a, a); err == nil {
		t.Error("two adapters of one name were accepted")
	}
}

func TestNew_needsAClient(t *testing.T) {
	if _, err := registry.New(provider.Deps{}); err == nil {
		t.Error("a registry without a client was accepted")
	}
}

// All that the origin system can be configured with is either here or refused with a reason.
func TestNew_everyProviderOfTheOriginSystem(t *testing.T) {
	r := open(t)
	for _, name := range []string{"atomopay", "paradise", "pushynpay", "syncpay", "wiinpay", "umbrellapag", "orionpay", "babylon", "bolt", "aguia", "sigilopay"} {
		if r.Canonical(name) == "" {
			t.Errorf("%s is not known", name)
		}
	}
	if _, err := r.Lookup("supremuspay"); !errors.Is(err, registry.ErrRefused) {
		t.Errorf("supremuspay: got %v, want a refusal", err)
	}
}

func TestNew_moreOfTheSameName(t *testing.T) {
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := open(t).Lookup("aguia")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.New(provider.Deps{Client: client}, a); err == nil || !strings.Contains(err.Error(), "aguia twice") {
		t.Errorf("a second aguia: got %v, want an error that names it", err)
	}
}

func TestMarkdown_isThePage(t *testing.T) {
	const page = "../../../../../docs/providers.md"
	got := open(t).Markdown()
	if *write {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/providers.md is not what the adapters declare; go generate ./services/gateways/internal/provider/registry (-page +adapters):\n%s", diff)
	}
}

package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

func TestShadows_addUpAndAreListedPerAccount(t *testing.T) {
	s, db := open(t)
	r := record(ana, "shop")
	r.Shadow = "v2"
	put(t, s, r)
	other := put(t, s, record(beto, "shop"))
	if got := load(t, s, r.Key).Shadow; got != "v2" {
		t.Errorf("shadow %q, want v2", got)
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	d := store.Difference{Key: r.Key, At: at, Version: "v2", Ref: "hash:h1", Field: "status", Decided: "pending", Shadow: "paid"}
	e := store.Difference{Key: other.Key, At: at, Version: "v2", Ref: "hash:h2", Field: "amount", Decided: "1990", Shadow: ""}
	for range 2 {
		if err := s.AddShadows(t.Context(), []store.ShadowCount{{r.Key, "v2", 10, 1}, {r.Key, "v1", 3, 0}, {other.Key, "v2", 1, 1}}, []store.Difference{d, e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddShadows(t.Context(), []store.ShadowCount{{r.Key, "v2", 5, 0}}, nil); err != nil {
		t.Fatal(err)
	}
	list, err := s.ListAccounts(t.Context(), ana, "", account.ID{})
	if err != nil || len(list) != 1 || list[0].ShadowLooks != 25 || list[0].ShadowDiffering != 2 || list[0].Shadow != "v2" {
		t.Errorf("listed %+v, %v; want 25 looks, 2 of them otherwise", list, err)
	}
	got, err := s.Differences(t.Context(), r.Key, 10)
	if diff := cmp.Diff([]store.Difference{d, d}, got); err != nil || diff != "" {
		t.Errorf("differences: %v (-want +got):\n%s", err, diff)
	}
	if got, err = s.Differences(t.Context(), account.Key{Merchant: beto, Account: r.Account}, 10); err != nil || len(got) != 0 {
		t.Errorf("as another merchant: %v, %v", got, err)
	}
	if got, err = s.Differences(t.Context(), r.Key, 1); err != nil || len(got) != 1 {
		t.Errorf("at most one: %v, %v", got, err)
	}
	if _, err := db.Pool(t, store.Schema).Exec(t.Context(), "UPDATE shadow_differences SET at = now() - interval '31 days'"); err == nil {
		t.Error("the service may change what was noted")
	}
}

package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestCreateMerchant_onceByExternalID(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	first, created, err := b.CreateMerchant(ctx, Merchant{ID: payment.MerchantID(uuid.New()), Name: "A", ExternalID: "7"})
	if err != nil || !created || first.CreatedAt.IsZero() {
		t.Fatal(first, created, err)
	}
	again, created, err := b.CreateMerchant(ctx, Merchant{ID: payment.MerchantID(uuid.New()), Name: "B", ExternalID: "7"})
	if err != nil || created || again != first {
		t.Errorf("again: %+v %t %v, want %+v", again, created, err, first)
	}
	for range 2 { // without an external id each call makes one
		if _, created, err := b.CreateMerchant(ctx, Merchant{ID: payment.MerchantID(uuid.New()), Name: "C"}); err != nil || !created {
			t.Error(created, err)
		}
	}
	all, err := b.Merchants(ctx, nil)
	if err != nil || len(all) != 5 || all[0].ID != b.one.merchant {
		t.Errorf("%d merchants, %v, want 5, oldest first", len(all), err)
	}
	only, err := b.Merchants(ctx, &first.ID)
	if err != nil || len(only) != 1 || only[0] != first {
		t.Errorf("only one: %v, %v", only, err)
	}
}

func TestSetLookWeight_claimsSeeIt(t *testing.T) {
	b := newBench(t)
	if m, err := b.SetLookWeight(t.Context(), b.one.merchant, 7); err != nil || m.ID != b.one.merchant || m.LookWeight != 7 {
		t.Fatal(m, err)
	}
	if _, err := b.SetLookWeight(t.Context(), payment.MerchantID(uuid.New()), 7); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown merchant: %v", err)
	}
	if _, err := b.SetLookWeight(t.Context(), b.one.merchant, 101); err == nil {
		t.Error("the database takes a weight of 101")
	}
	b.set(b.look(b.one, "1", -time.Minute))
	b.set(b.look(b.other, "2", -time.Minute))
	due, err := b.DueAccounts(t.Context(), b.now.Add(time.Hour), nil)
	if err != nil || len(due) != 2 {
		t.Fatal(due, err)
	}
	for _, a := range due {
		if want := map[payment.MerchantID]int{b.one.merchant: 7, b.other.merchant: 1}[a.MerchantID]; a.Weight != want {
			t.Errorf("a claim sees %d, want %d", a.Weight, want)
		}
	}
}

func TestPutBot_makesAndRenames(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	put := func(n tenant, external, name string) Bot {
		t.Helper()
		out, err := b.PutBot(ctx, Bot{MerchantID: n.merchant, ID: payment.BotID(uuid.New()), ExternalID: external, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	made := put(b.one, "x", "")
	if !made.Created || made.Name != "x" {
		t.Errorf("made %+v", made)
	}
	renamed, kept := put(b.one, "x", "Bot X"), put(b.one, "x", "")
	if renamed.Created || renamed.ID != made.ID || renamed.Name != "Bot X" || kept.Name != "Bot X" {
		t.Errorf("renamed %+v, kept %+v", renamed, kept)
	}
	theirs := put(b.other, "x", "Theirs")
	if !theirs.Created || theirs.ID == made.ID {
		t.Errorf("another merchant's bot with the same external id: %+v", theirs)
	}
	if _, err := b.PutBot(ctx, Bot{MerchantID: payment.MerchantID(uuid.New()), ID: made.ID, ExternalID: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown merchant: %v", err)
	}
	list, err := b.Bots(ctx, b.one.merchant)
	if err != nil || len(list) != 2 || list[1].ID != made.ID {
		t.Errorf("bots: %v, %v", list, err)
	}
	one := b.one.merchant
	found, err := b.FindBots(ctx, []payment.MerchantID{one, one, one, one}, []string{"x", "X", theirs.ID.String(), "nothing"})
	if err != nil || len(found) != 1 || found[0].ID != made.ID {
		t.Errorf("found %v, %v", found, err)
	}
	found, err = b.FindBots(ctx, []payment.MerchantID{b.other.merchant}, []string{theirs.ID.String()})
	if err != nil || len(found) != 1 || found[0].Name != "Theirs" {
		t.Errorf("by our id: %v, %v", found, err)
	}
	if found, err = b.FindBots(ctx, nil, nil); err != nil || len(found) != 0 {
		t.Errorf("no names: %v, %v", found, err)
	}
}

func TestKeys_belongToOneMerchant(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	mine := APIKey{ID: uuid.New(), MerchantID: &b.one.merchant, Name: "site", Hash: []byte{1}}
	operators := APIKey{ID: uuid.New(), Name: "op", Hash: []byte{2}}
	for _, k := range []APIKey{mine, operators} {
		if at, err := b.CreateKey(ctx, k); err != nil || at.IsZero() {
			t.Fatal(at, err)
		}
	}
	unknown := payment.MerchantID(uuid.New())
	if _, err := b.CreateKey(ctx, APIKey{ID: uuid.New(), MerchantID: &unknown, Name: "x", Hash: []byte{3}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("key of an unknown merchant: %v", err)
	}
	for _, c := range []struct {
		of   *payment.MerchantID
		want string
	}{{&b.one.merchant, "site"}, {nil, "op"}} {
		if list, err := b.Keys(ctx, c.of); err != nil || len(list) != 1 || list[0].Name != c.want {
			t.Errorf("keys: %v, %v, want %s", list, err, c.want)
		}
	}
	if list, err := b.Keys(ctx, &b.other.merchant); err != nil || len(list) != 0 {
		t.Errorf("another's keys: %v, %v", list, err)
	}
	if got, err := b.GetKey(ctx, mine.ID); err != nil || *got.MerchantID != b.one.merchant || got.RevokedAt != nil || string(got.Hash) != "\x01" {
		t.Errorf("get: %+v, %v", got, err)
	}
	if _, err := b.GetKey(ctx, uuid.New()); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown key: %v", err)
	}
	for name, k := range map[string]APIKey{"another's": mine, "an operator's": operators} {
		if _, err := b.RevokeKey(ctx, k.ID, &b.other.merchant); !errors.Is(err, ErrNotFound) {
			t.Errorf("revoke %s key: %v", name, err)
		}
	}
	first, err := b.RevokeKey(ctx, mine.ID, &b.one.merchant)
	again, err2 := b.RevokeKey(ctx, mine.ID, nil)
	if errors.Join(err, err2) != nil || first.RevokedAt == nil || !first.RevokedAt.Equal(*again.RevokedAt) {
		t.Errorf("revoked %v, again %v, %v", first.RevokedAt, again.RevokedAt, errors.Join(err, err2))
	}
}

package store_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// ofFile makes a draft one of a file; its ticket follows from the sale.
func ofFile(is *store.Issue) {
	h := token.Hash(sha256.Sum256(is.Payment[:]))
	is.AccessURL, is.FileURL, is.FileHash = "", "https://files.example/a.pdf", &h
}

func (r *rig) click(is store.Issue, d store.Device) store.File {
	r.t.Helper()
	f, err := r.Click(r.ctx, *is.FileHash, d)
	if err != nil {
		r.t.Fatalf("Click: %v", err)
	}
	return f
}

func TestFileKey_putAgainReplaces(t *testing.T) {
	r := newRig(t)
	if _, err := r.FileKey(r.ctx, merchantA); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before any: %v", err)
	}
	for _, id := range []string{"k1", "k2"} {
		k := store.FileKey{Merchant: merchantA, KeyID: id, SealedSecret: []byte("sealed " + id), Lifetime: 60}
		if out, err := r.PutFileKey(r.ctx, k); err != nil || out.UpdatedAt.IsZero() {
			t.Fatal(out, err)
		}
	}
	k, err := r.FileKey(r.ctx, merchantA)
	if err != nil || k.KeyID != "k2" || k.Lifetime != 60 || k.SealedSecret != nil {
		t.Errorf("key = %+v, %v; want the second without its secret", k, err)
	}
}

func TestIssue_tellsOfLinksThatLeadNowhere(t *testing.T) {
	r := newRig(t)
	fine, nothing, file := draft(), draft(func(is *store.Issue) { is.AccessURL = "" }), draft(ofFile)
	follows := draft(func(is *store.Issue) { is.AccessURL, is.Follows = "", true })
	r.issue(fine, nothing, file, follows)
	r.issue(nothing) // the second time nothing is made and nothing told
	if _, err := r.PutFileKey(r.ctx, store.FileKey{Merchant: merchantA, KeyID: "k1", SealedSecret: []byte("x"), Lifetime: 60}); err != nil {
		t.Fatal(err)
	}
	signed := draft(ofFile)
	r.issue(signed)
	for name, c := range map[string]struct {
		key  sale.Key
		want string
	}{"access": {fine.Key, ""}, "nothing": {nothing.Key, "no_access"}, "file without a key": {file.Key, "no_file_key"}, "file": {signed.Key, ""}, "access that follows": {follows.Key, ""}} {
		var got []string
		for _, o := range r.outcomesOf(c.key) {
			got = append(got, string(o.Kind)+" "+o.Detail)
		}
		want := []string(nil)
		if c.want != "" {
			want = []string{"access_missing " + c.want}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func (r *rig) outcomesOf(k sale.Key) (out []store.Outcome) {
	r.t.Helper()
	rows, err := r.pool.Query(r.ctx, `SELECT kind, detail FROM outcomes WHERE merchant_id = $1 AND payment_id = $2 ORDER BY xid, seq`, k.Merchant, k.Payment)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var o store.Outcome
		if err := rows.Scan(&o.Kind, &o.Detail); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

func TestClick_belongsToAVisit(t *testing.T) {
	r := newRig(t)
	if _, err := r.PutFileKey(r.ctx, store.FileKey{Merchant: merchantA, KeyID: "k1", SealedSecret: []byte("sealed"), Lifetime: 60}); err != nil {
		t.Fatal(err)
	}
	r.putPolicy(store.Policy{MaxOpens: 1, BindDevice: true})
	is := draft(ofFile)
	r.issue(is)
	mine := device("mine")
	if o := r.openAs(is, "203.0.113.1", mine); o.FileURL != is.FileURL || !o.FileKey {
		t.Errorf("page: %+v, want the file", o)
	}
	if f := r.click(is, mine); f.State != store.Active || f.URL != is.FileURL || f.KeyOf.KeyID != "k1" || string(f.KeyOf.SealedSecret) != "sealed" || f.KeyOf.Lifetime != 60 {
		t.Errorf("click after the last visit: %+v", f)
	}
	if f := r.click(is, device("other")); f.State != store.OtherDevice {
		t.Errorf("another device: %s", f.State)
	}
	r.back(is.Key, 2*time.Hour)
	if f := r.click(is, mine); f.State != store.UsedUp {
		t.Errorf("hours after the last visit: %s", f.State)
	}
	if _, err := r.Revoke(r.ctx, is.Key, "refunded"); err != nil {
		t.Fatal(err)
	}
	if f := r.click(is, mine); f.State != store.Revoked {
		t.Errorf("revoked: %s", f.State)
	}
	if d := r.get(is.Key); d.Opens != 1 {
		t.Errorf("clicks made %d visits", d.Opens)
	}
}

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

func device(name string) store.Device { return sha256.Sum256([]byte(name)) }

func (r *rig) openAs(is store.Issue, address string, d store.Device) store.Opened {
	r.t.Helper()
	o, err := r.Open(r.ctx, is.TokenHash, store.Visit{ClientIP: address, UserAgent: "Phone/1", Device: d})
	if err != nil {
		r.t.Fatalf("Open: %v", err)
	}
	return o
}

func (r *rig) putPolicy(p store.Policy) {
	r.t.Helper()
	p.Merchant = merchantA
	if out, err := r.PutPolicy(r.ctx, p); err != nil || out.UpdatedAt.IsZero() {
		r.t.Fatalf("PutPolicy: %v, %v", out, err)
	}
}

// back makes it d ago that a link was made, opened and counted.
func (r *rig) back(k sale.Key, d time.Duration) {
	r.t.Helper()
	_, err := r.pool.Exec(r.ctx, `UPDATE deliveries SET counted_at = counted_at - $3::interval, last_opened_at = last_opened_at - $3::interval,
		expires_at = expires_at - $3::interval WHERE merchant_id = $1 AND payment_id = $2`, k.Merchant, k.Payment, d)
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestPolicy_botsGoesBeforeTheMerchantsAndIsKeptFromTheIssue(t *testing.T) {
	r := newRig(t)
	r.putPolicy(store.Policy{MaxOpens: 5, Lifetime: 3600})
	r.putPolicy(store.Policy{Bot: botTwo, BindDevice: true})
	one, two := draft(), draft(func(is *store.Issue) { is.Bot = botTwo; is.MaxOpens = 9 })
	other := draft(func(is *store.Issue) { is.Merchant = merchantB; is.MaxOpens = 9 })
	r.issue(one, two, other)
	r.putPolicy(store.Policy{MaxOpens: 1})
	if d := r.get(one.Key); d.MaxOpens != 5 || d.ExpiresAt == nil || d.ExpiresAt.Sub(d.IssuedAt) != time.Hour || d.BindDevice {
		t.Errorf("under the merchant's policy: %+v", d)
	}
	if d := r.get(two.Key); d.MaxOpens != 0 || d.ExpiresAt != nil || !d.BindDevice {
		t.Errorf("under the bot's policy: %+v", d)
	}
	if d := r.get(other.Key); d.MaxOpens != 9 {
		t.Errorf("another merchant's: %+v, want the service's setting", d)
	}
	list, err := r.Policies(r.ctx, merchantA)
	if err != nil || len(list) != 2 || list[0].MaxOpens != 1 || list[1].Bot != botTwo {
		t.Errorf("policies = %+v, %v", list, err)
	}
	if list, err := r.Policies(r.ctx, merchantB); err != nil || len(list) != 0 {
		t.Errorf("another merchant's policies = %v, %v", list, err)
	}
}

func TestPolicy_sameVisitComesAgain(t *testing.T) {
	r := newRig(t)
	once := draft(func(is *store.Issue) { is.MaxOpens = 1 })
	r.issue(once)
	d := device("a phone")
	for i := range 3 { // an answer that was lost, a page loaded again
		if o := r.openAs(once, "203.0.113.1", d); o.State != store.Active || o.OpensLeft != 0 {
			t.Errorf("visit %d: %s with %d left", i+1, o.State, o.OpensLeft)
		}
	}
	if got := r.get(once.Key); got.Uses != 1 || got.Opens != 3 {
		t.Errorf("%d uses of %d visits, want 1 of 3", got.Uses, got.Opens)
	}
	if o := r.openAs(once, "203.0.113.2", d); o.State != store.UsedUp {
		t.Errorf("somebody else: %s, want used_up", o.State)
	}
	r.back(once.Key, 11*time.Minute)
	if o := r.openAs(once, "203.0.113.1", d); o.State != store.UsedUp {
		t.Errorf("much later: %s, want used_up", o.State)
	}
}

func TestPolicy_timeBeginsWithTheFirstVisit(t *testing.T) {
	r := newRig(t)
	r.putPolicy(store.Policy{LifetimeAfterOpen: 600})
	is := draft()
	r.issue(is)
	if d := r.get(is.Key); d.ExpiresAt != nil {
		t.Errorf("expires %v before anybody opened it", d.ExpiresAt)
	}
	first := r.openAs(is, "203.0.113.1", device("a"))
	if first.ExpiresAt == nil || first.ExpiresAt.Sub(first.Now) != 10*time.Minute {
		t.Errorf("expires %v, opened %v", first.ExpiresAt, first.Now)
	}
	if again := r.openAs(is, "203.0.113.2", device("b")); !again.ExpiresAt.Equal(*first.ExpiresAt) {
		t.Error("a second visit moves the end")
	}
	r.back(is.Key, 11*time.Minute)
	if o := r.openAs(is, "203.0.113.1", device("a")); o.State != store.Expired {
		t.Errorf("after its time: %s", o.State)
	}
}

func TestPolicy_firstDeviceOnly(t *testing.T) {
	r := newRig(t)
	r.putPolicy(store.Policy{BindDevice: true})
	is := draft()
	r.issue(is)
	mine, other := device("mine"), device("other")
	if o := r.openAs(is, "203.0.113.1", mine); o.State != store.Active || !o.Bound {
		t.Fatalf("first: %+v", o)
	}
	if o := r.openAs(is, "203.0.113.2", other); o.State != store.OtherDevice || o.AccessURL != "" {
		t.Errorf("another device: %+v", o)
	}
	// The answer with the cookie was lost: the same visitor comes with a new one.
	lost := device("lost")
	if o := r.openAs(is, "203.0.113.1", lost); o.State != store.Active {
		t.Errorf("the same visitor without the cookie: %s", o.State)
	}
	if o := r.openAs(is, "198.51.100.7", lost); o.State != store.Active { // shown once, it is the device wherever it is
		t.Errorf("the device at another address: %s", o.State)
	}
	if o := r.openAs(is, "198.51.100.7", other); o.State != store.OtherDevice {
		t.Errorf("another device at that address: %s", o.State)
	}
	if d := r.get(is.Key); !d.BindDevice || !d.DeviceKnown || d.State != store.Active {
		t.Errorf("delivery = %+v", d)
	}
}

func TestRegenerate_endsTheLinkBefore(t *testing.T) {
	r := newRig(t)
	ring, err := token.NewRing(map[int32][]byte{1: token.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	old := draft(func(is *store.Issue) { is.MaxOpens, is.FileURL, is.AccessURL = 1, "https://files.example/a", "" })
	was, err := ring.Derive(token.Name{Sale: old.Key, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	ticket := was.File().Hash()
	old.TokenHash, old.FileHash = was.Hash(), &ticket
	r.issue(old)
	r.openAs(old, "203.0.113.1", device("a"))
	r.putPolicy(store.Policy{BindDevice: true, LifetimeAfterOpen: 60})
	again := store.Regeneration{Key: old.Key, By: "order 1", Version: 1, MaxOpens: 7, Derive: ring.Derive}
	for i, want := range []store.Issued{{Version: 1, Generation: 1, Created: true}, {Version: 1, Generation: 1}} {
		is, err := r.Regenerate(r.ctx, again)
		if diff := cmp.Diff(want, is); err != nil || diff != "" {
			t.Errorf("call %d: %v (-want +got):\n%s", i+1, err, diff)
		}
	}
	if _, err := r.Open(r.ctx, was.Hash(), store.Visit{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the link before: %v, want nothing", err)
	}
	if _, err := r.Click(r.ctx, ticket, device("a")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the file under the link before: %v, want nothing", err)
	}
	now, err := ring.Derive(token.Name{Sale: old.Key, Version: 1, Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	o, err := r.Open(r.ctx, now.Hash(), store.Visit{UserAgent: "Phone/1", Device: device("b")})
	if err != nil || o.State != store.Active || !o.Bound || o.First || o.OpensLeft != -1 || o.ExpiresAt == nil {
		t.Errorf("the new link: %+v, %v; want today's policy and no second first visit", o, err)
	}
	if f, err := r.Click(r.ctx, now.File().Hash(), device("b")); err != nil || f.State != store.Active || f.URL != old.FileURL {
		t.Errorf("the file under the new link: %+v, %v", f, err)
	}
	another := again
	another.By = "order 2"
	if is, err := r.Regenerate(r.ctx, another); err != nil || is.Generation != 2 {
		t.Errorf("another order: %+v, %v", is, err)
	}
	if is, err := r.Regenerate(r.ctx, again); err != nil || is.Created || is.Generation != 2 {
		t.Errorf("the first order once more: %+v, %v; want the link as it is", is, err)
	}
	foreign := again
	foreign.Merchant = merchantB
	if _, err := r.Regenerate(r.ctx, foreign); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("as another merchant: %v", err)
	}
}

package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

func TestIssueBatch_isIdempotent(t *testing.T) {
	r := newRig(t)
	a, b := draft(), draft()
	first := r.issue(a, b, a)
	want := []store.Issued{{Version: 1, Created: true}, {Version: 1, Created: true}, {Version: 1}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("first batch (-want +got):\n%s", diff)
	}
	again := a
	again.TokenVersion, again.ProductName, again.TokenHash = 2, "Outro", token.Hash{9}
	c := draft()
	if diff := cmp.Diff([]store.Issued{{Version: 1}, {Version: 1, Created: true}}, r.issue(again, c)); diff != "" {
		t.Errorf("second batch (-want +got):\n%s", diff)
	}
	if o := r.open(a); o.ProductName != a.ProductName {
		t.Errorf("product = %q after a second request, want the first's %q", o.ProductName, a.ProductName)
	}
}

func TestIssueBatch_concurrentOverlapping(t *testing.T) {
	r := newRig(t)
	batch := make([]store.Issue, 100)
	for i := range batch {
		batch[i] = draft()
	}
	var mu sync.Mutex
	created := 0
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			mine := append([]store.Issue(nil), batch...)
			for i := range mine { // each in another order
				j := (i*7 + n*13) % len(mine)
				mine[i], mine[j] = mine[j], mine[i]
			}
			out, err := r.IssueBatch(r.ctx, mine)
			if err != nil {
				t.Errorf("IssueBatch: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, is := range out {
				if is.Created {
					created++
				}
			}
		})
	}
	wg.Wait()
	if created != len(batch) {
		t.Errorf("created %d links for %d sales", created, len(batch))
	}
}

func TestIssueBatch_sameSaleIDOfTwoMerchants(t *testing.T) {
	r := newRig(t)
	a := draft()
	b := a
	b.Merchant, b.TokenHash = merchantB, token.Hash{7}
	for i, is := range r.issue(a, b) {
		if !is.Created {
			t.Errorf("link %d was not made: ids of one merchant must not shadow another's", i)
		}
	}
}

func TestByPayment_otherMerchantsDoNotExist(t *testing.T) {
	r := newRig(t)
	a := draft()
	r.issue(a)
	for name, err := range map[string]error{
		"ByPayment": second(r.ByPayment(r.ctx, &merchantB, a.Payment)),
		"ByToken":   second(r.ByToken(r.ctx, &merchantB, a.TokenHash)),
		"Revoke":    second(r.Revoke(r.ctx, keyOf(merchantB, a), "manual")),
		"Restore":   second(r.Restore(r.ctx, keyOf(merchantB, a))),
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s as another merchant: error %v, want ErrNotFound", name, err)
		}
	}
	b := draft()
	b.Merchant = merchantB
	r.issue(b)
	for want, p := range map[sale.MerchantID]sale.PaymentID{merchantA: a.Payment, merchantB: b.Payment} {
		if d, err := r.ByPayment(r.ctx, nil, p); err != nil || d.Merchant != want || d.Payment != p {
			t.Errorf("operator's ByPayment = %v's %v, %v; want %v's %v", d.Merchant, d.Payment, err, want, p)
		}
	}
	if _, err := r.ByPayment(r.ctx, nil, draft().Payment); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("operator's ByPayment of no sale: error %v, want ErrNotFound", err)
	}
	for m, want := range map[sale.MerchantID]int{merchantA: 0, merchantB: 1} {
		if missing, err := r.Unissued(r.ctx, m, []sale.PaymentID{a.Payment}); err != nil || len(missing) != want {
			t.Errorf("without a link: %v, %v; want %d", missing, err, want)
		}
	}
	if d := r.get(a.Key); d.State != store.Active {
		t.Errorf("state = %s after foreign calls, want active", d.State)
	}
}

func TestRevoke_firstReasonIsKept(t *testing.T) {
	r := newRig(t)
	a := draft()
	r.issue(a)
	for _, reason := range []string{"disputed", "refunded"} {
		d, err := r.Revoke(r.ctx, a.Key, reason)
		if err != nil || d.State != store.Revoked || d.RevokedReason != "disputed" {
			t.Errorf("Revoke(%s) = %s, %q, %v; want revoked, disputed", reason, d.State, d.RevokedReason, err)
		}
	}
	if o := r.open(a); o.State != store.Revoked || o.AccessURL != "" || o.RevokedReason != "disputed" {
		t.Errorf("opened revoked link: %s with access %q", o.State, o.AccessURL)
	}
	for range 2 {
		if d, err := r.Restore(r.ctx, a.Key); err != nil || d.State != store.Active || d.RevokedReason != "" {
			t.Errorf("Restore = %s, %q, %v; want active", d.State, d.RevokedReason, err)
		}
	}
	if got := r.kinds(a.Key); len(got) != 0 {
		t.Errorf("a closed page counted as opened: %v", got)
	}
}

func TestOpen_unknown(t *testing.T) {
	r := newRig(t)
	if _, err := r.Open(r.ctx, token.Hash{1}, store.Visit{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error = %v, want ErrNotFound", err)
	}
}

func TestOpen_firstVisitTellsOnce(t *testing.T) {
	r := newRig(t)
	a := draft()
	r.issue(a)
	var mu sync.Mutex
	firsts := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			o, err := r.Open(r.ctx, a.TokenHash, store.Visit{UserAgent: "Phone/1"})
			if err != nil {
				t.Errorf("Open: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if o.First {
				firsts++
			}
		})
	}
	wg.Wait()
	if firsts != 1 {
		t.Errorf("%d visits were the first", firsts)
	}
	d := r.get(a.Key)
	if d.Opens != 8 || d.FirstOpenedAt == nil || d.LastOpenedAt == nil || d.LastOpenedAt.Before(*d.FirstOpenedAt) {
		t.Errorf("opens = %d, first %v, last %v; want 8 with both times", d.Opens, d.FirstOpenedAt, d.LastOpenedAt)
	}
	want := []store.OutcomeKind{store.OutcomeOpened, store.OutcomeNotConfigured, store.OutcomePixelMissing}
	if diff := cmp.Diff(want, r.kinds(a.Key)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if d.Purchase.State != store.NotConfigured || d.Purchase.Reason == "" || d.Purchase.EventID != "" {
		t.Errorf("purchase = %+v, want not configured with a reason", d.Purchase)
	}
}

func TestOpen_simultaneousVisitsShowTheSamePurchase(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	a := draft(pageView("pageview_1"))
	r.issue(a)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			o, err := r.Open(r.ctx, a.TokenHash, store.Visit{UserAgent: "Phone/1"})
			if err != nil || o.EventID != "pageview_1" || o.PixelID != "100001" {
				t.Errorf("visit shows event %q of pixel %q, %v; want pageview_1 of 100001", o.EventID, o.PixelID, err)
			}
		})
	}
	wg.Wait()
}

func TestOpen_cookies(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	const fbp, fbc = "fb.1.1780000000000.123", "fb.1.1780000000000.IwAR0"
	captured := draft(func(is *store.Issue) { is.Tracking.FBP, is.Tracking.FBC = fbp, fbc })
	shown, odd := draft(), draft()
	r.issue(captured, shown, odd)
	for name, c := range map[string]struct {
		is                           store.Issue
		fbp, fbc, wantFBP, wantClick string
	}{
		"captured with the click": {captured, "fb.1.1790000000000.9", "fb.1.1790000000000.x", fbp, fbc},
		"shown by the browser":    {shown, fbp, fbc, fbp, fbc},
		"nonsense":                {odd, "x", "<script>", "", ""},
	} {
		o, err := r.Open(r.ctx, c.is.TokenHash, store.Visit{UserAgent: "Phone/1", FBP: c.fbp, FBC: c.fbc})
		if err != nil || o.FBP != c.wantFBP || o.FBC != c.wantClick {
			t.Errorf("%s: %q and %q, %v; want %q and %q", name, o.FBP, o.FBC, err, c.wantFBP, c.wantClick)
		}
	}
	for _, c := range r.claim(10, time.Minute) {
		if c.Payment == shown.Payment && (c.FBP != fbp || c.FBC != fbc || c.ClientUserAgent != "Phone/1") {
			t.Errorf("claimed %q, %q, %q; want what the visit showed", c.FBP, c.FBC, c.ClientUserAgent)
		}
	}
}

func TestOpen_limits(t *testing.T) {
	r := newRig(t)
	twice := draft(func(is *store.Issue) { is.MaxOpens = 2 })
	short := draft(func(is *store.Issue) { is.Lifetime = time.Hour })
	r.issue(twice, short)
	for i, want := range []store.State{store.Active, store.Active, store.UsedUp, store.UsedUp} {
		if o := r.openAs(twice, fmt.Sprintf("203.0.113.%d", i), device("a phone")); o.State != want {
			t.Errorf("visit %d: %s, want %s", i+1, o.State, want)
		}
	}
	if d := r.get(twice.Key); d.State != store.UsedUp || d.Opens != 2 {
		t.Errorf("state %s with %d opens, want used_up with 2", d.State, d.Opens)
	}
	if d := r.get(short.Key); d.ExpiresAt == nil || d.ExpiresAt.Sub(d.IssuedAt) != time.Hour {
		t.Errorf("expires %v, issued %v; want an hour between them", d.ExpiresAt, d.IssuedAt)
	}
	r.exec(`UPDATE deliveries SET expires_at = now() WHERE payment_id = $1`, short.Payment)
	if o := r.open(short); o.State != store.Expired || o.AccessURL != "" {
		t.Errorf("opened expired link: %s with access %q", o.State, o.AccessURL)
	}
}

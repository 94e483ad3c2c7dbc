package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

func TestOpen_eventIDIsThePageViewsUnlessTaken(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	r.putPixel(merchantB, sale.BotID{}, "100002")
	one, two, odd := draft(pageView("pageview_1")), draft(pageView("pageview_1")), draft(pageView("purchase_forged"))
	none := draft()
	elsewhere := draft(pageView("pageview_1"), func(is *store.Issue) { is.Merchant = merchantB })
	r.issue(one, two, odd, none, elsewhere)
	for _, c := range []struct {
		is   store.Issue
		want string
	}{
		{one, "pageview_1"}, {two, "purchase_" + two.Payment.String()}, {odd, "purchase_" + odd.Payment.String()},
		{none, "purchase_" + none.Payment.String()}, {elsewhere, "pageview_1"},
	} {
		o := r.open(c.is)
		again := r.open(c.is)
		if o.EventID != c.want || again.EventID != c.want || !o.Queued || again.Queued {
			t.Errorf("event ids %q, then %q (queued %v, %v); want %q twice, queued once", o.EventID, again.EventID, o.Queued, again.Queued, c.want)
		}
	}
	if diff := cmp.Diff([]store.OutcomeKind{store.OutcomeOpened, store.OutcomeQueued}, r.kinds(two.Key)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestOpen_eventIDUnderConcurrency(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, sale.BotID{}, "100001")
	batch := make([]store.Issue, 20)
	for i := range batch {
		batch[i] = draft(pageView("one_click"))
	}
	r.issue(batch...)
	ids := make([]string, len(batch))
	var wg sync.WaitGroup
	for i, is := range batch {
		wg.Go(func() {
			o, err := r.Open(r.ctx, is.TokenHash, store.Visit{UserAgent: "Phone/1"})
			if err != nil {
				t.Errorf("Open: %v", err)
			}
			ids[i] = o.EventID
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if unique := len(slices.Compact(slices.Clone(ids))); unique != len(batch) {
		t.Errorf("%d sales share %d event ids", len(batch), unique)
	}
	if !slices.Contains(ids, "one_click") {
		t.Error("nobody got the PageView's id")
	}
}

func TestOpen_botsPixelGoesFirst(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, sale.BotID{}, "100000")
	r.putPixel(merchantA, botTwo, "200000")
	r.putPixel(merchantB, botOne, "300000")
	one, two := draft(), draft(func(is *store.Issue) { is.Bot = botTwo })
	r.issue(one, two)
	if o := r.open(one); o.PixelID != "100000" {
		t.Errorf("pixel = %s, want the merchant's 100000", o.PixelID)
	}
	if o := r.open(two); o.PixelID != "200000" {
		t.Errorf("pixel = %s, want the bot's 200000", o.PixelID)
	}
}

func TestClaimPurchases_everyRowOnce(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, sale.BotID{}, "100001")
	const sales = 60
	for range sales {
		is := draft()
		r.issue(is)
		r.open(is)
	}
	var mu sync.Mutex
	seen := map[sale.PaymentID]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				got, err := r.ClaimPurchases(r.ctx, 7, time.Minute)
				if err != nil {
					t.Errorf("ClaimPurchases: %v", err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, c := range got {
					seen[c.Payment]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != sales {
		t.Errorf("%d of %d were claimed", len(seen), sales)
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times within its lease", p, n)
		}
	}
}

func TestWriteResults_onlyTheLastClaimWrites(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	is := draft()
	r.issue(is)
	r.open(is)
	crashed := r.claim(1, 0) // its lease ends at once, as after a crash
	again := r.claim(1, time.Minute)
	if len(crashed) != 1 || len(again) != 1 || again[0].Number <= crashed[0].Number {
		t.Fatalf("claims %+v, then %+v; want the same row twice", crashed, again)
	}
	if again[0].UnsureSince == nil {
		t.Error("a claim that never reported leaves no doubt about its request")
	}
	r.write(store.Result{Claim: &crashed[0], State: store.Failed, Reason: "late"})
	if d := r.get(is.Key); d.Purchase.State != store.Queued {
		t.Errorf("state = %s after a late result, want queued", d.Purchase.State)
	}
	r.write(store.Result{Claim: &again[0], State: store.Sent, Trace: "Abc", Asked: true})
	r.write(store.Result{Claim: &again[0], State: store.Sent, Trace: "Abc", Asked: true})
	d := r.get(is.Key)
	if d.Purchase.State != store.Sent || d.Purchase.Attempts != 1 || d.Purchase.SentAt == nil {
		t.Errorf("purchase = %+v, want sent by one attempt", d.Purchase)
	}
	if diff := cmp.Diff([]store.OutcomeKind{store.OutcomeOpened, store.OutcomeQueued, store.OutcomeSent}, r.kinds(is.Key)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if left := r.claim(10, time.Minute); len(left) != 0 {
		t.Errorf("%d rows are still due", len(left))
	}
}

func TestWriteResults_retryAndDoubt(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	is := draft()
	r.issue(is)
	r.open(is)
	c := r.claim(1, time.Minute)[0]
	r.write(store.Result{Claim: &c, State: store.Queued, Reason: "HTTP 429", Asked: true})
	clear := r.claim(1, time.Minute)[0]
	if clear.UnsureSince != nil || clear.Attempts != 1 {
		t.Errorf("after a clear answer: unsure since %v, attempts %d; want no doubt, 1", clear.UnsureSince, clear.Attempts)
	}
	r.write(store.Result{Claim: &clear, State: store.Queued, Reason: "no answer in time", Asked: true, Unsure: true})
	doubt := r.claim(1, time.Minute)[0]
	if doubt.UnsureSince == nil {
		t.Fatal("after no answer: no doubt")
	}
	r.write(store.Result{Claim: &doubt, State: store.Queued, Reason: "HTTP 429", Asked: true})
	still := r.claim(1, time.Minute)[0]
	if still.UnsureSince == nil || !still.UnsureSince.Equal(*doubt.UnsureSince) {
		t.Errorf("unsure since %v, want the first doubt's %v", still.UnsureSince, doubt.UnsureSince)
	}
	r.write(store.Result{Claim: &still, State: store.Queued, Reason: "HTTP 503", Asked: true, Retry: time.Hour})
	if early := r.claim(1, time.Minute); len(early) != 0 {
		t.Error("claimed before its next attempt is due")
	}
}

func TestPutPixel_resumes(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	is := draft()
	r.issue(is)
	r.open(is)
	c := r.claim(1, time.Minute)[0]
	paused := store.Paused(&c, time.Hour)
	paused.Pause = "Meta error 190 (HTTP 400)"
	r.write(paused)
	list, err := r.Pixels(r.ctx, merchantA)
	if err != nil || len(list) != 1 || list[0].PausedBecause != paused.Pause {
		t.Fatalf("pixels = %+v, %v; want one paused because of %q", list, err, paused.Pause)
	}
	if got := r.claim(1, time.Minute); len(got) != 0 {
		t.Error("a Purchase of a paused pixel is due")
	}
	r.putPixel(merchantA, botOne, "100009")
	got := r.claim(1, time.Minute)
	if len(got) != 1 || got[0].Pixel.PausedBecause != "" || got[0].Pixel.PixelID != "100009" {
		t.Fatalf("after a new token: %+v; want the row due with the new pixel", got)
	}
	// A refusal of the old token, arriving late, does not pause the new one.
	late := store.Paused(&c, time.Hour)
	late.Pause = "Meta error 190 (HTTP 400)"
	r.write(late)
	if list, err = r.Pixels(r.ctx, merchantA); err != nil || list[0].PausedBecause != "" {
		t.Errorf("pixels = %+v, %v; want not paused", list, err)
	}
}

func TestPixels_otherMerchants(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, botOne, "100001")
	if list, err := r.Pixels(r.ctx, merchantB); err != nil || len(list) != 0 {
		t.Errorf("merchant B sees %+v, %v; want nothing", list, err)
	}
}

// A claim is held as long as its worker renews it, and no longer: what somebody else claimed or what has a result stays as it is.
func TestRenewPurchases_holdsOwnClaimsAlone(t *testing.T) {
	r := newRig(t)
	r.putPixel(merchantA, sale.BotID{}, "100001")
	for range 2 {
		is := draft()
		r.issue(is)
		r.open(is)
	}
	lost := r.claim(2, 0)
	renew := func(claims []store.Claim) {
		t.Helper()
		if err := r.RenewPurchases(r.ctx, claims, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	renew(lost) // nobody has taken them yet
	if got := r.claim(2, time.Minute); len(got) != 0 {
		t.Fatalf("%d of two renewed claims were taken over", len(got))
	}
	r.exec(`UPDATE purchases SET due_at = now() - interval '1 second'`) // the lease is over
	mine := r.claim(2, 0)
	if len(mine) != 2 {
		t.Fatalf("%d were taken over, want 2", len(mine))
	}
	renew(lost)
	if got := r.claim(2, 0); len(got) != 2 {
		t.Errorf("a worker that was overtaken holds %d of them", 2-len(got))
	}
	done := r.claim(2, time.Minute)
	if len(done) != 2 {
		t.Fatalf("%d are due, want 2", len(done))
	}
	r.write(store.Result{Claim: &done[0], State: store.Sent, Asked: true})
	renew(done)
	if got := r.claim(2, time.Minute); len(got) != 0 {
		t.Errorf("%d are due: one was sent, the other is held", len(got))
	}
}

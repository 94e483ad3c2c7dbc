package work

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/alert"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// owned gives the merchant an owner who wants to be told; change may be nil.
func (b *bench) owned(change func(*store.AlertSettings)) {
	b.t.Helper()
	a := store.AlertSettings{MerchantID: b.merchant, ChatID: 99, BotID: b.bot, Kinds: []string{}, Lang: "en", Timezone: "America/Sao_Paulo", DigestHour: 9}
	if change != nil {
		change(&a)
	}
	zone, err := time.LoadLocation(a.Timezone)
	if err != nil {
		b.t.Fatal(err)
	}
	a.DigestAt, a.DigestDay = alert.Next(b.clock(), zone, a.DigestHour)
	if _, err := b.Store.PutAlertSettings(b.t.Context(), a); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) sendAlerts() (int, error)  { return once(b, b.claimAlerts, b.alertOwners) }
func (b *bench) makeDigests() (int, error) { return once(b, b.claimDigests, b.digests) }
func (b *bench) look4trouble() (int, error) {
	return once(b, b.claimWatch, b.watch)
}

// toldOwner are the titles of messages to the owner's chat, oldest first.
func (b *bench) toldOwner() (titles []string) {
	for _, r := range b.notifier.Requests() {
		if m := r.GetOwnerMessage(); m != nil && m.GetChatId() == 99 {
			titles = append(titles, m.GetTitle())
		}
	}
	return titles
}

func (b *bench) wantOwner(want ...string) {
	b.t.Helper()
	if got := b.toldOwner(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		b.t.Errorf("the owner was told %q, want %q", got, want)
	}
}

func (b *bench) alertsWork() {
	b.t.Helper()
	if _, err := b.sendAlerts(); err != nil {
		b.t.Fatal(err)
	}
}

func TestAlerts_firstAtOnceTheOthersTogether(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	b.paid()
	b.settle()
	b.alertsWork()
	b.wantOwner("💰 Sale paid: R$ 19,90")
	for range 40 {
		b.paid()
	}
	b.settle()
	b.alertsWork()
	b.wantOwner("💰 Sale paid: R$ 19,90") // the others wait
	b.pass(together)
	b.alertsWork()
	b.alertsWork()
	b.wantOwner("💰 Sale paid: R$ 19,90", "💰 40 sales paid: R$ 796,00")
	b.pass(time.Hour)
	b.alertsWork()
	if n := len(b.toldOwner()); n != 2 {
		t.Errorf("told %d times", n)
	}
}

func TestAlerts_onlyWhatIsWanted(t *testing.T) {
	b := newBench(t)
	b.owned(func(a *store.AlertSettings) { a.Kinds = []string{"money_back"} })
	s := b.paid()
	b.settle()
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	b.alertsWork()
	b.wantOwner("↩️ Money that went back: R$ 19,90")
}

func TestAlerts_nobodyToTell(t *testing.T) {
	b := newBench(t)
	b.owned(func(a *store.AlertSettings) { a.ChatID = 0 })
	b.paid()
	b.settle()
	b.alertsWork()
	b.owned(nil)
	b.alertsWork()
	b.wantOwner()
}

// A crash on either side of the call, and a notifier that is away, change nothing: the message keeps its key and its content.
func TestAlerts_crashBehindTheCallSendsNothingTwice(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	b.paid()
	b.settle()
	claimed, err := b.claimAlerts(t.Context(), 10)
	if err != nil || len(claimed) != 1 || len(claimed[0].Items) != 1 {
		t.Fatal(claimed, err)
	}
	if err := b.alertOwner(t.Context(), claimed[0]); err != nil {
		t.Fatal(err)
	}
	// As if it had not been finished: the lane keeps its batch, and meanwhile another sale was paid.
	if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE alert_lanes SET batch = $1, due_at = '-infinity'`, claimed[0].ID); err != nil {
		t.Fatal(err)
	}
	b.paid()
	b.settle()
	b.notifier.FailNext(1, "Notify", codes.Unavailable)
	if _, err := b.sendAlerts(); status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}
	b.pass(awayFor)
	b.alertsWork()
	b.wantOwner("💰 Sale paid: R$ 19,90")
}

func TestAlerts_buyerUnreachable(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	s := b.paid()
	b.settle()
	run := b.following(b.followNotifier)
	defer run()
	b.notifier.Settle(s.MerchantID.String(), s.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked")
	b.until("the outcome is followed", func() bool { return b.get(s).Message == "undeliverable" })
	b.settle()
	b.alertsWork()
	var body string
	for _, r := range b.notifier.Requests() {
		if m := r.GetOwnerMessage(); strings.HasPrefix(m.GetTitle(), "📵") {
			body = m.GetBody()
		}
	}
	if !strings.Contains(body, "the buyer blocked the bot") || !strings.Contains(body, s.ID.String()+":resend") || strings.Contains(body, "/delivery/") {
		t.Errorf("the owner reads %q, want why, how to pass the link on, and no link", body)
	}
}

func TestAlerts_lastEndIsKept(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	run := b.following(b.followNotifier)
	defer run()
	end := func(key, reason string, state notifierv1.NotificationState) store.AlertSettings {
		t.Helper()
		r := OwnerMessage(store.AlertSettings{MerchantID: b.merchant, BotID: b.bot, ChatID: 99}, TestKey(key), "t", "")
		if _, err := b.Notifier.Notify(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		b.notifier.Settle(b.merchant.String(), "", r.GetKey(), state, reason)
		var a store.AlertSettings
		b.until("the end is noted", func() bool {
			var err error
			if a, err = b.Store.AlertSettings(t.Context(), b.merchant); err != nil {
				t.Fatal(err)
			}
			return a.LastFailure == reason && (reason != "" || a.LastSentAt != nil)
		})
		return a
	}
	if a := end("1", "blocked", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE); a.LastSentAt != nil {
		t.Errorf("after a refusal: %+v", a)
	}
	end("2", "", notifierv1.NotificationState_NOTIFICATION_STATE_SENT)
}

func TestBuyers_toldOfClosedLinksWhereMerchantsWantIt(t *testing.T) {
	b := newBench(t)
	s, quiet := b.paid(), b.paid()
	b.settle()
	run := b.following(b.followNotifier)
	for _, x := range []store.Sale{s, quiet} {
		b.notifier.Settle(x.MerchantID.String(), x.ID.String(), "delivery", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
		b.until("the message is followed", func() bool { return b.get(x).Message == "sent" })
	}
	run()
	b.reports(quiet, gatewaystest.Refunded(1990))
	b.settle()
	b.notifier.Want(b.merchant.String(), "access_revoked")
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	states := map[string]string{}
	for _, x := range []store.Sale{s, quiet} {
		got, err := b.Notifier.GetNotifications(t.Context(), &notifierv1.GetNotificationsRequest{PaymentId: x.ID.String()})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range got.GetNotifications() {
			if n.GetKind() == "access_revoked" {
				states[x.ID.String()] += n.GetState().String()
			}
		}
	}
	if states[s.ID.String()] != "NOTIFICATION_STATE_QUEUED" || states[quiet.ID.String()] != "NOTIFICATION_STATE_SKIPPED" {
		t.Errorf("told %v", states)
	}
	if got := b.get(s); got.Message != "sent" || got.State != payment.Refunded {
		t.Errorf("the sale is %v, its message %q", got.State, got.Message)
	}
}

func TestDigest_onceADayWhateverHappens(t *testing.T) {
	b := newBench(t) // it is noon in São Paulo
	b.owned(nil)
	b.paid()
	b.sale() // pending
	refunded := b.paid()
	b.settle()
	b.reports(refunded, gatewaystest.Refunded(1990))
	b.settle()
	if n, _ := b.makeDigests(); n != 0 {
		t.Fatalf("%d digests before the hour", n)
	}
	b.pass(21*time.Hour + time.Minute)
	due, err := b.claimDigests(t.Context(), 10)
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	for range 3 { // three replicas saw that it is due
		if err := b.digests(t.Context(), due); err != nil {
			t.Fatal(err)
		}
	}
	digests := func() (bodies []string) {
		b.alertsWork()
		for _, r := range b.notifier.Requests() {
			if m := r.GetOwnerMessage(); strings.HasPrefix(m.GetTitle(), "📊") {
				bodies = append(bodies, m.GetTitle()+"\n"+m.GetBody())
			}
		}
		return bodies
	}
	got := digests()
	if len(got) != 1 || !strings.HasPrefix(got[0], "📊 Digest of 2026-11-23\nPaid: 2 sales, R$ 39,80\nGiven back or disputed: 1 sale, R$ 19,90\nPending now: 1 sale, R$ 19,90\n") {
		t.Fatalf("digests %q", got)
	}
	b.pass(5 * 24 * time.Hour) // everything stood still: only the newest day is told
	for range 3 {
		if _, err := b.makeDigests(); err != nil {
			t.Fatal(err)
		}
	}
	if got = digests(); len(got) != 2 || !strings.HasPrefix(got[1], "📊 Digest of 2026-11-28") {
		t.Errorf("after the stop: %q", got)
	}
	b.owned(func(a *store.AlertSettings) { a.Kinds = []string{"sale_paid"} })
	b.pass(24 * time.Hour)
	if _, err := b.makeDigests(); err != nil {
		t.Fatal(err)
	}
	if n, _ := b.makeDigests(); n != 0 || len(digests()) != 2 {
		t.Errorf("not wanted: %q, %d still due", digests(), n)
	}
}

func TestWatch_beginningOfATroubleIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.owned(nil)

	for range 3 {
		b.sale()
	}
	trouble := func(outcome string) {
		t.Helper()
		_, err := b.Store.Pool().Exec(t.Context(), `UPDATE payments SET last_outcome = $1, looked_at = $2::timestamptz - interval '6 minutes'`, outcome, b.clock())
		if err == nil {
			_, err = b.Store.Pool().Exec(t.Context(), `UPDATE looks SET unanswered = CASE WHEN $1 = 'status' THEN 0 ELSE 3 END`, outcome)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	watch := func(want int) {
		t.Helper()
		if n, err := b.look4trouble(); n != want || err != nil {
			t.Fatalf("%d turns, %v", n, err)
		}
		b.alertsWork()
	}
	watch(1)
	watch(0) // not its time yet
	trouble("transient")
	for range 5 {
		b.pass(watchEvery)
		watch(1)
	}
	b.wantOwner("🔕 Átomo Pay does not answer")
	trouble("status")
	b.pass(watchEvery)
	watch(1)
	trouble("credential")
	b.pass(watchEvery)
	watch(1)
	b.wantOwner("🔕 Átomo Pay does not answer", "🔑 Átomo Pay refuses the credentials")
	trouble("status")
	b.pass(wellFor + time.Second)
	watch(1)
	trouble("transient")
	b.pass(watchEvery)
	watch(1)
	if got := b.toldOwner(); len(got) != 3 {
		t.Errorf("a trouble that returned: %q", got)
	}
}

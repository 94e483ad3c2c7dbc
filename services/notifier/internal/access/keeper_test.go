package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/notifier/internal/store"
	"github.com/baixapay/baixa/sim"
)

func TestKeeper_fromPaidToRemoved(t *testing.T) {
	d := newDesk(t).start(1)
	a := d.grant(buyer, 30, "days")
	link := d.linked(a)
	invites := d.world.Invites(group)
	if len(invites) != 1 || invites[0].Limit != 1 || invites[0].Expires.IsZero() || !strings.HasSuffix(a.PaymentID.String(), strings.TrimPrefix(invites[0].Name, "Baixa ")) {
		t.Errorf("invites %+v for payment %s", invites, a.PaymentID)
	}
	if got := d.now(a); got.State != store.AccessPending || got.ExpiresAt != nil {
		t.Errorf("before joining: %+v", got)
	}
	if err := d.world.Join(group, buyer, link); err != nil {
		t.Fatal(err)
	}
	got := d.reach(a, store.AccessActive)
	if !about(*got.StartedAt, time.Now()) || !about(*got.ExpiresAt, time.Now().Add(30*24*time.Hour)) {
		t.Errorf("time from %v to %v", got.StartedAt, got.ExpiresAt)
	}
	d.pass(29 * 24 * time.Hour)
	d.keeper.Wake()
	if got := d.now(a); got.State != store.AccessActive || d.world.Member(group, buyer) != "member" {
		t.Errorf("a day before the end: %+v", got)
	}
	d.pass(25 * time.Hour)
	got = d.reach(a, store.AccessRemoved)
	if d.world.Member(group, buyer) != "left" || got.RemovedAt == nil || got.Removal != store.RemovalDone {
		t.Errorf("after the end: %s, %+v", d.world.Member(group, buyer), got)
	}
	if diff := cmp.Diff([]string{"ready", "started", "removed"}, d.news(a)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// They may come back one day: a new sale lets them in again.
	if again := d.joined(d.grant(buyer, 1, "hours")); !about(*again.ExpiresAt, time.Now().Add(time.Hour)) {
		t.Errorf("the next sale ends at %v", again.ExpiresAt)
	}
}

func TestKeeper_renewalsExtend(t *testing.T) {
	d := newDesk(t).start(1)
	first := d.joined(d.grant(buyer, 10, "days"))
	second := d.reach(d.grant(buyer, 10, "days"), store.AccessActive) // they are in: nothing to join
	if !second.StartedAt.Equal(*first.ExpiresAt) || !about(*second.ExpiresAt, time.Now().Add(20*24*time.Hour)) {
		t.Errorf("the renewal counts from %v to %v, the first ends %v", second.StartedAt, second.ExpiresAt, first.ExpiresAt)
	}
	d.pass(11 * 24 * time.Hour)
	if got := d.reach(first, store.AccessExpired); got.Removal != store.RemovalNone || d.world.Member(group, buyer) != "member" {
		t.Errorf("the first is over: %s, %+v", d.world.Member(group, buyer), got)
	}
	d.pass(10 * 24 * time.Hour)
	d.reach(second, store.AccessRemoved)
	if got := d.news(first); !slices.Contains(got, "ended") || slices.Contains(got, "removed") {
		t.Errorf("of the first was told %v", got)
	}
	if got := d.news(second); !slices.Contains(got, "extended") || !slices.Contains(got, "removed") {
		t.Errorf("of the second was told %v", got)
	}
}

// A sale that was paid just before the end and not seen yet keeps its buyer in.
func TestKeeper_pendingRenewalPutsRemovalOff(t *testing.T) {
	d := newDesk(t)
	first := d.grant(buyer, 1, "hours")
	d.start(1)
	d.joined(first)
	d.stop()
	d.pass(time.Hour + time.Minute)
	second := d.grant(buyer, 1, "hours")
	d.start(1)
	second = d.reach(second, store.AccessActive)
	if !about(*second.StartedAt, time.Now()) {
		t.Errorf("the renewal counts from %v", second.StartedAt)
	}
	d.pass(2 * time.Minute)
	d.reach(first, store.AccessExpired)
	if got := d.world.Member(group, buyer); got != "member" {
		t.Errorf("the buyer is %s", got)
	}
	for _, c := range d.world.Calls() {
		if c.Method == "banChatMember" {
			t.Error("the buyer was banned in between")
		}
	}
}

// Whatever is lost on the way, one usable link is in somebody's hands, and a removal ends with nobody banned.
func TestKeeper_lostAnswers(t *testing.T) {
	for _, kind := range []sim.FaultKind{sim.FaultSwallow, sim.FaultDown, sim.FaultHTML, sim.FaultTruncated, sim.FaultCode} {
		t.Run(string(kind), func(t *testing.T) {
			d := newDesk(t)
			for _, method := range []sim.Endpoint{"createChatInviteLink", "getChatMember", "banChatMember", "unbanChatMember"} {
				if _, err := d.world.AddFault(sim.Fault{Kind: kind, Target: "telegram", Endpoint: method, Count: 2}); err != nil {
					t.Fatal(err)
				}
			}
			d.start(1)
			a := d.joined(d.grant(buyer, 1, "days"))
			if diff := cmp.Diff([]string{"ready", "started"}, d.news(a)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			d.pass(25 * time.Hour)
			d.reach(a, store.AccessRemoved)
			if got := d.world.Member(group, buyer); got != "left" {
				t.Errorf("the buyer is %s", got)
			}
		})
	}
}

func TestKeeper_moneyBackAndDisputeWon(t *testing.T) {
	d := newDesk(t).start(1)
	pending := d.grant(buyer+1, 1, "days")
	unused := d.linked(pending)
	if _, err := d.store.CancelAccess(t.Context(), pending, "refunded"); err != nil {
		t.Fatal(err)
	}
	d.until("the link is closed", func() bool { return d.now(pending).Link == nil })
	if err := d.world.Join(group, buyer+1, unused); err == nil {
		t.Error("the link of a refunded sale let somebody in")
	}
	a := d.joined(d.grant(buyer, 10, "days"))
	d.pass(4 * 24 * time.Hour)
	if got, err := d.store.CancelAccess(t.Context(), a, "disputed"); err != nil || got.State != store.AccessCancelled {
		t.Fatalf("cancel: %+v, %v", got, err)
	}
	if got, err := d.store.CancelAccess(t.Context(), a, "refunded"); err != nil || got.Cancelled != "disputed" {
		t.Errorf("cancelled twice: %+v, %v", got, err)
	}
	d.keeper.Wake()
	d.until("the buyer is out", func() bool { return d.now(a).Removal == store.RemovalDone })
	if got := d.now(a); got.State != store.AccessCancelled || d.world.Member(group, buyer) != "left" {
		t.Errorf("after the dispute: %s, %+v", d.world.Member(group, buyer), got)
	}
	if got, err := d.store.RestoreAccess(t.Context(), a, false); err != nil || got.State != store.AccessPending {
		t.Fatalf("restore: %+v, %v", got, err)
	}
	d.linked(a)
	looks := func() (n int) {
		for _, c := range d.world.Calls() {
			if c.Method == "getChatMember" {
				n++
			}
		}
		return n
	}
	before := looks() // the buyer is expected anew: looks are dense, however old the sale is
	d.until("two looks at a buyer who has a new link", func() bool { return looks() >= before+3 })
	back := d.joined(a)
	if !about(*back.ExpiresAt, time.Now().Add(6*24*time.Hour)) {
		t.Errorf("given back until %v", back.ExpiresAt)
	}
	if diff := cmp.Diff([]string{"ready", "started", "cancelled disputed", "removed disputed", "restored", "ready", "started"}, d.news(a)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if _, err := d.store.CancelAccess(t.Context(), a, store.CancelledManually); err != nil {
		t.Fatal(err)
	}
	if got, err := d.store.RestoreAccess(t.Context(), a, false); err != nil || got.State != store.AccessCancelled {
		t.Errorf("what the owner did by hand was undone: %+v, %v", got, err)
	}
}

// Restoring at any moment of a removal ends with the buyer free to come in.
func TestKeeper_restoredWhileBeingRemoved(t *testing.T) {
	d := newDesk(t).start(1)
	a := d.joined(d.grant(buyer, 10, "days"))
	d.stop()
	a, err := d.store.CancelAccess(t.Context(), a, "disputed")
	if err != nil {
		t.Fatal(err)
	}
	if a.Link != nil {
		if err := d.store.DropLink(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		a = d.now(a)
	}
	if _, begun, done, err := d.store.BeginRemoval(t.Context(), a); err != nil || !begun || !done {
		t.Fatalf("begin: %v %v %v", begun, done, err)
	}
	// The process bans and dies; meanwhile the dispute is won.
	if err := d.world.SetMember(group, buyer, "kicked"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.RestoreAccess(t.Context(), a, false); err != nil {
		t.Fatal(err)
	}
	d.start(1)
	d.until("the ban is lifted", func() bool { return d.world.Member(group, buyer) == "left" && d.now(a).Link != nil })
	d.joined(a)
}

// The refund of a sale takes its own days away, not those of the renewal behind it.
func TestStore_refundMovesRenewalsForward(t *testing.T) {
	d := newDesk(t).start(1)
	first := d.joined(d.grant(buyer, 10, "days"))
	second := d.reach(d.grant(buyer, 20, "days"), store.AccessActive)
	third := d.reach(d.grant(buyer, 5, "days"), store.AccessActive)
	d.pass(3 * 24 * time.Hour)
	if _, err := d.store.CancelAccess(t.Context(), first, "refunded"); err != nil {
		t.Fatal(err)
	}
	second, third = d.now(second), d.now(third)
	if !about(*second.StartedAt, time.Now()) || !about(*second.ExpiresAt, time.Now().Add(20*24*time.Hour)) || !third.StartedAt.Equal(*second.ExpiresAt) ||
		!about(*third.ExpiresAt, time.Now().Add(25*24*time.Hour)) {
		t.Errorf("second %v to %v, third %v to %v", second.StartedAt, second.ExpiresAt, third.StartedAt, third.ExpiresAt)
	}
	d.until("the first is dealt with", func() bool { return d.now(first).DueAt == nil })
	if got := d.world.Member(group, buyer); got != "member" {
		t.Errorf("the buyer is %s, and the second sale is paid", got)
	}
	until := second.ExpiresAt.Add(48 * time.Hour)
	if got, ok, err := d.store.ExtendAccess(t.Context(), second, until); err != nil || !ok || !got.ExpiresAt.Equal(until) {
		t.Errorf("extend: %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := d.store.ExtendAccess(t.Context(), second, until); err != nil || !ok {
		t.Errorf("extended twice: %v, %v", ok, err)
	}
	if moved := d.now(third); !moved.StartedAt.Equal(until) || moved.ExpiresAt.Sub(*moved.StartedAt) != third.ExpiresAt.Sub(*third.StartedAt) {
		t.Errorf("the third counts from %v to %v", moved.StartedAt, moved.ExpiresAt)
	}
	if _, ok, err := d.store.ExtendAccess(t.Context(), first, until); err != nil || ok {
		t.Errorf("a refunded access was extended: %v, %v", ok, err)
	}
}

func TestKeeper_foreverAndMonths(t *testing.T) {
	d := newDesk(t).start(1)
	forever := d.joined(d.grant(buyer, 0, store.Forever))
	if forever.ExpiresAt != nil || forever.DueAt != nil {
		t.Errorf("forever: %+v", forever)
	}
	month := d.joined(d.grant(buyer+1, 1, "months"))
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	from, to := month.StartedAt.In(zone), month.ExpiresAt.In(zone)
	if months := (to.Year()-from.Year())*12 + int(to.Month()-from.Month()); months != 1 || to.Hour() != from.Hour() || to.Day() != from.Day() && to.Day() < 28 {
		t.Errorf("a month from %v is %v", from, to)
	}
	if week := d.joined(d.grant(buyer+2, 2, "weeks")); !about(*week.ExpiresAt, time.Now().Add(14*24*time.Hour)) {
		t.Errorf("two weeks end at %v", week.ExpiresAt)
	}
}

func TestKeeper_replicasMakeOneLinkEach(t *testing.T) {
	d := newDesk(t)
	var all []store.Access
	for i := range 60 {
		all = append(all, d.grant(buyer+int64(i), 1, "days"))
	}
	d.start(3)
	for _, a := range all {
		d.linked(a)
	}
	if n := d.usable(); n != len(all) {
		t.Errorf("%d usable links for %d sales", n, len(all))
	}
	for _, a := range all {
		d.joined(a)
	}
	d.pass(25 * time.Hour)
	for _, a := range all {
		d.reach(a, store.AccessRemoved)
	}
	bans := 0
	for _, c := range d.world.Calls() {
		if c.Method == "banChatMember" {
			bans++
		}
	}
	if bans != len(all) {
		t.Errorf("%d bans for %d removals", bans, len(all))
	}
}

package access

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/notifier/internal/store"
	"github.com/baixapay/baixa/sim"
)

// What the owner must mend is told once, and mended it goes on by itself.
func TestKeeper_faultsAreToldAndMended(t *testing.T) {
	for name, c := range map[string]struct {
		chat  sim.Chat
		fault string
	}{
		"no rights":   {sim.Chat{ID: group, NoRights: true}, FaultNotAdmin},
		"unknown":     {sim.Chat{ID: group, State: sim.ChatUnknown}, FaultChatNotFound},
		"kicked":      {sim.Chat{ID: group, State: sim.ChatKicked}, FaultNotInGroup},
		"deactivated": {sim.Chat{ID: group, State: sim.ChatDeactivated}, FaultChatNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if err := d.world.AddChat(c.chat); err != nil {
				t.Fatal(err)
			}
			d.start(1)
			a := d.grant(buyer, 1, "days")
			if got := d.reach(a, store.AccessError); got.Error != c.fault || got.DueAt == nil {
				t.Errorf("%+v, want %s", got, c.fault)
			}
			tries := d.now(a).Tries
			d.until("it is tried again", func() bool { return d.now(a).Tries >= tries+2 })
			if err := d.world.AddChat(sim.Chat{ID: group}); err != nil {
				t.Fatal(err)
			}
			got := d.joined(a)
			if got.Error != "" {
				t.Errorf("mended: %+v", got)
			}
			if told := d.news(a); !slices.Equal(told, []string{"failed " + c.fault, "ready", "started"}) {
				t.Errorf("told %v", told)
			}
		})
	}
}

func TestKeeper_botWithoutToken(t *testing.T) {
	d := newDesk(t)
	d.shop.bot = uuid.New()
	d.start(1)
	a := d.grant(buyer, 1, "days")
	if got := d.reach(a, store.AccessError); got.Error != FaultNoBot {
		t.Errorf("%+v", got)
	}
	d.putBot()
	d.linked(a)
}

func TestKeeper_revokedTokenStopsTheWholeBot(t *testing.T) {
	d := newDesk(t)
	if err := d.world.RevokeBot(token); err != nil {
		t.Fatal(err)
	}
	d.start(1)
	a := d.grant(buyer, 1, "days")
	if got := d.reach(a, store.AccessError); got.Error != FaultUnauthorized {
		t.Errorf("%+v", got)
	}
	calls := d.world.Counters().Telegram.Methods["createChatInviteLink"]
	tries := d.now(a).Tries
	d.until("it is looked at again", func() bool { return d.now(a).Tries >= tries+3 })
	if n := d.world.Counters().Telegram.Methods["createChatInviteLink"]; n != calls {
		t.Errorf("%d calls with a token that is refused", n)
	}
	if err := d.world.AddBot(sim.Bot{Token: token}); err != nil {
		t.Fatal(err)
	}
	d.putBot()
	d.linked(a)
}

func TestKeeper_floodPausesTheWholeBot(t *testing.T) {
	d := newDesk(t)
	if _, err := d.world.AddFault(sim.Fault{Kind: sim.FaultRateLimited, Target: "telegram", Count: 1, RetryAfter: time.Hour, RetryInBody: true}); err != nil {
		t.Fatal(err)
	}
	d.start(1)
	a := d.grant(buyer, 1, "days")
	paused := func() (is bool) {
		err := d.db.Admin(t).QueryRow(t.Context(), `SELECT paused_until > now() + interval '50 minutes' FROM notifier.bots WHERE bot_id = $1`, d.shop.bot).Scan(&is)
		return err == nil && is
	}
	d.until("the bot is paused, for its messages as well", paused)
	d.until("the access waits as long", func() bool {
		got := d.now(a)
		return got.DueAt != nil && got.DueAt.After(time.Now().Add(50*time.Minute)) && got.State == store.AccessPending
	})
}

func TestKeeper_groupMoves(t *testing.T) {
	d := newDesk(t)
	const moved = int64(-1009)
	if err := d.world.AddChat(sim.Chat{ID: group, Kind: sim.ChatGroup, State: sim.ChatMigrated, MigratedTo: moved}); err != nil {
		t.Fatal(err)
	}
	d.start(1)
	a := d.grant(buyer, 1, "days")
	d.linked(a)
	if got := d.now(a); got.ChatID != moved {
		t.Errorf("the group is %d", got.ChatID)
	}
	d.joined(d.now(a))
}

func TestKeeper_whomNobodyCanTakeOut(t *testing.T) {
	d := newDesk(t).start(1)
	a := d.joined(d.grant(buyer, 1, "hours"))
	if err := d.world.SetMember(group, buyer, "administrator"); err != nil {
		t.Fatal(err)
	}
	d.pass(2 * time.Hour)
	if got := d.reach(a, store.AccessError); got.Error != FaultAdmin || got.DueAt != nil {
		t.Errorf("%+v", got)
	}
	banned := d.grant(buyer+1, 1, "hours")
	if err := d.world.SetMember(group, buyer+1, "kicked"); err != nil {
		t.Fatal(err)
	}
	if got := d.reach(banned, store.AccessError); got.Error != FaultBanned {
		t.Errorf("%+v", got)
	}
	if err := d.world.SetMember(group, buyer+1, "left"); err != nil {
		t.Fatal(err)
	}
	d.joined(banned)
}

func TestKeeper_linkEndsBeforeTheBuyerComes(t *testing.T) {
	d := newDesk(t).start(1)
	a := d.grant(buyer, 1, "days")
	old := d.linked(a)
	d.pass(8 * 24 * time.Hour)
	d.until("a new link", func() bool { return d.now(a).Links == 2 })
	if d.linked(a) == old {
		t.Error("the link that ended is handed out again")
	}
	d.pass(90 * 24 * time.Hour)
	if got := d.reach(a, store.AccessError); got.Error != FaultNeverJoined || got.DueAt != nil {
		t.Errorf("after the patience: %+v", got)
	}
}

// A process that dies anywhere leaves a lease, and whoever comes next ends what it began.
func TestKeeper_diesBetweenAnyTwoSteps(t *testing.T) {
	d := newDesk(t)
	k := d.newKeeper()
	pace := store.AccessPace{Interval: time.Millisecond, Calls: 1, PerBot: 4}
	claim := func() store.Access {
		t.Helper()
		var rows []store.Access
		d.until("something is due", func() (ok bool) {
			var err error
			rows, err = d.store.ClaimAccesses(t.Context(), 10, pace, time.Millisecond)
			return err == nil && len(rows) == 1
		})
		return rows[0]
	}
	if err := k.watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := d.grant(buyer, 1, "hours")
	claim()          // dies before it asks
	dying := claim() // asks, and dies before it writes
	b, _, err := k.bot(t.Context(), dying)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.api.invite(t.Context(), b, group, "lost", time.Now().Add(time.Hour)); got.link == "" {
		t.Fatalf("%+v", got)
	}
	if err := k.step(t.Context(), claim()); err != nil {
		t.Fatal(err)
	}
	if kept, err := d.store.PutLink(t.Context(), dying, []byte("x"), time.Now(), 0); err != nil || kept {
		t.Errorf("a late result replaced the link: %v, %v", kept, err)
	}
	if err := d.world.Join(group, buyer, d.linked(a)); err != nil {
		t.Fatal(err)
	}
	claim() // sees the buyer, and dies
	if err := k.step(t.Context(), claim()); err != nil {
		t.Fatal(err)
	}
	if got := d.now(a); got.State != store.AccessActive {
		t.Fatalf("%+v", got)
	}
	d.pass(2 * time.Hour)
	if err := k.step(t.Context(), claim()); err != nil { // expired
		t.Fatal(err)
	}
	begun, ok, done, err := d.store.BeginRemoval(t.Context(), claim()) // says that it begins, bans, and dies
	if err != nil || !ok || !done {
		t.Fatalf("%v %v %v", ok, done, err)
	}
	if got := k.api.ban(t.Context(), b, group, buyer, time.Now().Add(banLife)); got.kind != good {
		t.Fatalf("%+v", got)
	}
	// The buyer pays again right now: nobody may count them as present, nor leave them banned.
	renewal := d.grant(buyer, 1, "hours")
	if wait, _, err := d.store.ActivateAccess(t.Context(), renewal); err != nil || !wait {
		t.Errorf("a buyer who is being taken out was counted as present: %v, %v", wait, err)
	}
	d.start(1)
	d.reach(begun, store.AccessRemoved)
	d.joined(renewal)
}

// An access is held as long as its step renews it: nobody else claims it. One that changed since is not held.
func TestStore_renewsAnAccess(t *testing.T) {
	d := newDesk(t)
	a := d.grant(buyer, 1, "days")
	pace := store.AccessPace{Interval: time.Millisecond, Calls: 1, PerBot: 4}
	claim := func() []store.Access {
		t.Helper()
		rows, err := d.store.ClaimAccesses(t.Context(), 10, pace, 0)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	lost := claim()
	if len(lost) != 1 {
		t.Fatalf("%d claimed, want 1", len(lost))
	}
	if err := d.store.RenewAccess(t.Context(), lost[0], time.Minute); err != nil {
		t.Fatal(err)
	}
	if rows := claim(); len(rows) != 0 {
		t.Error("a renewed access was taken over")
	}
	if _, err := d.store.CancelAccess(t.Context(), a, "refunded"); err != nil {
		t.Fatal(err)
	}
	if err := d.store.RenewAccess(t.Context(), lost[0], time.Minute); err != nil {
		t.Fatal(err)
	}
	if rows := claim(); len(rows) != 1 {
		t.Error("who was overtaken by a refund holds the access")
	}
}

// A link that was made while the money went back is closed at once: nobody was ever given it.
func TestKeeper_overtakenByARefund(t *testing.T) {
	d := newDesk(t)
	k := d.newKeeper()
	a := d.grant(buyer, 1, "days")
	rows, err := d.store.ClaimAccesses(t.Context(), 10, store.AccessPace{Interval: time.Millisecond, Calls: 1, PerBot: 4}, time.Minute)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	if _, err := d.store.CancelAccess(t.Context(), a, "refunded"); err != nil {
		t.Fatal(err)
	}
	if err := k.step(t.Context(), rows[0]); err != nil {
		t.Fatal(err)
	}
	if n := d.usable(); n != 0 || d.now(a).Link != nil {
		t.Errorf("%d usable links of a refunded sale", n)
	}
}

func TestKeeper_clockThatJumpedEndsNothing(t *testing.T) {
	d := newDesk(t).start(1)
	a := d.joined(d.grant(buyer, 1, "hours"))
	d.stop()
	k := d.newKeeper()
	now := time.Now()
	k.clock.see(now.Add(-48*time.Hour), now.Add(-time.Second)) // the database's clock leaps two days within a second
	if err := k.watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.pass(2 * time.Hour)
	rows, err := d.store.ClaimAccesses(t.Context(), 10, store.AccessPace{Interval: time.Millisecond, Calls: 1, PerBot: 4}, time.Minute)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v, %v", rows, err)
	}
	if err := k.step(t.Context(), rows[0]); err != nil {
		t.Fatal(err)
	}
	if got := d.now(a); got.State != store.AccessActive || d.world.Member(group, buyer) != "member" {
		t.Errorf("%s, %+v", d.world.Member(group, buyer), got)
	}
}

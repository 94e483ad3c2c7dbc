package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/store"
	"github.com/baixapay/baixa/sim"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	group = int64(-1001234567890)
	buyer = int64(700000001)
	token = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// desk is a database, a simulated Telegram and, once started, a keeper.
type desk struct {
	t      testing.TB
	db     *pgtest.DB
	store  *store.Store
	sealer *seal.Sealer
	world  *sim.World
	config Config
	keeper *Keeper
	shop   struct{ merchant, bot uuid.UUID }
	stop   func()
	seen   eventlog.Cursor
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{t: t, db: pgtest.New(t, store.Schema), stop: func() {}}
	keys, err := seal.Generate()
	if err == nil {
		d.sealer, err = seal.New(keys)
	}
	if err == nil {
		d.store, err = store.New(d.db.Pool(t, store.Schema))
	}
	if err == nil {
		d.world, err = sim.New(sim.Config{Seed: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := d.world.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(); d.world.Close() })
	d.config = Config{Store: d.store, Sealer: d.sealer, BaseURL: server.URL + "/telegram", PerBot: 1000, Soon: 5 * time.Millisecond,
		Mend: 20 * time.Millisecond, Idle: 10 * time.Millisecond}
	d.shop.merchant, d.shop.bot = uuid.New(), uuid.New()
	d.putBot()
	return d
}

func (d *desk) putBot() {
	d.t.Helper()
	sealed, err := telegram.SealToken(d.sealer, d.shop.merchant, d.shop.bot, token)
	if err == nil {
		_, _, err = d.store.PutBot(d.t.Context(), store.Bot{MerchantID: d.shop.merchant, BotID: d.shop.bot, Token: sealed, TokenHash: []byte(token), Number: 123456})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) newKeeper() *Keeper {
	d.t.Helper()
	k, err := NewKeeper(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

// start runs n keepers until the test ends or stop is called.
func (d *desk) start(n int) *desk {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, n)
	for range n {
		d.keeper = d.newKeeper()
		k := d.keeper
		go func() { done <- k.Run(ctx) }()
	}
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			for range n {
				if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
					d.t.Errorf("stop: %v", err)
				}
			}
		})
	}
	d.t.Cleanup(d.stop)
	return d
}

// grant records an access of a new sale.
func (d *desk) grant(user int64, value int, unit string) store.Access {
	d.t.Helper()
	a, created, err := d.store.GrantAccess(d.t.Context(), store.Access{MerchantID: d.shop.merchant, ID: uuid.Must(uuid.NewV7()), PaymentID: uuid.Must(uuid.NewV7()),
		BotID: d.shop.bot, ChatID: group, UserID: user, Unit: unit, Value: value})
	if err != nil || !created {
		d.t.Fatalf("grant: %v, %v", created, err)
	}
	return a
}

func (d *desk) now(a store.Access) store.Access {
	d.t.Helper()
	a, err := d.store.Access(context.Background(), &a.MerchantID, a.ID, uuid.Nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// until waits for what nothing announces.
func (d *desk) until(what string, so func() bool) {
	d.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !so(); <-tick.C {
		if time.Since(start) > time.Minute {
			d.t.Fatalf("never: %s", what)
		}
	}
}

func (d *desk) reach(a store.Access, state store.AccessState) store.Access {
	d.t.Helper()
	d.until(fmt.Sprintf("access in state %d", state), func() bool { return d.now(a).State == state })
	return d.now(a)
}

// linked waits for a link and returns it.
func (d *desk) linked(a store.Access) string {
	d.t.Helper()
	d.until("a link", func() bool { return d.now(a).Link != nil })
	link, err := OpenLink(d.sealer, d.now(a))
	if err != nil {
		d.t.Fatal(err)
	}
	return link
}

// joined brings the buyer in by the access's own link.
func (d *desk) joined(a store.Access) store.Access {
	d.t.Helper()
	if err := d.world.Join(a.ChatID, a.UserID, d.linked(a)); err != nil {
		d.t.Fatal(err)
	}
	return d.reach(a, store.AccessActive)
}

// pass lets time go by for all accesses. A step under way, which has read the time before, is overtaken: it writes nothing.
func (d *desk) pass(by time.Duration) {
	d.t.Helper()
	if _, err := d.db.Admin(d.t).Exec(context.Background(), `UPDATE notifier.accesses SET created_at = created_at - $1::interval, started_at = started_at - $1::interval,
		expires_at = expires_at - $1::interval, due_at = due_at - $1::interval, link_until = link_until - $1::interval,
		version = version + 1, lease_until = '-infinity'`, by); err != nil {
		d.t.Fatal(err)
	}
}

// news are all outcomes so far, as "what reason".
func (d *desk) news(a store.Access) (list []string) {
	d.t.Helper()
	rows, _, err := d.store.OutcomesAfter(context.Background(), d.seen, 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, o := range rows {
		if o.Channel != store.Group || o.Access == nil || o.Access.ChatID == 0 {
			d.t.Errorf("outcome %+v", o)
			continue
		}
		if o.Access.AccessID == a.ID {
			text := o.Access.What
			if o.Reason != "" {
				text += " " + o.Reason
			}
			list = append(list, text)
		}
	}
	return list
}

func (d *desk) usable() (n int) {
	for _, i := range d.world.Invites(group) {
		if !i.Revoked && i.Used < i.Limit {
			n++
		}
	}
	return n
}

func about(got, want time.Time) bool { return got.Sub(want).Abs() < 2*time.Minute }

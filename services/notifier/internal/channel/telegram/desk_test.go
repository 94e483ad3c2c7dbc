package telegram

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// desk is a running sender with its database and its Telegram.
type desk struct {
	t      testing.TB
	store  *store.Store
	sealer *seal.Sealer
	sender *Sender
	fake   *fakeTelegram
	stop   func()
	seen   eventlog.Cursor
}

func newDesk(t testing.TB, change func(*Config)) *desk {
	t.Helper()
	return newDeskOn(t, pgtest.New(t, store.Schema), change)
}

func newDeskOn(t testing.TB, db *pgtest.DB, change func(*Config)) *desk {
	t.Helper()
	return newDeskWith(t, db.Pool(t, store.Schema), change)
}

func newDeskWith(t testing.TB, pool *pgxpool.Pool, change func(*Config)) *desk {
	t.Helper()
	st, err := store.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: st, sealer: sealer, fake: newFake(t)}
	c := Config{Store: st, Sealer: sealer, BaseURL: d.fake.URL, PerBot: 100_000, InFlight: 64, Timeout: 10 * time.Second, MaxAge: time.Hour,
		Idle: 50 * time.Millisecond, ForbiddenWait: 10 * time.Millisecond, Retry: queue.Backoff{Base: time.Millisecond, Limit: 10 * time.Millisecond}}
	if change != nil {
		change(&c)
	}
	if d.sender, err = NewSender(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- st.Outcomes().Run(ctx) }()
	go func() { done <- d.sender.Run(ctx) }()
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("stop: %v", err)
			}
		}
	}
	t.Cleanup(d.stop)
	return d
}

type shop struct{ merchant, bot uuid.UUID }

func newShop() shop { return shop{uuid.New(), uuid.New()} }

func (d *desk) putBot(x shop, token string) {
	d.t.Helper()
	sealed, err := SealToken(d.sealer, x.merchant, x.bot, token)
	if err == nil {
		_, _, err = d.store.PutBot(context.Background(), store.Bot{MerchantID: x.merchant, BotID: x.bot, Token: sealed, TokenHash: []byte(token)})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.sender.Wake()
}

// intents are messages to one chat, in order; their texts end in their number.
func (d *desk) intents(x shop, chat int64, n int) []store.Intent {
	d.t.Helper()
	var out []store.Intent
	for i := range n {
		in := store.Intent{MerchantID: x.merchant, ID: uuid.Must(uuid.NewV7()), PaymentID: uuid.New(), BotID: x.bot, Key: "delivery", Kind: "delivery",
			Channel: store.Telegram, ChatID: chat}
		sealed, err := SealContent(d.sealer, in.ID, Content{Product: "Curso", Centavos: 1990, Link: fmt.Sprintf("https://x.example/%d", i)})
		if err != nil {
			d.t.Fatal(err)
		}
		in.Content = sealed
		out = append(out, in)
	}
	return out
}

func (d *desk) record(intents ...store.Intent) []store.Recorded {
	d.t.Helper()
	out, err := d.sender.Record(context.Background(), intents)
	if err != nil {
		d.t.Fatal(err)
	}
	d.sender.Wake()
	return out
}

var errEnough = errors.New("enough")

// wait returns the next n outcomes as "state reason" or fails.
func (d *desk) wait(n int) []string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var got []string
	err := eventlog.Follow(ctx, d.store.Outcomes(), eventlog.Feed[store.Outcome]{After: d.seen, Batch: 500, Read: d.store.OutcomesAfter,
		Deliver: func(_ context.Context, rows []store.Outcome) error {
			for _, o := range rows {
				got = append(got, fmt.Sprintf("%d%s", o.State, o.Reason))
				d.seen = o.Cursor
			}
			if len(got) >= n {
				return errEnough
			}
			return nil
		}})
	if !errors.Is(err, errEnough) {
		d.t.Fatalf("%d of %d outcomes came, %d requests: %v", len(got), n, len(d.fake.requests(0)), err)
	}
	return got
}

func (d *desk) state(r store.Recorded) string {
	d.t.Helper()
	list, err := d.store.List(context.Background(), r.MerchantID, r.PaymentID)
	if err != nil || len(list) != 1 {
		d.t.Fatalf("notifications %+v, %v", list, err)
	}
	return fmt.Sprintf("%d%s after %d", list[0].State, list[0].Reason, list[0].Attempts)
}

// until looks again and again, for what nothing announces, until it is so or 90 s are over.
func (d *desk) until(what string, so func() bool) {
	d.t.Helper()
	for start := time.Now(); !so(); runtime.Gosched() {
		if time.Since(start) > 90*time.Second {
			d.t.Fatalf("never: %s", what)
		}
	}
}

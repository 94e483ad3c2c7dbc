package work

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
	"github.com/baixapay/baixa/services/payments/internal/trust"
)

// The habits: how the news of paid sales came is noted with them, and judged every now and then. Silence makes the schedule denser, tells the
// owner once, and ends by itself.

const (
	judgeEvery   = 15 * time.Second
	judgedFor    = time.Hour // an account is judged while its newest paid sale is that young, or it is silent
	claimedFor   = 30 * 24 * time.Hour
	keepArrivals = 1000
	// hasten is how many sales of an account that fell silent are scheduled anew at once; the others follow with their next look.
	hasten      = 1000
	hastenAfter = 30 * time.Second
)

// Habits is what is known of accounts' webhooks, for the ledger. It is safe for concurrent use.
type Habits struct {
	known atomic.Pointer[map[payment.AccountID]store.Habit]
}

// NewHabits returns habits of which nothing is known.
func NewHabits() *Habits { return &Habits{} }

// Of is what ledger.Config.Habit takes.
func (h *Habits) Of(a payment.AccountID) (silent, doubted bool) {
	if m := h.known.Load(); m != nil {
		habit := (*m)[a]
		return habit.SilentSince != nil, habit.Doubted
	}
	return false, false
}

// arrived notes, with hints, which of them called a sale paid, and with looks, which sales they found paid.
func arrived(entries []ledger.Entry, now time.Time) ledger.Also {
	var news []store.News
	for _, e := range entries {
		switch {
		case e.Event.Kind == payment.HintReceived && e.Details["claimed"] == payment.StatusPaid.String():
			received, err := time.Parse(time.RFC3339Nano, e.Details["received_at"])
			if err != nil {
				received = e.Event.At
			}
			news = append(news, store.News{Key: e.Key, HintAt: &received})
		case e.Event.Reading != nil && e.Event.Reading.Status == payment.StatusPaid:
			news = append(news, store.News{Key: e.Key, Found: true})
		}
	}
	return func(ctx context.Context, tx pgx.Tx) error { return store.NoteArrivals(ctx, tx, news, now) }
}

// watchHabits judges until ctx is done. Every replica does; the rows see to it that a silence begins once.
func (w *Worker) watchHabits(ctx context.Context) error {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		if err := w.judgeHabits(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "webhooks' habits not judged; it is tried again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *Worker) judgeHabits(ctx context.Context) error {
	if err := w.readHabits(ctx); err != nil {
		return err
	}
	now := w.Now()
	accounts, err := w.Store.AccountsWithArrivals(ctx, nil, now.Add(-judgedFor))
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if err := w.judgeAccount(ctx, a, now); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) readHabits(ctx context.Context) error {
	list, err := w.Store.Habits(ctx, nil)
	if err != nil {
		return err
	}
	known := make(map[payment.AccountID]store.Habit, len(list))
	for _, h := range list {
		known[h.AccountID] = h
	}
	w.Habits.known.Store(&known)
	return nil
}

func (w *Worker) judgeAccount(ctx context.Context, a store.Account, now time.Time) error {
	was, doubted := w.Habits.Of(a.AccountID)
	arrivals, err := w.Store.Arrivals(ctx, a, trust.Window)
	if err != nil {
		return err
	}
	lies, err := w.Store.FalsePaid(ctx, a, now.Add(-claimedFor), now.Add(-trust.FalseAfter), trust.FalseAfter)
	if err != nil {
		return err
	}
	h := trust.Judge(arrivals, lies, was, now)
	if h.Silent == was && h.Doubted == doubted {
		return w.Store.ForgetArrivals(ctx, a, keepArrivals, now.Add(-claimedFor))
	}
	began := false
	err = pg.InTx(ctx, w.Store.Pool(), func(tx pgx.Tx) error {
		began, err = w.Store.SetHabit(ctx, tx, a, h, now, func(k store.Key) store.Effect { return alertSilence(k, a, h, now) })
		return err
	})
	if err != nil {
		return err
	}
	if err := w.readHabits(ctx); err != nil {
		return err
	}
	switch {
	case began:
		slog.WarnContext(ctx, "webhooks fell silent: looks are denser", slog.String("provider", a.Provider), slog.String("account_id", a.AccountID.String()),
			slog.Int("sales", h.Run))
		w.Wakers.Wake(ledger.Work{Owner: true})
		return w.hasten(ctx, a, now)
	case was && !h.Silent:
		slog.InfoContext(ctx, "webhooks are back", slog.String("provider", a.Provider), slog.String("account_id", a.AccountID.String()))
	}
	return nil
}

// hasten schedules anew what would be looked at later than silence allows.
func (w *Worker) hasten(ctx context.Context, a store.Account, now time.Time) error {
	keys, err := w.Store.LooksAhead(ctx, a.AccountID, now.Add(hastenAfter), hasten)
	if err != nil {
		return err
	}
	for len(keys) > 0 {
		n := min(len(keys), clockBatch)
		if err := w.Ledger.Reschedule(ctx, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// alertSilence tells the owner. Idempotency key: the sale that revealed it and the second at which it began.
func alertSilence(k store.Key, a store.Account, h trust.Habit, now time.Time) store.Effect {
	news := ledger.OwnerNews{Type: "alert", Status: "webhooks_silent", At: now.UTC(),
		Detail: fmt.Sprintf("%s: %d vendas pagas seguidas sem webhook; antes, ao menos %.0f%% tinham um. As consultas ficaram mais frequentes.",
			a.Provider, h.Run, 100*h.Expected)}
	raw, err := json.Marshal(news)
	if err != nil {
		raw = nil // texts and a time always marshal
	}
	return store.Effect{Key: k, Name: "silence:" + strconv.FormatInt(now.Unix(), 10), Kind: ledger.KindOwner, Payload: raw, DueAt: now}
}

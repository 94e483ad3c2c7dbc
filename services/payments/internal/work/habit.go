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
type Habits struct{ known atomic.Pointer[known] }

type known struct {
	accounts  map[payment.AccountID]store.Habit
	providers map[string]time.Time // since when each is silent for everybody
}

// NewHabits returns habits of which nothing is known.
func NewHabits() *Habits { return &Habits{} }

// Of is what ledger.Config.Habit takes: an account is silent against its own habit, or with its whole provider.
func (h *Habits) Of(a payment.AccountID, provider string) (silent, doubted bool) {
	k := h.known.Load()
	if k == nil {
		return false, false
	}
	habit := k.accounts[a]
	_, all := k.providers[provider]
	return all || habit.SilentSince != nil, habit.Doubted
}

// own is what was judged of the account alone.
func (h *Habits) own(a payment.AccountID) (silent, doubted bool) {
	if k := h.known.Load(); k != nil {
		habit := k.accounts[a]
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

// judged is an account with what was found.
type judged struct {
	store.Account
	trust.Habit
}

// judgeHabits judges each account by its own history, those that have too little of it by what their provider's accounts have in common as
// well, and then each provider by all of its accounts.
func (w *Worker) judgeHabits(ctx context.Context) error {
	if err := w.readHabits(ctx); err != nil {
		return err
	}
	now := w.Now()
	accounts, err := w.Store.AccountsWithArrivals(ctx, nil, now.Add(-judgedFor))
	if err != nil {
		return err
	}
	of := map[string][]judged{}
	for _, a := range accounts {
		h, err := w.judgeAccount(ctx, a, trust.Common{}, now)
		if err != nil {
			return err
		}
		of[a.Provider] = append(of[a.Provider], judged{a, h})
	}
	var silences []silence
	for provider, list := range of {
		some, err := w.judgeProvider(ctx, provider, list, now)
		if err != nil {
			return err
		}
		silences = append(silences, some...)
	}
	return w.tellSilences(ctx, silences, now)
}

func (w *Worker) judgeAccount(ctx context.Context, a store.Account, c trust.Common, now time.Time) (trust.Habit, error) {
	was, _ := w.Habits.own(a.AccountID)
	arrivals, err := w.Store.Arrivals(ctx, a, trust.Window)
	if err != nil {
		return trust.Habit{}, err
	}
	lies, err := w.Store.FalsePaid(ctx, a, now.Add(-claimedFor), now.Add(-trust.FalseAfter), trust.FalseAfter)
	if err != nil {
		return trust.Habit{}, err
	}
	return c.Judge(arrivals, lies, was, now), nil
}

func (w *Worker) readHabits(ctx context.Context) error {
	list, err := w.Store.Habits(ctx, nil)
	if err != nil {
		return err
	}
	k := known{accounts: make(map[payment.AccountID]store.Habit, len(list))}
	for _, h := range list {
		k.accounts[h.AccountID] = h
	}
	if k.providers, err = w.Store.SilentProviders(ctx); err != nil {
		return err
	}
	w.Habits.known.Store(&k)
	return nil
}

// silence is a provider that is silent for a merchant; run is 0 when it is for everybody.
type silence struct {
	store.Silence
	run      int
	expected float64
}

// judgeProvider ends the judgement of one provider's accounts and returns for whom it is silent now.
func (w *Worker) judgeProvider(ctx context.Context, provider string, list []judged, now time.Time) (out []silence, err error) {
	all := make([]trust.Habit, len(list))
	for i, j := range list {
		all[i] = j.Habit
	}
	common := trust.CommonOf(all)
	for i, j := range list {
		if !j.Silent && j.Before < trust.MinHistory && j.Run >= trust.MinRun {
			if all[i], err = w.judgeAccount(ctx, j.Account, common, now); err != nil {
				return nil, err
			}
			list[i].Habit = all[i]
		}
		if err := w.keepHabit(ctx, list[i], now); err != nil {
			return nil, err
		}
		if all[i].Silent {
			out = append(out, silence{store.Silence{MerchantID: j.MerchantID, Provider: provider}, all[i].Run, all[i].Expected})
		}
	}
	var since *time.Time
	if at, is := w.Habits.known.Load().providers[provider]; is {
		since = &at
	}
	if !trust.JudgeProvider(all, since) {
		if since == nil {
			return out, nil
		}
		slog.InfoContext(ctx, "a provider's webhooks are back", slog.String("provider", provider))
		if _, err = w.Store.SetProviderHabit(ctx, provider, false, now); err == nil {
			err = w.readHabits(ctx)
		}
		return out, err
	}
	for _, j := range list {
		if j.HintedBefore > 0 { // whoever never had a webhook misses none
			out = append(out, silence{store.Silence{MerchantID: j.MerchantID, Provider: provider}, 0, 0})
		}
	}
	if since != nil {
		return out, nil
	}
	began, err := w.Store.SetProviderHabit(ctx, provider, true, now)
	if err != nil || !began {
		return out, err
	}
	slog.WarnContext(ctx, "a provider's webhooks fell silent for everybody: looks are denser", slog.String("provider", provider), slog.Int("accounts", len(list)))
	if err := w.readHabits(ctx); err != nil {
		return nil, err
	}
	for _, j := range list {
		if err := w.hasten(ctx, j.Account, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// keepHabit records what changed about one account.
func (w *Worker) keepHabit(ctx context.Context, j judged, now time.Time) error {
	was, doubted := w.Habits.own(j.AccountID)
	if j.Silent == was && j.Doubted == doubted {
		return w.Store.ForgetArrivals(ctx, j.Account, keepArrivals, now.Add(-claimedFor))
	}
	began, err := w.Store.SetHabit(ctx, j.Account, j.Habit, now)
	if err != nil {
		return err
	}
	if err := w.readHabits(ctx); err != nil {
		return err
	}
	switch {
	case began:
		slog.WarnContext(ctx, "webhooks fell silent: looks are denser", slog.String("provider", j.Provider), slog.String("account_id", j.AccountID.String()),
			slog.Int("sales", j.Run))
		return w.hasten(ctx, j.Account, now)
	case was && !j.Silent:
		slog.InfoContext(ctx, "webhooks are back", slog.String("provider", j.Provider), slog.String("account_id", j.AccountID.String()))
	}
	return nil
}

// tellSilences tells owners of what is silent and was not before, once a merchant and provider.
func (w *Worker) tellSilences(ctx context.Context, all []silence, now time.Time) error {
	worst := map[store.Silence]silence{}
	var list []store.Silence
	for _, s := range all {
		old, is := worst[s.Silence]
		if !is {
			list = append(list, s.Silence)
		}
		if !is || s.run == 0 || old.run != 0 && s.run > old.run {
			worst[s.Silence] = s
		}
	}
	told, err := w.Store.KeepSilences(ctx, list, now, judgedFor, func(s store.Silence, k store.Key) store.Effect { return alertSilence(k, worst[s], now) })
	if told > 0 {
		w.Wakers.Wake(ledger.Work{Owner: true})
	}
	return err
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

// alertSilence tells the owner. Idempotency key: the sale that revealed it and the second at which it began. What others sell is never said.
func alertSilence(k store.Key, s silence, now time.Time) store.Effect {
	news := ledger.OwnerNews{Type: "alert", Status: ledger.WebhooksSilent, At: now.UTC(), Run: s.run,
		Detail: fmt.Sprintf("%s: %d vendas pagas seguidas sem webhook; antes, ao menos %.0f%% tinham um. As consultas ficaram mais frequentes.",
			s.Provider, s.run, 100*s.expected)}
	if s.run == 0 {
		news.Detail = s.Provider + ": os webhooks pararam de chegar, e não só os seus. As consultas ficaram mais frequentes."
	}
	raw, err := json.Marshal(news)
	if err != nil {
		raw = nil // texts and a time always marshal
	}
	return store.Effect{Key: k, Name: "silence:" + strconv.FormatInt(now.Unix(), 10), Kind: ledger.KindOwner, Payload: raw, DueAt: now}
}

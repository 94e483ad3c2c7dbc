package work

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const nameLife = time.Minute // of a merchant's bots' names

// botNames keeps the names of bots, which buyers read.
type botNames struct {
	mu    sync.Mutex
	known map[payment.MerchantID]namedBots
}

type namedBots struct {
	names map[payment.BotID]string
	until time.Time
}

// botName is the name of the bot that sold s; its external id when it is not known now, for no message waits for a name.
func (w *Worker) botName(ctx context.Context, s store.Sale) string {
	w.names.mu.Lock()
	defer w.names.mu.Unlock()
	now := w.Now()
	bots, ok := w.names.known[s.MerchantID]
	if !ok || now.After(bots.until) {
		list, err := w.Store.Bots(ctx, s.MerchantID)
		if err != nil {
			slog.WarnContext(ctx, "bots' names not read", slog.Any("error", err))
			return s.BotExternalID
		}
		bots = namedBots{names: make(map[payment.BotID]string, len(list)), until: now.Add(nameLife)}
		for _, b := range list {
			bots.names[b.ID] = b.Name
		}
		if w.names.known == nil || len(w.names.known) > 1000 {
			w.names.known = map[payment.MerchantID]namedBots{}
		}
		w.names.known[s.MerchantID] = bots
	}
	if name := bots.names[s.BotID]; name != "" {
		return name
	}
	return s.BotExternalID
}

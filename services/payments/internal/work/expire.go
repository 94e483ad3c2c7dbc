package work

import (
	"context"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Our own clock ends sales whose QR code is over. A look does that by itself; this is for the sales that nobody can look at: of an
// account whose credentials are refused, or of a provider that is away.

const (
	expireEvery   = 30 * time.Second
	expireBatch   = 500
	expireOverdue = 2 * time.Minute // a look that is later than that is not just waiting its turn
)

// line is one lane of an account's looks.
type line struct {
	account payment.AccountID
	lane    payment.Lane
}

func (w *Worker) expireAll(ctx context.Context) error {
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	at := map[line]store.Position{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.expire(ctx, at); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "sales not expired; tried again soon", slog.Any("error", err))
		}
	}
}

// expire looks at a page of each account's overdue sales, going round: at remembers how far.
func (w *Worker) expire(ctx context.Context, at map[line]store.Position) error {
	now := w.Now()
	accounts, err := w.Store.DueAccounts(ctx, now.Add(-expireOverdue), nil)
	if err != nil {
		return err
	}
	for _, due := range accounts {
		account := due.AccountID
		for lane := range payment.Lanes {
			q := line{account, lane}
			page, err := w.Store.OverdueLooks(ctx, account, lane, now.Add(-expireOverdue), at[q], expireBatch)
			if err != nil {
				return err
			}
			if len(page) < expireBatch {
				delete(at, q) // from the beginning the next time
			} else {
				at[q] = store.Position{CreatedAt: page[len(page)-1].DueAt, ID: page[len(page)-1].PaymentID}
			}
			if err := w.expireThose(ctx, page, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Worker) expireThose(ctx context.Context, page []store.Look, now time.Time) error {
	keys := make([]store.Key, len(page))
	for i, l := range page {
		keys[i] = store.Key{MerchantID: l.MerchantID, PaymentID: l.PaymentID}
	}
	sales, bad, err := w.Store.Sales(ctx, keys)
	if err := firstOf(err, w.Ledger.Hold(ctx, bad)); err != nil {
		return err
	}
	var entries []ledger.Entry
	for _, k := range keys {
		if s, ok := sales[k]; ok && w.Ledger.Expired(s, now) {
			entries = append(entries, ledger.Entry{Key: k, TraceID: traceOf(s.Traceparent),
				Event: payment.Event{Kind: payment.ExpiryReached, At: now, Source: payment.SourceClock}})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	err = w.Ledger.ApplyOrHold(ctx, entries)
	w.noteRun(ctx, NameExpire, len(entries), err)
	return err
}

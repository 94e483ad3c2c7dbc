package work

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The first webhook of a sale is nearly always the one that says that it was paid. Such a sale is looked at by whoever reads the webhook, and
// the ledger takes the hint and what the look found in one transaction, instead of two with a claim between them. The rows before the call
// are the webhook's and the look's, both leased: when either lease ends, the webhook is read again or the look is made.
//
// Only what needs no turn goes this way: sales that were neither looked at nor hinted at before, at accounts whose budget refuses nothing,
// where everything that is due is looked at anyhow. All others wait for their turn, see look.go.

const (
	quickBatch = 200             // looks of one call
	quickLimit = 8 * time.Second // of one call: shorter than the webhooks' lease
)

// quick takes the hits that may be looked at now, begins to, and returns the rest. wait returns when the looks have ended, or patience has.
func (w *Worker) quick(ctx context.Context, found []hit, verdicts []store.Verdict) (rest []hit, left []store.Verdict, wait func(context.Context)) {
	none := func(context.Context) {}
	able := w.able(found)
	if len(able) == 0 {
		return found, verdicts, none
	}
	now := w.Now()
	keys, leases := make([]store.Key, len(able)), make([]time.Time, len(able))
	at := make(map[store.Key]hit, len(able))
	for i, h := range able {
		keys[i], leases[i], at[h.entry.Key] = h.entry.Key, now.Add(w.lookLease(h.account.MerchantID, h.account.AccountID, h.account.Provider)), h
	}
	claimed, err := w.Store.ClaimFirstLooks(ctx, now, keys, leases)
	if err != nil {
		slog.WarnContext(ctx, "sales not looked at with their webhooks; they wait for their turn", slog.Any("error", err))
		return found, verdicts, none
	}
	taken := make(map[int]bool, len(claimed)) // hooks
	byAccount := map[payment.AccountID][]store.Claimed{}
	for _, c := range claimed {
		taken[at[store.Key{MerchantID: c.MerchantID, PaymentID: c.PaymentID}].hook] = true
		c.Reason = string(payment.LookHint)
		byAccount[c.AccountID] = append(byAccount[c.AccountID], c)
	}
	ended := make(chan struct{}, len(claimed))
	calls := 0
	for account, all := range byAccount {
		for part := range slices.Chunk(all, quickBatch) {
			calls++
			over := w.held.calling(account, now)
			w.slow.Go(func() {
				defer func() { ended <- struct{}{} }()
				own, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTimeout)
				defer cancel()
				defer context.AfterFunc(w.alive, cancel)()
				if err := w.quickly(own, account, part, at, verdicts, over); err != nil {
					slog.WarnContext(ctx, "looks with their webhooks failed", slog.String("account_id", account.String()), slog.Any("error", err))
				}
			})
		}
	}
	for _, h := range found {
		if !taken[h.hook] {
			rest = append(rest, h)
		}
	}
	for i, v := range verdicts {
		if !taken[i] {
			left = append(left, v)
		}
	}
	return rest, left, func(ctx context.Context) {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		for range calls {
			select {
			case <-ended:
			case <-timer.C:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// able are the hits that may be looked at without a turn: one of its webhook and of its sale, that asks for a look and brings no identifier, at an
// account that is not held, whose budget refuses nothing and whose webhooks are not doubted.
func (w *Worker) able(found []hit) (out []hit) {
	hooks, sales := map[int]int{}, map[store.Key]int{}
	for _, h := range found {
		hooks[h.hook]++
		sales[h.entry.Key]++
	}
	held := w.held.list(w.Now())
	for _, h := range found {
		_, doubted := w.Habits.own(h.account.AccountID)
		if h.entry.Hint && h.entry.Charge == nil && hooks[h.hook] == 1 && sales[h.entry.Key] == 1 && !doubted &&
			!slices.Contains(held, h.account.AccountID) && w.fair.Wide(h.account.AccountID) {
			out = append(out, h)
		}
	}
	return out
}

// quickly asks about sales of one account and lets the ledger take hints and answers together. Sales without an answer are given back, and
// their hints make them due. over is called when the provider has answered.
func (w *Worker) quickly(ctx context.Context, account payment.AccountID, claimed []store.Claimed, at map[store.Key]hit, verdicts []store.Verdict, over func()) error {
	answers, back, err := w.ask(ctx, account, claimed, quickLimit)
	over()
	if err != nil {
		slog.WarnContext(ctx, "sales not looked at with their webhooks", slog.String("account_id", account.String()), slog.Any("error", err))
		answers, back = nil, claimed
		w.fair.Asked(account, len(claimed), 0) // it was not the budget
		w.held.until(account, w.Now().Add(time.Second))
	}
	if len(back) > 0 { // before their hints are noted, which makes them due now
		if err := w.Store.ReturnLooks(context.WithoutCancel(ctx), back); err != nil {
			slog.WarnContext(ctx, "looks not given back; their lease ends by itself", slog.Any("error", err))
		}
	}
	entries := make([]ledger.Entry, 0, len(back)+2*len(answers))
	read := make([]store.Verdict, 0, len(claimed))
	for _, c := range back {
		h := at[store.Key{MerchantID: c.MerchantID, PaymentID: c.PaymentID}]
		entries, read = append(entries, h.entry), append(read, verdicts[h.hook])
	}
	for _, a := range answers {
		h := at[a.Key]
		// The look answers the hint: it was made after it.
		h.entry.Event.At = a.Look.StartedAt.Add(-time.Microsecond)
		entries, read = append(entries, h.entry, a), append(read, verdicts[h.hook])
	}
	err = w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error { return store.JudgeWebhooks(ctx, tx, read) },
		arrived(entries, w.Now()))
	return err
}

package work

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/fair"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The looks: whatever is due is asked of its provider, and the ledger decides.

// claimLooks deals a claim out between the accounts that have something due. What an account leaves of its share goes to those that took
// all of theirs.
func (w *Worker) claimLooks(ctx context.Context, limit int) ([]store.Claimed, error) {
	now := w.Now()
	accounts, err := w.Store.DueAccounts(ctx, now, w.held.list(now))
	if err != nil {
		return nil, err
	}
	var out []store.Claimed
	for len(accounts) > 0 && len(out) < limit {
		claimed, more, err := w.claimOnce(ctx, now, limit-len(out), accounts)
		if err != nil {
			return out, err
		}
		out, accounts = append(out, claimed...), more
	}
	if len(out) < limit {
		w.soon(ctx, now)
	}
	return out, nil
}

// gatherDue is for how long looks that become due one after the other are waited for, to be claimed at once.
const gatherDue = 50 * time.Millisecond

// soon wakes the claims when the next look is due, should that be before they are made anyhow. It asks at most once each idle time or wake of its own.
func (w *Worker) soon(ctx context.Context, now time.Time) {
	if now.Before(w.nextLook) && w.nextLook.Sub(now) <= idle { // a clock that went back is not waited for
		return
	}
	w.nextLook = now.Add(idle)
	at, err := w.Store.NextDue(ctx, now, w.held.list(now))
	if err != nil {
		slog.WarnContext(ctx, "the next look is not known; it is made a little later", slog.Any("error", err))
		return
	}
	if at = at.Add(gatherDue); at.After(now) && at.Before(w.nextLook) {
		w.nextLook = at
		time.AfterFunc(at.Sub(now), w.Wakers.Looks.Wake)
	}
}

// claimOnce claims one deal, each account's looks in the order of its turns, and returns the accounts that may have more.
func (w *Worker) claimOnce(ctx context.Context, now time.Time, limit int, accounts []store.DueAccount) (out []store.Claimed, more []store.DueAccount, err error) {
	due := make([]fair.Account, len(accounts))
	lease := make(map[payment.AccountID]time.Time, len(accounts))
	for i, a := range accounts {
		due[i] = fair.Account{ID: a.AccountID, Merchant: a.MerchantID, Weight: a.Weight}
		lease[a.AccountID] = now.Add(w.lookLease(a.MerchantID, a.AccountID, a.Provider))
	}
	var shares []store.Share
	dealt, ends := map[payment.AccountID]int{}, map[payment.AccountID]int{}
	for _, s := range w.fair.Deal(limit, due) {
		shares = append(shares, store.Share{AccountID: s.Account, Newest: s.Newest, Oldest: s.Oldest, Lease: lease[s.Account]})
		dealt[s.Account], ends[s.Account] = s.Newest+s.Oldest, s.Newest
	}
	claimed, err := w.Store.ClaimLooks(ctx, now, shares)
	if err != nil {
		return nil, nil, err
	}
	newest, oldest := map[payment.AccountID][]store.Claimed{}, map[payment.AccountID][]store.Claimed{}
	for _, c := range claimed {
		end := newest
		if c.Oldest {
			end = oldest
		}
		end[c.AccountID] = append(end[c.AccountID], c)
	}
	for i, a := range due {
		first, last := newest[a.ID], oldest[a.ID]
		slices.SortFunc(first, func(x, y store.Claimed) int { return cmp.Or(cmp.Compare(x.Lane, y.Lane), y.DueAt.Compare(x.DueAt)) })
		slices.SortFunc(last, func(x, y store.Claimed) int { return x.DueAt.Compare(y.DueAt) })
		out = append(out, fair.Arrange(&w.fair, a.ID, first, last)...)
		took := len(first) + len(last)
		w.fair.Took(a, took)
		// An account may have more while one end is full: of looks that are due at one moment the other end may give fewer than there are.
		if took > 0 && (took == dealt[a.ID] || len(first) == ends[a.ID]) {
			more = append(more, accounts[i])
		}
	}
	return out, more, nil
}

// lookLease is how long a claimed look is nobody else's. It is short, for a replica that dies is to be taken over within seconds, and held
// while the look goes on. It is never shorter than the provider's rule, for nobody knows whether the dead one had asked.
func (w *Worker) lookLease(m payment.MerchantID, a payment.AccountID, provider string) time.Duration {
	return max(lease, w.Ledger.MinInterval(m, a, provider)+leaseSlack)
}

// patience is how long a batch waits for its accounts. A provider that takes longer goes on by itself and delays only its own.
const patience = 500 * time.Millisecond

// look asks about claimed sales, one call an account. It returns when all have answered or patience is over, with an error when
// nobody was answered: one account's trouble must not hold up the claims of the others.
func (w *Worker) look(ctx context.Context, claimed []store.Claimed) error {
	byAccount := map[payment.AccountID][]store.Claimed{}
	for _, c := range claimed {
		byAccount[c.AccountID] = append(byAccount[c.AccountID], c)
	}
	answers := make(chan error, len(byAccount))
	for account, group := range byAccount {
		ended := w.held.calling(account, w.Now())
		w.slow.Go(func() {
			defer ended()
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTimeout)
			defer cancel()
			defer context.AfterFunc(w.alive, cancel)()
			err := w.lookAt(own, account, group)
			if err != nil {
				slog.WarnContext(ctx, "looks at an account failed", slog.String("account_id", account.String()), slog.Any("error", err))
			}
			answers <- err
		})
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var failed error
	well := 0
	for range byAccount {
		select {
		case err := <-answers:
			if err == nil {
				well++
				continue
			}
			failed = firstOf(failed, err)
		case <-timer.C:
			return nil
		}
	}
	if well > 0 {
		return nil
	}
	return failed
}

func (w *Worker) lookAt(ctx context.Context, account payment.AccountID, claimed []store.Claimed) error {
	entries, back, err := w.ask(ctx, account, claimed, callTimeout)
	if err != nil {
		return w.giveBack(ctx, account, claimed, err)
	}
	if len(back) > 0 {
		if err := w.Store.ReturnLooks(ctx, back); err != nil {
			slog.WarnContext(ctx, "looks not given back; their lease ends by itself", slog.Any("error", err))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	err = w.Ledger.ApplyOrHold(ctx, entries, arrived(entries, w.Now()))
	return err
}

// ask asks an account's provider about claimed sales. back are those for which there was no budget, or not yet a look: nobody was asked about them.
func (w *Worker) ask(ctx context.Context, account payment.AccountID, claimed []store.Claimed, limit time.Duration) (entries []ledger.Entry, back []store.Claimed, err error) {
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	spans := make([]trace.Span, len(claimed))
	for i, c := range claimed {
		// Each sale's look is a span of the sale's own trace, linked to the batch that made it.
		sale, span := tracer.Start(telemetry.Resume(ctx, c.Ref.Trace), "look", trace.WithLinks(trace.LinkFromContext(ctx)),
			trace.WithAttributes(attribute.String("baixa.payment_id", c.PaymentID.String()), attribute.String("baixa.provider", c.Provider)))
		spans[i] = span
		req.Requests = append(req.Requests, &gatewaysv1.GetPaymentStatusRequest{MerchantId: c.MerchantID.String(), AccountId: account.String(),
			Ref: &gatewaysv1.ChargeRef{Hash: c.Ref.Hash, Id: c.Ref.ID, Reference: c.Ref.Reference}, Traceparent: telemetry.Carrier(sale)})
	}
	defer func() {
		for _, s := range spans {
			s.End()
		}
	}()
	started := w.Now()
	call, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	release := w.hold(ctx, claimed)
	resp, err := w.Gateways.BatchGetPaymentStatus(call, req)
	release()
	if err == nil && len(resp.GetResults()) != len(claimed) {
		err = fmt.Errorf("asked about %d charges, %d answers", len(claimed), len(resp.GetResults()))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ask the gateways: %w", err)
	}
	refused := 0
	for i, c := range claimed {
		r := resp.GetResults()[i]
		if r.GetSaleAlone() && r.GetProviderCalls() == 0 { // its provider was asked a moment ago, by somebody who did not tell
			c.DueAt = started.Add(r.GetRetryAfter().AsDuration())
			back = append(back, c)
			continue
		}
		if r.GetProviderCalls() == 0 && r.GetOutcome() != gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST {
			// Our own budget, breaker or pause refused: the provider was not asked, so nothing happened to the sale.
			wait := max(r.GetRetryAfter().AsDuration(), 200*time.Millisecond)
			w.held.until(account, started.Add(wait))
			back, refused = append(back, c), refused+1
			continue
		}
		entries = append(entries, entry(c, r, started, w.Now(), spanTrace(spans[i])))
	}
	w.fair.Asked(account, len(entries), refused)
	return entries, back, nil
}

// hold renews the leases of looks that go on, until the returned function is called.
func (w *Worker) hold(ctx context.Context, claimed []store.Claimed) (release func()) {
	length := claimed[0].Lease.Sub(w.Now())
	return w.every(ctx, renewAfter, func(ctx context.Context) error { return w.Store.RenewLooks(ctx, claimed, w.Now().Add(length)) })
}

// giveBack ends the leases of looks that could not be made.
func (w *Worker) giveBack(ctx context.Context, account payment.AccountID, claimed []store.Claimed, cause error) error {
	w.held.until(account, w.Now().Add(time.Second))
	w.fair.Asked(account, len(claimed), 0) // it was not the budget
	if err := w.Store.ReturnLooks(context.WithoutCancel(ctx), claimed); err != nil {
		slog.WarnContext(ctx, "looks not given back; their lease ends by itself", slog.Any("error", err))
	}
	return cause
}

package work

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The looks: whatever is due is asked of its provider, and the ledger decides.

// oldestShare is the part of each claim that goes to the sales that wait the longest, so that new traffic never starves them.
const oldestShare = 4 // one in four

// claimLooks shares a claim equally between the accounts that have something due, so that no merchant's backlog delays
// another's; within an account the newest come first and the oldest get their share.
func (w *Worker) claimLooks(ctx context.Context, limit int) ([]store.Claimed, error) {
	now := w.Now()
	accounts, err := w.Store.DueAccounts(ctx, now, w.held.list(now))
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	var out []store.Claimed
	turn := w.turn.Add(1)
	first := int(turn % uint64(len(accounts)))
	for i := range accounts {
		left := len(accounts) - i
		share := (limit - len(out) + left - 1) / left
		if share == 0 {
			break
		}
		oldest := share / oldestShare
		if int(turn%oldestShare) < share%oldestShare { // also a share of one goes to the oldest every fourth time
			oldest++
		}
		claimed, err := w.Store.ClaimLooks(ctx, accounts[(first+i)%len(accounts)], now, now.Add(lease), share-oldest, oldest)
		if err != nil {
			return out, err
		}
		out = append(out, claimed...)
	}
	return out, nil
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
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := w.Gateways.BatchGetPaymentStatus(call, req)
	if err == nil && len(resp.GetResults()) != len(claimed) {
		err = fmt.Errorf("asked about %d charges, %d answers", len(claimed), len(resp.GetResults()))
	}
	if err != nil {
		return w.giveBack(ctx, account, claimed, fmt.Errorf("ask the gateways: %w", err))
	}
	var entries []ledger.Entry
	var back []store.Claimed
	for i, c := range claimed {
		r := resp.GetResults()[i]
		if r.GetProviderCalls() == 0 && r.GetOutcome() != gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST {
			// Our own budget, breaker or pause refused: the provider was not asked, so nothing happened to the sale.
			wait := max(r.GetRetryAfter().AsDuration(), 200*time.Millisecond)
			w.held.until(account, started.Add(wait))
			back = append(back, c)
			continue
		}
		entries = append(entries, entry(c, r, started, w.Now(), spanTrace(spans[i])))
	}
	if len(back) > 0 {
		if err := w.Store.ReturnLooks(ctx, back); err != nil {
			slog.WarnContext(ctx, "looks not given back; their lease ends by itself", slog.Any("error", err))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	_, err = w.Ledger.Apply(ctx, entries)
	return err
}

// giveBack ends the leases of looks that could not be made.
func (w *Worker) giveBack(ctx context.Context, account payment.AccountID, claimed []store.Claimed, cause error) error {
	w.held.until(account, w.Now().Add(time.Second))
	if err := w.Store.ReturnLooks(context.WithoutCancel(ctx), claimed); err != nil {
		slog.WarnContext(ctx, "looks not given back; their lease ends by itself", slog.Any("error", err))
	}
	return cause
}

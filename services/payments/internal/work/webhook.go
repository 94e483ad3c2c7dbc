package work

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The webhooks: what arrived is read, and the sales that it names are looked at.

// A webhook whose sale does not exist is compared with the sales again when it is this old, and read at once when a sale with its identifiers
// appears. One that names several charges is kept with the first alone, and is read again at these ages.
var parked = []time.Duration{5 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

func (w *Worker) claimWebhooks(ctx context.Context, limit int) ([]store.Webhook, error) {
	now := w.Now()
	return w.Store.ClaimWebhooks(ctx, now, now.Add(lease), limit)
}

// readWebhooks reads claimed webhooks and lets the ledger note them; the sales that they name are due then.
func (w *Worker) readWebhooks(ctx context.Context, hooks []store.Webhook) error {
	return w.readHooks(ctx, hooks, false)
}

// readAndLook is readWebhooks, and looks at sales at once where it may, see quick.go.
func (w *Worker) readAndLook(ctx context.Context, hooks []store.Webhook) error {
	return w.readHooks(ctx, hooks, true)
}

func (w *Worker) readHooks(ctx context.Context, hooks []store.Webhook, quick bool) error {
	verdicts := make([]store.Verdict, 0, len(hooks))
	req := &gatewaysv1.BatchParseWebhooksRequest{}
	var readable []store.Webhook
	for _, h := range hooks {
		body, err := w.OpenBody(h)
		if err != nil {
			slog.ErrorContext(ctx, "webhook cannot be opened", slog.String("provider", h.Provider), slog.Any("error", err))
			verdicts = append(verdicts, store.Verdict{ID: h.ID, Digest: h.Digest, Lease: h.Lease, State: "not_understood", Reason: "sealed with another keyset, or damaged"})
			continue
		}
		if name, ok := w.Provider(h.Provider); ok { // stored under an alias while the gateways were away
			h.Provider = name
		}
		readable = append(readable, h)
		req.Requests = append(req.Requests, &gatewaysv1.ParseWebhookRequest{Provider: h.Provider, AccountKey: h.AccountKey, Body: body,
			ContentType: h.ContentType, Headers: h.Headers})
	}
	var results []*gatewaysv1.ParseWebhookResponse
	if len(readable) > 0 {
		call, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		resp, err := w.Gateways.BatchParseWebhooks(call, req)
		if err == nil && len(resp.GetResults()) != len(readable) {
			err = fmt.Errorf("%d webhooks, %d answers", len(readable), len(resp.GetResults()))
		}
		if err != nil {
			return w.giveBackWebhooks(ctx, hooks, fmt.Errorf("parse webhooks: %w", err))
		}
		results = resp.GetResults()
	}
	found, more, err := w.judge(ctx, readable, results)
	if err != nil {
		return err
	}
	wait := func(context.Context) {}
	if quick {
		found, more, wait = w.quick(ctx, found, more)
	}
	err = w.noteHints(ctx, found, append(verdicts, more...))
	wait(ctx)
	return err
}

// noteHints lets the ledger note hints, together with what became of their webhooks.
func (w *Worker) noteHints(ctx context.Context, found []hit, verdicts []store.Verdict) error {
	if len(found)+len(verdicts) == 0 {
		return nil
	}
	entries := make([]ledger.Entry, len(found))
	for i, h := range found {
		entries[i] = h.entry
	}
	err := w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error { return store.JudgeWebhooks(ctx, tx, verdicts) }, arrived(entries, w.Now()))
	return err
}

// hit is a hint that names a sale.
type hit struct {
	entry   ledger.Entry
	hook    int // its webhook's verdict
	account store.Account
}

func (w *Worker) giveBackWebhooks(ctx context.Context, hooks []store.Webhook, cause error) error {
	attempts := hooks[0].Attempts
	for _, h := range hooks {
		attempts = min(attempts, h.Attempts)
	}
	if err := w.Store.PostponeWebhooks(context.WithoutCancel(ctx), hooks, w.Now().Add(min(backoff(attempts), awayFor)), "the gateways are away"); err != nil {
		slog.WarnContext(ctx, "webhooks not given back; their lease ends by itself", slog.Any("error", err))
	}
	return cause
}

// maxHints bounds what one webhook may make us look for: providers send one, a forger may send a megabyte of them.
const maxHints = 20

// judge finds the sales that the webhooks name. Identifiers are compared exactly and never across merchants.
func (w *Worker) judge(ctx context.Context, hooks []store.Webhook, results []*gatewaysv1.ParseWebhookResponse) ([]hit, []store.Verdict, error) {
	var hints []store.Hint
	var of []int // hints[i] is of hooks[of[i]]
	verdicts := make([]store.Verdict, len(hooks))
	for i, r := range results {
		verdicts[i] = verdict(hooks[i], r, w.Now())
		if len(r.GetHints()) > maxHints {
			r.Hints = r.GetHints()[:maxHints]
		}
		for _, hint := range r.GetHints() {
			hints = append(hints, store.Hint{Provider: hooks[i].Provider, SaleKey: hooks[i].SaleKey, AccountID: verdicts[i].AccountID,
				MerchantID: verdicts[i].MerchantID,
				Ref:        charge(hint)})
			of = append(of, i)
		}
	}
	if len(hints) == 0 {
		return nil, verdicts, nil
	}
	matches, err := w.Store.MatchHints(ctx, hints)
	if err != nil {
		return nil, nil, err
	}
	var found []hit
	now, trace := w.Now(), traceID(ctx)
	learned := names{}
	next := map[int]int{} // the hint of each webhook that comes next
	for n, i := range of {
		hint := results[i].GetHints()[next[i]]
		next[i]++
		match := matches[n]
		if merchants(match) > 1 {
			if verdicts[i].State == "parked" {
				verdicts[i].Reason = "the same identifiers belong to sales of several merchants"
			}
			continue
		}
		for _, m := range match {
			verdicts[i].State, verdicts[i].DueAt, verdicts[i].Reason = "matched", nil, ""
			verdicts[i].MerchantID, verdicts[i].PaymentID, verdicts[i].AccountID = &m.MerchantID, &m.PaymentID, &m.AccountID
			e := hinted(m.Key, hooks[i], hint, now, trace)
			if ref := charge(hint); m.Unnamed && len(match) == 1 && learned.first(m.AccountID, ref) {
				// Only the provider knows the sale's own address. What it names is asked about with the sale's account, and its
				// amount compared, like any other charge.
				e.Charge = &store.Charge{ID: ref.ID, Hash: ref.Hash}
			}
			found = append(found, hit{e, i, store.Account{MerchantID: m.MerchantID, AccountID: m.AccountID, Provider: hooks[i].Provider}})
		}
	}
	return found, verdicts, nil
}

// names are the identifiers that were given to sales in one batch: no two sales of an account may get the same.
type names map[string]bool

// first reports whether none of a charge's identifiers was given before, and notes them.
func (n names) first(a payment.AccountID, c store.Charge) bool {
	id, hash := a.String()+" id "+strings.ToLower(c.ID), a.String()+" hash "+c.Hash
	if c.ID != "" && n[id] || c.Hash != "" && n[hash] || c.ID == "" && c.Hash == "" {
		return false
	}
	n[id], n[hash] = c.ID != "", c.Hash != ""
	return true
}

// hinted is what the history says of a webhook. A claim of "not yet" is noted and asks for no look: it would spend the
// provider's patience on what we know already.
func hinted(k store.Key, h store.Webhook, hint *gatewaysv1.Hint, now time.Time, trace string) ledger.Entry {
	claimed := statuses[hint.GetClaimed()]
	e := ledger.Entry{Key: k, Hint: claimed != payment.StatusPending, TraceID: trace,
		Event:   payment.Event{Kind: payment.HintReceived, At: now, Source: payment.SourceWebhook},
		Details: map[string]string{"claimed": claimed.String(), "received_at": h.ReceivedAt.UTC().Format(time.RFC3339Nano)}}
	set(e.Details, "provider_status", clip(hint.GetProviderStatus(), 64))
	if hint.GetAmount() != nil {
		e.Details["amount_centavos"] = strconv.FormatInt(hint.GetAmount().GetCentavos(), 10)
	}
	return e
}

// verdict is what is known of a webhook before its sale is looked for.
func verdict(h store.Webhook, r *gatewaysv1.ParseWebhookResponse, now time.Time) store.Verdict {
	v := store.Verdict{ID: h.ID, Digest: h.Digest, Lease: h.Lease, Reason: clip(r.GetReason(), 300)}
	if id, err := payment.ParseAccountID(r.GetAccountId()); err == nil {
		v.AccountID = &id
	}
	if id, err := payment.ParseMerchantID(r.GetMerchantId()); err == nil {
		v.MerchantID = &id
	}
	switch r.GetOutcome() {
	case gatewaysv1.Outcome_OUTCOME_STATUS:
		v.State, v.Reason = "parked", "no sale has these identifiers yet"
		hints := r.GetHints()
		if len(hints) > 0 {
			v.Ref = charge(hints[0])
			v.Claimed = statuses[hints[0].GetClaimed()].String()
		}
		for _, age := range parked {
			if due := h.ReceivedAt.Add(age); len(hints) > 1 && due.After(now) {
				v.DueAt = &due
				break
			}
		}
	case gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST:
		v.State = "ignored"
	case gatewaysv1.Outcome_OUTCOME_CREDENTIAL:
		v.State = "refused"
	default:
		v.State = "not_understood"
	}
	return v
}

// charge is what a hint calls the sale. Anybody may have written it.
func charge(h *gatewaysv1.Hint) store.Charge {
	return store.Charge{ID: exact(h.GetRef().GetId()), Hash: exact(h.GetRef().GetHash()), Reference: exact(h.GetRef().GetReference())}
}

func merchants(found []store.Matched) int {
	seen := map[payment.MerchantID]bool{}
	for _, m := range found {
		seen[m.MerchantID] = true
	}
	return len(seen)
}

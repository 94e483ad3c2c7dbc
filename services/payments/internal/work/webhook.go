package work

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
	var verdicts []store.Verdict
	read := make([]store.Webhook, 0, len(hooks))
	var unread []store.Webhook
	for _, h := range hooks {
		if h.Said != nil {
			read = append(read, h)
			continue
		}
		body, err := w.OpenBody(h)
		if err != nil {
			slog.ErrorContext(ctx, "webhook cannot be opened", slog.String("provider", h.Provider), slog.Any("error", err))
			verdicts = append(verdicts, store.Verdict{ID: h.ID, Digest: h.Digest, Lease: h.Lease, State: "not_understood", Reason: "sealed with another keyset, or damaged"})
			continue
		}
		if name, ok := w.Provider(h.Provider); ok { // stored under an alias while the gateways were away
			h.Provider = name
		}
		h.Opened = body
		unread = append(unread, h)
	}
	call, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	results, err := parse(call, w.Gateways, unread)
	if err != nil {
		return w.giveBackWebhooks(ctx, hooks, fmt.Errorf("parse webhooks: %w", err))
	}
	now := w.Now()
	for i, r := range results {
		unread[i].Said = understood(unread[i], r, now)
	}
	found, more, err := w.judge(ctx, append(read, unread...))
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

// judge finds the sales that webhooks name which were read. Identifiers are compared exactly and never across merchants.
func (w *Worker) judge(ctx context.Context, hooks []store.Webhook) ([]hit, []store.Verdict, error) {
	var hints []store.Hint
	for _, h := range hooks {
		v := &h.Said.Verdict
		for _, c := range h.Said.Claims {
			hints = append(hints, store.Hint{Provider: h.Provider, SaleKey: h.SaleKey, AccountID: v.AccountID, MerchantID: v.MerchantID, Ref: c.Ref})
		}
	}
	matches, err := w.Store.MatchHints(ctx, hints)
	if err != nil {
		return nil, nil, err
	}
	verdicts := make([]store.Verdict, len(hooks))
	var found []hit
	now, trace := w.Now(), traceID(ctx)
	learned := names{}
	asked := 0
	for i, h := range hooks {
		v := &verdicts[i]
		*v = h.Said.Verdict
		v.Lease = h.Lease
		for _, c := range h.Said.Claims {
			match := matches[asked]
			asked++
			if merchants(match) > 1 {
				if v.State == "parked" {
					v.Reason = "the same identifiers belong to sales of several merchants"
				}
				continue
			}
			for _, m := range match {
				v.State, v.DueAt, v.Reason = "matched", nil, ""
				v.MerchantID, v.PaymentID, v.AccountID = &m.MerchantID, &m.PaymentID, &m.AccountID
				e := hinted(m.Key, h, c, now, trace)
				if m.Unnamed && len(match) == 1 && learned.first(m.AccountID, c.Ref) {
					// Only the provider knows the sale's own address. What it names is asked about with the sale's account, and its
					// amount compared, like any other charge.
					e.Charge = &store.Charge{ID: c.Ref.ID, Hash: c.Ref.Hash}
				}
				found = append(found, hit{e, i, store.Account{MerchantID: m.MerchantID, AccountID: m.AccountID, Provider: h.Provider}})
			}
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
func hinted(k store.Key, h store.Webhook, c store.Claim, now time.Time, trace string) ledger.Entry {
	e := ledger.Entry{Key: k, Hint: c.Status != payment.StatusPending, TraceID: trace,
		Event:   payment.Event{Kind: payment.HintReceived, At: now, Source: payment.SourceWebhook},
		Details: map[string]string{"claimed": c.Status.String(), "received_at": h.ReceivedAt.UTC().Format(time.RFC3339Nano)}}
	set(e.Details, "provider_status", c.ProviderStatus)
	if c.Amount != nil {
		e.Details["amount_centavos"] = strconv.FormatInt(int64(*c.Amount), 10)
	}
	return e
}

func merchants(found []store.Matched) int {
	seen := map[payment.MerchantID]bool{}
	for _, m := range found {
		seen[m.MerchantID] = true
	}
	return len(seen)
}

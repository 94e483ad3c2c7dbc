package work

import (
	"context"
	"fmt"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What a webhook says, as the gateways read it, before or after it is stored.

// maxHints bounds what one webhook may make us look for: providers send one, a forger may send a megabyte of them.
const maxHints = 20

// parse has the gateways read webhooks whose bodies are opened.
func parse(ctx context.Context, gateways gatewaysv1.GatewaysServiceClient, hooks []store.Webhook) ([]*gatewaysv1.ParseWebhookResponse, error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	req := &gatewaysv1.BatchParseWebhooksRequest{Requests: make([]*gatewaysv1.ParseWebhookRequest, len(hooks))}
	for i := range hooks {
		h := &hooks[i]
		req.Requests[i] = &gatewaysv1.ParseWebhookRequest{Provider: h.Provider, AccountKey: h.AccountKey, Body: h.Opened, ContentType: h.ContentType, Headers: h.Headers}
	}
	resp, err := gateways.BatchParseWebhooks(ctx, req)
	if err == nil && len(resp.GetResults()) != len(hooks) {
		err = fmt.Errorf("%d webhooks, %d answers", len(hooks), len(resp.GetResults()))
	}
	return resp.GetResults(), err
}

// understood is what the gateways' answer means.
func understood(h store.Webhook, r *gatewaysv1.ParseWebhookResponse, now time.Time) *store.Said {
	out := &store.Said{Verdict: verdict(h, r, now)}
	for _, hint := range r.GetHints()[:min(len(r.GetHints()), maxHints)] {
		c := store.Claim{Ref: charge(hint), Status: statuses[hint.GetClaimed()], ProviderStatus: clip(hint.GetProviderStatus(), 64)}
		if hint.GetAmount() != nil {
			a := money.Amount(hint.GetAmount().GetCentavos())
			c.Amount = &a
		}
		out.Claims = append(out.Claims, c)
	}
	return out
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

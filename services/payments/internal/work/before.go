package work

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Before reads webhooks that are about to be stored. Their senders wait for it, so that it has little time, and does without the gateways for a while when they
// took longer: what it has not read is read once it is stored. It is safe for concurrent use.
type Before struct {
	Gateways gatewaysv1.GatewaysServiceClient
	// Provider is the canonical name of a provider's name or alias.
	Provider func(string) (string, bool)
	// Limit is the time that one batch has; 0 is 25 ms.
	Limit time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	away atomic.Pointer[time.Time] // until when the gateways are not asked
}

const (
	beforeLimit = 25 * time.Millisecond // of one batch, while senders wait for their answers
	beforeAgain = 2 * time.Second       // until the gateways are asked again that did not answer in it
	beforeBytes = 256 << 10             // of one batch; more takes longer than a sender should wait
)

// Read is inbox.Config.Read.
func (b *Before) Read(ctx context.Context, hooks []store.Webhook) []*store.Said {
	now := time.Now()
	if b.Now != nil {
		now = b.Now()
	}
	if until := b.away.Load(); until != nil && now.Before(*until) && until.Sub(now) <= beforeAgain {
		return nil
	}
	out := make([]*store.Said, len(hooks))
	asked, at, bytes := make([]store.Webhook, 0, len(hooks)), make([]int, 0, len(hooks)), 0
	for i, h := range hooks {
		// One that was posted under an alias before the names were known is stored under it, and compared under its own when it is read.
		if name, ok := b.Provider(h.Provider); !ok || name != h.Provider || bytes+len(h.Opened) > beforeBytes {
			continue
		}
		asked, at, bytes = append(asked, h), append(at, i), bytes+len(h.Opened)
	}
	call, cancel := context.WithTimeout(ctx, cmp.Or(b.Limit, beforeLimit))
	defer cancel()
	results, err := parse(call, b.Gateways, asked)
	if err != nil {
		until := now.Add(beforeAgain)
		b.away.Store(&until)
		slog.WarnContext(ctx, "webhooks not read before they are stored; they are read afterwards", slog.Any("error", err))
		return nil
	}
	for n, r := range results {
		out[at[n]] = before(asked[n], r, now)
	}
	return out
}

// before is what a webhook is stored with; nil when more is to be found out than one statement can: which sales several charges belong to.
func before(h store.Webhook, r *gatewaysv1.ParseWebhookResponse, now time.Time) *store.Said {
	said := understood(h, r, now)
	switch r.GetOutcome() {
	case gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, gatewaysv1.Outcome_OUTCOME_CREDENTIAL, gatewaysv1.Outcome_OUTCOME_CONTRACT:
		said.Claims = nil // nothing comes of it
		return said
	case gatewaysv1.Outcome_OUTCOME_STATUS:
		if len(said.Claims) == 1 {
			return said
		}
	}
	return nil
}

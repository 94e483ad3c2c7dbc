package inbox

import (
	"slices"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// ownBytes is what a webhook that is handed over is counted as beside its body.
const ownBytes = 512

// lend gives webhooks that are about to be stored the lease of whoever will be handed them, where there is room for all of them.
func (b *Inbox) lend(hooks []store.Webhook) {
	if b.cfg.Hand == nil {
		return
	}
	var bytes int64
	for i := range hooks {
		bytes += int64(len(hooks[i].Body)) + ownBytes
	}
	if lease, ok := b.cfg.Hand.Until(b.cfg.Now().UTC(), bytes); ok {
		for i := range hooks {
			hooks[i].Lease = lease
		}
	}
}

// hand passes on what was stored with a lease, and reports whether that is all that there is to read: not when a row has no lease of ours, nor when one
// was there before, since a late copy asks for another look.
func (b *Inbox) hand(groups [][]*entry, hooks []store.Webhook, ids map[string][16]byte) (all bool) {
	own := make([]store.Webhook, 0, len(hooks))
	for i, h := range hooks {
		if h.Lease.IsZero() || ids[string(h.Digest)] != h.ID {
			continue
		}
		first := groups[i][0]
		h.Body, h.Opened, h.Headers = nil, first.body, first.opened
		own = append(own, h)
	}
	if len(own) > 0 {
		slices.SortFunc(own, func(a, b store.Webhook) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
		b.cfg.Hand.Take(own)
	}
	return len(own) == len(hooks)
}

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

// hand passes on what was stored unread with a lease, and reports whether that is all that there is to read: not when a row has no lease of ours, nor when
// one was there before, since a late copy asks for another look.
func (b *Inbox) hand(groups [][]*entry, hooks []store.Webhook, stored map[string]store.Stored) (all bool) {
	own := make([]store.Webhook, 0, len(hooks))
	all = true
	for i, h := range hooks {
		switch at := stored[string(h.Digest)]; {
		case at.ID != h.ID:
			all = false
		case !at.Unread:
		case h.Lease.IsZero():
			all = false
		default:
			h.Body, h.Headers = nil, nil
			if h.Said == nil {
				h.Opened, h.Headers = groups[i][0].body, groups[i][0].opened
			}
			own = append(own, h)
		}
	}
	if len(own) > 0 {
		slices.SortFunc(own, func(a, b store.Webhook) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
		b.cfg.Hand.Take(own)
	}
	return all
}

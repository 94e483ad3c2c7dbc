package ledger

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// A merchant's program may ask for a charge whose answer was lost in a loop, and hears of it what it heard before, thousands of times. The
// history gets a line for each different answer, not for each time; nothing else follows from a doubt.

// recall reads which answers of that kind are in the history of the sales that the entries bring one for.
func (b *book) recall(ctx context.Context, tx pgx.Tx, entries []Entry) error {
	var keys []store.Key
	for _, e := range entries {
		if p := b.pages[e.Key]; p != nil && e.Event.Kind == payment.ChargeUnsure && p.doubts == nil {
			p.doubts = map[string]bool{}
			keys = append(keys, e.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	list, err := store.Doubts(ctx, tx, keys)
	if err != nil {
		return err
	}
	for _, d := range list {
		b.pages[d.Key].doubts[doubt(d.Reason, d.HTTPStatus)] = true
	}
	return nil
}

// doubted reports whether a doubt is no news, and notes it otherwise: it was told before, or the charge is known by now.
func (p *page) doubted(e Entry) bool {
	if p.sale.Charge.ID != "" || p.sale.Charge.Hash != "" {
		return true
	}
	what := doubt(e.Details["reason"], e.Details["http_status"])
	if p.doubts == nil { // an entry that was set aside
		p.doubts = map[string]bool{}
	}
	known := p.doubts[what]
	p.doubts[what] = true
	return known
}

// doubt is what makes two lost answers the same: their status and how their reason begins. Behind a colon stands what the provider happened
// to write, behind a semicolon how long there is to wait.
func doubt(reason, httpStatus string) string {
	if at := strings.IndexAny(reason, ":;"); at >= 0 {
		reason = reason[:at]
	}
	return httpStatus + " " + reason
}

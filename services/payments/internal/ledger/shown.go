package ledger

import (
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

// waitsAfter is how long after a buyer is believed to have gone the buyer's page is still told of a change. A page that is open for
// longer finds it by itself, some seconds later.
const waitsAfter = 5 * time.Minute

// shown are the sales whose change a buyer's page must show: those before which somebody waits. Nobody else costs a notification.
func (b *book) shown() []store.Key {
	var out []store.Key
	for k, p := range b.pages {
		if until := p.look.BuyerUntil; p.changed && until != nil && until.Add(waitsAfter).After(b.now) {
			out = append(out, k)
		}
	}
	return out
}

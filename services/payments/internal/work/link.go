package work

import (
	"context"
	"errors"

	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// ErrNotPaid means that a link was asked for a sale that gives none.
var ErrNotPaid = errors.New("the sale is not paid")

// Link is a paid sale's delivery link, for whoever shows it to the buyer. Idempotency key: the payment. It asks with exactly what
// the delivery of the sale asks with, so whichever comes first makes the link and the other gets the same. A link that may be new
// is noted in the sale's history before it is given out: when the money went back in between, the ledger closes it.
func (w *Worker) Link(ctx context.Context, sale store.Sale) (string, error) {
	if sale.State != payment.Paid || sale.DeliveredElsewhere {
		return "", ErrNotPaid
	}
	h := &handover{sale: sale, ctx: telemetry.Resume(ctx, sale.Traceparent)}
	if err := w.awaitGroup(ctx, h); err != nil {
		return "", err
	}
	if err := w.issue(ctx, []*handover{h}); err != nil {
		return "", err
	}
	if _, err := w.showGroups(ctx, []*handover{h}); err != nil {
		return "", err
	}
	if sale.TokenIssuedAt == nil {
		key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
		applied, err := w.Ledger.Apply(ctx, []ledger.Entry{{Key: key, TraceID: traceID(h.ctx),
			Event: payment.Event{Kind: payment.TokenIssued, At: w.Now(), Source: payment.SourceSystem}}})
		if err != nil {
			return "", err
		}
		if applied[key].State != payment.Paid { // the ledger has ordered that the link be closed
			return "", ErrNotPaid
		}
	}
	return h.link.GetUrl(), nil
}

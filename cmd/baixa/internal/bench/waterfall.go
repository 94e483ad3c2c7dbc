package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// stages are the steps of a sale from its payment to its message, in their order. Each ends at a moment that some row keeps, so that
// what is measured costs nothing while it is measured.
var stages = []string{
	"arrive",   // the provider's webhook reaches us
	"read",     // it is committed, claimed, read, and its sale found
	"due",      // the hint is committed, and the look that it made due claimed
	"look",     // the provider answers
	"decide",   // the payment is committed, the delivery claimed, the link's transaction begun
	"link",     // the link is committed, the message's intent being recorded
	"announce", // the intent is committed, the message claimed and handed to Telegram
}

const moments = `
SELECT p.telegram_id,
    (SELECT (e.details->>'received_at')::timestamptz FROM payments.payment_events e
     WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id AND e.kind = 'hint_received' ORDER BY e.number LIMIT 1),
    (SELECT e.at FROM payments.payment_events e
     WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id AND e.kind = 'hint_received' ORDER BY e.number LIMIT 1),
    p.looked_at,
    (SELECT e.at FROM payments.payment_events e
     WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.id AND e.kind = 'reported' ORDER BY e.number LIMIT 1),
    d.issued_at, n.created_at
FROM payments.payments p
JOIN delivery.deliveries d ON d.merchant_id = p.merchant_id AND d.payment_id = p.id
JOIN notifier.notifications n ON n.merchant_id = p.merchant_id AND n.payment_id = p.id AND n.channel = 1
WHERE p.created_at = $1`

// waterfall is where the time of a wave's sales went: for each stage the median and the 99th percentile in milliseconds. paid is when a chat's
// sale was meant to be paid, arrived when its message came.
func (w *Wave) waterfall(ctx context.Context, paid, arrived map[int64]time.Time) (Numbers, error) {
	rows, err := w.s.Pool.Query(ctx, moments, w.Created)
	if err != nil {
		return nil, fmt.Errorf("read when the steps were made: %w", err)
	}
	took := make([][]float64, len(stages))
	var chat int64
	ends := make([]time.Time, len(stages)-1)
	_, err = pgx.ForEachRow(rows, []any{&chat, &ends[0], &ends[1], &ends[2], &ends[3], &ends[4], &ends[5]}, func() error {
		from := paid[chat]
		for i, end := range append(slices.Clone(ends), arrived[chat]) {
			took[i] = append(took[i], end.Sub(from).Seconds()*1000)
			from = end
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read when the steps were made: %w", err)
	}
	if len(took[0]) != len(w.Charges) {
		return nil, fmt.Errorf("%d sales made every step, want %d", len(took[0]), len(w.Charges))
	}
	n := Numbers{}
	for i, name := range stages {
		slices.Sort(took[i])
		key := fmt.Sprintf("stage_%d_%s", i+1, name)
		n[key+"_ms"], n[key+"_p99_ms"] = quantile(took[i], 0.5), quantile(took[i], 0.99)
	}
	return n, nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Webhooks that wait for a sale: they are woken by whoever makes it, found by a sweep when neither saw the other, and come to an end.

const unparkWebhooks = `
WITH woken AS (
UPDATE webhooks h SET state = 'new', due_at = $6, leased_until = NULL
FROM (
    SELECT k.id FROM webhooks k WHERE k.state = 'parked' AND k.id IN (
        SELECT hit.id
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS v (provider, hash, id, reference, sale_key)
        CROSS JOIN LATERAL (
            SELECT id, provider FROM webhooks WHERE state = 'parked' AND ref_hash = NULLIF(v.hash, '') AND ref_hash <> ''
            UNION ALL SELECT id, provider FROM webhooks WHERE state = 'parked' AND lower(ref_id) = lower(NULLIF(v.id, '')) AND ref_id <> ''
            UNION ALL SELECT id, provider FROM webhooks WHERE state = 'parked' AND ref_reference = NULLIF(v.reference, '') AND ref_reference <> ''
            UNION ALL SELECT id, provider FROM webhooks WHERE state = 'parked' AND sale_key = NULLIF(v.sale_key, '') AND sale_key <> ''
        ) AS hit
        WHERE hit.provider = v.provider)
    ORDER BY k.digest FOR UPDATE OF k
) AS w
WHERE h.id = w.id
RETURNING h.id)
SELECT count(*) FROM woken`

// Unpark makes the webhooks that waited for these sales due, in the transaction in which the sales appear; found tells whether
// there were any. Who reads one of them at this moment without having seen the sale loses it, see JudgeWebhooks.
func Unpark(ctx context.Context, tx pgx.Tx, sales []Sale, now time.Time) (found bool, err error) {
	if len(sales) == 0 {
		return false, nil
	}
	c := newColumns(len(sales), 5)
	for i := range sales {
		s := &sales[i]
		c.add(s.Provider, s.Charge.Hash, s.Charge.ID, s.Charge.Reference, s.SaleKey)
	}
	var n int
	if err := tx.QueryRow(ctx, unparkWebhooks, append(c.args, now)...).Scan(&n); err != nil {
		return false, fmt.Errorf("unpark webhooks: %w", err)
	}
	return n > 0, nil
}

// SweepSpan is how long a time of arrivals one sweep looks at.
const SweepSpan = 10 * time.Second

const beginSweep = `INSERT INTO parked_sweeps (age_seconds, swept_to) VALUES ($1, $2) ON CONFLICT DO NOTHING`

const sweepFrom = `
SELECT s.swept_to, (SELECT h.received_at FROM webhooks h WHERE h.state = 'parked' AND h.received_at > s.swept_to ORDER BY h.received_at LIMIT 1)
FROM parked_sweeps s WHERE s.age_seconds = $1 FOR UPDATE OF s SKIP LOCKED`

// namedByParked are the sales p that a parked webhook h names by exact identifiers, within its provider and, where known, its account and merchant: those that
// were not there when it was read, and not those of several merchants, of which it names none.
const namedByParked = `(
    SELECT merchant_id, id, account_id, provider FROM payments WHERE charge_hash = NULLIF(h.ref_hash, '') AND charge_hash <> ''
    UNION SELECT merchant_id, id, account_id, provider FROM payments WHERE lower(charge_id) = lower(NULLIF(h.ref_id, '')) AND charge_id <> ''
    UNION SELECT merchant_id, id, account_id, provider FROM payments WHERE charge_reference = NULLIF(h.ref_reference, '') AND charge_reference <> ''
    UNION SELECT merchant_id, id, account_id, provider FROM payments WHERE sale_key = NULLIF(h.sale_key, '')
) p
WHERE h.state = 'parked' AND p.provider = h.provider
  AND (h.account_id IS NULL OR h.account_id = p.account_id) AND (h.merchant_id IS NULL OR h.merchant_id = p.merchant_id)
  AND h.reason NOT LIKE 'the same identifiers%'`

const wakeParked = `
UPDATE webhooks w SET state = 'new', due_at = $3, leased_until = NULL
WHERE w.id = ANY (ARRAY(
    SELECT h.id FROM webhooks h
    WHERE h.state = 'parked' AND h.received_at > $1 AND h.received_at <= $2 AND EXISTS (SELECT 1 FROM ` + namedByParked + `)
    ORDER BY h.digest FOR UPDATE OF h))`

const endSweep = `UPDATE parked_sweeps SET swept_to = $2 WHERE age_seconds = $1`

// SweepParked makes those of the webhooks that have waited for age due whose sale is there all the same: it was being made while they were
// read, so that Unpark did not see them. It goes on where the last sweep of that age ended, whichever process made it, and looks at SweepSpan of
// arrivals; more tells that there may be others. Nothing is written of those whose sale is not there. While another process is at it, nothing is done.
func (s *Store) SweepParked(ctx context.Context, age time.Duration, now time.Time) (woken int, more bool, err error) {
	seconds, upTo := int(age/time.Second), now.Add(-age)
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		woken, more = 0, false
		if err := pg.ByKey.Set(ctx, tx); err != nil {
			return err
		}
		if _, err := pg.Later(tx).Exec(ctx, beginSweep, seconds, upTo); err != nil {
			return err
		}
		var from time.Time
		var next *time.Time
		err := tx.QueryRow(ctx, sweepFrom, seconds).Scan(&from, &next)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		to := upTo
		switch {
		case from.After(upTo): // the clock went back
		case next == nil || next.After(upTo):
			return nil
		default:
			if end := next.Add(SweepSpan); end.Before(upTo) {
				to, more = end, true
			}
			tag, err := tx.Exec(ctx, wakeParked, from, to, now)
			if err != nil {
				return err
			}
			woken = int(tag.RowsAffected())
		}
		_, err = tx.Exec(ctx, endSweep, seconds, to)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("sweep parked webhooks: %w", err)
	}
	return woken, more, nil
}

const endParked = `
UPDATE webhooks h SET state = 'unmatched', due_at = NULL, reason = 'no sale with these identifiers appeared in time'
FROM (
    SELECT k.id FROM webhooks k WHERE k.state = 'parked' AND k.received_at < $1 AND (k.leased_until IS NULL OR k.leased_until <= $2)
    ORDER BY k.received_at LIMIT $3 FOR UPDATE SKIP LOCKED
) AS w
WHERE h.id = w.id`

// EndParked ends up to limit webhooks that were received before a moment and still wait for a sale.
func (s *Store) EndParked(ctx context.Context, before, now time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, endParked, before, now, limit)
	if err != nil {
		return 0, fmt.Errorf("end parked webhooks: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

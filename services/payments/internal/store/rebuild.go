package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// ErrUnaccounted means that a sale's history does not say what was booked for it.
var ErrUnaccounted = errors.New("the history does not say what was booked")

// Rebuild is a rebuild of one merchant's statistics: who asked and why, and what came of it.
type Rebuild struct {
	Merchant    payment.MerchantID
	By, Note    string
	At          time.Time
	ID          uuid.UUID
	Lines       int64
	Corrections []Correction
}

// Correction is one sum before and after.
type Correction struct {
	BotID              payment.BotID
	Provider, Campaign string
	Day                time.Time
	Metric             string
	CountBefore        int64
	Before             money.Amount
	CountAfter         int64
	After              money.Amount
}

// Whoever decides waits at the statistics until the rebuild ends; what was decided before is in both the history and the sums.
const holdStatistics = `LOCK TABLE statistics IN SHARE ROW EXCLUSIVE MODE`

const unaccounted = `
SELECT EXISTS (SELECT 1 FROM payment_events e WHERE e.merchant_id = $1 AND e.number = 1 AND e.decision IS NULL)`

const compareStatistics = `
WITH history AS (
    SELECT p.bot_id, p.provider, p.campaign, (b ->> 'd')::date AS day, b ->> 'm' AS metric,
           sum(COALESCE((b ->> 'n')::bigint, 0))::bigint AS count, sum(COALESCE((b ->> 'a')::bigint, 0))::bigint AS centavos
    FROM payment_events e JOIN payments p ON p.merchant_id = e.merchant_id AND p.id = e.payment_id
    CROSS JOIN LATERAL jsonb_array_elements(e.decision -> 'booked') AS b
    WHERE e.merchant_id = $1 AND e.decision ? 'booked'
    GROUP BY 1, 2, 3, 4, 5
)
SELECT COALESCE(s.bot_id, h.bot_id), COALESCE(s.provider, h.provider), COALESCE(s.campaign, h.campaign), COALESCE(s.day, h.day),
       COALESCE(s.metric, h.metric), COALESCE(s.count, 0), COALESCE(s.centavos, 0), COALESCE(h.count, 0), COALESCE(h.centavos, 0)
FROM (SELECT * FROM statistics WHERE merchant_id = $1) s
FULL JOIN history h ON h.bot_id = s.bot_id AND h.provider = s.provider AND h.campaign = s.campaign AND h.day = s.day AND h.metric = s.metric`

const insertRebuild = `INSERT INTO statistics_rebuilds (merchant_id, id, at, by, note, lines_read, corrected) VALUES ($1, $2, $3, $4, $5, $6, $7)`

const insertCorrections = `
INSERT INTO statistics_corrections (merchant_id, rebuild_id, bot_id, provider, campaign, day, metric, count_before, centavos_before, count_after, centavos_after)
SELECT $1, $2, bot_id, provider, campaign, day, metric, count_before, centavos_before, count_after, centavos_after
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::date[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
  AS w (bot_id, provider, campaign, day, metric, count_before, centavos_before, count_after, centavos_after)`

// RebuildStatistics makes a merchant's sums equal its history, in one transaction: what differs is compensated by adding, and what was
// found is kept. Nothing is kept when nothing differed. A history that does not say what was booked is ErrUnaccounted.
func (s *Store) RebuildStatistics(ctx context.Context, r Rebuild) (Rebuild, error) {
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		r.Lines, r.Corrections, r.ID = 0, nil, uuid.New()
		if _, err := tx.Exec(ctx, holdStatistics); err != nil {
			return err
		}
		var older bool
		if err := tx.QueryRow(ctx, unaccounted, r.Merchant).Scan(&older); err != nil {
			return err
		}
		if older {
			return ErrUnaccounted
		}
		rows, err := tx.Query(ctx, compareStatistics, r.Merchant)
		if err != nil {
			return err
		}
		var c Correction
		_, err = pgx.ForEachRow(rows, []any{&c.BotID, &c.Provider, &c.Campaign, &c.Day, &c.Metric, &c.CountBefore, (*int64)(&c.Before), &c.CountAfter, (*int64)(&c.After)},
			func() error {
				if r.Lines++; c.CountBefore != c.CountAfter || c.Before != c.After {
					r.Corrections = append(r.Corrections, c)
				}
				return nil
			})
		if err != nil || len(r.Corrections) == 0 {
			return err
		}
		return r.write(ctx, tx)
	})
	if err != nil {
		return Rebuild{}, fmt.Errorf("rebuild statistics: %w", err)
	}
	return r, nil
}

func (r Rebuild) write(ctx context.Context, tx pgx.Tx) error {
	col := newColumns(len(r.Corrections), 9)
	lines := make([]Line, len(r.Corrections))
	for i, c := range r.Corrections {
		col.add(c.BotID, c.Provider, c.Campaign, c.Day, c.Metric, c.CountBefore, int64(c.Before), c.CountAfter, int64(c.After))
		lines[i] = Line{MerchantID: r.Merchant, BotID: c.BotID, Provider: c.Provider, Campaign: c.Campaign, Day: c.Day, Metric: c.Metric,
			Count: c.CountAfter - c.CountBefore, Amount: c.After - c.Before}
	}
	if err := AddStatistics(ctx, tx, lines); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertRebuild, r.Merchant, r.ID, r.At, r.By, r.Note, r.Lines, len(r.Corrections)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insertCorrections, append([]any{r.Merchant, r.ID}, col.args...)...)
	return err
}

// Commission is a rate from a day on. A zero BotID is the whole merchant.
type Commission struct {
	MerchantID  payment.MerchantID
	BotID       payment.BotID
	FromDay     time.Time
	BasisPoints int
}

const setCommission = `
INSERT INTO commissions (merchant_id, bot_id, from_day, basis_points, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant_id, bot_id, from_day)
DO UPDATE SET basis_points = EXCLUDED.basis_points, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at`

// SetCommission sets a rate; an unknown merchant is ErrNotFound.
func (s *Store) SetCommission(ctx context.Context, c Commission, by string, at time.Time) error {
	_, err := s.pool.Exec(ctx, setCommission, c.MerchantID, c.BotID, c.FromDay, c.BasisPoints, by, at)
	if pg.IsForeignKey(err) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("set commission: %w", err)
	}
	return nil
}

const listCommissions = `SELECT merchant_id, bot_id, from_day, basis_points FROM commissions WHERE merchant_id = $1 ORDER BY bot_id, from_day`

// Commissions lists a merchant's rates.
func (s *Store) Commissions(ctx context.Context, m payment.MerchantID) ([]Commission, error) {
	rows, err := s.pool.Query(ctx, listCommissions, m)
	if err != nil {
		return nil, fmt.Errorf("list commissions: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Commission])
	if err != nil {
		return nil, fmt.Errorf("list commissions: %w", err)
	}
	return out, nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// ClickMark is a place in all clicks in order of time; the zero mark is before them.
type ClickMark struct {
	At    time.Time
	Token string
}

const lockClicks = `SELECT pg_try_advisory_xact_lock(hashtextextended('baixa.clicks.purge', 0))`

// A part of the clicks in order of time; those that a sale was made with are passed over. What an ad brought stays counted.
const purgeClicks = `
WITH seen AS MATERIALIZED (
    SELECT c.merchant_id, c.token, c.clicked_at,
           EXISTS (SELECT FROM payments p WHERE p.merchant_id = c.merchant_id AND p.tracking ? 'tracking_token'
                   AND p.tracking->>'tracking_token' = c.token) AS sold
    FROM clicks c WHERE c.clicked_at < $1 AND (c.clicked_at, c.token) > ($2, $3)
    ORDER BY c.clicked_at, c.token LIMIT $4
), gone AS (
    DELETE FROM clicks c USING seen s WHERE c.merchant_id = s.merchant_id AND c.token = s.token AND NOT s.sold
    RETURNING c.merchant_id, c.token, c.slug, c.machine
), starts AS (
    DELETE FROM click_starts t USING gone g WHERE t.merchant_id = g.merchant_id AND t.token = g.token
), counted AS (
    UPDATE click_links l SET purged_people = l.purged_people + n.people, purged_machines = l.purged_machines + n.machines
    FROM (SELECT merchant_id, slug, count(*) FILTER (WHERE NOT machine) AS people, count(*) FILTER (WHERE machine) AS machines
          FROM gone GROUP BY merchant_id, slug) n
    WHERE l.merchant_id = n.merchant_id AND l.slug = n.slug
)
SELECT clicked_at, token, (SELECT count(*) FROM seen), (SELECT count(*) FROM gone) FROM seen ORDER BY clicked_at DESC, token DESC LIMIT 1`

// PurgeClicks looks at up to limit clicks behind a mark that came before a moment and removes those that no sale was made with, and who
// started a bot with them. It returns the mark behind the last one that it looked at, how many those were, and how many are gone;
// none were looked at while another replica purges.
func (s *Store) PurgeClicks(ctx context.Context, after ClickMark, before time.Time, limit int) (last ClickMark, seen, gone int, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		last, seen, gone = after, 0, 0
		var mine bool
		if err := tx.QueryRow(ctx, lockClicks).Scan(&mine); err != nil || !mine {
			return err
		}
		err := tx.QueryRow(ctx, purgeClicks, before, after.At, after.Token, limit).Scan(&last.At, &last.Token, &seen, &gone)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return after, 0, 0, fmt.Errorf("purge clicks: %w", err)
	}
	return last, seen, gone, nil
}

package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const untoldSQL = `
SELECT w.id FROM unnest($2::uuid[]) WITH ORDINALITY AS w (id, n)
WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.merchant_id = $1 AND n.payment_id = w.id AND n.kind = $3)
ORDER BY w.n`

// Untold returns the sales of a merchant of which nothing of a kind was recorded, in the order given.
func (s *Store) Untold(ctx context.Context, merchant uuid.UUID, kind string, sales []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, untoldSQL, merchant, sales, kind)
	if err != nil {
		return nil, fmt.Errorf("find untold: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find untold: %w", err)
	}
	return out, nil
}

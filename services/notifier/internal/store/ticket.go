package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const putTicketSQL = `
INSERT INTO stream_tickets (merchant_id, hash, bot_ids, expires_at)
VALUES ($1, $2, $3, now() + make_interval(secs => $4))
RETURNING expires_at`

// PutTicket stores a ticket's hash and returns when it expires. No bots means all of the merchant's.
func (s *Store) PutTicket(ctx context.Context, merchant uuid.UUID, hash []byte, bots []uuid.UUID, life time.Duration) (time.Time, error) {
	if bots == nil {
		bots = []uuid.UUID{}
	}
	var expires time.Time
	if err := s.pool.QueryRow(ctx, putTicketSQL, merchant, hash, bots, life.Seconds()).Scan(&expires); err != nil {
		return time.Time{}, fmt.Errorf("put stream ticket: %w", err)
	}
	return expires, nil
}

const takeTicketSQL = `
DELETE FROM stream_tickets WHERE merchant_id = $1 AND hash = $2 AND expires_at > now()
RETURNING bot_ids`

// TakeTicket uses a ticket up and returns its bots. One that is unknown, expired or used is ErrNotFound, whoever asks at the
// same time.
func (s *Store) TakeTicket(ctx context.Context, merchant uuid.UUID, hash []byte) ([]uuid.UUID, error) {
	var bots []uuid.UUID
	if err := s.pool.QueryRow(ctx, takeTicketSQL, merchant, hash).Scan(&bots); err != nil {
		return nil, fmt.Errorf("take stream ticket: %w", one(err))
	}
	return bots, nil
}

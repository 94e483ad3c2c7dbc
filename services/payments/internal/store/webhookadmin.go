package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// WebhookRow is a webhook as people see it: everything but its bytes.
type WebhookRow struct {
	ID                        uuid.UUID
	Provider, State, Reason   string
	ReceivedAt                time.Time
	Copies                    int
	LastCopyAt                *time.Time
	ContentType               string
	Size                      int64
	PurgedAt                  *time.Time
	RemoteAddr                string
	HeaderNames               []string
	MerchantID                *payment.MerchantID
	PaymentID                 *payment.ID
	AccountID                 *payment.AccountID
	Hash, RefID, RefReference string
	Claimed                   string
	DueAt                     *time.Time
	Attempts                  int
}

// WebhookFilter narrows; zero fields do not.
type WebhookFilter struct {
	Merchant        *payment.MerchantID
	State, Provider string
	From, To        time.Time
	PaymentID       *payment.ID
	ID              *uuid.UUID
	Before          *uuid.UUID // continues behind this one; ids are in the order of arrival
	Limit           int
}

const listWebhooks = `
SELECT h.id, h.provider, h.state, h.reason, h.received_at, h.copies, h.last_copy_at, h.content_type, length(h.body), h.purged_at, h.remote_addr,
       ARRAY(SELECT jsonb_object_keys(h.headers) ORDER BY 1), h.merchant_id, h.payment_id, h.account_id, h.ref_hash, h.ref_id, h.ref_reference,
       h.claimed, h.due_at, h.attempts
FROM webhooks h
WHERE ($1::uuid IS NULL OR h.merchant_id = $1) AND ($2 = '' OR h.state = $2) AND ($3 = '' OR h.provider = $3)
  AND ($4::timestamptz IS NULL OR h.received_at >= $4) AND ($5::timestamptz IS NULL OR h.received_at < $5)
  AND ($6::uuid IS NULL OR h.payment_id = $6) AND ($7::uuid IS NULL OR h.id = $7)
  AND ($8::uuid IS NULL OR h.id < $8)
ORDER BY h.id DESC LIMIT $9`

// Webhooks lists webhooks, newest first.
func (s *Store) Webhooks(ctx context.Context, f WebhookFilter) ([]WebhookRow, error) {
	rows, err := s.pool.Query(ctx, listWebhooks, f.Merchant, f.State, f.Provider, orNull(f.From), orNull(f.To), f.PaymentID, f.ID, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w WebhookRow, err error) {
		err = row.Scan(&w.ID, &w.Provider, &w.State, &w.Reason, &w.ReceivedAt, &w.Copies, &w.LastCopyAt, &w.ContentType, &w.Size, &w.PurgedAt,
			&w.RemoteAddr, &w.HeaderNames, &w.MerchantID, &w.PaymentID, &w.AccountID, &w.Hash, &w.RefID, &w.RefReference, &w.Claimed, &w.DueAt, &w.Attempts)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return out, nil
}

// Replay says which webhooks are to be read again: those named, or those of a window.
type Replay struct {
	Merchant        *payment.MerchantID
	IDs             []uuid.UUID
	From, To        time.Time
	State, Provider string
	Now             time.Time
	DryRun          bool
}

const replayable = `
SELECT count(*), count(*) FILTER (WHERE h.purged_at IS NOT NULL) FROM webhooks h
WHERE ($1::uuid IS NULL OR h.merchant_id = $1) AND ($2::uuid[] IS NULL OR h.id = ANY ($2))
  AND ($3::timestamptz IS NULL OR h.received_at >= $3) AND ($4::timestamptz IS NULL OR h.received_at < $4)
  AND ($5 = '' OR h.state = $5) AND ($6 = '' OR h.provider = $6) AND ($2::uuid[] IS NOT NULL OR h.state <> 'new')`

// Rows are locked in the order of their digests, as whoever stores them does.
const replayWebhooks = `
UPDATE webhooks h SET state = 'new', due_at = $7, leased_until = NULL, attempts = 0
FROM (
    SELECT k.id FROM webhooks k
    WHERE ($1::uuid IS NULL OR k.merchant_id = $1) AND ($2::uuid[] IS NULL OR k.id = ANY ($2))
      AND ($3::timestamptz IS NULL OR k.received_at >= $3) AND ($4::timestamptz IS NULL OR k.received_at < $4)
      AND ($5 = '' OR k.state = $5) AND ($6 = '' OR k.provider = $6) AND ($2::uuid[] IS NOT NULL OR k.state <> 'new')
      AND k.purged_at IS NULL
    ORDER BY k.digest FOR UPDATE OF k
) AS w
WHERE h.id = w.id`

// ReplayWebhooks makes webhooks wait to be read as if they had just arrived. found counts those that the request means, purged those of
// them whose bytes are gone, which are left alone.
func (s *Store) ReplayWebhooks(ctx context.Context, r Replay) (found, purged int64, err error) {
	args := []any{r.Merchant, r.IDs, orNull(r.From), orNull(r.To), r.State, r.Provider}
	if err := s.pool.QueryRow(ctx, replayable, args...).Scan(&found, &purged); err != nil {
		return 0, 0, fmt.Errorf("count webhooks: %w", err)
	}
	if r.DryRun || len(r.IDs) > 0 && found < int64(len(r.IDs)) {
		return found, purged, nil
	}
	if _, err := s.pool.Exec(ctx, replayWebhooks, append(args, r.Now)...); err != nil {
		return 0, 0, fmt.Errorf("replay webhooks: %w", err)
	}
	return found, purged, nil
}

// Ids are in the order of arrival, so that both ends bound what is read.
const purgeWebhooks = `
UPDATE webhooks h SET body = '', headers = '{}', purged_at = $3
FROM (
    SELECT k.id FROM webhooks k WHERE k.id > $1 AND k.id < $2 AND k.purged_at IS NULL AND k.due_at IS NULL
    ORDER BY k.id LIMIT $4 FOR UPDATE SKIP LOCKED
) AS w
WHERE h.id = w.id
RETURNING h.id`

// PurgeWebhooks removes the bytes and headers of up to limit webhooks that arrived before a moment, behind the one given, and that
// nobody is to read; the rest of their rows stays. It returns the last of them and how many.
func (s *Store) PurgeWebhooks(ctx context.Context, after uuid.UUID, before, now time.Time, limit int) (last uuid.UUID, n int, err error) {
	rows, err := s.pool.Query(ctx, purgeWebhooks, after, uuid.UUID(since(before)), now, limit)
	if err != nil {
		return after, 0, fmt.Errorf("purge webhooks: %w", err)
	}
	last = after
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		if n++; bytes.Compare(id[:], last[:]) > 0 {
			last = id
		}
		return nil
	})
	if err != nil {
		return after, 0, fmt.Errorf("purge webhooks: %w", err)
	}
	return last, n, nil
}

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
)

// Group is the channel of outcomes about accesses.
const Group Channel = 10

// AccessState is where an access stands, as the database has it.
type AccessState int16

// The states of an access.
const (
	AccessPending   AccessState = 1
	AccessActive    AccessState = 2
	AccessExpired   AccessState = 3
	AccessRemoved   AccessState = 4
	AccessCancelled AccessState = 5
	AccessError     AccessState = 6
)

// Removal is how far somebody's leaving is.
type Removal int16

// The steps of a removal.
const (
	RemovalNone   Removal = 0
	RemovalWanted Removal = 1
	RemovalBegun  Removal = 2
	RemovalDone   Removal = 3
)

// Forever is the unit of an access without an end.
const Forever = "forever"

// Access is one sale's membership of one group.
type Access struct {
	MerchantID, ID, PaymentID, BotID uuid.UUID

	ChatID, UserID        int64
	Unit                  string
	Value                 int
	State                 AccessState
	Error                 string
	Cancelled             string
	Link                  []byte // sealed; nil: none
	LinkUntil             *time.Time
	Links                 int // made so far
	Removal               Removal
	StartedAt, ExpiresAt  *time.Time // an active one without ExpiresAt has no end
	RemovedAt             *time.Time
	Traceparent           string
	Version               int64
	Tries                 int
	CreatedAt             time.Time
	ExpectedAt            *time.Time // since when the buyer is expected anew; nil: since CreatedAt
	DueAt                 *time.Time
	Now                   time.Time // the database's, when it was read
	BotMissing, BotRefuse bool      // of claimed ones
}

const accessColumns = `
a.merchant_id, a.id, a.payment_id, a.bot_id, a.chat_id, a.user_id, a.unit, a.value, a.state, a.error, a.cancelled, a.link, a.link_until, a.links,
a.removal, a.started_at, a.expires_at, a.removed_at, a.traceparent, a.version, a.tries, a.created_at, a.expected_at, a.due_at, now()`

func (a *Access) targets() []any {
	return []any{&a.MerchantID, &a.ID, &a.PaymentID, &a.BotID, &a.ChatID, &a.UserID, &a.Unit, &a.Value, &a.State, &a.Error, &a.Cancelled, &a.Link,
		&a.LinkUntil, &a.Links, &a.Removal, &a.StartedAt, &a.ExpiresAt, &a.RemovedAt, &a.Traceparent, &a.Version, &a.Tries, &a.CreatedAt, &a.ExpectedAt, &a.DueAt, &a.Now}
}

const grantSQL = `
INSERT INTO accesses AS a (merchant_id, id, payment_id, bot_id, chat_id, user_id, unit, value, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT ON CONSTRAINT accesses_payment DO NOTHING`

// GrantAccess records an access that begins as pending, or finds the one that the sale has. Idempotency key: (MerchantID, PaymentID).
func (s *Store) GrantAccess(ctx context.Context, a Access) (out Access, created bool, err error) {
	tag, err := s.pool.Exec(ctx, grantSQL, a.MerchantID, a.ID, a.PaymentID, a.BotID, a.ChatID, a.UserID, a.Unit, a.Value, a.Traceparent)
	if err != nil {
		return Access{}, false, fmt.Errorf("grant access of payment %s: %w", a.PaymentID, err)
	}
	out, err = s.Access(ctx, &a.MerchantID, uuid.Nil, a.PaymentID)
	return out, tag.RowsAffected() == 1, err
}

const accessSQL = `
SELECT ` + accessColumns + ` FROM accesses a
WHERE ($1::uuid IS NULL OR a.merchant_id = $1) AND ($2::uuid IS NULL OR a.id = $2) AND ($3::uuid IS NULL OR a.payment_id = $3)
LIMIT 1`

// Access reads one by its id or, when that is Nil, by its sale, or returns ErrNotFound. merchant nil, which only operators may
// give, means any.
func (s *Store) Access(ctx context.Context, merchant *uuid.UUID, id, payment uuid.UUID) (Access, error) {
	var a Access
	err := s.pool.QueryRow(ctx, accessSQL, merchant, known(id), known(payment)).Scan(a.targets()...)
	if err != nil {
		return Access{}, fmt.Errorf("access: %w", one(err))
	}
	return a, nil
}

func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// AccessFilter narrows a list; zero values do not.
type AccessFilter struct {
	Merchant       *uuid.UUID
	State          AccessState
	ChatID, UserID int64
	Before         uuid.UUID // ids below this one: they are in the order of their making
	Limit          int
}

const listAccessesSQL = `
SELECT ` + accessColumns + ` FROM accesses a
WHERE ($1::uuid IS NULL OR a.merchant_id = $1) AND ($2::smallint = 0 OR a.state = $2) AND ($3::bigint = 0 OR a.chat_id = $3)
  AND ($4::bigint = 0 OR a.user_id = $4) AND ($5::uuid IS NULL OR a.id < $5)
ORDER BY a.id DESC LIMIT $6`

// Accesses lists them, newest first.
func (s *Store) Accesses(ctx context.Context, f AccessFilter) ([]Access, error) {
	rows, err := s.pool.Query(ctx, listAccessesSQL, f.Merchant, f.State, f.ChatID, f.UserID, known(f.Before), f.Limit)
	return collectAccesses(rows, err, "list accesses")
}

func collectAccesses(rows pgx.Rows, err error, doing string) ([]Access, error) {
	if err == nil {
		var list []Access
		if list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Access, err error) { return a, row.Scan(a.targets()...) }); err == nil {
			return list, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", doing, err)
}

const lockBuyerSQL = `SELECT pg_advisory_xact_lock(hashtextextended('notifier.access.' || $1::uuid::text || $2::bigint::text || ' ' || $3::bigint::text, 0))`

const lockAccessSQL = `SELECT ` + accessColumns + ` FROM accesses a WHERE a.merchant_id = $1 AND a.id = $2 FOR UPDATE`

// errOvertaken undoes a transaction whose step was overtaken by a change.
var errOvertaken = errors.New("access changed meanwhile")

// withBuyer runs do in a transaction that holds the buyer's lock in this group and the access's row as it is now. Version 0 takes any
// version; another one that is not the row's returns done false and changes nothing.
func (s *Store) withBuyer(ctx context.Context, doing string, at Access, version int64, do func(pgx.Tx, Access) error) (done bool, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockBuyerSQL, at.MerchantID, at.ChatID, at.UserID); err != nil {
			return err
		}
		var a Access
		if err := tx.QueryRow(ctx, lockAccessSQL, at.MerchantID, at.ID).Scan(a.targets()...); err != nil {
			return one(err)
		}
		if version != 0 && a.Version != version {
			return errOvertaken
		}
		return do(tx, a)
	})
	if errors.Is(err, errOvertaken) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s access %s: %w", doing, at.ID, err)
	}
	return true, nil
}

const accessOutcomeSQL = `
INSERT INTO outcomes (merchant_id, notification_id, payment_id, kind, channel, state, reason, message_id, traceparent, access)
VALUES ($1, $2, $3, 'access', 10, 2, $4, 0, $5, $6::json)`

// AccessNews is what the outcome log says of an access.
type AccessNews struct {
	AccessID  uuid.UUID  `json:"access_id"`
	What      string     `json:"what"`
	ChatID    int64      `json:"chat_id"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// tell appends an outcome in the transaction in which it happened.
func (s *Store) tell(ctx context.Context, tx pgx.Tx, a Access, what, reason string, expires *time.Time) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("outcome id: %w", err)
	}
	news, err := json.Marshal(AccessNews{AccessID: a.ID, What: what, ChatID: a.ChatID, ExpiresAt: expires})
	if err != nil {
		return fmt.Errorf("outcome: %w", err)
	}
	if _, err := tx.Exec(ctx, accessOutcomeSQL, a.MerchantID, id, a.PaymentID, reason, a.Traceparent, string(news)); err != nil {
		return err
	}
	return s.outcomes.Notify(ctx, tx, "")
}

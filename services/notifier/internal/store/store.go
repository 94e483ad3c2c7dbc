// Package store is every statement that the notifier service runs, each a constant beside the function that runs it.
//
// It decides nothing about messages: which are claimable is in the claim's SQL, everything else (limits, texts, what an
// answer of Telegram means) is given to it. Every query of a merchant's rows filters by merchant; those of the workers span
// merchants and carry the merchant along. It holds no plain secret: contents and tokens arrive sealed and leave sealed.
package store

import (
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is where and as whom the notifier service keeps its rows.
var Schema = pg.Schema{Name: "notifier", Role: "baixa_notifier", FS: migrations, Dir: "migrations"}

// ErrNotFound means that the row does not exist for this merchant.
var ErrNotFound = errors.New("not found")

// Channel is how someone is told, as the database has it.
type Channel int16

// The channels.
const (
	Telegram  Channel = 1
	WebSocket Channel = 2
)

// State is where a notification stands, as the database has it.
type State int16

// The states. Queued includes being sent.
const (
	Queued        State = 1
	Sent          State = 2
	Undeliverable State = 3
	MaybeSent     State = 4
	Skipped       State = 5 // not to be sent: the merchant has no text for its kind
)

// Reasons that the store itself writes or finds; those of Telegram's answers are package telegram's.
const (
	ReasonNoChat       = "no_chat"
	ReasonNoBot        = "no_bot"
	ReasonUnauthorized = "bot_unauthorized"
	ReasonInterrupted  = "interrupted"
)

// Store runs statements on a pool whose role is baixa_notifier. It is safe for concurrent use and closes nothing.
type Store struct {
	pool     *pgxpool.Pool
	events   *eventlog.Log
	outcomes *eventlog.Log
	fresh    pg.Fresh // notifications
}

// New returns a store on the pool, which stays the caller's to close. The two logs are idle until their Run is called.
func New(pool *pgxpool.Pool) (*Store, error) {
	if pool == nil {
		return nil, errors.New("notifier store: no pool given")
	}
	events, err := eventlog.New(eventlog.Config{Pool: pool, Channel: "notifier_events"})
	if err != nil {
		return nil, fmt.Errorf("owner event log: %w", err)
	}
	outcomes, err := eventlog.New(eventlog.Config{Pool: pool, Channel: "notifier_outcomes"})
	if err != nil {
		return nil, fmt.Errorf("outcome log: %w", err)
	}
	return &Store{pool: pool, events: events, outcomes: outcomes}, nil
}

// Events is the log of owner events, read with EventsAfter; Outcomes the log of what became of messages.
func (s *Store) Events() *eventlog.Log { return s.events }

// Outcomes is the log that ReadOutcomes reads.
func (s *Store) Outcomes() *eventlog.Log { return s.outcomes }

// one turns pgx's "no rows" into ErrNotFound.
func one(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

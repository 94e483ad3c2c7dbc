// Package websocket shows owners what happens, the moment it happens: a log of events, tailed once per process, is handed out
// to every open socket of the merchant, and a client that comes back with its last cursor misses nothing and sees nothing twice.
//
// It refuses to query per socket while events flow, to wait for a slow reader (it is disconnected and may resume), and to
// let anyone in without a ticket. It writes no events.
package websocket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Defaults of Config.
const (
	DefaultMaxSockets = 10_000
	DefaultBuffer     = 256
	DefaultPing       = 30 * time.Second
	DefaultWrite      = 10 * time.Second

	tailBatch = 500
	pageSize  = 200
)

// Why a stream ends on our side.
var (
	errSlow    = errors.New("slow reader: resume from the last cursor")
	errClosing = errors.New("server is stopping: resume from the last cursor")
	errFull    = errors.New("too many open streams")
	errAhead   = errors.New("cursor is ahead of the log: start without one")
)

// Config says how to hand events out. Store must be set; zero numbers mean the defaults.
type Config struct {
	Store      *store.Store
	MaxSockets int           // open streams of this process
	Buffer     int           // events that wait for one reader before it counts as slow
	Ping       time.Duration // between two pings
	Write      time.Duration // for one frame to leave
}

// Hub hands events out. It is safe for concurrent use.
type Hub struct {
	cfg  Config
	ctx  context.Context // done when the hub is closed
	stop context.CancelFunc
	open sync.WaitGroup // tail and streams

	mu       sync.Mutex
	closed   bool
	count    int
	streams  map[uuid.UUID]map[*stream]struct{} // by merchant
	position eventlog.Cursor                    // what has been handed out; meaningful while a tail runs
	tail     context.CancelFunc                 // nil when no tail runs
	term     int                                // of the tail; what an earlier one still delivers is ignored
}

// NewHub checks c. The log is read only while somebody listens.
func NewHub(c Config) (*Hub, error) {
	if c.Store == nil {
		return nil, errors.New("websocket hub: store is needed")
	}
	if c.MaxSockets < 0 || c.Buffer < 0 || c.Ping < 0 || c.Write < 0 {
		return nil, errors.New("websocket hub: limits must be positive")
	}
	c.MaxSockets, c.Buffer = cmp.Or(c.MaxSockets, DefaultMaxSockets), cmp.Or(c.Buffer, DefaultBuffer)
	c.Ping, c.Write = cmp.Or(c.Ping, DefaultPing), cmp.Or(c.Write, DefaultWrite)
	h := &Hub{cfg: c, streams: map[uuid.UUID]map[*stream]struct{}{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h, nil
}

// Close ends all streams, which tells their clients to resume elsewhere, and waits for them. Calling it twice is safe.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for _, group := range h.streams {
		for s := range group {
			s.end(errClosing)
		}
	}
	h.mu.Unlock()
	h.open.Wait()
	h.stop()
}

// Open counts the open streams of this process: the merchant's, or all when merchant is nil.
func (h *Hub) Open(merchant *uuid.UUID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if merchant == nil {
		return h.count
	}
	return len(h.streams[*merchant])
}

// join adds s, and returns a place in the log: every event behind it comes through s.frames.
func (h *Hub) join(ctx context.Context, s *stream) (eventlog.Cursor, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return eventlog.Cursor{}, errClosing
	case h.count >= h.cfg.MaxSockets:
		return eventlog.Cursor{}, errFull
	}
	if h.tail == nil {
		now, err := h.cfg.Store.Events().Latest(ctx)
		if err != nil {
			return eventlog.Cursor{}, err
		}
		h.position = now
		h.term++
		tail, cancel := context.WithCancel(h.ctx)
		h.tail = cancel
		term := h.term
		go h.follow(tail, term, now)
	}
	group := h.streams[s.merchant]
	if group == nil {
		group = map[*stream]struct{}{}
		h.streams[s.merchant] = group
	}
	group[s] = struct{}{}
	h.count++
	h.open.Add(1)
	return h.position, nil
}

// leave takes s out; the last one ends the tail.
func (h *Hub) leave(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	group := h.streams[s.merchant]
	if _, in := group[s]; !in {
		return
	}
	delete(group, s)
	if len(group) == 0 {
		delete(h.streams, s.merchant)
	}
	h.count--
	if h.count == 0 {
		h.tail()
		h.tail = nil
	}
	h.open.Done()
}

// errStale ends a tail that has been replaced.
var errStale = errors.New("another tail runs")

// follow hands events out until nobody listens any more; while the database is away it tries again from where it stood.
func (h *Hub) follow(ctx context.Context, term int, from eventlog.Cursor) {
	retry := queue.Backoff{Base: 50 * time.Millisecond, Limit: 2 * time.Second}
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := eventlog.Follow(ctx, h.cfg.Store.Events(), eventlog.Feed[store.Event]{
			After: from, Batch: tailBatch, Read: h.cfg.Store.EventsAfter,
			Deliver: func(_ context.Context, rows []store.Event) error {
				from, attempt = rows[len(rows)-1].Cursor, 1
				return h.deliver(term, rows)
			},
		})
		if ctx.Err() != nil || errors.Is(err, errStale) {
			return
		}
		slog.WarnContext(ctx, "owner event log cannot be followed", slog.Int("attempt", attempt), slog.Any("error", err))
		wait := time.NewTimer(retry.Delay(attempt))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}

func (h *Hub) deliver(term int, rows []store.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if term != h.term || h.tail == nil {
		return errStale
	}
	for _, row := range rows {
		var f *frame
		for s := range h.streams[row.MerchantID] {
			if s.wants(row.BotID) {
				if f == nil {
					f = newFrame(row)
				}
				s.offer(f)
			}
		}
		h.position = row.Cursor
	}
	return nil
}

// checkCursor refuses a cursor from the log's future: following it would skip events in silence.
func (h *Hub) checkCursor(ctx context.Context, c eventlog.Cursor) error {
	now, err := h.cfg.Store.Events().Latest(ctx)
	if err != nil {
		return fmt.Errorf("check cursor: %w", err)
	}
	if c.XID > now.XID {
		return errAhead
	}
	return nil
}

package websocket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
)

// stream is one connected reader.
type stream struct {
	merchant uuid.UUID
	bots     map[uuid.UUID]struct{} // empty means all
	frames   chan *frame
	once     sync.Once
	ended    chan struct{} // closed when the hub gives the stream up
	cause    error         // valid after ended is closed
}

func newStream(merchant uuid.UUID, bots []uuid.UUID, buffer int) *stream {
	s := &stream{merchant: merchant, bots: make(map[uuid.UUID]struct{}, len(bots)), frames: make(chan *frame, buffer), ended: make(chan struct{})}
	for _, b := range bots {
		s.bots[b] = struct{}{}
	}
	return s
}

func (s *stream) wants(bot uuid.UUID) bool {
	if len(s.bots) == 0 {
		return true
	}
	_, in := s.bots[bot]
	return in
}

// offer never waits: a full buffer ends the stream.
func (s *stream) offer(f *frame) {
	select {
	case s.frames <- f:
	default:
		s.end(errSlow)
	}
}

func (s *stream) end(cause error) {
	s.once.Do(func() { s.cause = cause; close(s.ended) })
}

// wire is a connection as a stream needs it; both are called by one goroutine.
type wire struct {
	send func(body []byte, c eventlog.Cursor) error
	ping func() error
}

// room is what a ticket opened, and where to begin: nil means now.
type room struct {
	merchant uuid.UUID
	bots     []uuid.UUID
	after    *eventlog.Cursor
}

// run serves one reader until its connection or ctx ends, or the hub gives it up; it returns why.
//
// A reader that resumes is first led through the log from its cursor to about now; then it joins, reads once more what came in
// between, and goes on with what the hub hands out, skipping what it has read already.
func (h *Hub) run(ctx context.Context, r room, w wire) error {
	s := newStream(r.merchant, r.bots, h.cfg.Buffer)
	var at eventlog.Cursor
	if r.after != nil {
		at = *r.after
		if err := h.checkCursor(ctx, at); err != nil {
			return err
		}
		if err := w.send(hello(at), at); err != nil {
			return err
		}
		if err := h.replay(ctx, s, r.bots, &at, w); err != nil {
			return err
		}
	}
	now, err := h.join(ctx, s)
	if err != nil {
		return err
	}
	defer h.leave(s)
	if r.after == nil {
		at = now
		if err := w.send(hello(at), at); err != nil {
			return err
		}
	} else if err := h.replay(ctx, s, r.bots, &at, w); err != nil {
		return err
	}
	return h.live(ctx, s, at, w)
}

// replay sends what the log holds behind at, page by page.
func (h *Hub) replay(ctx context.Context, s *stream, bots []uuid.UUID, at *eventlog.Cursor, w wire) error {
	for {
		rows, next, err := h.cfg.Store.MerchantEventsAfter(ctx, s.merchant, bots, *at, pageSize)
		if err != nil {
			return err
		}
		for _, row := range rows {
			f := newFrame(row)
			if err := w.send(f.body, f.cursor); err != nil {
				return err
			}
		}
		*at = next
		if len(rows) < pageSize {
			return nil
		}
		select {
		case <-s.ended:
			return s.cause
		default:
		}
	}
}

func (h *Hub) live(ctx context.Context, s *stream, at eventlog.Cursor, w wire) error {
	ping := time.NewTicker(h.cfg.Ping)
	defer ping.Stop()
	for {
		// An ended stream ends now: what lies in its buffer is read again from the cursor.
		select {
		case <-s.ended:
			return s.cause
		default:
		}
		select {
		case f := <-s.frames:
			if f.cursor.Compare(at) <= 0 {
				continue
			}
			if err := w.send(f.body, f.cursor); err != nil {
				return err
			}
			at = f.cursor
		case <-ping.C:
			if err := w.ping(); err != nil {
				return err
			}
		case <-s.ended:
			return s.cause
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ours reports whether we ended the stream for a reason that the client should know.
func ours(err error) bool {
	return errors.Is(err, errSlow) || errors.Is(err, errClosing) || errors.Is(err, errFull) || errors.Is(err, errAhead)
}

package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// health remembers whether one side of the loop (claiming or working) succeeds. It says how long to hold back, and logs
// when that changes: on the first failure, on a failure with another text, and on recovery.
type health struct {
	log     *slog.Logger
	failing string // the phrase logged on failure
	well    string // the phrase logged on recovery
	retry   Backoff

	mu       sync.Mutex
	attempts int       // failures in a row, those of one back-off counted once
	failures int       // all failures since the last success
	since    time.Time // first of them
	until    time.Time // hold back until then
	text     string
}

// fail notes that what began at started failed. Batches that fail together count as one attempt.
func (h *health) fail(ctx context.Context, started time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.failures++
	if h.attempts == 0 {
		h.since = now
	}
	if h.attempts == 0 || !started.Before(h.until) {
		h.attempts++
		h.until = now.Add(h.retry.Delay(h.attempts))
	}
	if text := err.Error(); text != h.text {
		h.text = text
		h.log.ErrorContext(ctx, h.failing, slog.Any("error", err), slog.Int("attempt", h.attempts),
			slog.Duration("retry_in", h.until.Sub(now)))
	}
}

// ok notes a success. One that began before the last failure's back-off was over proves nothing and is ignored.
func (h *health) ok(ctx context.Context, started time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.attempts == 0 || started.Before(h.until) {
		return
	}
	h.log.InfoContext(ctx, h.well, slog.Int("failures", h.failures), slog.Duration("after", time.Since(h.since)))
	h.attempts, h.failures, h.text = 0, 0, ""
	h.since, h.until = time.Time{}, time.Time{}
}

// pause returns how long to hold back from now.
func (h *health) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, time.Until(h.until))
}

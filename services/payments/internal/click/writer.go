package click

import (
	"context"
	"errors"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/groupcommit"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	writers = 2 // one collects while the other waits for the disk
	batch   = 256
	queue   = 4096
	grace   = 500 * time.Millisecond // that a statement may take beyond what visitors wait
)

// newWriter commits clicks that arrive together in one statement. A click whose visitor went on first may be kept all the same; its
// token was given to nobody.
func newWriter(s Store, patience time.Duration) *groupcommit.Group[store.Click] {
	return groupcommit.New(groupcommit.Config[store.Click]{Writers: writers, Batch: batch, Queue: queue,
		Commit: func(ctx context.Context, clicks []store.Click) error {
			ctx, cancel := context.WithTimeout(ctx, patience+grace)
			defer cancel()
			return s.InsertClicks(ctx, clicks)
		},
		Alone: func(err error) bool { return !errors.Is(err, context.DeadlineExceeded) }})
}

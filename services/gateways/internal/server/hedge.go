package server

import (
	"context"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// DefaultHedgeAfter is Config.HedgeAfter's default.
const DefaultHedgeAfter = time.Second

// hedged asks about one charge, and where the provider's capabilities say that a read is free, a second time beside the first
// when that is slow; whichever answers first counts, and cancel ends the other. Every call is counted and settled with the
// budget. A look that tests an open breaker, and one that a shadow reads too, is made once.
func (s *Server) hedged(ctx context.Context, cancel context.CancelFunc, item *look) (provider.Reading, error) {
	if !item.adapter.Capabilities().FreeReads || item.probe || item.account.Shadow != "" {
		return s.status(ctx, item)
	}
	var second struct {
		reading provider.Reading
		err     error
		done    chan struct{}
	}
	second.done = make(chan struct{})
	timer := time.AfterFunc(s.c.HedgeAfter, func() {
		defer close(second.done)
		if second.reading, second.err = s.status(ctx, item); second.err == nil {
			cancel()
		}
	})
	reading, err := s.status(ctx, item)
	if timer.Stop() {
		return reading, err
	}
	if err == nil {
		cancel()
	}
	<-second.done
	if err != nil && second.err == nil {
		return second.reading, nil
	}
	return reading, err
}

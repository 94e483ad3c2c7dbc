package server

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// counter counts the HTTP calls below a context, and whether any of them was sent.
type counter struct{ conns, sent atomic.Int32 }

func (c *counter) count(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { c.conns.Add(1) },
		WroteHeaders: func() { c.sent.Add(1) },
	})
}

func (c *counter) made() int       { return int(c.conns.Load()) }
func (c *counter) delivered() bool { return c.sent.Load() > 0 }

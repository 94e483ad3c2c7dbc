package rpc

import (
	"context"
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// One server on two listeners stops cleanly on both, whichever hears of it first.
func TestServer_stopsOnAllListenersWithoutAnError(t *testing.T) {
	for range 50 {
		s, err := NewServer(ServerConfig{Name: "two", Register: func(grpc.ServiceRegistrar) {}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		for range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g.Go(func() error { return s.Serve(ctx, l) })
		}
		cancel()
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

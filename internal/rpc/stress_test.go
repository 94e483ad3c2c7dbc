package rpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpc"
)

// TestWire_manyCallersWhoLeaveAndAServerThatStops: each answer belongs to its caller whoever else gives up, no handler runs after
// Serve has returned, and every call ends.
func TestWire_manyCallersWhoLeaveAndAServerThatStops(t *testing.T) {
	overWires(t, func(t *testing.T, w wire) {
		var running, after atomic.Int64
		var stopped atomic.Bool
		j := w.join(t, rpc.ServerConfig{StopLimit: limit, Register: (&fake{unary: func(ctx context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
			running.Add(1)
			defer running.Add(-1)
			if stopped.Load() {
				after.Add(1)
			}
			md, _ := metadata.FromIncomingContext(ctx)
			select {
			case <-time.After(time.Duration(rand.IntN(300)) * time.Microsecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return &testpb.SimpleResponse{Username: md.Get("x-caller")[0], Payload: r.GetPayload()}, nil
		}}).register}, rpc.ClientConfig{FailFast: true})
		var answered, left atomic.Int64
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 16 {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					mine := fmt.Sprintf("%d-%d", i, n)
					patience := limit
					if n%3 == 0 {
						patience = time.Duration(50+rand.IntN(500)) * time.Microsecond
					}
					one, end := context.WithTimeout(ctx, patience)
					got, err := j.client().UnaryCall(metadata.AppendToOutgoingContext(one, "x-caller", mine),
						&testpb.SimpleRequest{Payload: &testpb.Payload{Body: []byte(mine)}})
					end()
					switch code := status.Code(err); {
					case err == nil && (got.GetUsername() != mine || string(got.GetPayload().GetBody()) != mine):
						t.Errorf("caller %s got the answer of %s", mine, got.GetUsername())
					case err == nil:
						answered.Add(1)
					case code == codes.DeadlineExceeded || code == codes.Canceled || code == codes.Unavailable:
						left.Add(1)
					default:
						t.Errorf("caller %s got %v", mine, err)
					}
				}
			})
		}
		for begin := time.Now(); answered.Load() < 2000 || left.Load() < 200; time.Sleep(time.Millisecond) {
			if time.Since(begin) > limit {
				t.Fatalf("only %d calls answered and %d left", answered.Load(), left.Load())
			}
		}
		if err := j.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		stopped.Store(true)
		if n := running.Load(); n != 0 {
			t.Errorf("%d handlers run after Serve has returned", n)
		}
		cancel()
		wg.Wait()
		if n := after.Load(); n != 0 {
			t.Errorf("%d handlers were begun after Serve had returned", n)
		}
	})
}

package rpc_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/baixapay/baixa/internal/rpc"
)

const callers = 32

// BenchmarkTransports measures unary calls by 32 callers, with the server's and client's own interceptors, over each way to
// join two services of one process. The numbers chose what Memory is made of; see its comment.
func BenchmarkTransports(b *testing.B) {
	for _, payload := range []int{200, 8 << 10} {
		b.Run(fmt.Sprintf("memory/%d", payload), func(b *testing.B) {
			m := rpc.NewMemory()
			benchTransport(b, payload, m.Listener(), rpc.ClientConfig{Memory: m})
		})
		b.Run(fmt.Sprintf("unix/%d", payload), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "s")
			l, err := net.Listen("unix", path)
			if err != nil {
				b.Fatal(err)
			}
			benchTransport(b, payload, l, rpc.ClientConfig{Target: "unix://" + path})
		})
		b.Run(fmt.Sprintf("tcp/%d", payload), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			benchTransport(b, payload, l, rpc.ClientConfig{Target: l.Addr().String()})
		})
	}
}

func benchTransport(b *testing.B, size int, l net.Listener, cc rpc.ClientConfig) {
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "bench", Register: func(g grpc.ServiceRegistrar) { testpb.RegisterTestServiceServer(g, echo{}) }})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	conn, err := rpc.Dial(cc)
	if err != nil {
		b.Fatal(err)
	}
	client := testpb.NewTestServiceClient(conn)
	request := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, size)}}
	if _, err := client.UnaryCall(ctx, request); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	took := make([][]time.Duration, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range b.N/callers + 1 {
				start := time.Now()
				if _, err := client.UnaryCall(ctx, request); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-us")
	_ = conn.Close()
	cancel()
	if err := <-served; err != nil {
		b.Fatal(err)
	}
}

// echo answers with the payload it got.
type echo struct {
	testpb.UnimplementedTestServiceServer
}

func (echo) UnaryCall(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Payload: r.GetPayload()}, nil
}

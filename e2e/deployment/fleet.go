package deployment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// fleet is a deployment's processes.
type fleet struct {
	binary string
	mu     sync.Mutex
	list   []*process
	ready  map[*process]func(context.Context) error
}

func newFleet(t testing.TB, c *Canaries) *fleet {
	f := &fleet{binary: Binary(t), ready: map[*process]func(context.Context) error{}}
	t.Cleanup(func() {
		for i := len(f.list) - 1; i >= 0; i-- { // the front door first
			p := f.list[i]
			if err := p.stop(); err != nil {
				t.Error(err)
			}
			if wrong := c.InOutput(p.printed.String()); wrong != "" {
				t.Errorf("%s: %s", p.name, wrong)
			}
		}
		if t.Failed() {
			for _, p := range f.list {
				t.Logf("the end of what %s printed:\n%s", p.name, last(p.printed.String(), 40))
			}
		}
	})
	return f
}

func (f *fleet) add(name string, ready func(context.Context) error, args ...string) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &process{name: name, args: args}
	f.list, f.ready[p] = append(f.list, p), ready
	return p
}

// start starts a process and waits until it is ready.
func (f *fleet) start(t testing.TB, p *process) {
	t.Helper()
	p.start(t, f.binary)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	ready := f.ready[p]
	var err error
	ended := p.ended()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = ready(ctx); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s ended while it was started:\n%s", p.name, last(p.printed.String(), 20))
		case <-ctx.Done():
			t.Fatalf("%s is not ready after %v: %v\n%s", p.name, startLimit, err, last(p.printed.String(), 20))
		}
	}
}

func (f *fleet) output() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, p := range f.list {
		b.WriteString(p.printed.String())
	}
	return b.String()
}

func last(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// given are the addresses that were handed out in this test binary: none is handed out twice.
var given sync.Map

// Addresses are free loopback addresses. They lie below the ports that the kernel gives to connections, so that a service finds
// its own again after a restart.
func Addresses(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for tries := 0; len(out) < n; tries++ {
		if tries == 1000 {
			t.Fatal("no free ports between 10000 and 30000")
		}
		address := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if _, before := given.LoadOrStore(address, true); before {
			continue // somebody's process may be about to listen there, or be down for a moment
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer l.Close() // all are held until there are enough, so that none comes twice
		out = append(out, address)
	}
	return out
}

// probeLimit is how long one question whether a process is ready may take; it is asked again until startLimit.
const probeLimit = 10 * time.Second

// healthy asks a gRPC server's health service.
func healthy(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		resp, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		if err == nil && resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			return fmt.Errorf("health is %v", resp.GetStatus())
		}
		return err
	}
}

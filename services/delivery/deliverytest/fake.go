// Package deliverytest is a delivery service for the tests of those who call it: the contract of baixa.delivery.v1 kept in
// memory, with switches for what can go wrong. It serves no pages and talks to nobody.
package deliverytest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// Fake is the service. It is safe for concurrent use.
type Fake struct {
	deliveryv1.UnimplementedDeliveryServiceServer

	mu       sync.Mutex
	byID     map[[2]string]*link // merchant and payment
	issued   []*deliveryv1.IssueTokenRequest
	outcomes []*deliveryv1.Outcome
	more     chan struct{} // closed and replaced when outcomes grow or streams must end
	broken   int           // raised to end the streams
	calls    map[string]int
	faults   map[string][]codes.Code
	down     codes.Code
	delay    time.Duration
}

type link struct {
	delivery *deliveryv1.Delivery
	token    string
	access   string
	orders   map[string]bool // the keys of regenerations
}

// New makes a Fake that nobody serves yet; see Register and Start.
func New() *Fake {
	return &Fake{
		byID: map[[2]string]*link{}, more: make(chan struct{}), calls: map[string]int{}, faults: map[string][]codes.Code{},
	}
}

// Register adds the fake to a server. Callers must be authenticated by the server's interceptors, as at the real service.
func (f *Fake) Register(g grpc.ServiceRegistrar) { deliveryv1.RegisterDeliveryServiceServer(g, f) }

// Start serves a new Fake in memory, with the interceptors of the real service, and returns a connection whose calls are
// signed: with the principal of their context, or as the service itself. Both end with the test.
func Start(t testing.TB) (*Fake, *grpc.ClientConn) {
	t.Helper()
	f := New()
	signer, err := auth.NewSigner([]byte("a key that only this fake delivery uses"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := rpc.NewServer(rpc.ServerConfig{
		Name: "fake delivery", Register: f.Register, Status: func(err error) error { return rpcerr.Final(err, nil) },
		Unary:  []grpc.UnaryServerInterceptor{signer.UnaryServer},
		Stream: []grpc.StreamServerInterceptor{signer.StreamServer},
	})
	if err != nil {
		t.Fatal(err)
	}
	memory := rpc.NewMemory()
	conn, err := rpc.Dial(rpc.ClientConfig{
		Memory: memory, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}, Stream: []grpc.StreamClientInterceptor{signer.StreamClient},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, memory.Listener()) }()
	t.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("fake delivery: %v", err)
		}
	})
	return f, conn
}

// FailNext makes the next calls of method ("IssueToken") fail with these codes, one each.
func (f *Fake) FailNext(method string, with ...codes.Code) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[method] = append(f.faults[method], with...)
}

// Down makes every call fail with the code and ends open streams, until Up.
func (f *Fake) Down(with codes.Code) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = with
	f.broken++
	f.wake()
}

// Up ends Down.
func (f *Fake) Up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = codes.OK
}

// Delay makes every unary call take at least d.
func (f *Fake) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// Calls counts the calls of a method, failed ones included.
func (f *Fake) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Issued are the requests that made a link, in order.
func (f *Fake) Issued() []*deliveryv1.IssueTokenRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]*deliveryv1.IssueTokenRequest, len(f.issued))
	for i, r := range f.issued {
		out[i] = proto.CloneOf(r)
	}
	return out
}

// Emit appends an outcome of a sale to the log, as a page opened or a Purchase sent would.
func (f *Fake) Emit(merchantID, paymentID string, kind deliveryv1.OutcomeKind, detail string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.outcomes) + 1
	f.outcomes = append(f.outcomes, &deliveryv1.Outcome{
		Id: "1-" + strconv.Itoa(n), MerchantId: merchantID, PaymentId: paymentID, Kind: kind, At: timestamppb.Now(), Detail: detail,
	})
	f.wake()
}

func (f *Fake) wake() {
	close(f.more)
	f.more = make(chan struct{})
}

// enter counts a call and lets it fail or wait as told.
func (f *Fake) enter(ctx context.Context, method string) error {
	f.mu.Lock()
	f.calls[method]++
	fault, delay := f.down, f.delay
	if list := f.faults[method]; fault == codes.OK && len(list) > 0 {
		fault, f.faults[method] = list[0], list[1:]
	}
	f.mu.Unlock()
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fault != codes.OK {
		return status.Error(fault, "fault of the fake delivery")
	}
	return nil
}

func tokenOf(paymentID string) string {
	sum := sha256.Sum256([]byte("fake delivery " + paymentID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

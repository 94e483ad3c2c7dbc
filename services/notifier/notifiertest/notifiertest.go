// Package notifiertest is the notifier for other services' tests: its gRPC contract in memory, without Telegram, sockets and
// database, with switches for what can go wrong.
//
// It keeps the contract's idempotency keys, tenancy and order. It refuses to render or send: a buyer's message is queued until
// the test settles it, or at once when AutoSend is set.
package notifiertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// Fake implements notifierv1.NotifierServiceServer. It is safe for concurrent use; make it with New.
type Fake struct {
	notifierv1.UnimplementedNotifierServiceServer

	access   accesses
	mu       sync.Mutex
	autoSend bool
	delay    time.Duration
	failures []failure
	requests []*notifierv1.NotifyRequest
	calls    map[string]int
	rows     []*notifierv1.Notification // in the order of their recording
	byKey    map[string]*notifierv1.Notification
	bots     map[string]*notifierv1.PutBotRequest
	wanted   map[string]bool // optional kinds, by merchant
	outcomes []*notifierv1.Outcome
	changed  chan struct{} // closed and replaced when outcomes grow
}

type failure struct {
	method string
	code   codes.Code
}

// New returns a fake that works.
func New() *Fake {
	return &Fake{calls: map[string]int{}, byKey: map[string]*notifierv1.Notification{}, bots: map[string]*notifierv1.PutBotRequest{},
		wanted: map[string]bool{}, changed: make(chan struct{})}
}

// Client serves the fake inside the test's process, with the interceptors of the real one, and returns a client. Both end with
// the test. A call without a principal speaks for a service.
func (f *Fake) Client(t testing.TB) notifierv1.NotifierServiceClient {
	t.Helper()
	return notifierv1.NewNotifierServiceClient(f.Conn(t))
}

// Conn is the connection of Client.
func (f *Fake) Conn(t testing.TB) *grpc.ClientConn {
	t.Helper()
	signer, err := auth.NewSigner([]byte("notifiertest notifiertest notifiertest"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "notifiertest",
		Register: func(r grpc.ServiceRegistrar) {
			notifierv1.RegisterNotifierServiceServer(r, f)
			notifierv1.RegisterAccessServiceServer(r, &f.access)
		},
		Unary: []grpc.UnaryServerInterceptor{signer.UnaryServer}, Stream: []grpc.StreamServerInterceptor{signer.StreamServer}})
	if err != nil {
		t.Fatal(err)
	}
	memory := rpc.NewMemory()
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient},
		Stream: []grpc.StreamClientInterceptor{signer.StreamClient}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, memory.Listener()) }()
	t.Cleanup(func() {
		_ = conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve notifiertest: %v", err)
		}
	})
	return conn
}

// AutoSend makes every buyer's message sent as soon as it is recorded.
func (f *Fake) AutoSend() { f.locked(func() { f.autoSend = true }) }

// FailNext makes the next n calls of a method ("Notify", "BatchNotify", …; empty means any) answer code and do nothing.
func (f *Fake) FailNext(n int, method string, code codes.Code) {
	f.locked(func() { f.failures = append(f.failures, slices.Repeat([]failure{{method, code}}, n)...) })
}

// Delay makes every call take at least d, or until its deadline.
func (f *Fake) Delay(d time.Duration) { f.locked(func() { f.delay = d }) }

// Calls counts the calls of a method, failed ones included.
func (f *Fake) Calls(method string) (n int) {
	f.locked(func() { n = f.calls[method] })
	return n
}

// Requests returns what was recorded, first one first, each key once.
func (f *Fake) Requests() (list []*notifierv1.NotifyRequest) {
	f.locked(func() { list = slices.Clone(f.requests) })
	return list
}

// Bot returns the last PutBot of a bot, or nil.
func (f *Fake) Bot(merchantID, botID string) (r *notifierv1.PutBotRequest) {
	f.locked(func() { r = f.bots[merchantID+"/"+botID] })
	return r
}

// Settle gives a queued message of that sale and key its end and appends the outcome; it reports whether there was one.
func (f *Fake) Settle(merchantID, paymentID, key string, state notifierv1.NotificationState, reason string) (found bool) {
	f.locked(func() {
		n := f.byKey[merchantID+"/"+paymentID+"/"+key]
		if found = n != nil && n.State == notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED; found {
			f.settle(n, state, reason)
		}
	})
	return found
}

// optional are the kinds that go out only where the merchant wants them.
var optional = map[string]bool{"access_revoked": true, "access_restored": true, "in_review": true}

// Want makes an optional kind of a merchant's go out, as a stored template does.
func (f *Fake) Want(merchantID, kind string) {
	f.locked(func() { f.wanted[merchantID+"/"+kind] = true })
}

func (f *Fake) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// enter counts a call and lets it fail or wait as the test said.
func (f *Fake) enter(ctx context.Context, method string) error {
	var delay time.Duration
	code := codes.OK
	f.locked(func() {
		f.calls[method]++
		delay = f.delay
		for i, x := range f.failures {
			if x.method == "" || x.method == method {
				code = x.code
				f.failures = slices.Delete(f.failures, i, i+1)
				break
			}
		}
	})
	if delay > 0 {
		wait := time.NewTimer(delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	if code != codes.OK {
		return status.Error(code, "the test said so")
	}
	return nil
}

// settle is called with the lock held.
func (f *Fake) settle(n *notifierv1.Notification, state notifierv1.NotificationState, reason string) {
	now := timestamppb.Now()
	n.State, n.Reason, n.NextAttemptAt = state, reason, nil
	if state == notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		n.MessageId, n.SentAt = int64(1000+len(f.outcomes)), now
	}
	f.outcomes = append(f.outcomes, &notifierv1.Outcome{Id: uuid.NewString(), MerchantId: n.MerchantId, PaymentId: n.PaymentId, Kind: n.Kind,
		Channel: n.Channel, State: state, Reason: reason, MessageId: n.MessageId, At: now})
	close(f.changed)
	f.changed = make(chan struct{})
}

// record is called with the lock held.
func (f *Fake) record(r *notifierv1.NotifyRequest) *notifierv1.NotifyResponse {
	key := r.GetMerchantId() + "/" + r.GetPaymentId() + "/" + r.GetKey()
	if known := f.byKey[key]; known != nil {
		return &notifierv1.NotifyResponse{Notification: proto.CloneOf(known)}
	}
	n := &notifierv1.Notification{Id: uuid.NewString(), MerchantId: r.GetMerchantId(), PaymentId: r.GetPaymentId(), Kind: kindOf(r),
		CreatedAt: timestamppb.Now()}
	f.byKey[key] = n
	f.rows, f.requests = append(f.rows, n), append(f.requests, proto.CloneOf(r))
	switch m := r.GetBuyerMessage(); {
	case m == nil && r.GetOwnerMessage() == nil:
		n.Channel, n.State, n.SentAt = notifierv1.Channel_CHANNEL_WEBSOCKET, notifierv1.NotificationState_NOTIFICATION_STATE_SENT, n.CreatedAt
	case m != nil && optional[n.Kind] && !f.wanted[n.MerchantId+"/"+n.Kind]:
		n.Channel, n.State = notifierv1.Channel_CHANNEL_TELEGRAM, notifierv1.NotificationState_NOTIFICATION_STATE_SKIPPED
	default:
		n.Channel, n.State, n.NextAttemptAt = notifierv1.Channel_CHANNEL_TELEGRAM, notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED, n.CreatedAt
		if m != nil && m.GetChatId() == 0 {
			f.settle(n, notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "no_chat")
		} else if f.autoSend {
			f.settle(n, notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "")
		}
	}
	return &notifierv1.NotifyResponse{Notification: proto.CloneOf(n), Created: true}
}

func check(ctx context.Context, r *notifierv1.NotifyRequest) error {
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); err != nil {
		return err
	}
	var f rpcerr.Fields
	f.Require(r.GetMerchantId() != "", "merchant_id", "a UUID")
	f.Require(r.GetPaymentId() != "" || r.GetOwnerMessage() != nil, "payment_id", "a UUID")
	f.Require(r.GetBotId() != "", "bot_id", "a UUID")
	f.Require(len(r.GetKey()) >= 1 && len(r.GetKey()) <= 100, "key", "1 to 100 bytes")
	f.Require(r.GetWhat() != nil, "what", "buyer_message, owner_event or owner_message")
	if m := r.GetOwnerMessage(); m != nil {
		f.Require(m.GetChatId() != 0, "owner_message.chat_id", "a Telegram chat")
		f.Require(m.GetTitle() != "" && len(m.GetTitle()) <= 200, "owner_message.title", "1 to 200 bytes")
		f.Require(len(m.GetBody()) <= 3500, "owner_message.body", "at most 3500 bytes")
	}
	if m := r.GetBuyerMessage(); m != nil {
		f.Require(m.GetUrl() != "" || optional[kindOf(r)], "buyer_message.url", "an http or https address")
	}
	if err := f.Err(); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

package work

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func paidResult() *gatewaysv1.PollResult { return gatewaystest.Paid(1990) }

// fuse ends a worker's life before or after a call to a leaf, as kill -9 would: what the leaf did is done, and nothing of it is
// recorded.
type fuse struct {
	at    int // which call, from 1
	after bool
	calls int
	kill  context.CancelFunc
}

var errKilled = errors.New("killed")

func burn[T any](f *fuse, ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	var none T
	f.calls++
	if f.at > 0 && f.calls > f.at || f.calls == f.at && !f.after {
		f.kill()
		return none, errKilled
	}
	out, err := call(ctx)
	if f.calls == f.at {
		f.kill()
		return none, errKilled
	}
	return out, err
}

type fusedGateways struct {
	gatewaysv1.GatewaysServiceClient
	*fuse
}

func (g fusedGateways) BatchGetPaymentStatus(ctx context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest, o ...grpc.CallOption) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	return burn(g.fuse, ctx, func(ctx context.Context) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
		return g.GatewaysServiceClient.BatchGetPaymentStatus(ctx, r, o...)
	})
}

func (g fusedGateways) BatchParseWebhooks(ctx context.Context, r *gatewaysv1.BatchParseWebhooksRequest, o ...grpc.CallOption) (*gatewaysv1.BatchParseWebhooksResponse, error) {
	return burn(g.fuse, ctx, func(ctx context.Context) (*gatewaysv1.BatchParseWebhooksResponse, error) {
		return g.GatewaysServiceClient.BatchParseWebhooks(ctx, r, o...)
	})
}

type fusedDelivery struct {
	deliveryv1.DeliveryServiceClient
	*fuse
}

func (d fusedDelivery) BatchIssueTokens(ctx context.Context, r *deliveryv1.BatchIssueTokensRequest, o ...grpc.CallOption) (*deliveryv1.BatchIssueTokensResponse, error) {
	return burn(d.fuse, ctx, func(ctx context.Context) (*deliveryv1.BatchIssueTokensResponse, error) {
		return d.DeliveryServiceClient.BatchIssueTokens(ctx, r, o...)
	})
}

func (d fusedDelivery) RevokeToken(ctx context.Context, r *deliveryv1.RevokeTokenRequest, o ...grpc.CallOption) (*deliveryv1.RevokeTokenResponse, error) {
	return burn(d.fuse, ctx, func(ctx context.Context) (*deliveryv1.RevokeTokenResponse, error) {
		return d.DeliveryServiceClient.RevokeToken(ctx, r, o...)
	})
}

type fusedNotifier struct {
	notifierv1.NotifierServiceClient
	*fuse
}

func (n fusedNotifier) BatchNotify(ctx context.Context, r *notifierv1.BatchNotifyRequest, o ...grpc.CallOption) (*notifierv1.BatchNotifyResponse, error) {
	return burn(n.fuse, ctx, func(ctx context.Context) (*notifierv1.BatchNotifyResponse, error) {
		return n.NotifierServiceClient.BatchNotify(ctx, r, o...)
	})
}

// live does all kinds of work once each, as one process, and reports whether it was killed on the way.
func (b *bench) live(w *Worker, f *fuse) (killed bool, did int) {
	b.t.Helper()
	ctx, kill := context.WithCancel(b.t.Context())
	defer kill()
	f.kill = kill
	w.Gateways, w.Delivery, w.Notifier = fusedGateways{b.Gateways, f}, fusedDelivery{b.Delivery, f}, fusedNotifier{b.Notifier, f}
	steps := []func() (int, error){
		func() (int, error) { return step(ctx, w.claimWebhooks, w.readWebhooks) },
		func() (int, error) {
			n, err := step(ctx, w.claimLooks, w.look)
			w.slow.Wait()
			return n, err
		},
		func() (int, error) { return step(ctx, w.claimDeliveries, w.deliver) },
		func() (int, error) { return step(ctx, w.claimNews, w.tell) },
		func() (int, error) { return step(ctx, w.claimTokens, w.changeTokens) },
	}
	for _, one := range steps {
		n, err := one()
		did += n
		if ctx.Err() != nil {
			return true, did
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return false, did
}

func step[T any](ctx context.Context, claim func(context.Context, int) ([]T, error), do func(context.Context, []T) error) (int, error) {
	rows, err := claim(ctx, 100)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return len(rows), do(ctx, rows)
}

// TestCrash_betweenAnyTwoSteps kills the process before and after each call to a leaf in the life of a sale (hinted, paid,
// delivered, refunded), starts another one, and expects each effect once.
func TestCrash_betweenAnyTwoSteps(t *testing.T) {
	for _, riding := range []bool{false, true} { // whether the news ride with the delivery
		begin := func(t *testing.T) *bench {
			b := newBench(t)
			if riding {
				b.keep()
			}
			return b
		}
		calls, _ := begin(t).liveThrough(0, false)
		if calls < 6 {
			t.Fatalf("an undisturbed life has %d calls", calls)
		}
		for at := 1; at <= calls; at++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("call %d after %t riding %t", at, after, riding), func(t *testing.T) {
					if _, killed := begin(t).liveThrough(at, after); !killed {
						t.Error("it was not killed")
					}
				})
			}
		}
	}
}

// liveThrough works a sale's whole life, is killed at one of its calls unless at is 0, and checks what came of it.
func (b *bench) liveThrough(at int, after bool) (calls int, killed bool) {
	b.t.Helper()
	s := b.sale()
	f := &fuse{at: at, after: after}
	w := newReplica(b)
	work := func() {
		b.t.Helper()
		for range 12 {
			dead, did := b.live(w, f)
			if dead { // another process, when the leases of the dead one have ended
				killed = true
				w, f.at = newReplica(b), 0
				b.pass(lease)
			} else if did == 0 {
				return
			}
			b.pass(awayFor)
		}
		b.t.Fatal("there is always something to do")
	}
	b.gateways.Script("h1", paidResult())
	b.post("atomopay", `{"hash":"h1","status":"paid"}`)
	work()
	b.gateways.Script("h1", gatewaystest.Refunded(1990))
	b.pass(time.Hour)
	b.post("atomopay", `{"hash":"h1","status":"refunded"}`)
	work()
	buyer, owner := b.messages(s)
	if got := b.get(s); got.State != payment.Refunded || buyer != 1 || b.links(s) != 1 || b.link(s).GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED {
		b.t.Errorf("%s, %d messages, %d links, %v", got.State, buyer, b.links(s), b.link(s))
	}
	if d := cmp.Diff(map[string]int{"payment_update paid": 1, "payment_update refunded": 1}, owner); d != "" {
		b.t.Errorf("owner (-want +got):\n%s", d)
	}
	if k := b.kinds(s); k[payment.TokenIssued] != 1 || k[payment.MessageQueued] != 1 || k[payment.TokenRevoked] != 1 {
		b.t.Errorf("history: %v", k)
	}
	var open int
	if err := b.Store.Pool().QueryRow(b.t.Context(), `SELECT count(*) FROM effects`).Scan(&open); err != nil || open != 0 {
		b.t.Errorf("%d effects are left, %v", open, err)
	}
	return f.calls, killed
}

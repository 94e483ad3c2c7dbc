package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways"
	"github.com/baixapay/baixa/sim"
)

const (
	lookCallers = 32
	lookBatch   = 500
	lookCharges = 2000
	// slices of a round: what is compared takes turns, so that a machine that slows down slows all of it.
	lookSlices = 4
	// quickProvider is how long the slower simulator takes to answer: less than a call over the internet does.
	quickProvider = 40 * time.Millisecond
	lookToken     = "token-of-the-bench"
)

func gatewayLooks() Bench {
	return Bench{
		Name: "gateways", Help: "one GetPaymentStatus over TCP gRPC, 32 callers, p50, at a provider that answers after 40 ms; instant_… are at one that answers at once",
		Unit: "ms", Baseline: "p50 of the bare HTTP call to the same simulator, 32 callers, taking turns with it. The goals are about a provider that answers after 40 ms, quicker than a call over the internet. " +
			"Where it answers at once (instant_…) no goal is judged: there 32 callers wait for the processor alone, simulator and client included, and the ratio is " +
			"how much work gRPC, budgets, spans and reading add to a call that does nothing else",
		Goals: []Goal{{Of: Ratio, AtMost: 1.15}, {Of: "batch_ratio", AtLeast: 0.9}}, Rounds: 3, Seconds: 12,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			b, err := e.looks(ctx)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return b.round(ctx, time.Duration(e.Seconds)*time.Second) }, nil
		},
	}
}

// lookBench is the gateways service alone, with two providers that differ in how long they take.
type lookBench struct {
	client   gatewaysv1.GatewaysServiceClient
	raw      *http.Client
	merchant string
	shops    [2]lookShop // instant, slower
	next     atomic.Int64
}

type lookShop struct {
	base, account string
	hashes        []string
}

func (e *Env) looks(ctx context.Context) (*lookBench, error) {
	_, dsn, err := e.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := e.gateways(ctx, dsn)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: lookCallers}
	e.Defer(func() error { transport.CloseIdleConnections(); return nil })
	b := &lookBench{client: gatewaysv1.NewGatewaysServiceClient(conn), raw: &http.Client{Transport: transport}, merchant: uuid.NewString()}
	for i, latency := range []time.Duration{0, quickProvider} {
		shop, err := e.lookShop(latency)
		if err != nil {
			return nil, err
		}
		put, err := gatewaysv1.NewAccountsServiceClient(conn).PutAccount(ctx, &gatewaysv1.PutAccountRequest{MerchantId: b.merchant, Provider: "atomopay",
			Label: strconv.Itoa(i), BaseUrl: shop.base, Credentials: map[string]string{"api_token": lookToken, "offer_hash": "of", "product_hash": "pr"}, CallsPerMinute: unlimited})
		if err != nil {
			return nil, fmt.Errorf("put account: %w", err)
		}
		shop.account = put.GetAccount().GetId()
		b.shops[i] = shop
	}
	return b, nil
}

// gateways runs the service behind TCP, as a process of its own would.
func (e *Env) gateways(ctx context.Context, dsn string) (*grpc.ClientConn, error) {
	if err := gateways.Migrate(ctx, dsn); err != nil {
		return nil, err
	}
	keyset, err := seal.Generate()
	if err != nil {
		return nil, err
	}
	sealer, err := seal.New(keyset)
	if err != nil {
		return nil, err
	}
	signer, err := auth.NewSigner([]byte("the key of a benchmark, thirty-two"))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := gateways.New(ctx, gateways.Config{DSN: dsn}, gateways.Deps{Listener: listener, Signer: signer, Sealer: sealer, Log: quiet})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	e.Defer(func() error {
		stop()
		select {
		case err := <-ended:
			return err
		case <-time.After(40 * time.Second):
			return errors.New("the service did not stop within 40 s")
		}
	})
	conn, err := rpc.Dial(rpc.ClientConfig{Target: listener.Addr().String(), Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}, Timeout: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	e.Defer(conn.Close)
	return conn, nil
}

func (e *Env) lookShop(latency time.Duration) (lookShop, error) {
	world, err := sim.New(sim.Config{Seed: 1, Strict: true})
	if err != nil {
		return lookShop{}, err
	}
	e.Defer(func() error { world.Close(); return nil })
	server, err := world.Start("")
	if err != nil {
		return lookShop{}, err
	}
	e.Defer(server.Close)
	if err := world.AddAccount(sim.Account{Provider: sim.Atomopay, Name: "loja", Key: lookToken}); err != nil {
		return lookShop{}, err
	}
	shop := lookShop{base: server.ProviderURL(sim.Atomopay)}
	for range lookCharges {
		c, err := world.AddCharge(sim.Charge{Provider: sim.Atomopay, Account: "loja", AmountCentavos: 1990, Webhooks: &sim.Webhooks{Mode: sim.WebhookNever}})
		if err != nil {
			return lookShop{}, err
		}
		shop.hashes = append(shop.hashes, c.Hash)
	}
	if latency > 0 {
		if _, err := world.AddFault(sim.Fault{Kind: sim.FaultSlow, Target: string(sim.Atomopay), Endpoint: sim.EndpointStatus, Latency: latency}); err != nil {
			return lookShop{}, err
		}
	}
	return shop, nil
}

// hash is the next charge's.
func (b *lookBench) hash(s *lookShop) string {
	return s.hashes[int(b.next.Add(1))%len(s.hashes)]
}

func (b *lookBench) bare(ctx context.Context, s *lookShop) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/transactions/"+b.hash(s)+"?api_token="+lookToken, nil)
	if err != nil {
		return err
	}
	res, err := b.raw.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || len(body) == 0) {
		err = fmt.Errorf("HTTP %d with %d bytes", res.StatusCode, len(body))
	}
	return err
}

func (b *lookBench) question(s *lookShop) *gatewaysv1.GetPaymentStatusRequest {
	return &gatewaysv1.GetPaymentStatusRequest{MerchantId: b.merchant, AccountId: s.account, Ref: &gatewaysv1.ChargeRef{Hash: b.hash(s)}}
}

func right(r *gatewaysv1.PollResult) error {
	if r.GetReading().GetStatus() != gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING || r.GetReading().GetAmount().GetCentavos() != 1990 || r.GetProviderCalls() != 1 {
		return fmt.Errorf("a look came to %s, %s after %d calls: %s", r.GetOutcome(), r.GetReading().GetStatus(), r.GetProviderCalls(), r.GetExcerpt())
	}
	return nil
}

func (b *lookBench) single(ctx context.Context, s *lookShop) error {
	resp, err := b.client.GetPaymentStatus(ctx, b.question(s))
	if err != nil {
		return err
	}
	return right(resp.GetResult())
}

func (b *lookBench) batch(ctx context.Context, s *lookShop) error {
	req := &gatewaysv1.BatchGetPaymentStatusRequest{}
	for range lookBatch {
		req.Requests = append(req.Requests, b.question(s))
	}
	resp, err := b.client.BatchGetPaymentStatus(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range resp.GetResults() {
		if err := right(r); err != nil {
			return err
		}
	}
	return nil
}

// tally is what one way of asking did over the slices of a round.
type tally struct {
	took    []float64 // milliseconds of each call
	looks   int
	length  time.Duration
	mallocs uint64
	cpu     time.Duration // of this process
}

func (t *tally) rate() float64 { return float64(t.looks) / t.length.Seconds() }

func (t *tally) p50() float64 {
	slices.Sort(t.took)
	return quantile(t.took, 0.5)
}

func (t *tally) micros() float64 { return float64(t.cpu.Microseconds()) / float64(t.looks) }

func (t *tally) allocs() float64 { return float64(t.mallocs) / float64(t.looks) }

// round compares the three ways at both providers, in turns.
func (b *lookBench) round(ctx context.Context, length time.Duration) (Numbers, error) {
	ways := []struct {
		callers, size int
		ask           func(context.Context, *lookShop) error
	}{{lookCallers, 1, b.bare}, {lookCallers, 1, b.single}, {2, lookBatch, b.batch}}
	var all [2][3]tally
	slice := length / (2 * lookSlices * time.Duration(len(ways)))
	for turn := range lookSlices {
		for shop := range b.shops {
			for i := range ways {
				way := (i + turn) % len(ways)
				if err := all[shop][way].add(ctx, ways[way].callers, ways[way].size, slice, func(ctx context.Context) error {
					return ways[way].ask(ctx, &b.shops[shop])
				}); err != nil {
					return nil, err
				}
			}
		}
	}
	instant, slow := &all[0], &all[1]
	raw, single, batch := instant[0].allocs(), instant[1].allocs(), instant[2].allocs()
	return Numbers{
		Value: slow[1].p50(), Baseline: slow[0].p50(), "provider_latency_ms": quickProvider.Seconds() * 1000,
		"batch_ratio": slow[2].rate() / slow[0].rate(), "batch_per_second": slow[2].rate(), "bare_per_second": slow[0].rate(), "single_per_second": slow[1].rate(),
		"instant_p50_ms": instant[1].p50(), "instant_bare_p50_ms": instant[0].p50(), "instant_p50_ratio": instant[1].p50() / instant[0].p50(),
		"instant_batch_ratio": instant[2].rate() / instant[0].rate(), "instant_batch_per_second": instant[2].rate(), "instant_bare_per_second": instant[0].rate(),
		"instant_single_per_second": instant[1].rate(),
		// The simulator's own share is in all of these.
		"instant_cpu_us_per_bare_call": instant[0].micros(), "instant_cpu_us_per_single": instant[1].micros(), "instant_cpu_us_per_batched": instant[2].micros(),
		"allocs_per_bare_call": raw, "allocs_added_by_single": single - raw, "allocs_added_by_batch": batch - raw,
	}, nil
}

// add repeats a call by so many callers for a length of time.
func (t *tally) add(ctx context.Context, callers, size int, length time.Duration, ask func(context.Context) error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := cpuOf(os.Getpid())
	own := make([][]float64, callers)
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i := range callers {
		g.Go(func() error {
			for time.Since(start) < length {
				began := time.Now()
				if err := ask(ctx); err != nil {
					return err
				}
				own[i] = append(own[i], time.Since(began).Seconds()*1000)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.length += time.Since(start)
	t.cpu += cpuOf(os.Getpid()) - used
	runtime.ReadMemStats(&after)
	t.mallocs += after.Mallocs - before.Mallocs
	for _, took := range own {
		t.took = append(t.took, took...)
		t.looks += len(took) * size
	}
	return nil
}

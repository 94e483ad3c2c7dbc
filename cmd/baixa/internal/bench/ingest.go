package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

const ingestClients = 32

func ingest() Bench {
	return Bench{
		Name: "ingest", Help: "webhooks a second that 32 HTTP clients post, each durable before its 200",
		Unit: "webhooks/s", Baseline: "the same bytes inserted by 32 connections to the same server, a row a commit",
		Goals: []Goal{{Of: Ratio, AtLeast: 1}, {Of: "p99_ms", AtMost: 50}}, Rounds: 3, Seconds: 5,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 1, bots: 1})
			if err != nil {
				return nil, err
			}
			if _, err := s.Pool.Exec(ctx, plainTable); err != nil {
				return nil, fmt.Errorf("make the baseline's table: %w", err)
			}
			return func(ctx context.Context) (Numbers, error) {
				return s.ingest(ctx, e, time.Duration(e.Seconds)*time.Second)
			}, nil
		},
	}
}

// fresh appends a webhook that nobody sent before to body, as pushinpay writes them. Its sale is not there, so that it is read and parked.
func fresh(body []byte) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var end [20]byte
	rand.Read(end[:]) // never fails: it stops the program instead
	for i, b := range end {
		end[i] = letters[b%32]
	}
	body = append(append(append(body, "end_to_end_id=E00000000"...), end[:]...), "&id="...)
	body = append(body, uuid.NewString()...)
	body = append(body, "&payer_name=Pagador+Simulado&payer_national_registration=00000000000&status=paid&value=1990"...)
	return body
}

const form = "application/x-www-form-urlencoded"

const plainTable = `
CREATE TABLE public.plain (id uuid PRIMARY KEY, provider text NOT NULL, body bytea NOT NULL, content_type text NOT NULL, received_at timestamptz NOT NULL)`

const insertPlain = `INSERT INTO public.plain (id, provider, body, content_type, received_at) VALUES ($1, $2, $3, $4, $5)`

const countWebhooks = `SELECT count(*) FROM payments.webhooks`

const countUnread = `SELECT count(*) FROM payments.webhooks WHERE state = 'new' AND due_at IS NOT NULL`

// Counting reads them all, on the processors that are measured.
const anyUnread = `SELECT EXISTS (SELECT 1 FROM payments.webhooks WHERE state = 'new' AND due_at IS NOT NULL)`

// perUnit adds what was used between two readings, per row or webhook.
func (n Numbers) perUnit(prefix string, units int, before, after usage) {
	k := float64(units)
	n[prefix+"cpu_us"] = float64((after.own - before.own).Microseconds()) / k
	n[prefix+"postgres_cpu_us"] = float64((after.postgres - before.postgres).Microseconds()) / k
	n[prefix+"wal_bytes"] = (after.wal - before.wal) / k
}

// ingest measures the baseline and the inbox one after the other, each for the given time.
func (s *System) ingest(ctx context.Context, e *Env, length time.Duration) (Numbers, error) {
	n := Numbers{}
	start, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	rows, plain, err := spin(ctx, length, func(ctx context.Context, _ int) (func() error, func(), error) {
		conn, err := s.Pool.Acquire(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("connect: %w", err)
		}
		var body []byte
		return func() error {
			body = fresh(body[:0])
			_, err := conn.Exec(ctx, insertPlain, uuid.New(), string(s.provider), body, form, time.Now())
			return err
		}, conn.Release, nil
	})
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	inserted, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	n.perUnit("baseline_", len(plain), start, inserted)
	var before, after int
	if err := s.Pool.QueryRow(ctx, countWebhooks).Scan(&before); err != nil {
		return nil, fmt.Errorf("count webhooks: %w", err)
	}
	address := s.WebhookURL(s.Sellers[0])
	hooks, took, err := spin(ctx, length, func(ctx context.Context, _ int) (func() error, func(), error) {
		p := newPoster()
		var body []byte
		return func() error {
			body = fresh(body[:0])
			_, err := p.post(ctx, address, form, body)
			return err
		}, p.close, nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.Pool.QueryRow(ctx, countWebhooks).Scan(&after); err != nil {
		return nil, fmt.Errorf("count webhooks: %w", err)
	}
	if after-before != len(took) {
		return nil, fmt.Errorf("%d webhooks were answered with 200 and %d are stored", len(took), after-before)
	}
	posted, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	n.perUnit("", len(took), inserted, posted)
	// What is put off is told: how many were not read when the posting ended, and how long they took. The next round must not pay for them.
	var unread int64
	if err := s.Pool.QueryRow(ctx, countUnread).Scan(&unread); err != nil {
		return nil, fmt.Errorf("count webhooks: %w", err)
	}
	began := time.Now()
	err = s.Wait(ctx, "webhooks to be read", func(ctx context.Context) (_ int64, ok bool, err error) {
		var left bool
		err = s.Pool.QueryRow(ctx, anyUnread).Scan(&left)
		return 0, !left, err
	})
	if err != nil {
		return nil, err
	}
	n["unread"], n["unread_s"] = float64(unread), time.Since(began).Seconds()
	read, err := e.use(ctx, s.Pool)
	if err != nil {
		return nil, err
	}
	n.perUnit("all_", len(took), inserted, read)
	n[Value], n[Baseline] = hooks, rows
	n["p50_ms"], n["p99_ms"], n["max_ms"], n["baseline_p99_ms"] = quantile(took, 0.5), quantile(took, 0.99), took[len(took)-1], quantile(plain, 0.99)
	return n, nil
}

// spin lets each client repeat what make gives it for a length of time, and returns how often a second it was done and how many
// milliseconds each took, sorted.
func spin(ctx context.Context, length time.Duration, make func(ctx context.Context, client int) (do func() error, end func(), err error)) (float64, []float64, error) {
	var mu sync.Mutex
	var all []float64
	g, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for client := range ingestClients {
		g.Go(func() error {
			do, end, err := make(ctx, client)
			if err != nil {
				return err
			}
			defer end()
			var own []float64
			for time.Since(start) < length {
				began := time.Now()
				if err := do(); err != nil {
					return err
				}
				own = append(own, time.Since(began).Seconds()*1000)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			return nil
		})
	}
	err := g.Wait()
	took := time.Since(start)
	if err == nil && len(all) == 0 {
		err = errors.New("nothing was done")
	}
	slices.Sort(all)
	return float64(len(all)) / took.Seconds(), all, err
}

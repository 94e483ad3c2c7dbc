package inbox

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const callers = 32

// durable starts a server that keeps what it confirms, with the schema.
func durable(b *testing.B) *pgxpool.Pool {
	b.Helper()
	dir, err := os.MkdirTemp("", "baixa-bench-")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	server, err := pg.Start(ctx, pg.ServerConfig{Dir: dir, Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(ctx); err != nil {
			b.Error(err)
		}
		if err := pg.Remove(ctx, dir); err != nil {
			b.Error(err)
		}
	})
	if err := pg.Migrate(ctx, server.DSN(), store.Schema); err != nil {
		b.Fatal(err)
	}
	pool, err := pg.Open(ctx, pg.Config{DSN: server.DSN(), Schema: store.Schema.Name, Role: store.Schema.Role, MaxConns: callers})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}

func sample(n int64) []byte {
	return fmt.Appendf(nil, `{"event":"transaction","id":%d,"hash":"%s","status":"paid","amount":2990,"customer":{"name":"%s"},"items":[%s]}`,
		n, uuid.NewString(), strings.Repeat("x", 40), strings.Repeat(`{"title":"acesso","price":2990},`, 20))
}

// each runs do from 32 callers, b.N times in all, and reports the rate and the tail.
func each(b *testing.B, do func(n int64) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				start := time.Now()
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
				took[n-1] = time.Since(start)
			}
		})
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkPut is the inbox with fsync on, sealing included, 32 callers; the number is how many commits may be in flight.
func BenchmarkPut(b *testing.B) {
	pool := durable(b)
	for _, writers := range []int{1, 2, 3, 4, 8} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			in := open(b, store.New(pool), func(c *Config) { c.Writers = writers })
			each(b, func(n int64) error {
				_, err := in.Put(context.Background(), Webhook{Provider: "atomopay", AccountKey: "Zq3b8t0vYk2m", Body: sample(n), ContentType: "application/json",
					Headers: map[string]string{"user-agent": "webhooks/1.0", "content-type": "application/json", "x-webhook-secret": "s3cr3t"}})
				return err
			})
		})
	}
}

// BenchmarkInsert_onePerCommit is the baseline: the same bytes, one row and one commit each, over 32 connections.
func BenchmarkInsert_onePerCommit(b *testing.B) {
	pool := durable(b)
	const insert = `INSERT INTO webhooks (id, provider, digest, account_key, body, content_type, headers, received_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`
	each(b, func(n int64) error {
		body := sample(n)
		_, err := pool.Exec(context.Background(), insert, uuid.New(), "atomopay", Digest("atomopay", "", "", body), "Zq3b8t0vYk2m", body,
			"application/json", `{"user-agent": "webhooks/1.0", "content-type": "application/json"}`, time.Now())
		return err
	})
}

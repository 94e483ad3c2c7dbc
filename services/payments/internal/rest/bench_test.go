package rest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/payments/internal/door"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// BenchmarkWebhook posts webhooks over HTTP from 32 clients in this process to a database that keeps what it confirms.
func BenchmarkWebhook(b *testing.B) {
	dir, err := os.MkdirTemp("", "baixa-bench-")
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	check(err)
	ctx, cancel := context.WithCancel(context.Background())
	server, err := pg.Start(ctx, pg.ServerConfig{Dir: dir, Durable: true})
	check(err)
	b.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			b.Error(err)
		}
		_ = pg.Remove(context.Background(), dir)
	})
	check(pg.Migrate(ctx, server.DSN(), store.Schema))
	pool, err := pg.Open(ctx, pg.Config{DSN: server.DSN(), Schema: store.Schema.Name, Role: store.Schema.Role})
	check(err)
	b.Cleanup(pool.Close)
	raw, err := seal.Generate()
	check(err)
	sealer, err := seal.New(raw)
	check(err)
	in, err := inbox.New(inbox.Config{Store: store.New(pool), Seal: sealer})
	check(err)
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	hooks, err := door.NewWebhooks(door.WebhookConfig{Inbox: in, Provider: provider, Providers: func() []string { return nil }})
	check(err)
	conn, err := grpc.NewClient("passthrough:///unused", grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	b.Cleanup(func() { _ = conn.Close() })
	handler, err := New(Config{Conn: conn, Webhooks: hooks, Headers: in.Headers, Ready: func(context.Context) error { return nil }})
	check(err)
	web := httptest.NewServer(handler)
	b.Cleanup(web.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

	const callers = 32
	var next atomic.Int64
	var all sync.WaitGroup
	took := make([]time.Duration, b.N)
	padding := strings.Repeat(`{"title":"acesso","price":2990},`, 20)
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				start := time.Now()
				resp, err := client.Post(web.URL+webhookPath+"/atomopay/Zq3b8t0vYk2m", "application/json",
					bytes.NewReader(fmt.Appendf(nil, `{"id":%d,"run":%d,"status":"paid","items":[%s]}`, n, b.N, padding)))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != 200 {
					b.Errorf("status %d", resp.StatusCode)
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

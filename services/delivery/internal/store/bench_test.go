package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// BenchmarkStore measures a sale's three steps: links in batches of 100, first visits one by one, Purchases in batches of 32.
func BenchmarkStore(b *testing.B) {
	db := pgtest.New(b, store.Schema)
	pool := db.Pool(b, store.Schema)
	log, err := eventlog.New(eventlog.Config{Pool: pool, Channel: store.Channel})
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.New(store.Config{Pool: pool, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if _, err := s.PutPixel(ctx, store.Pixel{Merchant: merchantA, PixelID: "100001", SealedToken: []byte("x")}); err != nil {
		b.Fatal(err)
	}
	var issued []store.Issue
	b.Run("issue", func(b *testing.B) {
		for b.Loop() {
			batch := make([]store.Issue, 100)
			for i := range batch {
				batch[i] = draft(func(is *store.Issue) {
					is.Tracking = sale.Tracking{UTMSource: "facebook", FBCLID: "IwAR0", ClickTimeMS: 1, PageViewEventID: is.Payment.String()}
				})
			}
			if _, err := s.IssueBatch(ctx, batch); err != nil {
				b.Fatal(err)
			}
			issued = append(issued, batch...)
		}
		b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "sales/s")
	})
	var next atomic.Int64
	b.Run("open", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				is := issued[int(next.Add(1))%len(issued)]
				if _, err := s.Open(ctx, is.TokenHash, store.Visit{ClientIP: "203.0.113.7", UserAgent: "Phone/1"}); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "visits/s")
	})
	b.Run("purchase", func(b *testing.B) {
		done := 0
		for b.Loop() {
			claims, err := s.ClaimPurchases(ctx, 32, time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			results := make([]store.Result, len(claims))
			for i := range claims {
				results[i] = store.Result{Claim: &claims[i], State: store.Sent, Asked: true}
			}
			if err := s.WriteResults(ctx, results); err != nil {
				b.Fatal(err)
			}
			done += len(claims)
		}
		b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "purchases/s")
	})
}

package gateways_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/gateways"
)

const callers = 32

// BenchmarkLooks compares one look through the service, and looks in batches, with the bare HTTP call, all against the same
// provider in the same run. Custom metrics: p50 of one call, and looks a second.
func BenchmarkLooks(b *testing.B) {
	db := pgtest.New(b)
	if err := gateways.Migrate(b.Context(), db.DSN()); err != nil {
		b.Fatal(err)
	}
	conn, _ := start(b, db.DSN(), newSealer(b))
	base := provider(b)
	a := putAccount(b, conn, base)
	client := gatewaysv1.NewGatewaysServiceClient(conn)
	question := func(n int64) *gatewaysv1.GetPaymentStatusRequest {
		return &gatewaysv1.GetPaymentStatusRequest{MerchantId: merchant, AccountId: a.GetId(), Ref: &gatewaysv1.ChargeRef{Hash: fmt.Sprint("h", n)}}
	}
	raw := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	b.Run("raw", func(b *testing.B) {
		many(b, 1, func(n int64) error {
			res, err := raw.Get(base + fmt.Sprint("/transactions/h", n, "?api_token=token-of-a-test"))
			if err != nil {
				return err
			}
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			return err
		})
	})
	b.Run("one", func(b *testing.B) {
		many(b, 1, func(n int64) error {
			resp, err := client.GetPaymentStatus(b.Context(), question(n))
			if err == nil && resp.GetResult().GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
				return fmt.Errorf("result %v", resp.GetResult())
			}
			return err
		})
	})
	for _, size := range []int{50, 200} {
		b.Run(fmt.Sprint("batch", size), func(b *testing.B) {
			many(b, size, func(n int64) error {
				req := &gatewaysv1.BatchGetPaymentStatusRequest{}
				for i := range size {
					req.Requests = append(req.Requests, question(n*int64(size)+int64(i)))
				}
				resp, err := client.BatchGetPaymentStatus(b.Context(), req)
				for _, r := range resp.GetResults() {
					if r.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
						return fmt.Errorf("result %v", r)
					}
				}
				return err
			})
		})
	}
}

// many makes b.N looks, size of them a call, by as many callers as keep 32 looks in flight.
func many(b *testing.B, size int, call func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	workers := max(callers/size, 1)
	calls := max(int64(b.N/size), 1)
	var next atomic.Int64
	took := make([][]time.Duration, workers)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range workers {
		wg.Go(func() {
			for n := next.Add(1); n <= calls; n = next.Add(1) {
				began := time.Now()
				if err := call(n); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(calls*int64(size))/time.Since(start).Seconds(), "looks/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
}

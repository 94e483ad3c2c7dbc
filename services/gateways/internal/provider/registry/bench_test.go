//go:build unix

package registry_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/provider/registry"
)

const benchBody = `{"id":40718225,"hash":"tx8h2kq","payment_status":"paid","status":"paid","amount":1990,"payment_method":"pix",` +
	`"reference":"BX1","producer":{"hash":"prod9"},"customer":{"name":"Ana Exemplo","email":"ana@example.com","phone_number":"11900000000"},` +
	`"offer":{"hash":"of7kq","title":"Curso"},"items":[{"product_hash":"pr3zw","title":"Curso","price":1990,"quantity":1}],` +
	`"pix":{"pix_url":null,"pix_qr_code":null,"pix_base64":null},"paid_at":"2026-11-23 11:00:00","created_at":"2026-11-23 10:58:00"}`

// callers is how many ask at once, as issue 3 prescribes.
const callers = 32

// BenchmarkGetStatus_besideRaw asks one provider through its adapter and with net/http and encoding/json alone, by
// turns in one run, and reports both medians and their ratio.
func BenchmarkGetStatus_besideRaw(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchBody)
	}))
	defer server.Close()
	client, err := provider.NewClient(provider.ClientConfig{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := registry.New(provider.Deps{Client: client})
	if err != nil {
		b.Fatal(err)
	}
	adapter, err := r.Lookup("atomopay")
	if err != nil {
		b.Fatal(err)
	}
	account := provider.Account{ID: "acc_1", BaseURL: server.URL, Credentials: provider.Credentials{"api_token": provider.NewSecret("token-of-about-sixty-letters-and-digits-0123456789abcdefghij")}}
	raw := &http.Client{Transport: provider.NewTransport()}
	url := server.URL + "/transactions/tx8h2kq?api_token=token-of-about-sixty-letters-and-digits-0123456789abcdefghij"
	ways := map[string]func() error{
		"adapter": func() error {
			_, err := adapter.GetStatus(context.Background(), account, provider.Ref{Hash: "tx8h2kq"})
			return err
		},
		"raw": func() error {
			res, err := raw.Get(url)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			var answer struct {
				Status string `json:"payment_status"`
				Amount int64  `json:"amount"`
				ID     int64  `json:"id"`
				Hash   string `json:"hash"`
			}
			return json.NewDecoder(res.Body).Decode(&answer)
		},
	}
	took, worked := map[string][]time.Duration{}, map[string]time.Duration{}
	for b.Loop() {
		for _, name := range []string{"raw", "adapter"} {
			before := worktime(b)
			took[name] = append(took[name], rush(b, ways[name])...)
			worked[name] += worktime(b) - before
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return float64(took[name][len(took[name])/2].Nanoseconds())
	}
	b.ReportMetric(median("raw")/1e3, "raw-p50-µs")
	b.ReportMetric(median("adapter")/1e3, "adapter-p50-µs")
	b.ReportMetric(median("adapter")/median("raw"), "ratio")
	for name, all := range worked {
		b.ReportMetric(float64(all.Microseconds())/float64(len(took[name])), name+"-cpu-µs")
	}
}

// worktime is the processor time of this process so far: on a machine that others use too it tells more than a clock.
// The server's half of each call is in it, for both ways alike.
func worktime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// rush makes 320 calls by all callers at once and returns how long each took.
func rush(b *testing.B, call func() error) []time.Duration {
	const calls = 10 * callers
	took := make([]time.Duration, calls)
	var next atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < calls; i = next.Add(1) - 1 {
				start := time.Now()
				if err := call(); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	return took
}

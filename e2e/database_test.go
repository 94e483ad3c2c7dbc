package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// TestDatabase stops the database under everybody and starts it again. Whoever asks meanwhile is told to come again, and nothing
// that was answered with 200 is lost.
func TestDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		before, during := shop.sell(t, sim.Atomopay), shop.sell(t, sim.Atomopay)
		before.pay(t)
		before.awaitSettled(t, deployment.Within)

		posted := postAcross(t, shop)
		posted.await(t, http.StatusOK)
		d.Database().Stop(t)
		posted.await(t, http.StatusServiceUnavailable)
		during.pay(t)
		deployment.Eventually(t, deployment.Within, "a provider's webhook is answered 503", func() bool { return during.answered(http.StatusServiceUnavailable) > 0 })
		nothingWorks(t, shop)

		d.Database().Start(t)
		posted.await(t, http.StatusOK)
		posted.end()
		deployment.Eventually(t, deployment.Within, "the API answers", func() bool { return shop.api.REST("GET", "/v1/payments", nil, nil).Code == http.StatusOK })
		during.awaitSettled(t, lease+retried)
		after := shop.sell(t, sim.Paradise)
		after.pay(t)
		after.awaitSettled(t, deployment.Within)
		for _, s := range posted.accepted {
			deployment.Eventually(t, lease+deployment.Within, fmt.Sprintf("the webhook of %s, answered 200, is in the history", s.id),
				func() bool { return s.count(t, "hint_received") > 0 }, func() string { return s.history(t) })
		}
		for _, s := range posted.sales { // the others settle without
			s.awaitSettled(t, lease+retried)
		}
		shop.checkStatistics(t, 3+int64(len(posted.sales)))
		checkAlive(t, d)
	})
}

// nothingWorks is what the API says without a database.
func nothingWorks(t *testing.T, shop *shop) {
	t.Helper()
	for _, a := range []deployment.Answer{shop.api.REST("GET", "/v1/payments", nil, nil), shop.api.REST("POST", "/v1/payments", shop.request(sim.Atomopay), nil)} {
		if a.Code != http.StatusServiceUnavailable || a.Problem().Code != "UNAVAILABLE" || a.Header.Get("Retry-After") == "" {
			t.Errorf("the API without a database: %d %s, want 503 UNAVAILABLE with Retry-After", a.Code, a.Body)
		}
	}
	a, err := shop.api.Do("GET", "/readyz", nil)
	must(t, err)
	if a.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a database: %d, want 503", a.Code)
	}
	if a, err = shop.api.Do("GET", "/healthz", nil); err != nil || a.Code != http.StatusOK {
		t.Errorf("/healthz without a database: %d, %v, want 200: the process is well", a.Code, err)
	}
}

// checkAlive fails when a service had to be started again.
func checkAlive(t *testing.T, d deployment.Deployment) {
	t.Helper()
	for _, name := range deployment.Services() {
		d.Stop(t, name) // says when it had ended by itself
	}
}

// poster posts true webhooks all the time, of one sale after the other, and keeps what was answered.
type poster struct {
	sales []*sale
	stop  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex
	codes    []int
	accepted []*sale
}

// postAcross starts posting. The sales are registered and paid beforehand and not due for a while, so that it is the webhooks
// that settle them.
func postAcross(t *testing.T, shop *shop) *poster {
	t.Helper()
	p := &poster{stop: make(chan struct{})}
	for range 40 {
		p.sales = append(p.sales, shop.register(t, sim.Pushinpay, sim.Charge{Status: sim.Paid}))
	}
	nobody := deployment.NewClient(t, shop.d, "")
	url := shop.hookURL(sim.Pushinpay, "pushinpay", true)
	p.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-p.stop:
				return
			case <-tick.C:
			}
			s := p.sales[n%len(p.sales)] // however long the database takes to stop and to start, there is something to post
			a, err := nobody.Do("POST", url, fmt.Appendf(nil, `{"id":%q,"status":"paid","value":%d}`, s.charge, price), "Content-Type", "application/json")
			p.mu.Lock()
			switch {
			case err != nil:
				t.Errorf("a webhook was not answered: %v", err)
				n++
			case a.Code == http.StatusOK:
				p.accepted = append(p.accepted, s)
				n++
			case a.Header.Get("Retry-After") == "":
				t.Errorf("a webhook was answered %d without Retry-After: %s", a.Code, a.Body)
			}
			p.codes = append(p.codes, a.Code)
			p.mu.Unlock()
		}
	})
	t.Cleanup(p.end)
	return p
}

// await waits until webhooks posted from now on are answered with a code.
func (p *poster) await(t *testing.T, code int) {
	t.Helper()
	p.mu.Lock()
	from := len(p.codes)
	p.mu.Unlock()
	deployment.Eventually(t, deployment.Within, fmt.Sprintf("webhooks are answered %d", code), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.codes[from:] {
			if c != http.StatusOK && c != http.StatusServiceUnavailable {
				t.Errorf("a webhook was answered %d", c)
			}
			if c == code {
				return true
			}
		}
		return false
	}, func() string { return fmt.Sprint(p.codes) })
}

func (p *poster) end() {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	p.done.Wait()
}

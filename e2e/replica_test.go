package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// TestReplicas runs three processes of payments on one database and kills two of them with kill -9 again and again while sales are paid
// without a webhook. Nobody is asked twice within a provider's rule, each sale is delivered once, and what a dead replica had claimed is taken
// over within seconds.
func TestReplicas(t *testing.T) {
	t.Parallel()
	d := deployment.New(t, deployment.SeparateProcesses)
	must(t, d.World().SetBuyers(openAtOnce))
	others := deployment.Replicate(t, d, 2)
	shop := openShop(t, d)
	rules := map[sim.Provider]time.Duration{sim.Atomopay: 5 * time.Second, sim.Paradise: 10 * time.Second, sim.Pushinpay: time.Minute}
	for p, rule := range rules {
		must(t, d.World().SetPollRule(p, sim.PollRule{MinInterval: rule}))
	}
	var sales []*sale
	for i := range 24 {
		p := []sim.Provider{sim.Atomopay, sim.Paradise, sim.Atomopay, sim.Pushinpay}[i%4]
		sales = append(sales, shop.register(t, p, sim.Charge{}))
	}
	// The killing: one of the two at a time, so that the front door stays.
	over, killed := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { killed <- n }()
		for {
			r := others[n%len(others)]
			done := over
			if n < 3 { // on a slow machine everything may be settled by then; the kills are what is tried
				done = nil
			}
			select {
			case <-done:
				return
			case <-time.After(time.Duration(200+rand.IntN(500)) * time.Millisecond): // the moment of the kill is what is tried
			}
			r.Kill()
			n++
			r.Start(t)
		}
	}()
	for i, s := range sales {
		if i%6 != 5 { // some are never paid
			s.pay(t)
		}
		<-time.After(50 * time.Millisecond) // sales are paid one after the other
	}
	for i, s := range sales {
		if i%6 != 5 && s.provider != sim.Pushinpay {
			s.awaitSettled(t, deployment.Within)
		}
	}
	close(over)
	n := <-killed
	ended := time.Now()
	for i, s := range sales {
		if i%6 != 5 {
			s.awaitSettled(t, rules[s.provider]+deployment.Within)
		} else {
			s.checkUntouched(t)
		}
	}
	t.Logf("%d kills; everything settled %v after the last", n, time.Since(ended).Round(time.Millisecond))
	for p, c := range d.World().Counters().Providers {
		if c.Violations > 0 {
			t.Errorf("%s was asked %d times against its rule of %v", p, c.Violations, rules[p])
		}
	}
	if n < 3 {
		t.Errorf("only %d kills: the test proves little", n)
	}
	shop.checkStatistics(t, 20)
}

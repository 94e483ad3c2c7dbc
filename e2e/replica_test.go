package e2e

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// lookLease is how long a look at Atomopay stays with a replica that died, and noticed how long another one may take to notice: docs/scaling.md.
const (
	lookLease = 10 * time.Second
	noticed   = time.Second
)

// takenOver starts two more replicas, has one of them hold looks that do not end, kills it and measures when another makes them.
func takenOver(t *testing.T, d deployment.Deployment) []*deployment.Replica {
	t.Helper()
	shop := openShop(t, d)
	wire := newCutter(t, d.Leaves()[deployment.Gateways])
	dies, lives := deployment.ReplicateThrough(t, d, wire.address()), deployment.Replicate(t, d, 1)[0]
	sales := shop.old(t, 12, sim.Atomopay)
	for _, s := range sales {
		must(t, d.World().Pay(sim.Atomopay, s.charge)) // in silence: only a look can tell
		next := s.get(t).GetKnowledge().GetLastPollAt().AsTime().Add(askAgain)
		deployment.Eventually(t, deployment.Within, "the provider may be asked again", func() bool { return time.Now().After(next) })
	}
	pass := wire.stall()
	looks := map[*sale]int{}
	for _, s := range sales {
		n, err := d.World().Looks(sim.Atomopay, s.charge)
		must(t, err)
		looks[s] = n
		// Whoever is asked for a look wakes up first, and takes it.
		shop.api.Must("POST", dies.URL()+"/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, &paymentsv1.RecheckPaymentResponse{})
	}
	looked := func(s *sale) bool {
		n, err := d.World().Looks(sim.Atomopay, s.charge)
		return err == nil && n > looks[s]
	}
	<-time.After(4 * time.Second) // what others took is over, and the lease of the rest was renewed at least once
	held := slices.DeleteFunc(slices.Clone(sales), looked)
	if len(held) == 0 {
		t.Fatal("the replica holds no look: the test proves nothing")
	}
	dies.Kill()
	died := time.Now()
	pass()
	var after []time.Duration
	deployment.Eventually(t, lookLease+noticed+deployment.Within, "another replica makes the looks of the dead one", func() bool {
		held = slices.DeleteFunc(held, func(s *sale) bool {
			if !looked(s) {
				return false
			}
			after = append(after, time.Since(died))
			return true
		})
		return len(held) == 0
	}, func() string { return held[0].history(t) })
	t.Logf("%d looks that a dead replica held were made by another: the first %v, the last %v after kill -9 (their lease is %v)", len(after),
		after[0].Round(time.Millisecond), after[len(after)-1].Round(time.Millisecond), lookLease)
	if last := after[len(after)-1]; last > lookLease+noticed+2*deployment.Slack {
		t.Errorf("the last look was taken over after %v, want %v", last, lookLease+noticed)
	}
	for _, s := range sales {
		s.awaitSettled(t, deployment.Within)
	}
	shop.checkStatistics(t, int64(len(sales)))
	dies.Start(t)
	return []*deployment.Replica{dies, lives}
}

// askAgain is Atomopay's shortest distance between two looks at one sale.
const askAgain = 5 * time.Second

// TestReplicas runs three processes of payments on one database and kills two of them with kill -9 again and again while sales are paid
// without a webhook. Nobody is asked twice within a provider's rule, each sale is delivered once, and what a dead replica had claimed is taken
// over within seconds.
func TestReplicas(t *testing.T) {
	t.Parallel()
	d := deployment.New(t, deployment.SeparateProcesses)
	must(t, d.World().SetBuyers(openAtOnce))
	shop := openShop(t, d)
	others := takenOver(t, d)
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

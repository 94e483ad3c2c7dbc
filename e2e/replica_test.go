package e2e

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// lookLease is how long a look at Atomopay stays with a replica that died, and noticed how long another one may take to notice: docs/scaling.md.
const (
	lookLease = 10 * time.Second
	noticed   = time.Second
)

// takenOver has a replica hold looks that do not end, with nobody else there, kills it and starts two others, who make them.
func takenOver(t *testing.T, d deployment.Deployment) []*deployment.Replica {
	t.Helper()
	shop := openShop(t, d)
	wire := newCutter(t, d.Leaves()[deployment.Gateways])
	dies := deployment.ReplicateThrough(t, d, wire.address())
	sales := shop.old(t, 12, sim.Atomopay)
	for _, s := range sales {
		must(t, d.World().Pay(sim.Atomopay, s.charge)) // in silence: only a look can tell
		next := s.get(t).GetKnowledge().GetLastPollAt().AsTime().Add(askAgain)
		deployment.Eventually(t, deployment.Within, "the provider may be asked again", func() bool { return time.Now().After(next) })
	}
	pass := wire.stall()
	d.Stop(t, deployment.Payments) // nobody else is there to take them
	looks := map[*sale]int{}
	for _, s := range sales {
		n, err := d.World().Looks(sim.Atomopay, s.charge)
		must(t, err)
		looks[s] = n
		shop.api.Must("POST", dies.URL()+"/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, &paymentsv1.RecheckPaymentResponse{})
	}
	looked := func(s *sale) bool {
		n, err := d.World().Looks(sim.Atomopay, s.charge)
		return err == nil && n > looks[s]
	}
	var held []*sale
	ends := leases(t, d)
	for len(held) == 0 { // once, unless it gives a look back at the moment of the kill
		dies.Start(t)
		first := map[*sale]time.Time{}
		deployment.Eventually(t, deployment.Within, "the replica holds a look and renews its lease", func() bool {
			return slices.ContainsFunc(sales, func(s *sale) bool {
				end := ends(s)
				if _, known := first[s]; !known && !end.IsZero() {
					first[s] = end
				}
				return end.After(first[s]) && !first[s].IsZero() && end.After(time.Now())
			})
		})
		dies.Kill()
		held = slices.DeleteFunc(slices.Clone(sales), func(s *sale) bool { return !ends(s).After(time.Now()) })
	}
	died := time.Now()
	for _, s := range held { // how late others notice is the machine's
		if left := time.Until(ends(s)); left > lookLease {
			t.Errorf("the look at %s stays with the dead replica for %v, want at most %v", s.id, left, lookLease)
		}
	}
	d.Start(t, deployment.Payments)
	lives := deployment.Replicate(t, d, 1)[0]
	t.Logf("others are there %v after kill -9", time.Since(died).Round(time.Millisecond))
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
	for _, s := range sales {
		s.awaitSettled(t, deployment.Within)
	}
	shop.checkStatistics(t, int64(len(sales)))
	dies.Start(t)
	return []*deployment.Replica{dies, lives}
}

// leases tells until when a look at a sale stays with whoever holds it, the zero time when nobody does.
func leases(t *testing.T, d deployment.Deployment) func(*sale) time.Time {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.Database().DSN())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // nothing is under way
	return func(s *sale) time.Time {
		t.Helper()
		var until *time.Time
		must(t, conn.QueryRow(t.Context(), `SELECT leased_until FROM payments.looks WHERE payment_id = $1`, s.id).Scan(&until))
		if until == nil {
			return time.Time{}
		}
		return *until
	}
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
		// How much later than it was sent a question may arrive is the machine's; who asked twice would do so at once.
		must(t, d.World().SetPollRule(p, sim.PollRule{MinInterval: rule - deployment.Slack}))
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
			s.awaitSettled(t, lease+retried)
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

package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// metaPatience is how long delivery waits for one answer of Meta's.
const metaPatience = 10 * time.Second

var metaLate = regexp.MustCompile(`O Purchase ainda não chegou à Meta: (1 tentativa falhou|\d+ tentativas falharam) \(a Meta não respondeu a tempo\)`)

// slowMeta: while Meta answers late or not at all the page is as fast as ever, the story says what happens, and one Purchase is counted.
func slowMeta(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	strike := func(f sim.Fault) sim.FaultID {
		f.Target, f.Endpoint, f.Account = sim.TargetMeta, "events", shop.pixel
		id, err := d.World().AddFault(f)
		must(t, err)
		return id
	}
	hangs := strike(sim.Fault{Kind: sim.FaultHang})
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.openAgain(t)
	buyer := deployment.NewClient(t, d, "")
	waits := func() bool { return s.get(t).GetFulfilment().GetPurchase() == "queued" }
	deployment.Eventually(t, deployment.Within, "the Purchase is queued", waits, func() string { return s.history(t) })
	var fastest, slowest time.Duration
	opened := 0
	deployment.Eventually(t, deployment.Within, "the first request is given up", func() bool {
		began := time.Now()
		a, err := buyer.Do("GET", s.link(), nil, "User-Agent", phone)
		if err != nil || a.Code != http.StatusOK {
			t.Fatalf("the page while Meta is slow: %d, %v", a.Code, err)
		}
		took := time.Since(began)
		if slowest = max(slowest, took); opened == 0 || took < fastest {
			fastest = took
		}
		opened++
		return s.delivery(t).GetPurchase().GetAttempts() > 0
	})
	if fastest > metaPatience { // a page that waits for Meta takes as long, always; a busy machine is slow now and then
		t.Errorf("%d pages while Meta did not answer, the fastest took %v", opened, fastest)
	}
	t.Logf("%d pages while Meta did not answer, the fastest took %v, the slowest %v", opened, fastest, slowest)
	if p := s.delivery(t).GetPurchase(); !waits() || p.GetReason() != "no answer in time" {
		t.Errorf("while Meta does not answer the Purchase is %v", p)
	}
	if told := s.told(t, "pt-BR"); !metaLate.MatchString(told) {
		t.Errorf("explain does not say %q:\n%s", metaLate, told)
	}
	strike(sim.Fault{Kind: sim.FaultSlow, Latency: 4 * time.Second, Count: 1})
	d.World().RemoveFault(hangs)
	s.awaitSettled(t, retried)
	n := s.delivery(t).GetPurchase().GetAttempts()
	if n < 2 {
		t.Errorf("Meta was asked %d times", n)
	}
	s.explains(t, fmt.Sprintf("A Meta aceitou o evento Purchase depois de %d tentativas.", n))
}

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

const (
	rounds    = 6
	saleEach  = 6
	killAfter = 400 * time.Millisecond // at most, after the round's first request
	killedFor = 6 * time.Minute        // what was cut short is done again, PushinPay being asked once a minute
)

// TestKill kills services with kill -9 at random moments while sales are created and paid, and starts them again. At the end every
// paid sale was delivered once and told once, or counted as maybe told; an unpaid one never. BAIXA_E2E_SEED repeats a run's
// choices; their moments depend on the machine.
func TestKill(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("BAIXA_E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("BAIXA_E2E_SEED: %v", err)
		}
	}
	t.Logf("BAIXA_E2E_SEED=%d", seed)
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		k := &killing{shop: openShop(t, d), dice: rand.New(rand.NewPCG(seed, 1))}
		for n := range rounds {
			k.round(t, n)
		}
		k.judge(t)
	})
}

// killing is a run of it.
type killing struct {
	shop *shop
	dice *rand.Rand

	mu     sync.Mutex
	paid   []*sale
	unpaid []*sale
}

// round makes and pays sales while one or two services are killed.
func (k *killing) round(t *testing.T, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range saleEach {
		p := []sim.Provider{sim.Atomopay, sim.Paradise, sim.Atomopay, sim.Paradise, sim.Atomopay, sim.Pushinpay}[i%6]
		pays, after := i%5 != 4, time.Duration(k.dice.Int64N(int64(killAfter)))
		wg.Go(func() {
			s := k.sell(t, p)
			if s == nil {
				return
			}
			k.mu.Lock()
			pays := pays && s.charge != ""
			if pays {
				k.paid = append(k.paid, s)
			} else {
				k.unpaid = append(k.unpaid, s)
			}
			k.mu.Unlock()
			if pays {
				<-time.After(after) // a moment among the others' steps
				if err := k.shop.d.World().Pay(p, s.charge); err != nil {
					t.Errorf("pay at %s: %v", p, err)
				}
			}
		})
	}
	services := deployment.Services()
	k.dice.Shuffle(len(services), func(i, j int) { services[i], services[j] = services[j], services[i] })
	victims := services[:1+k.dice.IntN(2)]
	for _, name := range victims {
		<-time.After(time.Duration(k.dice.Int64N(int64(killAfter)))) // the moment of the kill is what is tried
		k.shop.d.Kill(t, name)
	}
	t.Logf("round %d: killed %v", n+1, victims)
	for _, name := range victims {
		k.shop.d.Start(t, name)
	}
	wg.Wait()
}

// sell asks for a sale until it is answered with a code that a buyer can pay, as a merchant's program does. A sale whose charge was
// lost with a process and cannot be looked up has none: it is returned without a charge, for nobody can pay it.
func (k *killing) sell(t *testing.T, p sim.Provider) *sale {
	req := k.shop.request(p)
	s := &sale{shop: k.shop, provider: p, chat: req.GetBuyer().GetTelegramId(), centavos: price}
	if err := k.shop.d.World().AddChat(sim.Chat{ID: s.chat}); err != nil {
		t.Error(err)
		return nil
	}
	body := changed(t, req, "external_id", req.GetExternalId())
	var last string
	deployment.Happens(deployment.Within, func() bool {
		a, err := k.shop.api.Do("POST", "/v1/payments", body, "Content-Type", "application/json")
		last = fmt.Sprint(a.Code, a.Body, err)
		made := &paymentsv1.CreatePaymentResponse{}
		if err != nil || a.Code != http.StatusOK || protojson.Unmarshal([]byte(a.Body), made) != nil {
			return false
		}
		s.id = made.GetPayment().GetId()
		if c := made.GetPayment().GetCharge(); c.GetCopyPaste() != "" {
			if s.charge = c.GetId(); s.charge == "" {
				s.charge = c.GetHash()
			}
		}
		return s.charge != ""
	})
	if s.id == "" {
		t.Errorf("a sale at %s was not accepted: %s", p, last)
		return nil
	}
	return s
}

// judge waits until everything is settled and compares it with the truth.
func (k *killing) judge(t *testing.T) {
	t.Helper()
	unsure := 0
	for _, s := range k.paid {
		if !s.awaitToldThroughKills(t) {
			unsure++
		}
	}
	for _, s := range k.paid { // what a killed process had done and not written down is done again, and changes nothing
		deployment.Eventually(t, lease+deployment.Within, fmt.Sprintf("the token of sale %s is in the history", s.id),
			func() bool { return s.count(t, "token_issued") > 0 }, func() string { return s.history(t) })
		if n, issued := len(k.shop.d.World().Messages(s.chat)), s.count(t, "token_issued"); n > 1 || issued != 1 {
			t.Errorf("sale %s: %d messages, and the token is %d times in the history%s", s.id, n, issued, s.history(t))
		}
	}
	for _, s := range k.unpaid {
		s.checkUntouched(t)
	}
	k.shop.checkStatistics(t, int64(len(k.paid)))
	k.shop.prove(t)
	if len(k.paid) < rounds*saleEach/2 {
		t.Errorf("only %d sales were paid: the test proves little", len(k.paid))
	}
	t.Logf("%d paid, of them %d maybe told; %d unpaid", len(k.paid), unsure, len(k.unpaid))
}

// awaitToldThroughKills waits until a sale whose services were killed meanwhile is paid and its message has come to an end: sent once, or, when a
// kill cut it short, maybe sent and never twice, which is false. Whoever was told opens the page, and Meta counts one Purchase.
func (s *sale) awaitToldThroughKills(t *testing.T) (sure bool) {
	t.Helper()
	deployment.Eventually(t, killedFor, fmt.Sprintf("sale %s at %s is paid and its message has come to an end", s.id, s.provider), func() bool {
		p := s.get(t)
		m := p.GetFulfilment().GetMessage()
		return p.GetStatus() == isPaid && (m == "sent" || m == "maybe_sent")
	}, func() string { return fmt.Sprint(s.get(t)) + s.history(t) + s.looked(t) })
	n := len(s.shop.d.World().Messages(s.chat))
	m := s.get(t).GetFulfilment().GetMessage()
	if n > 1 || m == "sent" && n != 1 {
		t.Errorf("sale %s: %d messages, and the message is %q%s", s.id, n, m, s.history(t))
	}
	if n == 0 { // maybe sent, and it was not: the owner is told, and the story says so
		return false
	}
	s.openAgain(t)
	deployment.Eventually(t, lease+deployment.Within, "the Purchase is sent", func() bool { return s.get(t).GetFulfilment().GetPurchase() == "sent" },
		func() string { return fmt.Sprint(s.get(t).GetFulfilment(), s.delivery(t)) + s.history(t) })
	if c := s.purchases(t); len(c) != 1 {
		t.Errorf("sale %s: Meta counted %d Purchases", s.id, len(c))
	}
	return m == "sent"
}

// looked is the row of the sale's next look, which tells why there was none.
func (s *sale) looked(t *testing.T) (row string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.shop.d.Database().DSN())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), `SELECT row_to_json(l)::text || ' at ' || now() FROM payments.looks l WHERE payment_id = $1`, s.id).Scan(&row); err != nil {
		return err.Error()
	}
	return "\n" + row
}

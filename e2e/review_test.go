package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

const (
	accept = paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT
	refuse = paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE

	isCancelled = paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED
	isRefunded  = paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED
	isExpired   = paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED
)

// reviewStories are about money that a person must judge.
func reviewStories() []story {
	return []story{{"every reason of a review", everyReview}, {"reviews that make no sense", badReviews}, {"an unsafe paid that is not confirmed", unsafePaid}}
}

// doubt is one reason for a review, and how money comes to be in it.
type doubt struct {
	reason string
	make   func(t *testing.T) *sale // begins; the sale comes into the doubt by itself
	enters func(t *testing.T, s *sale)
	// The doubt in words: of `baixa review list`, and of `baixa explain`.
	list, tells map[string]string
	// delivered is true when the sale was delivered before the doubt came up. Gross is what it counts for once accepted, and once refused.
	delivered       bool
	taken, declined int64
	made            [2]*sale // to be accepted, to be refused
}

// recheck asks for a look now.
func (s *sale) recheck(t *testing.T) {
	t.Helper()
	s.shop.api.Must("POST", "/v1/payments/"+s.id+":recheck", &paymentsv1.RecheckPaymentRequest{}, &paymentsv1.RecheckPaymentResponse{})
}

// awaitDoubt waits until the sale's review has a reason.
func (s *sale) awaitDoubt(t *testing.T, reason string) {
	t.Helper()
	deployment.Eventually(t, retried, fmt.Sprintf("sale %s at %s is in doubt: %s", s.id, s.provider, reason),
		func() bool { return s.get(t).GetStatusReason() == reason }, func() string { return fmt.Sprint(s.get(t)) + s.history(t) })
}

// decided is `baixa review accept` or `refuse`.
func (s *sale) decided(t *testing.T, decision string) deployment.Command {
	t.Helper()
	env, args := s.shop.as("review", decision, s.id, "--note", "conferido no painel")
	c := deployment.Run(t, env, args...)
	s.shop.look(t, c)
	return c
}

// told is what `baixa explain` says of the sale, in Portuguese by the command and in English as the API gives it, on one line.
func (s *sale) told(t *testing.T, lang string) string {
	t.Helper()
	var text string
	if lang == "en" {
		resp := &paymentsv1.ExplainPaymentResponse{}
		s.shop.api.Must("GET", "/v1/payments:explain?lang=en&query="+s.id, nil, resp)
		text = resp.GetSummary() + " " + resp.GetNext() + " " + resp.GetAction()
		for _, line := range resp.GetTimeline() {
			text += " " + line.GetText()
		}
	} else {
		env, args := s.shop.as("explain", s.id)
		c := deployment.Run(t, env, args...)
		s.shop.look(t, c)
		if c.Code != 0 {
			t.Errorf("explain: code %d\n%s", c.Code, c.Stderr)
		}
		text = c.Stdout
	}
	return strings.Join(strings.Fields(text), " ")
}

func doubts(shop *shop) []*doubt {
	w := shop.d.World()
	short := func(t *testing.T) *sale {
		return shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, AmountCentavos: price - 500, CreatedAt: minutesAgo(2)})
	}
	return []*doubt{
		{reason: "amount_differs", make: func(t *testing.T) *sale {
			return shop.register(t, sim.Paradise, sim.Charge{Status: sim.Paid, AmountCentavos: price - 1000, CreatedAt: minutesAgo(2)})
		}, enters: func(*testing.T, *sale) {}, taken: price - 1000,
			list:  map[string]string{"pt-BR": "chegou um valor diferente do preço: preço R$ 19,90, chegou R$ 9,90", "en": "another amount than the price arrived"},
			tells: map[string]string{"pt-BR": "O preço é R$ 19,90 e chegaram R$ 9,90: uma pessoa precisa decidir", "en": "The price is R$ 19,90 and R$ 9,90 came: a person must decide"}},
		{reason: "other_currency", make: func(t *testing.T) *sale {
			return shop.register(t, sim.Syncpay, sim.Charge{Status: sim.Paid, Currency: "USD", CreatedAt: minutesAgo(2)})
		}, enters: func(*testing.T, *sale) {}, taken: price,
			list:  map[string]string{"pt-BR": "o dinheiro está em outra moeda", "en": "the money is in another currency"},
			tells: map[string]string{"pt-BR": "A venda é em BRL e o provedor informou USD", "en": "The sale is in BRL and the provider named USD"}},
		{reason: "paid_after_refund", make: func(t *testing.T) *sale {
			return shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Refunded, CreatedAt: minutesAgo(2)})
		}, enters: func(t *testing.T, s *sale) {
			s.awaitStatus(t, deployment.Within, isRefunded)
			s.pay(t)
			s.recheck(t)
		}, taken: price,
			list:  map[string]string{"pt-BR": "o provedor diz paga depois de devolvida", "en": "paid is reported after the money went back"},
			tells: map[string]string{"pt-BR": "o dinheiro desta venda tinha voltado (estornada): uma pessoa precisa decidir", "en": "this sale's money had gone back (refunded): a person must decide"}},
		{reason: "paid_after_refusal", make: short, enters: func(t *testing.T, s *sale) {
			s.awaitDoubt(t, "amount_differs")
			shop.api.Must("POST", "/v1/payments/"+s.id+":review", &paymentsv1.ReviewPaymentRequest{Decision: refuse, Note: "valor errado"}, &paymentsv1.ReviewPaymentResponse{})
			must(t, w.SetAmount(sim.Atomopay, s.charge, price))
			s.recheck(t)
		}, taken: price,
			list:  map[string]string{"pt-BR": "chegou dinheiro novo depois da recusa", "en": "new money arrived after the refusal"},
			tells: map[string]string{"pt-BR": "Chegou dinheiro novo para uma venda que uma pessoa tinha recusado", "en": "New money came for a sale that a person had refused"}},
		{reason: "disputed", make: short, enters: func(t *testing.T, s *sale) {
			s.awaitDoubt(t, "amount_differs")
			must(t, w.Dispute(sim.Atomopay, s.charge))
			s.recheck(t)
		}, taken: price - 500,
			list:  map[string]string{"pt-BR": "uma contestação foi aberta durante a análise", "en": "a dispute was opened during the review"},
			tells: map[string]string{"pt-BR": "Uma disputa (MED) foi aberta enquanto a venda esperava uma decisão", "en": "A dispute (MED) was opened while the sale waited for a decision"}},
		{reason: "second_payment", make: func(t *testing.T) *sale {
			return shop.register(t, sim.Babylon, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2)})
		}, enters: func(t *testing.T, s *sale) {
			s.awaitSettled(t, retried)
			must(t, w.PayAgain(sim.Babylon, s.charge))
			s.recheck(t)
		}, delivered: true, taken: 2 * price, declined: price,
			list:  map[string]string{"pt-BR": "a venda foi paga mais de uma vez", "en": "the sale was paid more than once"},
			tells: map[string]string{"pt-BR": "foi paga mais uma vez (R$ 19,90): uma pessoa precisa decidir; a entrega feita continua valendo", "en": "was paid once more"}},
		{reason: "amount_corrected", make: func(t *testing.T) *sale {
			return shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2)})
		}, enters: func(t *testing.T, s *sale) {
			s.awaitSettled(t, retried)
			must(t, w.SetAmount(sim.Atomopay, s.charge, price+500))
			s.recheck(t)
		}, delivered: true, taken: price + 500, declined: price + 500,
			list:  map[string]string{"pt-BR": "depois da entrega o provedor informou outro valor", "en": "after delivery the provider named another amount"},
			tells: map[string]string{"pt-BR": "O provedor agora informa R$ 24,90 em vez de R$ 19,90", "en": "the amount was corrected and somebody must check"}},
	}
}

// lateDoubts are those that depend on what the merchant decided beforehand.
func lateDoubts(t *testing.T, shop *shop) []*doubt {
	asks := shop.branch(t, sim.Atomopay, "pergunta", "late=ask", "assumed_qr_life=1m", "grace=0s")
	holds := shop.branch(t, sim.Paradise, "retem", "late=hold")
	strict := shop.branch(t, sim.Atomopay, "exige", "require_end_to_end=true", "end_to_end_patience=6s")
	return []*doubt{
		{reason: "late_money", make: func(t *testing.T) *sale { return asks.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(5)}) },
			enters: func(t *testing.T, s *sale) { // the provider still calls it open, our clock does not
				s.awaitStatus(t, deployment.Within, isExpired)
				s.pay(t)
				s.recheck(t)
			}, taken: price,
			list:  map[string]string{"pt-BR": "o dinheiro chegou depois do prazo", "en": "the money arrived after the end"},
			tells: map[string]string{"pt-BR": "a regra da loja para dinheiro atrasado é perguntar", "en": "the merchant's rule for late money is to ask"}},
		{reason: "late_money", make: func(t *testing.T) *sale {
			return holds.register(t, sim.Paradise, sim.Charge{Status: sim.Cancelled, CreatedAt: minutesAgo(2)})
		}, enters: func(t *testing.T, s *sale) {
			s.awaitStatus(t, deployment.Within, isCancelled)
			s.pay(t)
			s.recheck(t)
		}, taken: price,
			list:  map[string]string{"pt-BR": "o dinheiro chegou depois do prazo", "en": "the money arrived after the end"},
			tells: map[string]string{"pt-BR": "a regra da loja para dinheiro atrasado é reter", "en": "the merchant's rule for late money is to hold"}},
		{reason: "no_end_to_end", make: func(t *testing.T) *sale { // Atomopay names none
			return strict.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2)})
		}, enters: func(t *testing.T, s *sale) {}, taken: price,
			list:  map[string]string{"pt-BR": "o identificador fim a fim exigido não veio", "en": "the end-to-end id that you require never came"},
			tells: map[string]string{"pt-BR": "O identificador do PIX (fim a fim) não veio", "en": "The PIX end-to-end id did not come"}},
	}
}

// everyReview brings two sales into each doubt, has one accepted and one refused, and looks at what was given, said and counted.
func everyReview(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	shop.accounts[sim.Syncpay], shop.accounts[sim.Babylon] = shop.putAccount(t, sim.Syncpay, ""), shop.putAccount(t, sim.Babylon, "")
	screen := shop.watch(t)
	all := append(doubts(shop), lateDoubts(t, shop)...)
	for _, x := range all {
		x.made = [2]*sale{x.make(t), x.make(t)}
	}
	for _, x := range all {
		for _, s := range x.made {
			x.enters(t, s)
		}
	}
	var gross, count int64
	for _, x := range all {
		for _, s := range x.made {
			s.awaitDoubt(t, x.reason)
			x.check(t, s)
			if x.delivered {
				count, gross = count+1, gross+x.declined
			}
		}
	}
	shop.checkSums(t, count, gross)
	for lang := range all[0].list {
		env, args := shop.as("review", "list", "--lang", lang)
		c := deployment.Run(t, env, args...)
		shop.look(t, c)
		for _, x := range all {
			for _, s := range x.made {
				_, after, found := strings.Cut(c.Stdout, s.id)
				if question, _, _ := strings.Cut(after, "\n\n"); !found || c.Code != 0 || !strings.Contains(strings.Join(strings.SplitN(question, "\n", 3)[:2], " "), x.list[lang]) {
					t.Errorf("review list in %s, code %d, does not ask %q of %s:\n%s%s", lang, c.Code, x.list[lang], s.id, c.Stdout, c.Stderr)
				}
			}
			told := x.made[0].told(t, lang)
			for _, want := range []string{x.tells[lang], "baixa review accept " + x.made[0].id} {
				if !strings.Contains(told, want) {
					t.Errorf("explain %s in %s does not say %q:\n%s", x.reason, lang, want, told)
				}
			}
		}
	}
	count, gross = 0, 0
	for _, x := range all {
		yes, no := x.made[0], x.made[1]
		for s, decision := range map[*sale]string{yes: "accept", no: "refuse"} {
			if c := s.decided(t, decision); c.Code != 0 || !strings.Contains(c.Stdout, s.id) {
				t.Errorf("review %s of %s: code %d %s%s", decision, x.reason, c.Code, c.Stdout, c.Stderr)
			}
		}
		again := shop.api.REST("POST", "/v1/payments/"+yes.id+":review", &paymentsv1.ReviewPaymentRequest{Decision: refuse, Note: "mudei de ideia"}, nil)
		if again.Code != http.StatusBadRequest || again.Problem().Code != "FAILED_PRECONDITION" || !strings.Contains(again.Body, "nothing to review") {
			t.Errorf("refusing what was accepted: %d %s", again.Code, again.Body)
		}
		count, gross = count+1, gross+x.taken
		if x.delivered {
			count, gross = count+1, gross+x.declined
		}
	}
	for _, x := range all {
		x.made[0].awaitSettled(t, retried) // once
		if x.check(t, x.made[1]); !x.delivered && x.made[1].status(t) != isCancelled {
			t.Errorf("%s, refused: %v", x.reason, x.made[1].status(t))
		}
		for _, s := range x.made {
			if s.get(t).GetStatusReason() != "" && s.status(t) != isCancelled {
				t.Errorf("%s is decided and still asks: %v", x.reason, s.get(t))
			}
			deployment.Eventually(t, deployment.Within, "the owner's screen shows the review of "+x.reason, func() bool {
				return x.delivered || len(s.news(screen, "needs_review")) > 0
			}, func() string { return fmt.Sprint(screen.events(s.id, "payment_update")) })
		}
	}
	shop.checkSums(t, count, gross)
	env, args := shop.as("review", "list")
	if c := deployment.Run(t, env, args...); c.Code != 0 || c.Stdout != "nenhuma venda espera por alguém\n" {
		t.Errorf("review list after all were decided: code %d %s%s", c.Code, c.Stdout, c.Stderr)
	}
	shop.prove(t)
}

// check fails when a sale in doubt, or refused, was given more than it was before the doubt.
func (x *doubt) check(t *testing.T, s *sale) {
	t.Helper()
	if x.delivered {
		s.checkOnce(t)
	} else {
		s.checkUntouched(t)
	}
}

// checkSums compares the shop's sales and their sum.
func (s *shop) checkSums(t *testing.T, count, gross int64) {
	t.Helper()
	if c, g := s.statistics(t); c != count || g != gross {
		t.Errorf("statistics of %s: %d sales for %d centavos, want %d for %d", s.name, c, g, count, gross)
	}
}

// badReviews: what nobody should decide says what is wrong, and of many who decide at once one is heard.
func badReviews(t *testing.T, d deployment.Deployment) {
	shop, stranger := openShop(t, d), openShop(t, d)
	doubtful := shop.register(t, sim.Paradise, sim.Charge{Status: sim.Paid, AmountCentavos: price - 1000, CreatedAt: minutesAgo(2)})
	waits := shop.register(t, sim.Paradise, sim.Charge{})
	doubtful.awaitStatus(t, deployment.Within, review)
	for name, c := range map[string]struct {
		args, says []string
	}{
		"no note":           {[]string{"accept", doubtful.id}, []string{"--note"}},
		"an empty note":     {[]string{"refuse", doubtful.id, "--note", "  "}, []string{"--note"}},
		"no sale":           {[]string{"accept", "--note", "x"}, []string{"sale"}},
		"another word":      {[]string{"aprovar", doubtful.id, "--note", "x"}, []string{"accept", "refuse", "aprovar"}},
		"an id of nobody":   {[]string{"accept", "naoexiste", "--note", "x"}, []string{"payment"}},
		"nothing to review": {[]string{"accept", waits.id, "--note", "x"}, []string{"nothing to review", "PENDING"}},
		"a stranger's":      {[]string{"accept", doubtful.id, "--note", "x"}, []string{"payment"}},
		"a list of one":     {[]string{"list", doubtful.id}, []string{"explain"}},
	} {
		who := shop
		if name == "a stranger's" {
			who = stranger
		}
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			env, args := who.as(append([]string{"review"}, c.args...)...)
			refuses(t, env, args, c.says)
		})
	}
	path := "/v1/payments/" + doubtful.id + ":review"
	checkProblem(t, "no decision", shop.api.REST("POST", path, &paymentsv1.ReviewPaymentRequest{Note: "x"}, nil), http.StatusBadRequest, "decision")
	checkProblem(t, "no note", shop.api.REST("POST", path, &paymentsv1.ReviewPaymentRequest{Decision: accept}, nil), http.StatusBadRequest, "note")
	checkProblem(t, "a long note", shop.api.REST("POST", path, &paymentsv1.ReviewPaymentRequest{Decision: accept, Note: strings.Repeat("x", 501)}, nil), http.StatusBadRequest, "note")
	if a := stranger.api.REST("POST", path, &paymentsv1.ReviewPaymentRequest{Decision: accept, Note: "x"}, nil); a.Code != http.StatusNotFound {
		t.Errorf("a stranger reviews: %d %s", a.Code, a.Body)
	}
	doubtful.checkUntouched(t)

	var heard atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			switch a := shop.api.REST("POST", path, &paymentsv1.ReviewPaymentRequest{Decision: accept, Note: "confere"}, nil); {
			case a.Code == http.StatusOK:
				heard.Add(1)
			case a.Code != http.StatusBadRequest || a.Problem().Code != "FAILED_PRECONDITION":
				t.Errorf("one of many: %d %s", a.Code, a.Body)
			}
		})
	}
	group.Wait()
	if n := heard.Load(); n != 1 {
		t.Errorf("%d of 8 who decided at once were told that they had", n)
	}
	doubtful.awaitSettled(t, deployment.Within)
	counted := 0
	for _, e := range doubtful.events(t) {
		if e.GetKind() == "review_accepted" && e.GetDetails()["why"] == "review_accepted" {
			counted++
		}
	}
	if counted != 1 {
		t.Errorf("%d acceptances did something%s", counted, doubtful.history(t))
	}
	waits.checkUntouched(t)
	shop.checkSums(t, 1, price-1000)
}

// unsafePaid: UmbrellaPag's "paid" counts when a second look agrees. One that a second look denies gives nothing away.
func unsafePaid(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	shop.accounts[sim.Umbrellapag] = shop.putAccount(t, sim.Umbrellapag, "")
	s := shop.placed(t, sim.Umbrellapag, sim.Charge{CreatedAt: minutesAgo(2)})
	shop.strike(t, sim.Umbrellapag, sim.Fault{Kind: sim.FaultSay, Status: sim.Paid, Count: 1, Charge: s.ID})
	lied, paid := shop.follow(t, sim.Umbrellapag, s), shop.register(t, sim.Umbrellapag, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(2)})
	deployment.Eventually(t, retried, "a second look denied what the first said", func() bool { return lied.get(t).GetKnowledge().GetPolls() > 1 },
		func() string { return lied.history(t) })
	paid.awaitSettled(t, retried)
	for _, x := range []*sale{lied, paid} {
		readings := 0
		for _, e := range x.events(t) {
			if e.GetKind() != "reported" {
				continue
			}
			if readings++; readings == 1 && (e.GetDetails()["why"] != "second_read" || e.GetTo() != pending) {
				t.Errorf("the first reading: %v", e)
			}
		}
		if x == paid && readings != 2 {
			t.Errorf("%d readings settled a sale, want 2%s", readings, x.history(t))
		}
	}
	if st := lied.status(t); st != pending {
		t.Errorf("one look out of two said paid: %v%s", st, lied.history(t))
	}
	lied.checkUntouched(t)
	shop.checkStatistics(t, 1)
	lied.pay(t)
	lied.recheck(t)
	lied.awaitSettled(t, retried)
	shop.checkStatistics(t, 2)
}

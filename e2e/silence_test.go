package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// announced and unannounced are how many sales with a webhook make a habit, and how many without one break it: fewer could be chance.
const (
	announced   = 24
	unannounced = 6
)

// judgedWithin is how long after its last sale an account is judged, beside its patience: the judges' round and a busy machine.
const judgedWithin = 15*time.Second + deployment.Within

// trusted is what is known of the webhooks of the shop's account at a provider.
func (s *shop) trusted(t *testing.T, p sim.Provider) *paymentsv1.Trust {
	t.Helper()
	resp := &paymentsv1.ListTrustResponse{}
	s.api.Must("GET", "/v1/trust?account_id="+s.accounts[p].GetId(), nil, resp)
	if len(resp.GetAccounts()) != 1 {
		t.Fatalf("trust in one account: %v", resp)
	}
	return resp.GetAccounts()[0]
}

// distance is how long a sale that is not paid waits between its last look and the next.
func (s *sale) distance(t *testing.T) time.Duration {
	t.Helper()
	k := s.get(t).GetKnowledge()
	return k.GetNextPollAt().AsTime().Sub(k.GetLastPollAt().AsTime())
}

// sold are new sales that are paid, and about which the provider posts unless it has ceased to.
func (s *shop) sold(t *testing.T, n int, p sim.Provider) (all []*sale) {
	t.Helper()
	for range n {
		all = append(all, s.register(t, p, sim.Charge{WebhookURL: s.hookURL(p, string(p), true), Webhooks: &sim.Webhooks{}}))
	}
	for _, x := range all {
		x.pay(t)
	}
	for _, x := range all {
		x.awaitSettled(t, retried)
	}
	return all
}

// logged reports whether a process said something of the shop's account at a provider.
func (s *shop) logged(p sim.Provider, what string) bool {
	for line := range strings.Lines(s.d.Output()) {
		if strings.Contains(line, what) && strings.Contains(line, s.accounts[p].GetId()) {
			return true
		}
	}
	return false
}

// silentProvider: a provider that posted about every sale ceases to, and sells on. Its sales settle by looks alone, the looks at those that wait
// become more frequent, the owner is told once, and doctor says so. When it posts again all of that ends by itself.
func silentProvider(t *testing.T, d deployment.Deployment) {
	const p = sim.Bolt // where no other shop of these tests has webhooks: the silence is this account's own
	shop := openShop(t, d)
	shop.accounts[p] = shop.putAccount(t, p, "")
	screen, chat := shop.watch(t), shop.tellOwner(t)
	const told = "📪 Os webhooks de Bolt Pagamentos pararam"
	doctor := func() string {
		t.Helper()
		env, args := shop.as("doctor", "--lang", "en")
		c := deployment.Run(t, env, args...)
		shop.look(t, c)
		return strings.Join(strings.Fields(c.Stdout), " ")
	}
	warns := "The webhooks of Bolt Pagamentos (account " + shop.accounts[p].GetId() + ") have stopped"

	for _, s := range shop.sold(t, announced, p) {
		deployment.Eventually(t, deployment.Within, "every sale has its webhook", func() bool { return s.count(t, "hint_received") > 0 }, func() string { return s.history(t) })
	}
	waits := shop.old(t, 1, p)[0]
	usual := waits.distance(t)
	if k := shop.trusted(t, p); k.GetHinted() < announced || k.GetSilentSince() != nil {
		t.Errorf("after %d sales with a webhook: %v", announced, k)
	}

	ceased := shop.strike(t, p, sim.Fault{Kind: sim.FaultSwallow, Endpoint: sim.EndpointWebhook})
	for _, s := range shop.sold(t, unannounced, p) {
		if n := s.count(t, "hint_received"); n != 0 {
			t.Fatalf("%d webhooks came although the provider has ceased to send them%s", n, s.history(t))
		}
	}
	patience := max(30*time.Second, 2*shop.trusted(t, p).GetDelayP95().AsDuration()) // twice as late as webhooks were, they will not come
	deployment.Eventually(t, patience+judgedWithin, "the provider is found silent", func() bool { return shop.trusted(t, p).GetSilentSince() != nil },
		func() string { return shop.trusted(t, p).String() })
	deployment.Eventually(t, deployment.Within, "the owner reads of it", func() bool { return shop.read(chat, told) > 0 })
	alerts := func() (n int) {
		screen.mu.Lock()
		defer screen.mu.Unlock()
		for _, f := range screen.seen {
			if f.Type == "alert" && f.Status == "webhooks_silent" {
				n++
			}
		}
		return n
	}
	deployment.Eventually(t, deployment.Within, "the owner's screen tells of it", func() bool { return alerts() > 0 })
	deployment.Eventually(t, deployment.Within, "the sale that waits is looked at sooner", func() bool { return waits.distance(t) < usual*3/4 },
		func() string { return waits.distance(t).String() + ", usual are " + usual.String() })
	if said := doctor(); !strings.Contains(said, warns) {
		t.Errorf("doctor does not say %q:\n%s", warns, said)
	}
	if !shop.logged(p, "webhooks fell silent: looks are denser") {
		t.Error("no process has logged that webhooks fell silent")
	}
	waits.checkUntouched(t)

	if !d.World().RemoveFault(ceased) {
		t.Fatal("the fault was gone before")
	}
	shop.sold(t, 3, p)
	deployment.Eventually(t, patience+judgedWithin, "the webhooks are back", func() bool { return shop.trusted(t, p).GetSilentSince() == nil },
		func() string { return shop.trusted(t, p).String() })
	deployment.Eventually(t, deployment.Within, "a process logs that they are back", func() bool { return shop.logged(p, "webhooks are back") })
	if said := doctor(); strings.Contains(said, warns) {
		t.Errorf("doctor warns still:\n%s", said)
	}
	if after := shop.old(t, 1, p)[0].distance(t); after < usual*3/4 {
		t.Errorf("a sale that waits is looked at after %v again, as in the silence; usual are %v", after, usual)
	}
	shop.sold(t, 3, p)
	if n, m := shop.read(chat, told), alerts(); n != 1 || m != 1 {
		t.Errorf("of one silence the owner read %d times in the chat and %d on the screen", n, m)
	}
	shop.checkStatistics(t, announced+unannounced+3+3)
	shop.prove(t)
}

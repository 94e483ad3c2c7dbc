package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// backfillStories are about asking again after an outage.
func backfillStories() []story { return []story{{"backfill", backfilled}} }

// backfillOf is the command for a time and what it does beside.
func (s *shop) backfillOf(t *testing.T, from, to time.Time, more ...string) deployment.Command {
	t.Helper()
	env, args := s.as("backfill", "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339))
	c := deployment.Run(t, env, append(args, more...)...)
	s.look(t, c)
	return c
}

// old registers sales that are looked at once now and then not for long.
func (s *shop) old(t *testing.T, n int, p sim.Provider) []*sale {
	t.Helper()
	var out []*sale
	for range n {
		out = append(out, s.register(t, p, sim.Charge{CreatedAt: minutesAgo(90)}))
	}
	for _, x := range out {
		deployment.Eventually(t, retried, "the first look", func() bool { return x.get(t).GetKnowledge().GetPolls() > 0 }, func() string { return x.history(t) })
	}
	return out
}

func backfilled(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	sales := shop.old(t, 4, sim.Atomopay)
	// Of this account a sale is looked at once an hour, so that a backfill of it runs for as long as the test wants.
	slow := shop.branch(t, sim.Pushinpay, "devagar", "min_interval=1h", "dense_every=1h", "young_every=1h").old(t, 1, sim.Pushinpay)[0]
	for _, s := range sales[:2] {
		must(t, d.World().Pay(sim.Atomopay, s.charge)) // in silence
	}
	from, to := minutesAgo(100), minutesAgo(60)
	before := sales[0].history(t) + sales[3].history(t)
	if c := shop.backfillOf(t, from, to, "--dry-run", "--provider", "Atomopay"); c.Code != 0 || !strings.Contains(c.Stdout, "4 vendas seriam consultadas de novo; nada foi mudado") {
		t.Errorf("a dry run: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	if c := shop.backfillOf(t, from, to, "--dry-run", "--lang", "en"); c.Code != 0 || !strings.Contains(c.Stdout, "5 sales would be asked about again") {
		t.Errorf("a dry run of all: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	if c := shop.backfillOf(t, from, to, "--cancel"); c.Code != 1 || !strings.Contains(c.Stderr, "nenhuma reconsulta deste período") {
		t.Errorf("cancelling nothing: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	if after := sales[0].history(t) + sales[3].history(t); after != before {
		t.Errorf("a dry run changed something:%s, was%s", after, before)
	}
	c := shop.backfillOf(t, from, to, "--provider", "atomopay")
	if c.Code != 0 || !strings.Contains(c.Stdout, "começou, com 4 vendas") || !strings.Contains(c.Stdout, "Pronto: 4 de 4 consultadas, 2 mudaram de situação, 0 sem resposta") ||
		!strings.Contains(c.Stdout, "4 de 4\n") || strings.ContainsAny(c.Stdout, "\x1b\r") {
		t.Errorf("backfill: code %d\n%s%s", c.Code, c.Stdout, c.Stderr)
	}
	for i, s := range sales {
		if i < 2 {
			s.awaitSettled(t, deployment.Within)
		} else {
			s.checkUntouched(t)
		}
	}

	env, args := shop.as("backfill", "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339), "--provider", "pushinpay")
	running := deployment.BackgroundAs(t, env, args...)
	deployment.Eventually(t, deployment.Within, "the backfill has begun", func() bool { return strings.Contains(running.Output(), "começou, com 1 venda") }, running.Output)
	if c := shop.backfillOf(t, from.Add(time.Minute), to); c.Code != 1 || !strings.Contains(c.Stderr, "outra reconsulta passa pelas mesmas vendas: ") ||
		!strings.Contains(c.Stderr, "--provider pushinpay") || strings.Count(c.Stderr, "\n") != 1 {
		t.Errorf("one that overlaps: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	if c := shop.backfillOf(t, from, to, "--cancel"); c.Code != 1 || !strings.Contains(c.Stderr, "--provider pushinpay") {
		t.Errorf("cancelling with other filters: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	if c := shop.backfillOf(t, from, to, "--provider", "pushinpay", "--cancel", "--lang", "en"); c.Code != 0 || !strings.Contains(c.Stdout, "is cancelled: 0 of 1") {
		t.Errorf("cancelling: code %d, %s%s", c.Code, c.Stdout, c.Stderr)
	}
	deployment.Eventually(t, deployment.Within, "whoever watched is told", func() bool { return strings.Contains(running.Output(), "Cancelada: 0 de 1") }, running.Output)
	slow.checkUntouched(t)
	shop.checkStatistics(t, 2)

	for name, f := range map[string]struct{ args, says []string }{
		"a time that is none":   {[]string{"--from", "ontem", "--to", "2026-11-20"}, []string{"--from"}},
		"a time that goes back": {[]string{"--from", "2026-11-02", "--to", "2026-11-01"}, []string{"to"}},
		"the future":            {[]string{"--from", "2026-11-02", "--to", "2126-11-01"}, []string{"to"}},
		"an unknown provider":   {[]string{"--from", "2026-11-01", "--to", "2026-11-02", "--provider", "pagaqui"}, []string{"pagaqui", "atomopay"}},
		"both":                  {[]string{"--from", "2026-11-01", "--to", "2026-11-02", "--dry-run", "--cancel"}, []string{"--cancel"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			env, args := shop.as("backfill")
			refuses(t, env, append(args, f.args...), f.says)
		})
	}
}

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// TestBackfill_goesOnAfterKills kills payments with kill -9 at three moments of a backfill: it goes on where it stands, asks about every sale,
// and who watches sees it end.
func TestBackfill_goesOnAfterKills(t *testing.T) {
	const total = 20
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		sales := shop.old(t, total, sim.Atomopay)
		for _, s := range sales {
			must(t, d.World().Pay(sim.Atomopay, s.charge)) // in silence: nothing but a look can tell
		}
		env, args := shop.as("backfill", "--from", minutesAgo(100).Format(time.RFC3339), "--to", minutesAgo(60).Format(time.RFC3339))
		running := deployment.BackgroundAs(t, env, args...)
		deployment.Eventually(t, deployment.Within, "the backfill has begun", func() bool {
			return strings.Contains(running.Output(), fmt.Sprintf("começou, com %d vendas", total))
		}, running.Output)
		for _, found := range []int{1, total / 2, total - 3} {
			deployment.Eventually(t, retried, fmt.Sprintf("%d of the sales are found paid", found), func() bool { return shop.paid(t) >= found }, running.Output)
			d.Kill(t, deployment.Payments)
			d.Start(t, deployment.Payments)
		}
		// The rest is counted as it was when the backfill began, whoever found it: a dead process's look, its successor's, or an ordinary one.
		done := fmt.Sprintf("Pronto: %d de %d consultadas, %d mudaram de situação, 0 sem resposta", total, total, total)
		deployment.Eventually(t, lease+retried, "it goes on to its end", func() bool { return strings.Contains(running.Output(), done) }, running.Output)
		for _, s := range sales {
			s.awaitToldThroughKills(t)
		}
		shop.checkStatistics(t, total)
		shop.prove(t)
	})
}

// paid is how many of the shop's sales are.
func (s *shop) paid(t *testing.T) int {
	t.Helper()
	count, _ := s.statistics(t)
	return int(count)
}

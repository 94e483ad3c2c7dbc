package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/baixapay/baixa/e2e/browser"
	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

// Tests here mostly wait, so more of them run at once than there are processors.
const atOnce = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := pgtest.Run(m)
	browser.Close()
	deployment.Remove()
	browser.Close()
	os.Exit(code)
}

// onBoth runs a test on a deployment of its own of each kind, side by side.
func onBoth(t *testing.T, run func(t *testing.T, d deployment.Deployment)) {
	t.Parallel()
	for _, name := range deployment.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, deployment.New(t, name))
		})
	}
}

// story is one test of the suite that disturbs nobody.
type story struct {
	name string
	run  func(t *testing.T, d deployment.Deployment)
}

// TestSystem runs the stories that leave everybody up on one deployment of each kind, side by side: each has a merchant of its
// own.
func TestSystem(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		if err := d.World().SetBuyers(openAtOnce); err != nil {
			t.Fatal(err)
		}
		var list []story
		for _, part := range [][]story{sellStories(), webhookStories(), providerStories(), messageStories(), accessStories(), inputStories(), commandStories(), clickStories(), groupStories(), hookStories(),
			reconcileStories(), backfillStories(), reviewStories(), moneyBackStories(), replayStories(), editedStories()} {
			list = append(list, part...)
		}
		t.Run("all", func(t *testing.T) { // returns when they have all ended, and before d does
			for _, s := range list {
				t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
					t.Parallel()
					s.run(t, d)
				})
			}
		})
	})
}

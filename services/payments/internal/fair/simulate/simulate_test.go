package simulate

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/fair"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

var write = flag.Bool("write", false, "rewrite the plots in docs")

// TestPlots keeps the plots of docs/scheduling.md true.
func TestPlots(t *testing.T) {
	for file, got := range map[string]string{
		"looks.svg": DrawLooks([]string{"atomopay", "pushinpay", "paradise"}),
		"waits.svg": DrawWaits("atomopay"),
	} {
		path := "../../../../../docs/" + file
		if *write {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != got {
			t.Errorf("%s is not what the schedule does: go generate ./services/payments/internal/fair/simulate", file)
		}
	}
}

// TestRun_tightBudgetHasBounds is the promise of docs/scheduling.md: 10,000 pending and 60 looks a minute. The newest sale waits seconds, and
// the one that waits the longest no longer than every fourth turn takes to go round all that are due.
func TestRun_tightBudgetHasBounds(t *testing.T) {
	const length = 14 * time.Hour
	sales := Tight(length)
	Run(Account{Policy: payment.DefaultPolicy("atomopay"), Interval: time.Second}, sales, length)
	round := time.Duration(len(sales)*fair.OldestEvery) * time.Second
	for i, s := range sales {
		if s.Born >= 0 && s.Born < length-time.Minute {
			if len(s.Looks) == 0 || s.Looks[0].Made-s.Born > 20*time.Second {
				t.Fatalf("new sale %d, born at %v, has its first look at %v", i, s.Born, s.Looks)
			}
		}
		for _, l := range s.Looks {
			if l.Made-l.Due > round {
				t.Fatalf("sale %d waited from %v to %v, longer than a round of %v", i, l.Due, l.Made, round)
			}
		}
		if len(s.Looks) == 0 && s.Born < length-round {
			t.Fatalf("sale %d, born at %v, was forgotten", i, s.Born)
		}
	}
	oldest := sales[0]
	if len(oldest.Looks) == 0 || oldest.Looks[0].Made > 5*time.Second {
		t.Errorf("the oldest of all has its first look at %v", oldest.Looks)
	}
}

// TestRun_newSalesGoBeforeAnyBacklog also when all 10,000 are as new as can be.
func TestRun_newSalesGoBeforeAnyBacklog(t *testing.T) {
	var sales []*Sale
	for range 10_000 {
		sales = append(sales, &Sale{Born: 0})
	}
	for i := range 20 {
		sales = append(sales, &Sale{Born: time.Duration(i+5) * time.Minute})
	}
	Run(Account{Policy: payment.DefaultPolicy("pushinpay"), Interval: time.Second}, sales, 30*time.Minute)
	rule := payment.DefaultPolicy("pushinpay").MinInterval
	for i, s := range sales {
		if i >= 10_000 && (len(s.Looks) == 0 || s.Looks[0].Made-s.Born > 45*time.Second) {
			t.Errorf("a sale of %v is looked at %v", s.Born, s.Looks)
		}
		for j := 1; j < len(s.Looks); j++ {
			if s.Looks[j].Made-s.Looks[j-1].Made < rule {
				t.Fatalf("two looks %v apart", s.Looks[j].Made-s.Looks[j-1].Made)
			}
		}
	}
}

// TestRun_clockJumps: an hour back and an hour ahead neither starve a sale nor spend more than the budget.
func TestRun_clockJumps(t *testing.T) {
	for name, jumps := range map[string][]Jump{
		"back":           {{30 * time.Minute, -time.Hour}},
		"ahead":          {{30 * time.Minute, time.Hour}},
		"ahead and back": {{30 * time.Minute, time.Hour}, {50 * time.Minute, -time.Hour}},
		"back and ahead": {{30 * time.Minute, -time.Hour}, {50 * time.Minute, time.Hour}},
	} {
		var sales []*Sale
		for at := time.Duration(0); at < 2*time.Hour; at += time.Minute {
			sales = append(sales, &Sale{Born: at, QR: time.Hour})
		}
		policy := payment.DefaultPolicy("atomopay")
		Run(Account{Policy: policy, Interval: time.Second, Jumps: jumps}, sales, 2*time.Hour)
		perSecond := map[time.Duration]int{}
		for i, s := range sales {
			last := s.Born
			for _, l := range s.Looks {
				perSecond[l.Made]++
				// A jump ahead makes a sale look older than it is: its distance grows to that of a sale whose QR code has ended.
				if wait, bound := l.Made-last, policy.RareMin+2*time.Minute; wait > bound {
					t.Errorf("%s: sale %d was not looked at from %v to %v", name, i, last, l.Made)
				}
				last = l.Made
			}
			if len(s.Looks) == 0 && s.Born < 2*time.Hour-time.Minute {
				t.Errorf("%s: sale %d of %v starved", name, i, s.Born)
			}
		}
		for at, n := range perSecond {
			if n > 1 {
				t.Errorf("%s: %d looks in the second %v, over the budget", name, n, at)
			}
		}
	}
}

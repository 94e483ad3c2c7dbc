package payment

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/google/go-cmp/cmp"
)

// write rewrites the golden files and docs/state-machine.md. What it writes must be read line by line before it is committed.
var write = flag.Bool("write", false, "rewrite golden files and docs/state-machine.md")

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// sale is pending, costs R$ 19,90, was made at noon, has a QR code for an hour, and charge c1.
func sale() Payment {
	return Payment{
		ID: ID{1}, MerchantID: MerchantID{2}, State: Pending, Amount: 1990, Currency: "BRL", CreatedAt: noon,
		QRExpiresAt: ptr(noon.Add(time.Hour)), Facts: Facts{ChargeID: "c1"},
	}
}

// reported is a poll's reading of charge c1.
func reported(status Status, at time.Time, change ...func(*Reading)) Event {
	r := &Reading{Status: status, ChargeID: "c1"}
	if status == StatusPaid {
		r.Amount, r.Currency, r.EndToEndID = ptr(money.Amount(1990)), "BRL", "E1"
	}
	for _, c := range change {
		c(r)
	}
	return Event{Kind: Reported, At: at, Source: SourcePoll, Reading: r}
}

func amount(a money.Amount) func(*Reading) { return func(r *Reading) { r.Amount = &a } }

// after applies events under the standard policy.
func after(p Payment, events ...Event) Payment {
	for _, e := range events {
		p = Decide(p, e, StandardPolicy()).Apply(p)
	}
	return p
}

// situations are sales in every state, and in the states that carry more than their name, each made by its history.
func situations() []situation {
	at := noon.Add(2 * time.Minute)
	paid := reported(StatusPaid, at)
	other := reported(StatusPaid, at.Add(time.Minute), func(r *Reading) { r.EndToEndID = "E2" })
	wrong := reported(StatusPaid, at, amount(990))
	is := func(s Status) Event { return reported(s, at.Add(2*time.Minute)) }
	return []situation{
		{"pending", Pending, sale()},
		{"paid", Paid, after(sale(), paid)},
		{"paid, paid again", Paid, after(sale(), paid, other)},
		{"failed", Failed, after(sale(), is(StatusFailed))},
		{"expired", Expired, after(sale(), is(StatusExpired))},
		{"cancelled", Cancelled, after(sale(), is(StatusCancelled))},
		{"cancelled by refusal", Cancelled, after(sale(), wrong, Event{Kind: ReviewRefused, At: at})},
		{"refunded", Refunded, after(sale(), paid, is(StatusRefunded))},
		{"refunded, never seen paid", Refunded, after(sale(), is(StatusRefunded))},
		{"refunded, paid again", Refunded, after(sale(), paid, other, is(StatusRefunded))},
		{"charged back", ChargedBack, after(sale(), paid, is(StatusChargedBack))},
		{"disputed", Disputed, after(sale(), paid, is(StatusDisputed))},
		{"disputed, never seen paid", Disputed, after(sale(), is(StatusDisputed))},
		{"needs review", NeedsReview, after(sale(), wrong)},
	}
}

type situation struct {
	name  string
	state State
	sale  Payment
}

// happenings are all the things that may be said of a sale, an hour and a quarter after it was made: past the QR code's end and grace.
func happenings() []happening {
	at := noon.Add(75 * time.Minute)
	paid := func(change ...func(*Reading)) Event { return reported(StatusPaid, at, change...) }
	bare := func(k Kind) Event { return Event{Kind: k, At: at} }
	second := paid(func(r *Reading) { r.EndToEndID = "E9" })
	second.Kind = SecondPayment
	return []happening{
		{"unknown", reported(StatusUnknown, at)},
		{"pending", reported(StatusPending, at)},
		{"paid", paid()},
		{"paid, in time", paid(func(r *Reading) { r.PaidAt = ptr(noon.Add(time.Minute)) })},
		{"paid, no amount", paid(func(r *Reading) { r.Amount = nil })},
		{"paid, no identifiers", paid(func(r *Reading) { r.ChargeID, r.EndToEndID = "", "" })},
		{"paid, other amount", paid(amount(500))},
		{"paid, other currency", paid(func(r *Reading) { r.Currency = "USD" })},
		{"paid, other money", paid(func(r *Reading) { r.EndToEndID = "E7" })},
		{"paid, other charge", paid(func(r *Reading) { r.ChargeID, r.EndToEndID = "c2", "E7" })},
		{"paid, unsafe", paid(func(r *Reading) { r.Unsafe = true })},
		{"failed", reported(StatusFailed, at)},
		{"expired", reported(StatusExpired, at)},
		{"expired, other charge", reported(StatusExpired, at, func(r *Reading) { r.ChargeID = "c2" })},
		{"cancelled", reported(StatusCancelled, at)},
		{"refunded", reported(StatusRefunded, at)},
		{"refunded, second payment", reported(StatusRefunded, at, func(r *Reading) { r.EndToEndID = "E2" })},
		{"refunded, other charge", reported(StatusRefunded, at, func(r *Reading) { r.ChargeID = "c2" })},
		{"charged back", reported(StatusChargedBack, at)},
		{"disputed", reported(StatusDisputed, at)},
		{"no reading", bare(Reported)},
		{"second payment", second},
		{"clock, early", Event{Kind: ExpiryReached, At: noon.Add(70*time.Minute - time.Second)}},
		{"clock, not looked", bare(ExpiryReached)},
		{"clock, blind", Event{Kind: ExpiryReached, At: noon.Add(70*time.Minute + 48*time.Hour)}},
		{"charge failed", bare(ChargeFailed)},
		{"accepted", bare(ReviewAccepted)},
		{"refused", bare(ReviewRefused)},
		{"delivery ordered", bare(DeliveryOrdered)},
		{"note", bare(HintReceived)},
	}
}

type happening struct {
	name  string
	event Event
}

func TestDecide_everySituationAndHappening(t *testing.T) {
	var b strings.Builder
	for _, s := range situations() {
		if s.sale.State != s.state {
			t.Fatalf("situation %q is in state %v", s.name, s.sale.State)
		}
		fmt.Fprintf(&b, "%s\n", s.name)
		for _, h := range happenings() {
			d := Decide(s.sale, h.event, StandardPolicy())
			fmt.Fprintf(&b, "  %-25s %s\n", h.name, describe(s.sale, d))
			again := Decide(d.Apply(s.sale), h.event, StandardPolicy())
			for _, x := range again.Effects {
				if x.Kind != PollAgain {
					t.Errorf("%s: %s twice orders %s again", s.name, h.name, x.Kind)
				}
			}
			if len(again.Stats) > 0 || again.Next != d.Next {
				t.Errorf("%s: %s twice moves %v to %v with %v", s.name, h.name, d.Next, again.Next, again.Stats)
			}
		}
	}
	golden(t, "testdata/decisions.txt", b.String())
}

func TestTable_everyStateAndInput(t *testing.T) {
	var b strings.Builder
	for _, s := range States() {
		for in := InNothing; in < inputEnd; in++ {
			c := table[s][in]
			next := c.next
			if next == 0 {
				if len(c.orders) > 0 {
					t.Errorf("%v on %v orders something and names no state", s, in)
				}
				next = s
			}
			fmt.Fprintf(&b, "%-12v %-16v -> %-12v %s\n", s, in, next, effectWords(c.orders))
		}
	}
	golden(t, "testdata/table.txt", b.String())
}

// TestTable_rules says in code what the golden table must never come to say by rewriting it.
func TestTable_rules(t *testing.T) {
	leaves := map[State][]State{
		Pending: {Paid, Failed, Expired, Cancelled, Refunded, ChargedBack, Disputed, NeedsReview},
		Paid:    {Refunded, ChargedBack, Disputed},
		Failed:  {Paid, NeedsReview, Refunded, ChargedBack, Disputed},
		Expired: {Paid, NeedsReview, Refunded, ChargedBack, Disputed}, Cancelled: {Paid, NeedsReview, Refunded, ChargedBack, Disputed},
		Refunded: {NeedsReview, Paid}, ChargedBack: {NeedsReview, Paid},
		Disputed:    {Paid, NeedsReview, Refunded, ChargedBack},
		NeedsReview: {Paid, Cancelled, Refunded, ChargedBack},
	}
	for _, s := range States() {
		for in := InNothing; in < inputEnd; in++ {
			c := table[s][in]
			kinds := map[EffectKind]int{}
			for _, x := range c.orders {
				kinds[x.Kind]++
			}
			moves := c.next != 0 && c.next != s
			if moves && !slices.Contains(leaves[s], c.next) {
				t.Errorf("%v on %v goes to %v", s, in, c.next)
			}
			if moves && kinds[NotifyOwner] != 1 {
				t.Errorf("%v on %v tells the owner %d times", s, in, kinds[NotifyOwner])
			}
			if enters := moves && c.next == Paid; (kinds[Deliver] == 1) != (enters || in == InDeliveryOrdered && s == Paid) {
				t.Errorf("%v on %v to %v orders %d deliveries", s, in, c.next, kinds[Deliver])
			}
			if leavesPaid := s == Paid && moves; (kinds[RevokeToken] == 1) != leavesPaid {
				t.Errorf("%v on %v to %v revokes %d tokens", s, in, c.next, kinds[RevokeToken])
			}
			if (s == NeedsReview || s.Returned()) && c.next == Paid && in != InReviewAccepted {
				t.Errorf("%v becomes paid by %v, without a person", s, in)
			}
			if (in == InNothing || in == InUnknown || in == InPending) && (moves || len(c.orders) > 0) {
				t.Errorf("%v on %v does something", s, in)
			}
		}
	}
}

func describe(p Payment, d Decision) string {
	parts := []string{fmt.Sprintf("%v/%v", d.Input, d.Next)}
	if d.Next == p.State {
		parts[0] = fmt.Sprintf("%v/-", d.Input)
	}
	if w := effectWords(d.Effects); w != "" {
		parts = append(parts, "["+w+"]")
	}
	for _, s := range d.Stats {
		parts = append(parts, fmt.Sprintf("%v%+d/%+d", s.Metric, s.Count, s.Amount))
	}
	if d.Changed && d.Next == p.State {
		parts = append(parts, "saved")
	}
	return strings.Join(append(parts, "("+string(d.Why.Key)+")"), " ")
}

func effectWords(effects []Effect) string {
	words := make([]string, 0, len(effects))
	for _, x := range effects {
		w := string(x.Kind)
		if x.Notice != "" {
			w += ":" + string(x.Notice)
		}
		if x.Again != "" {
			w += ":" + string(x.Again)
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// golden compares with a file that people read: it is the specification, and only people rewrite it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *write {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

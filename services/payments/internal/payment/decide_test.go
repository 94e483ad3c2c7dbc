package payment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/google/go-cmp/cmp"
)

func unsafePaid(r *Reading)    { r.Unsafe = true }
func noEndToEnd(r *Reading)    { r.EndToEndID = "" }
func orders(d Decision) string { return effectWords(d.Effects) }

func TestDecide_paidBooksTheProvidersMoment(t *testing.T) {
	paidAt := time.Date(2026, 11, 20, 9, 1, 30, 0, time.FixedZone("BRT", -3*3600))
	d := Decide(sale(), reported(StatusPaid, noon.Add(3*time.Hour), func(r *Reading) { r.PaidAt = &paidAt }), StandardPolicy())
	want := Facts{
		StateSince: noon.Add(3 * time.Hour), ChargeID: "c1", EndToEndID: "E1", PaidAt: ptr(noon.Add(90 * time.Second)),
		PaidAmount: ptr(money.Amount(1990)), DeliveredEver: true,
	}
	if diff := cmp.Diff(want, d.Facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	stats := []StatDelta{{Metric: MetricPaid, Count: 1, Amount: 1990, At: noon.Add(90 * time.Second)}}
	if diff := cmp.Diff(stats, d.Stats); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
}

func TestDecide_paidAtThatCannotBe(t *testing.T) {
	at := noon.Add(10 * time.Minute)
	for name, c := range map[string]struct {
		named *time.Time
		want  time.Time
	}{
		"none":                {nil, at},
		"a zone too early":    {ptr(noon.Add(-3 * time.Hour)), noon.Add(-3 * time.Hour)},
		"years ago":           {ptr(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)), at},
		"a little ahead":      {ptr(at.Add(time.Minute)), at.Add(time.Minute)},
		"three hours ahead":   {ptr(at.Add(3 * time.Hour)), at},
		"before the creation": {ptr(noon.Add(-25 * time.Hour)), at},
	} {
		d := Decide(sale(), reported(StatusPaid, at, func(r *Reading) { r.PaidAt = c.named }), StandardPolicy())
		if !d.PaidAt.Equal(c.want) {
			t.Errorf("%s: paid at %v, want %v", name, d.PaidAt, c.want)
		}
	}
}

func TestDecide_refundIsBookedOnItsOwnDay(t *testing.T) {
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)))
	later := noon.Add(72 * time.Hour)
	d := Decide(p, reported(StatusRefunded, later), StandardPolicy())
	want := []StatDelta{{Metric: MetricRefunded, Count: 1, Amount: 1990, At: later}}
	if diff := cmp.Diff(want, d.Stats); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
}

func TestDecide_unsafePaidNeedsASecondRead(t *testing.T) {
	policy, at := StandardPolicy(), noon.Add(time.Minute)
	first := Decide(sale(), reported(StatusPaid, at, unsafePaid), policy)
	if want := []Effect{{Kind: PollAgain, Again: AgainSecondRead, At: at.Add(10 * time.Second)}}; !cmp.Equal(first.Effects, want) {
		t.Fatalf("first read orders %+v, want %+v", first.Effects, want)
	}
	p := first.Apply(sale())
	early := Decide(p, reported(StatusPaid, at.Add(9*time.Second), unsafePaid), policy)
	if early.Next != Pending {
		t.Fatalf("a second read after 9 s makes it %v", early.Next)
	}
	if d := Decide(early.Apply(p), reported(StatusPaid, at.Add(10*time.Second), unsafePaid), policy); d.Next != Paid {
		t.Errorf("a second read after 10 s leaves it %v", d.Next)
	}
	if d := Decide(p, reported(StatusPaid, at.Add(time.Second)), policy); d.Next != Paid {
		t.Errorf("a safe reading leaves it %v", d.Next)
	}
}

func TestDecide_unsafePaidDenied(t *testing.T) {
	policy, at := StandardPolicy(), noon.Add(time.Minute)
	p := after(sale(), reported(StatusPaid, at, unsafePaid), reported(StatusPending, at.Add(5*time.Second)))
	if p.ClaimedAt != nil || p.UnsafeReads != 0 {
		t.Fatalf("after a denial the claim stands: %+v", p.Facts)
	}
	if d := Decide(p, reported(StatusPaid, at.Add(time.Minute), unsafePaid), policy); d.Next != Pending {
		t.Errorf("the first claim after a denial makes it %v", d.Next)
	}
	p = after(sale(), reported(StatusPaid, at, unsafePaid), reported(StatusUnknown, at.Add(5*time.Second)))
	if d := Decide(p, reported(StatusPaid, at.Add(time.Minute), unsafePaid), policy); d.Next != Paid {
		t.Errorf("learning nothing in between leaves it %v", d.Next)
	}
}

func TestDecide_unsafePaidWhenTheClockGoesBack(t *testing.T) {
	at := noon.Add(2 * time.Hour)
	p := after(sale(), reported(StatusPaid, at, unsafePaid), reported(StatusPaid, at.Add(-time.Hour), unsafePaid))
	d := Decide(p, reported(StatusPaid, at.Add(-time.Hour+10*time.Second), unsafePaid), StandardPolicy())
	if d.Next != Paid {
		t.Errorf("an hour of clock holds the sale in %v", d.Next)
	}
}

func TestDecide_endToEndRequired(t *testing.T) {
	policy, at := StandardPolicy(), noon.Add(time.Minute)
	policy.RequireEndToEnd = true
	first := Decide(sale(), reported(StatusPaid, at, noEndToEnd), policy)
	if first.Next != Pending || orders(first) != "poll_again:end_to_end" {
		t.Fatalf("without the id: %v, %s", first.Next, orders(first))
	}
	p := first.Apply(sale())
	if d := Decide(p, reported(StatusPaid, at.Add(time.Minute)), policy); d.Next != Paid {
		t.Errorf("with the id: %v", d.Next)
	}
	d := Decide(p, reported(StatusPaid, at.Add(10*time.Minute), noEndToEnd), policy)
	if d.Next != NeedsReview || d.ReviewReason != ReviewNoEndToEnd {
		t.Errorf("after ten minutes: %v, %s", d.Next, d.ReviewReason)
	}
}

func TestDecide_lateMoney(t *testing.T) {
	at := noon.Add(2 * time.Hour)
	expired := after(sale(), reported(StatusExpired, noon.Add(61*time.Minute)))
	inTime := func(r *Reading) { r.PaidAt = ptr(noon.Add(59 * time.Minute)) }
	tooLate := func(r *Reading) { r.PaidAt = ptr(noon.Add(90 * time.Minute)) }
	for name, c := range map[string]struct {
		late   LatePolicy
		change func(*Reading)
		next   State
		orders string
	}{
		"deliver":                {LateDeliver, tooLate, Paid, "deliver notify_owner:paid stop_polling"},
		"unset is deliver":       {"", tooLate, Paid, "deliver notify_owner:paid stop_polling"},
		"hold":                   {LateHold, tooLate, NeedsReview, "notify_owner:late_held"},
		"ask":                    {LateAsk, tooLate, NeedsReview, "notify_owner:review_needed"},
		"ask, moment unknown":    {LateAsk, func(*Reading) {}, NeedsReview, "notify_owner:review_needed"},
		"ask, but paid in time":  {LateAsk, inTime, Paid, "deliver notify_owner:paid stop_polling"},
		"hold, but paid in time": {LateHold, inTime, Paid, "deliver notify_owner:paid stop_polling"},
	} {
		policy := StandardPolicy()
		policy.Late = c.late
		d := Decide(expired, reported(StatusPaid, at, c.change), policy)
		if d.Next != c.next || orders(d) != c.orders {
			t.Errorf("%s: %v, %s; want %v, %s", name, d.Next, orders(d), c.next, c.orders)
		}
	}
	policy := StandardPolicy()
	policy.Late = LateAsk
	cancelled := after(sale(), reported(StatusCancelled, noon.Add(time.Minute)))
	if d := Decide(cancelled, reported(StatusPaid, at, inTime), policy); d.Next != NeedsReview {
		t.Errorf("a cancelled sale paid before its QR code's end: %v, want a question", d.Next)
	}
}

func TestDecide_expiryNeedsALook(t *testing.T) {
	policy, at := StandardPolicy(), noon.Add(71*time.Minute)
	clock := Event{Kind: ExpiryReached, At: at, Source: SourceClock}
	for name, c := range map[string]struct {
		looked *time.Time
		claim  *time.Time
		want   State
	}{
		"never looked":          {nil, nil, Pending},
		"looked before the end": {ptr(noon.Add(59 * time.Minute)), nil, Pending},
		"looked after the end":  {ptr(noon.Add(time.Hour)), nil, Expired},
		"claimed paid":          {ptr(noon.Add(time.Hour)), ptr(noon.Add(time.Hour)), Pending},
	} {
		p := sale()
		p.LookedAt, p.ClaimedAt = c.looked, c.claim
		d := Decide(p, clock, policy)
		if d.Next != c.want {
			t.Errorf("%s: %v, want %v", name, d.Next, c.want)
		}
		if want := map[bool]string{true: "poll_again:before_expiry"}[c.want == Pending && c.claim == nil]; want != orders(d) && c.want == Pending {
			t.Errorf("%s: orders %q", name, orders(d))
		}
	}
	blind := Event{Kind: ExpiryReached, At: sale().ExpiresAt(policy).Add(policy.BlindGrace)}
	if d := Decide(sale(), blind, policy); d.Next != Expired || d.Why.Key != WhyExpiredBlind {
		t.Errorf("blind: %v, %s", d.Next, d.Why.Key)
	}
}

func TestDecide_secondPaymentKeptAndReturned(t *testing.T) {
	at := noon.Add(time.Minute)
	second := reported(StatusPaid, at.Add(time.Minute), func(r *Reading) { r.EndToEndID = "E2" })
	p := after(sale(), reported(StatusPaid, at), second)
	if p.State != Paid || p.ReviewReason != ReviewSecondPayment || p.ReviewAmount() != 1990 || p.ReceivedAmount() != 1990 {
		t.Fatalf("after the second payment: %v, %s, %d under review, %d received", p.State, p.ReviewReason, p.ReviewAmount(), p.ReceivedAmount())
	}
	kept := after(p, Event{Kind: ReviewAccepted, At: at.Add(time.Hour)})
	if kept.State != Paid || kept.ReviewOpen() || kept.ReceivedAmount() != 3980 {
		t.Errorf("kept: %v, open %t, %d received", kept.State, kept.ReviewOpen(), kept.ReceivedAmount())
	}
	back := reported(StatusRefunded, at.Add(2*time.Hour), func(r *Reading) { r.EndToEndID = "E2" })
	if d := Decide(kept, back, StandardPolicy()); d.Next != Paid || orders(d) != "notify_owner:extra_returned" || d.Apply(kept).ReceivedAmount() != 1990 {
		t.Errorf("the second payment went back: %v, %s, %d received", d.Next, orders(d), d.Apply(kept).ReceivedAmount())
	}
	gone := after(kept, reported(StatusRefunded, at.Add(2*time.Hour)))
	if c := Contribution(gone); gone.State != Refunded || c[MetricRefunded].Amount != 3980 || c.Net() != 0 {
		t.Errorf("all went back: %v, %v", gone.State, c)
	}
}

func TestDecide_secondPaymentRefused(t *testing.T) {
	second := reported(StatusPaid, noon.Add(2*time.Minute), func(r *Reading) { r.EndToEndID = "E2" })
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)), second, Event{Kind: ReviewRefused, At: noon.Add(time.Hour)})
	if p.State != Paid || p.ReviewOpen() || p.ReceivedAmount() != 1990 || p.Extras[0].Outcome != ExtraReturned {
		t.Errorf("%v, open %t, %d received, %+v", p.State, p.ReviewOpen(), p.ReceivedAmount(), p.Extras)
	}
	second.At = noon.Add(2 * time.Hour)
	if d := Decide(p, second, StandardPolicy()); d.Changed || len(d.Effects) > 0 {
		t.Errorf("the refused payment, reported again, gives %s", orders(d))
	}
}

func TestDecide_keptMoneyGoesBackWithTheRest(t *testing.T) {
	second := reported(StatusPaid, noon.Add(2*time.Minute), func(r *Reading) { r.EndToEndID = "E2" })
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)), second, Event{Kind: ReviewAccepted, At: noon.Add(3 * time.Minute)},
		reported(StatusRefunded, noon.Add(time.Hour)), reported(StatusPaid, noon.Add(2*time.Hour)), Event{Kind: ReviewAccepted, At: noon.Add(3 * time.Hour)})
	if p.State != Paid || p.ReceivedAmount() != 1990 {
		t.Errorf("%v with %d, want paid with 1990: only the first payment came back", p.State, p.ReceivedAmount())
	}
}

func TestDecide_decisionsShareNothing(t *testing.T) {
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)))
	p.Extras = append(make([]Extra, 0, 8), Extra{EndToEndID: "E2", Outcome: ExtraKept})
	money := func(id string) Event {
		return reported(StatusPaid, noon.Add(time.Hour), func(r *Reading) { r.EndToEndID = id })
	}
	one := Decide(p, money("E3"), StandardPolicy())
	Decide(p, money("E4"), StandardPolicy())
	if one.Extras[1].EndToEndID != "E3" {
		t.Errorf("a later decision changed an earlier one: %+v", one.Extras)
	}
}

func TestDecide_firstPaymentReturnedSecondAccepted(t *testing.T) {
	at := noon.Add(time.Minute)
	second := reported(StatusPaid, at.Add(time.Minute), func(r *Reading) { r.ChargeID, r.EndToEndID, r.Amount = "c2", "E2", nil })
	p := after(sale(), reported(StatusPaid, at), second, reported(StatusRefunded, at.Add(time.Hour)))
	if p.State != Refunded || !p.ReviewOpen() {
		t.Fatalf("%v, open %t", p.State, p.ReviewOpen())
	}
	d := Decide(p, Event{Kind: ReviewAccepted, At: at.Add(2 * time.Hour)}, StandardPolicy())
	p = d.Apply(p)
	if p.State != Paid || orders(d) != "restore_token notify_owner:review_accepted stop_polling" || p.ChargeID != "c2" || p.ReceivedAmount() != 1990 {
		t.Errorf("%v, %s, charge %s, %d received", p.State, orders(d), p.ChargeID, p.ReceivedAmount())
	}
	if d := Decide(p, reported(StatusRefunded, at.Add(3*time.Hour)), StandardPolicy()); d.Next != Paid {
		t.Errorf("the first payment's refund, told again, makes it %v", d.Next)
	}
}

func TestDecide_newMoneyAfterARefundKeepsItsOwnName(t *testing.T) {
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)), reported(StatusRefunded, noon.Add(time.Hour)))
	other := reported(StatusPaid, noon.Add(2*time.Hour), func(r *Reading) { r.ChargeID, r.EndToEndID = "c2", "" })
	p = after(p, other)
	if p.State != NeedsReview || p.ChargeID != "c2" || p.EndToEndID != "" || len(p.Extras) != 1 || p.Extras[0].EndToEndID != "E1" {
		t.Errorf("%v, charge %q, end-to-end %q, %+v", p.State, p.ChargeID, p.EndToEndID, p.Extras)
	}
	other.Reading.EndToEndID = "E2"
	if d := Decide(p, other, StandardPolicy()); d.EndToEndID != "E2" || len(d.Effects) > 0 {
		t.Errorf("its end-to-end id, learned later, gives %q and %s", d.EndToEndID, orders(d))
	}
}

func TestDecide_readingOlderThanTheRefund(t *testing.T) {
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)), reported(StatusRefunded, noon.Add(time.Hour)))
	if d := Decide(p, reported(StatusPaid, noon.Add(59*time.Minute)), StandardPolicy()); d.Changed || d.Why.Key != WhyStale {
		t.Errorf("%v, %s", d.Next, d.Why.Key)
	}
}

func TestDecide_identifiersCompleted(t *testing.T) {
	p := sale()
	p.ChargeID = ""
	p = after(p, reported(StatusPaid, noon.Add(time.Minute), func(r *Reading) { r.ChargeID, r.EndToEndID, r.Amount = "", "", nil }))
	d := Decide(p, reported(StatusPaid, noon.Add(2*time.Minute)), StandardPolicy())
	if !d.Changed || d.ChargeID != "c1" || d.EndToEndID != "E1" || len(d.Effects) > 0 {
		t.Errorf("changed %t, charge %q, end-to-end %q, effects %v", d.Changed, d.ChargeID, d.EndToEndID, d.Effects)
	}
}

func TestDecide_importedPaidSaleIsDeliveredOnDemand(t *testing.T) {
	p := sale()
	p.State, p.PaidAt, p.PaidAmount = Paid, ptr(noon), ptr(money.Amount(1990))
	if d := Decide(p, reported(StatusPaid, noon.Add(time.Hour)), StandardPolicy()); len(d.Effects) > 0 || d.DeliveredEver {
		t.Errorf("a reading orders %s", orders(d))
	}
	d := Decide(p, Event{Kind: DeliveryOrdered, At: noon.Add(time.Hour)}, StandardPolicy())
	if orders(d) != "deliver" || !d.DeliveredEver || !d.Changed || len(d.Stats) > 0 {
		t.Errorf("the order gives %s, delivered %t, changed %t, %v", orders(d), d.DeliveredEver, d.Changed, d.Stats)
	}
	if d := Decide(d.Apply(p), Event{Kind: DeliveryOrdered, At: noon.Add(2 * time.Hour)}, StandardPolicy()); len(d.Effects) > 0 {
		t.Errorf("the second order gives %s", orders(d))
	}
}

func TestDecide_unknownStateAndKind(t *testing.T) {
	p := sale()
	p.State = 0
	if d := Decide(p, reported(StatusPaid, noon), StandardPolicy()); d.Changed || d.Next != 0 || len(d.Effects) > 0 {
		t.Errorf("a sale without a state: %+v", d)
	}
	if d := Decide(sale(), Event{Kind: "tomorrow's kind", At: noon}, StandardPolicy()); d.Changed {
		t.Errorf("an unknown kind: %+v", d)
	}
}

func TestOpening_datesOfImportedSales(t *testing.T) {
	p := sale()
	p.State, p.StateSince, p.PaidAt, p.PaidAmount, p.DeliveredEver = Refunded, noon.Add(48*time.Hour), ptr(noon.Add(time.Minute)), ptr(money.Amount(1990)), true
	want := []StatDelta{
		{MetricCreated, 1, 1990, noon}, {MetricPaid, 1, 1990, noon.Add(time.Minute)}, {MetricRefunded, 1, 1990, noon.Add(48 * time.Hour)},
	}
	if diff := cmp.Diff(want, Opening(p)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// TestFacts_storedForm fixes the JSON that lies in databases.
func TestFacts_storedForm(t *testing.T) {
	p := after(sale(), reported(StatusPaid, noon.Add(time.Minute)), reported(StatusPaid, noon.Add(2*time.Minute), func(r *Reading) { r.ChargeID, r.EndToEndID = "c2", "E2" }))
	p.UnsafeReads, p.ClaimedAt = 1, ptr(noon)
	const want = `{"state_since":"2026-11-20T12:01:00Z","charge_id":"c1","end_to_end_id":"E1","paid_at":"2026-11-20T12:01:00Z","paid_amount":1990,` +
		`"extras":[{"charge_id":"c2","end_to_end_id":"E2","amount":1990,"at":"2026-11-20T12:02:00Z","outcome":"open"}],` +
		`"review_reason":"second_payment","delivered_ever":true,"unsafe_reads":1,"claimed_at":"2026-11-20T12:00:00Z"}`
	got, err := json.Marshal(p.Facts)
	if err != nil || string(got) != want {
		t.Errorf("facts are stored as\n%s (%v), want\n%s", got, err, want)
	}
	if empty, err := json.Marshal(Facts{}); err != nil || string(empty) != "{}" {
		t.Errorf("no facts are stored as %s (%v)", empty, err)
	}
}

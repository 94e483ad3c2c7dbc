package server

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestListPayments_pagesAndFilters(t *testing.T) {
	d := newDesk(t)
	var ids []string
	for n := range 5 {
		ids = append([]string{d.registered(d.one, n)}, ids...)
	}
	d.registered(d.two, 1)
	var got []string
	r := &paymentsv1.ListPaymentsRequest{PageSize: 2}
	for pages := 1; ; pages++ {
		page, err := d.ListPayments(d.one.ctx, r)
		if err != nil || len(page.GetPayments()) > 2 {
			t.Fatal(page, err)
		}
		for _, p := range page.GetPayments() {
			got = append(got, p.GetId())
		}
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if d := cmp.Diff(ids, got); d != "" {
		t.Errorf("newest first (-want +got):\n%s", d)
	}
	d.reads(d.one, ids[0], payment.StatusPaid, 1990)
	for name, c := range map[string]struct {
		r *paymentsv1.ListPaymentsRequest
		n int
	}{
		"status":   {&paymentsv1.ListPaymentsRequest{Status: paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID}, 1},
		"provider": {&paymentsv1.ListPaymentsRequest{Provider: "AtomoPay"}, 6},
		"none":     {&paymentsv1.ListPaymentsRequest{Provider: "paradise"}, 0},
		"bot":      {&paymentsv1.ListPaymentsRequest{BotId: d.two.bot}, 1},
		"merchant": {&paymentsv1.ListPaymentsRequest{MerchantId: d.two.id}, 1},
		"from":     {&paymentsv1.ListPaymentsRequest{CreatedFrom: timestamppb.New(time.Now().Add(time.Hour))}, 0},
		"to":       {&paymentsv1.ListPaymentsRequest{CreatedTo: timestamppb.New(time.Now().Add(-time.Hour))}, 0},
		"stuck":    {&paymentsv1.ListPaymentsRequest{Stuck: true}, 0},
	} {
		if got, err := d.ListPayments(d.operator(), c.r); err != nil || len(got.GetPayments()) != c.n {
			t.Errorf("%s: %d, %v, want %d", name, len(got.GetPayments()), err, c.n)
		}
	}
	for fields, r := range map[string]*paymentsv1.ListPaymentsRequest{
		"page_size":            {PageSize: -1},
		"page_size page_token": {PageSize: 501, PageToken: "!"},
		"page_token":           {PageToken: base64.RawURLEncoding.EncodeToString([]byte("2026-01-01T00:00:00Z,x"))},
		"status":               {Status: 99},
		"provider bot_id":      {Provider: "\x00", BotId: "\x00"},
	} {
		_, err := d.ListPayments(d.one.ctx, r)
		if code, got := said(err); code != codes.InvalidArgument || got != fields {
			t.Errorf("%v names %q, want %q", code, got, fields)
		}
	}
}

func TestRecheckPayment_makesItDueWithinTheRule(t *testing.T) {
	d := newDesk(t)
	id := d.registered(d.one, 1)
	d.reads(d.one, id, payment.StatusPending, 0)
	var last time.Time
	for range 3 {
		r, err := d.RecheckPayment(d.one.ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: id})
		if err != nil || r.GetNextPollAt() == nil || r.GetPayment().GetKnowledge().GetNextPollAt().AsTime() != r.GetNextPollAt().AsTime() {
			t.Fatal(r, err)
		}
		if !last.IsZero() && !r.GetNextPollAt().AsTime().Equal(last) {
			t.Errorf("asking often moves the look from %s to %s", last, r.GetNextPollAt().AsTime())
		}
		last = r.GetNextPollAt().AsTime()
		if wait := time.Until(last); wait > 5*time.Second {
			t.Errorf("it is looked at in %s", wait)
		}
	}
	d.reads(d.one, id, payment.StatusPaid, 1990)
	r, err := d.RecheckPayment(d.one.ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: id})
	if err != nil || r.GetPayment().GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID {
		t.Errorf("of a paid sale: %v, %v", r, err)
	}
}

func TestReviewPayment_decidesOnce(t *testing.T) {
	d := newDesk(t)
	accept := paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT
	for decision, want := range map[paymentsv1.ReviewDecision]paymentsv1.PaymentStatus{accept: paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID,
		paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE: paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED} {
		id := d.registered(d.one, int(decision))
		ask := &paymentsv1.ReviewPaymentRequest{PaymentId: id, Decision: decision, Note: "conferido no extrato"}
		_, err := d.ReviewPayment(d.one.ctx, ask)
		if code, _ := said(err); code != codes.FailedPrecondition {
			t.Errorf("nothing to review: %v", err)
		}
		d.reads(d.one, id, payment.StatusPaid, 1000)
		p, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: id})
		if err != nil || p.GetPayment().GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW || p.GetPayment().GetStatusReason() != "amount_differs" || p.GetPayment().GetPaidAmount().GetCentavos() != 1000 {
			t.Fatalf("%v, %v", p, err)
		}
		var wg sync.WaitGroup
		answers := make([]codes.Code, 6) // two people, and a client that sends it again
		for i := range answers {
			wg.Go(func() {
				_, err := d.ReviewPayment(d.one.ctx, ask)
				answers[i], _ = said(err)
			})
		}
		wg.Wait()
		ok := 0
		for _, code := range answers {
			if code == codes.OK {
				ok++
			} else if code != codes.FailedPrecondition {
				t.Errorf("%s: %v", decision, code)
			}
		}
		p, err = d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: id})
		if err != nil || p.GetPayment().GetStatus() != want || ok != 1 {
			t.Errorf("%s: %v, %v; %d were told that they decided", decision, p.GetPayment().GetStatus(), err, ok)
		}
		events, _ := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: id})
		if e := events.GetEvents()[2]; e.GetDetails()["note"] != "conferido no extrato" || e.GetDetails()["by"] != "key k-Loja" || e.GetSource() != "operator" {
			t.Errorf("history: %v", e)
		}
	}
	for fields, r := range map[string]*paymentsv1.ReviewPaymentRequest{"decision note": {}, "note": {Decision: accept, Note: strings.Repeat("n", 501)},
		"payment_id": {Decision: accept, Note: "x", PaymentId: "1"}} {
		_, err := d.ReviewPayment(d.one.ctx, r)
		if code, got := said(err); code != codes.InvalidArgument || got != fields {
			t.Errorf("%v names %q, want %q", code, got, fields)
		}
	}
}

func TestGetStatistics_fromTheLedger(t *testing.T) {
	d := newDesk(t)
	if none, err := d.GetStatistics(d.one.ctx, &paymentsv1.GetStatisticsRequest{}); err != nil || len(none.GetLines()) != 1 || none.GetLines()[0].GetPaidCount() != 0 {
		t.Errorf("before any sale: %v, %v", none, err)
	}
	d.registered(d.one, 1)
	paid, back, theirs := d.registered(d.one, 2), d.registered(d.one, 3), d.registered(d.two, 4)
	d.reads(d.one, paid, payment.StatusPaid, 1990)
	d.reads(d.one, back, payment.StatusPaid, 1990)
	d.reads(d.one, back, payment.StatusRefunded, 1990)
	d.reads(d.two, theirs, payment.StatusPaid, 1990)
	got, err := d.GetStatistics(d.one.ctx, &paymentsv1.GetStatisticsRequest{GroupBy: []string{"Day", "bot", "provider", "campaign"}})
	if err != nil || len(got.GetLines()) != 1 {
		t.Fatal(got, err)
	}
	l := got.GetLines()[0]
	if l.GetPaidCount() != 2 || l.GetGross().GetCentavos() != 3980 || l.GetReversedCount() != 1 || l.GetReversed().GetCentavos() != 1990 ||
		l.GetNet().GetCentavos() != 1990 || l.GetBotId() != d.one.bot || l.GetProvider() != "atomopay" || l.GetDay() == "" {
		t.Errorf("line: %v", l)
	}
	none, err := d.GetStatistics(d.one.ctx, &paymentsv1.GetStatisticsRequest{GroupBy: []string{"day"}, ToDay: "2020-01-01"})
	if err != nil || len(none.GetLines()) != 0 {
		t.Errorf("years ago: %v, %v", none, err)
	}
	all, err := d.GetStatistics(d.operator(), &paymentsv1.GetStatisticsRequest{BotId: "35"})
	if err != nil || all.GetLines()[0].GetPaidCount() != 3 {
		t.Errorf("all: %v, %v", all, err)
	}
	_, err = d.GetStatistics(d.one.ctx, &paymentsv1.GetStatisticsRequest{GroupBy: []string{"buyer"}, FromDay: "1/2/2026", ToDay: "x", BotId: "\x00"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "bot_id group_by from_day to_day" {
		t.Errorf("%v names %q", code, fields)
	}
}

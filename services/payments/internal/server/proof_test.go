package server

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/prove"
)

// proofStream keeps what is sent.
type proofStream struct {
	grpc.ServerStream
	ctx  context.Context
	sent []*paymentsv1.ProveResponse
}

func (p *proofStream) Context() context.Context { return p.ctx }

func (p *proofStream) Send(r *paymentsv1.ProveResponse) error {
	p.sent = append(p.sent, r)
	return nil
}

func TestLeaves_areAskedAboutManySalesACall(t *testing.T) {
	d := newDesk(t)
	sales := make([]payment.ID, 1201)
	for i := range sales {
		sales[i] = payment.ID{byte(i), byte(i >> 8), 1}
	}
	calls := 0
	missing, err := ask(d.operator(), "delivery", sales, func(_ context.Context, ids []string) ([]string, error) {
		if calls++; len(ids) > 500 || len(ids) == 0 {
			t.Errorf("%d ids in a call", len(ids))
		}
		return ids[:1], nil
	})
	if err != nil || calls != 3 || len(missing) != 3 || missing[0] != sales[0] || missing[1] != sales[500] || missing[2] != sales[1000] {
		t.Errorf("%d calls, %v, %v", calls, missing, err)
	}
	l := leaves{d.Server}
	duties := make([]prove.Duty, 501)
	for i := range duties {
		duties[i] = prove.Duty{PaymentID: sales[i], Keys: []string{"owner:2", "owner:3"}}
	}
	leaf := d.Notifier.(*notifierLeaf)
	leaf.lost = "owner:3"
	lost, err := l.Unrecorded(d.one.ctx, payment.MerchantID{1}, duties)
	if err != nil || len(leaf.duties) != 2 || leaf.duties[0] != 500 || len(lost) != 501 || lost[500] != (prove.Unrecorded{PaymentID: sales[500], Kind: "notice", Key: "owner:3"}) {
		t.Errorf("%v calls, %d lost, %v", leaf.duties, len(lost), err)
	}
	for leaf, find := range map[string]func(context.Context, payment.MerchantID, []payment.ID) ([]payment.ID, error){"delivery": l.Undelivered, "notifier": l.Untold} {
		if missing, err := find(d.one.ctx, payment.MerchantID{1}, sales[:2]); err != nil || len(missing) != 2 {
			t.Errorf("%s knows nothing of them: %v, %v", leaf, missing, err)
		}
		if missing, err := find(d.one.ctx, payment.MerchantID{1}, nil); err != nil || len(missing) != 0 {
			t.Errorf("%s, asked about nothing: %v, %v", leaf, missing, err)
		}
	}
}

func TestProve_endsWithOneAnswer(t *testing.T) {
	d := newDesk(t)
	d.reads(d.one, d.registered(d.one, 1), payment.StatusPaid, 1990)
	d.registered(d.two, 1)
	s := &proofStream{ctx: d.one.ctx}
	if err := d.Prove(&paymentsv1.ProveRequest{}, s); err != nil {
		t.Fatal(err)
	}
	last := s.sent[len(s.sent)-1]
	if !last.GetDone() || !last.GetProved() || last.GetCounts().GetSales() != 1 {
		t.Errorf("a merchant's proof: %v", last)
	}
	pool := d.pool.Admin(t)
	if _, err := pool.Exec(t.Context(), `UPDATE payments.payments SET state = 'failed' WHERE state = 'pending'`); err != nil {
		t.Fatal(err)
	}
	s = &proofStream{ctx: d.operator()}
	if err := d.Prove(&paymentsv1.ProveRequest{}, s); err != nil {
		t.Fatal(err)
	}
	last = s.sent[len(s.sent)-1]
	if last.GetProved() || last.GetCounts().GetFound()["state_without_event"] != 1 || last.GetCounts().GetSales() != 2 {
		t.Errorf("an edited row: %v", last)
	}
	var texts []string
	for _, r := range s.sent {
		for _, x := range r.GetCounterExamples() {
			texts = append(texts, x.GetKind()+" "+x.GetMerchantId()+" "+x.GetText())
		}
	}
	if all := strings.Join(texts, "; "); !strings.Contains(all, "state_without_event "+d.two.id+" the row says failed, its history ends in pending") {
		t.Errorf("said: %s", all)
	}
	err := d.Prove(&paymentsv1.ProveRequest{Limit: 1001}, &proofStream{ctx: d.operator()})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "limit" {
		t.Errorf("%v %q", code, fields)
	}
}

func TestRebuildStatistics_compensatesAndKeepsWhatItFound(t *testing.T) {
	d := newDesk(t)
	d.reads(d.one, d.registered(d.one, 1), payment.StatusPaid, 1990)
	request := &paymentsv1.RebuildStatisticsRequest{MerchantId: d.one.id, Note: "a restore"}
	out, err := d.RebuildStatistics(d.operator(), request)
	if err != nil || len(out.GetCorrections()) != 0 || out.GetRebuildId() != "" || out.GetLinesRead() == 0 {
		t.Fatalf("nothing to correct: %v %v", out, err)
	}
	pool := d.pool.Admin(t)
	for _, edit := range []string{`UPDATE payments.statistics SET centavos = 5 WHERE metric = 'paid'`, `DELETE FROM payments.statistics WHERE metric = 'created'`,
		`INSERT INTO payments.statistics SELECT merchant_id, bot_id, provider, 'nowhere', day, metric, 3, 3 FROM payments.statistics WHERE metric = 'paid'`} {
		if _, err := pool.Exec(t.Context(), edit); err != nil {
			t.Fatal(err)
		}
	}
	out, err = d.RebuildStatistics(d.operator(), request)
	if err != nil || len(out.GetCorrections()) != 3 || out.GetRebuildId() == "" {
		t.Fatalf("corrected: %v %v", out, err)
	}
	var kept int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM payments.statistics_corrections c JOIN payments.statistics_rebuilds r
		ON r.merchant_id = c.merchant_id AND r.id = c.rebuild_id WHERE r.corrected = 3 AND r.note = 'a restore'`).Scan(&kept); err != nil || kept != 3 {
		t.Errorf("%d kept, %v", kept, err)
	}
	s := &proofStream{ctx: d.operator()}
	if err := d.Prove(&paymentsv1.ProveRequest{SkipLeaves: true}, s); err != nil || !s.sent[len(s.sent)-1].GetProved() {
		t.Errorf("after the rebuild: %v %v", s.sent, err)
	}
	if out, err = d.RebuildStatistics(d.operator(), request); err != nil || len(out.GetCorrections()) != 0 {
		t.Errorf("again: %v %v", out, err)
	}
	for ctx, want := range map[context.Context]codes.Code{d.one.ctx: codes.PermissionDenied, t.Context(): codes.Unauthenticated} {
		if _, err := d.RebuildStatistics(ctx, request); err == nil {
			t.Error("done for somebody else")
		} else if code, _ := said(err); code != want {
			t.Errorf("%v, want %v", code, want)
		}
	}
	_, err = d.RebuildStatistics(d.operator(), &paymentsv1.RebuildStatisticsRequest{MerchantId: d.one.id})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "note" {
		t.Errorf("%v %q", code, fields)
	}
	_, err = d.RebuildStatistics(d.operator(), &paymentsv1.RebuildStatisticsRequest{MerchantId: unknownID(), Note: "x"})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("unknown merchant: %v", err)
	}
}

func TestCommission_byBotAndDay(t *testing.T) {
	d := newDesk(t)
	d.reads(d.one, d.registered(d.one, 1), payment.StatusPaid, 1990)
	d.reads(d.one, d.registered(d.one, 2), payment.StatusPaid, 1990)
	read := func() *paymentsv1.StatisticsLine {
		t.Helper()
		out, err := d.GetStatistics(d.one.ctx, &paymentsv1.GetStatisticsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return out.GetLines()[0]
	}
	if l := read(); l.GetCommission() != nil || l.GetNet().GetCentavos() != 3980 {
		t.Errorf("without a rate: %v", l)
	}
	set := func(bot, day string, points int32) {
		t.Helper()
		if _, err := d.SetCommission(d.operator(), &paymentsv1.SetCommissionRequest{MerchantId: d.one.id, BotId: bot, FromDay: day, BasisPoints: points}); err != nil {
			t.Fatal(err)
		}
	}
	set("", "2026-01-01", 250)
	if l := read(); l.GetCommission().GetCentavos() != 100 { // 99.5 is rounded away from zero
		t.Errorf("2.5 %% of 3980: %v", l)
	}
	set("35", "2020-01-01", 1000)
	set("35", "2999-01-01", 5000)
	if l := read(); l.GetCommission().GetCentavos() != 398 {
		t.Errorf("the bot's own 10 %%: %v", l)
	}
	list, err := d.ListCommissions(d.one.ctx, &paymentsv1.ListCommissionsRequest{})
	if err != nil || len(list.GetCommissions()) != 3 {
		t.Errorf("rates: %v %v", list, err)
	}
	for want, r := range map[string]*paymentsv1.SetCommissionRequest{
		"basis_points": {MerchantId: d.one.id, FromDay: "2026-01-01", BasisPoints: 10_001},
		"from_day":     {MerchantId: d.one.id, FromDay: "01/02/2026"},
	} {
		_, err := d.SetCommission(d.operator(), r)
		if code, fields := said(err); code != codes.InvalidArgument || fields != want {
			t.Errorf("%v %q, want %s", code, fields, want)
		}
	}
	_, err = d.SetCommission(d.one.ctx, &paymentsv1.SetCommissionRequest{MerchantId: d.one.id, FromDay: "2026-01-01"})
	if code, _ := said(err); code != codes.PermissionDenied {
		t.Errorf("a merchant sets its own: %v", err)
	}
	_, err = d.SetCommission(d.operator(), &paymentsv1.SetCommissionRequest{MerchantId: d.one.id, BotId: "nobody", FromDay: "2026-01-01"})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("unknown bot: %v", err)
	}
}

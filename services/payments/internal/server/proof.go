package server

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/prove"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Prove streams what contradicts the history.
func (s *Server) Prove(r *paymentsv1.ProveRequest, stream grpc.ServerStreamingServer[paymentsv1.ProveResponse]) error {
	ctx := stream.Context()
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return err
	}
	var f rpcerr.Fields
	f.Require(r.GetLimit() >= 0 && r.GetLimit() <= 1000, "limit", "1 to 1000, or 0 for 20")
	if err := f.Err(); err != nil {
		return err
	}
	if err := s.Policies.Refresh(ctx); err != nil {
		return err
	}
	c := prove.Config{Pool: s.Store.Pool(), Policy: s.Policies.Policy, Limit: int(r.GetLimit()), Now: s.Now}
	if !r.GetSkipLeaves() {
		c.Leaves = leaves{s}
	}
	last := time.Time{}
	counts, err := prove.Run(ctx, c, m, func(found []prove.Found, counts prove.Counts) error {
		if len(found) == 0 && time.Since(last) < time.Second {
			return nil
		}
		last = time.Now()
		out := &paymentsv1.ProveResponse{Counts: proofCounts(counts)}
		for _, one := range found {
			out.CounterExamples = append(out.CounterExamples, counterExample(one))
		}
		return stream.Send(out)
	})
	if err != nil {
		return err
	}
	return stream.Send(&paymentsv1.ProveResponse{Counts: proofCounts(counts), Done: true, Proved: counts.Proved()})
}

func counterExample(f prove.Found) *paymentsv1.CounterExample {
	out := &paymentsv1.CounterExample{Kind: f.Kind, Text: clean(f.Text, 500)}
	if f.MerchantID != (payment.MerchantID{}) {
		out.MerchantId = f.MerchantID.String()
	}
	if f.PaymentID != (payment.ID{}) {
		out.PaymentId = f.PaymentID.String()
	}
	return out
}

func proofCounts(c prove.Counts) *paymentsv1.ProofCounts {
	return &paymentsv1.ProofCounts{Sales: c.Sales, Events: c.Events, Deliveries: c.Deliveries, Webhooks: c.Webhooks, Effects: c.Effects, Looks: c.Looks,
		StatisticsLines: c.Lines, AskedOfLeaves: c.Asked, OlderSales: c.Older, Found: maps.Clone(c.Found), At: timestamppb.New(c.At)}
}

// RebuildStatistics makes the statistics equal the history.
func (s *Server) RebuildStatistics(ctx context.Context, r *paymentsv1.RebuildStatisticsRequest) (*paymentsv1.RebuildStatisticsResponse, error) {
	m, err := operated(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(strings.TrimSpace(r.GetNote()) != "", "note", "why, in a sentence")
	checkText(&f, "note", r.GetNote(), 500)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if found, err := s.Store.Merchants(ctx, &m); err != nil || len(found) == 0 {
		return nil, errors.Join(err, rpcerr.NotFound("merchant"))
	}
	done, err := s.Store.RebuildStatistics(ctx, store.Rebuild{Merchant: m, By: caller(ctx), Note: r.GetNote(), At: moment(s.Now())})
	if errors.Is(err, store.ErrUnaccounted) {
		return nil, rpcerr.Precondition("the history of some sales began before it kept what was booked; prove says how many")
	}
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.RebuildStatisticsResponse{LinesRead: done.Lines}
	if len(done.Corrections) > 0 {
		out.RebuildId = done.ID.String()
	}
	for _, c := range done.Corrections {
		out.Corrections = append(out.Corrections, &paymentsv1.StatisticsCorrection{BotId: c.BotID.String(), Provider: c.Provider, Campaign: c.Campaign,
			Day: c.Day.Format(time.DateOnly), Metric: c.Metric, CountBefore: c.CountBefore, CentavosBefore: int64(c.Before),
			CountAfter: c.CountAfter, CentavosAfter: int64(c.After)})
	}
	return out, nil
}

// operated is the merchant that an operator's request names.
func operated(ctx context.Context, merchant string) (payment.MerchantID, error) {
	p := auth.From(ctx)
	if !p.Operator {
		if p.MerchantID == "" {
			_, err := p.Merchant(merchant) // says who is needed
			return payment.MerchantID{}, err
		}
		return payment.MerchantID{}, rpcerr.Denied("for operators")
	}
	return one(ctx, merchant)
}

// SetCommission sets a rate.
func (s *Server) SetCommission(ctx context.Context, r *paymentsv1.SetCommissionRequest) (*paymentsv1.SetCommissionResponse, error) {
	m, err := operated(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(r.GetBasisPoints() >= 0 && r.GetBasisPoints() <= 10_000, "basis_points", "0 to 10000, where 250 is 2.5 %")
	f.Require(r.GetFromDay() != "", "from_day", "the first day it applies to, as YYYY-MM-DD")
	from := day(&f, "from_day", r.GetFromDay())
	checkText(&f, "bot_id", r.GetBotId(), 100)
	if err := f.Err(); err != nil {
		return nil, err
	}
	c := store.Commission{MerchantID: m, FromDay: *from, BasisPoints: int(r.GetBasisPoints())}
	if r.GetBotId() != "" {
		bots, err := s.Store.FindBots(ctx, []payment.MerchantID{m}, []string{r.GetBotId()})
		if err != nil {
			return nil, err
		}
		if len(bots) == 0 {
			return nil, rpcerr.NotFound("bot_id: bot")
		}
		c.BotID = bots[0].ID
	}
	if err := s.Store.SetCommission(ctx, c, caller(ctx), moment(s.Now())); err != nil {
		return nil, named(err, "merchant")
	}
	return &paymentsv1.SetCommissionResponse{Commission: commission(c)}, nil
}

// ListCommissions lists rates.
func (s *Server) ListCommissions(ctx context.Context, r *paymentsv1.ListCommissionsRequest) (*paymentsv1.ListCommissionsResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Commissions(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListCommissionsResponse{}
	for _, c := range list {
		out.Commissions = append(out.Commissions, commission(c))
	}
	return out, nil
}

func commission(c store.Commission) *paymentsv1.Commission {
	out := &paymentsv1.Commission{MerchantId: c.MerchantID.String(), BasisPoints: int32(c.BasisPoints), FromDay: c.FromDay.Format(time.DateOnly)}
	if c.BotID != (payment.BotID{}) {
		out.BotId = c.BotID.String()
	}
	return out
}

package server

import (
	"context"
	"strings"
	"time"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// GetStatistics sums the ledger's own entries.
func (s *Server) GetStatistics(ctx context.Context, r *paymentsv1.GetStatisticsRequest) (*paymentsv1.GetStatisticsResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	q := store.StatisticsQuery{Merchant: m, Bot: r.GetBotId()}
	var f rpcerr.Fields
	checkText(&f, "bot_id", r.GetBotId(), 100)
	for _, dimension := range r.GetGroupBy() {
		switch strings.ToLower(dimension) {
		case "merchant":
			q.ByMerchant = true
		case "bot":
			q.ByBot = true
		case "provider":
			q.ByProvider = true
		case "campaign":
			q.ByCampaign = true
		case "day":
			q.ByDay = true
		default:
			f.Require(false, "group_by", "any of merchant, bot, provider, campaign, day")
		}
	}
	q.From, q.To = day(&f, "from_day", r.GetFromDay()), day(&f, "to_day", r.GetToDay())
	if err := f.Err(); err != nil {
		return nil, err
	}
	sums, err := s.Store.Statistics(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.GetStatisticsResponse{}
	if len(sums) == 0 && len(r.GetGroupBy()) == 0 {
		sums = make([]store.Sum, 1) // nothing was sold: that is a line, too
	}
	for _, l := range sums {
		line := &paymentsv1.StatisticsLine{MerchantId: l.MerchantID, BotId: l.BotID, Provider: l.Provider, Campaign: l.Campaign, Day: l.Day,
			PaidCount: l.PaidCount, Gross: sum(l.Gross, money.BRL), ReversedCount: l.ReversedCount, Reversed: sum(l.Reversed, money.BRL),
			Net: sum(l.Gross-l.Reversed, money.BRL)}
		if l.Commission != nil {
			line.Commission = sum(*l.Commission, money.BRL)
		}
		out.Lines = append(out.Lines, line)
	}
	return out, nil
}

func day(f *rpcerr.Fields, path, text string) *time.Time {
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.DateOnly, text)
	f.Require(err == nil, path, "a day as YYYY-MM-DD")
	return &t
}

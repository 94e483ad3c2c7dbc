package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// StatisticsQuery says what to sum and how to split it.
type StatisticsQuery struct {
	Merchant                             *payment.MerchantID // nil: all
	Bot                                  string              // our id or the external id; empty: all
	From, To                             *time.Time          // days, inclusive; nil: unbounded
	ByBot, ByProvider, ByCampaign, ByDay bool
}

// Sum is one group of the statistics; a dimension that was not asked for is empty.
type Sum struct {
	BotID, Provider, Campaign, Day string
	PaidCount                      int64
	Gross                          money.Amount
	ReversedCount                  int64
	Reversed                       money.Amount
}

const sumStatistics = `
SELECT CASE WHEN $5 THEN s.bot_id::text ELSE '' END AS bot, CASE WHEN $6 THEN s.provider ELSE '' END AS provider,
       CASE WHEN $7 THEN s.campaign ELSE '' END AS campaign, CASE WHEN $8 THEN s.day::text ELSE '' END AS day,
       COALESCE(sum(s.count) FILTER (WHERE s.metric = 'paid'), 0)::bigint,
       COALESCE(sum(s.centavos) FILTER (WHERE s.metric = 'paid'), 0)::bigint,
       COALESCE(sum(s.count) FILTER (WHERE s.metric IN ('refunded', 'charged_back', 'disputed')), 0)::bigint,
       COALESCE(sum(s.centavos) FILTER (WHERE s.metric IN ('refunded', 'charged_back', 'disputed')), 0)::bigint
FROM statistics s
WHERE ($1::uuid IS NULL OR s.merchant_id = $1)
  AND ($2 = '' OR EXISTS (SELECT 1 FROM bots b WHERE b.merchant_id = s.merchant_id AND b.id = s.bot_id
                          AND (b.external_id = $2 OR b.id::text = lower($2))))
  AND ($3::date IS NULL OR s.day >= $3) AND ($4::date IS NULL OR s.day <= $4)
GROUP BY 1, 2, 3, 4 ORDER BY 4, 1, 2, 3`

// Statistics sums entries; without any split it is one line.
func (s *Store) Statistics(ctx context.Context, q StatisticsQuery) ([]Sum, error) {
	rows, err := s.pool.Query(ctx, sumStatistics, q.Merchant, q.Bot, q.From, q.To, q.ByBot, q.ByProvider, q.ByCampaign, q.ByDay)
	if err != nil {
		return nil, fmt.Errorf("sum statistics: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Sum])
	if err != nil {
		return nil, fmt.Errorf("sum statistics: %w", err)
	}
	return out, nil
}

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
	Merchant                                         *payment.MerchantID // nil: all
	Bot                                              string              // our id or the external id; empty: all
	From, To                                         *time.Time          // days, inclusive; nil: unbounded
	ByBot, ByProvider, ByCampaign, ByDay, ByMerchant bool
}

// Sum is one group of the statistics; a dimension that was not asked for is empty.
type Sum struct {
	BotID, Provider, Campaign, Day, MerchantID string
	PaidCount                                  int64
	Gross                                      money.Amount
	ReversedCount                              int64
	Reversed                                   money.Amount
	Commission                                 *money.Amount // nil: no rate is set for any of it
}

// The commission is computed and rounded (half away from zero) for each bot, provider, campaign and day, by the rate of that day: so
// every grouping adds up, and a rate that changes later changes nothing before.
const sumStatistics = `
WITH lines AS (
    SELECT s.merchant_id, s.bot_id, s.provider, s.campaign, s.day,
           COALESCE(sum(s.count) FILTER (WHERE s.metric = 'paid'), 0)::bigint AS paid,
           COALESCE(sum(s.centavos) FILTER (WHERE s.metric = 'paid'), 0)::bigint AS gross,
           COALESCE(sum(s.count) FILTER (WHERE s.metric IN ('refunded', 'charged_back', 'disputed')), 0)::bigint AS reversals,
           COALESCE(sum(s.centavos) FILTER (WHERE s.metric IN ('refunded', 'charged_back', 'disputed')), 0)::bigint AS reversed
    FROM statistics s
    WHERE ($1::uuid IS NULL OR s.merchant_id = $1)
      AND ($2 = '' OR EXISTS (SELECT 1 FROM bots b WHERE b.merchant_id = s.merchant_id AND b.id = s.bot_id
                              AND (b.external_id = $2 OR b.id::text = lower($2))))
      AND ($3::date IS NULL OR s.day >= $3) AND ($4::date IS NULL OR s.day <= $4)
    GROUP BY 1, 2, 3, 4, 5
)
SELECT CASE WHEN $5 THEN l.bot_id::text ELSE '' END AS bot, CASE WHEN $6 THEN l.provider ELSE '' END AS provider,
       CASE WHEN $7 THEN l.campaign ELSE '' END AS campaign, CASE WHEN $8 THEN l.day::text ELSE '' END AS day,
       CASE WHEN $9 THEN l.merchant_id::text ELSE '' END AS merchant,
       sum(l.paid)::bigint, sum(l.gross)::bigint, sum(l.reversals)::bigint, sum(l.reversed)::bigint,
       sum(round((l.gross - l.reversed)::numeric * COALESCE(
           (SELECT c.basis_points FROM commissions c WHERE c.merchant_id = l.merchant_id AND c.bot_id = l.bot_id AND c.from_day <= l.day
            ORDER BY c.from_day DESC LIMIT 1),
           (SELECT c.basis_points FROM commissions c WHERE c.merchant_id = l.merchant_id AND c.bot_id = '00000000-0000-0000-0000-000000000000'
            AND c.from_day <= l.day ORDER BY c.from_day DESC LIMIT 1)) / 10000))::bigint
FROM lines l
GROUP BY 1, 2, 3, 4, 5 ORDER BY 4, 5, 1, 2, 3`

// Statistics sums entries; without any split it is one line.
func (s *Store) Statistics(ctx context.Context, q StatisticsQuery) ([]Sum, error) {
	rows, err := s.pool.Query(ctx, sumStatistics, q.Merchant, q.Bot, q.From, q.To, q.ByBot, q.ByProvider, q.ByCampaign, q.ByDay, q.ByMerchant)
	if err != nil {
		return nil, fmt.Errorf("sum statistics: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Sum])
	if err != nil {
		return nil, fmt.Errorf("sum statistics: %w", err)
	}
	return out, nil
}

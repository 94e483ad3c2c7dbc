package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/trust"
)

// Account names one account of a merchant.
type Account struct {
	MerchantID payment.MerchantID
	AccountID  payment.AccountID
	Provider   string
}

const noteArrivals = `
INSERT INTO arrivals AS a (merchant_id, payment_id, account_id, provider, found_at, paid_at, late, hint_at, hints)
SELECT p.merchant_id, p.id, p.account_id, p.provider, CASE WHEN f.paid THEN $5::timestamptz END, CASE WHEN f.paid THEN p.paid_at END,
    f.paid AND COALESCE(p.paid_at > p.qr_expires_at, false), w.at, w.hints
FROM (SELECT merchant_id, payment_id, min(at) AS at, count(at) AS hints, bool_or(found) AS found
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::boolean[]) AS u (merchant_id, payment_id, at, found)
      GROUP BY merchant_id, payment_id) AS w
JOIN payments p ON p.merchant_id = w.merchant_id AND p.id = w.payment_id
CROSS JOIN LATERAL (SELECT w.found AND p.state = 'paid' AND p.paid_at IS NOT NULL AS paid) f
WHERE f.paid OR w.hints > 0
ORDER BY p.merchant_id, p.id
ON CONFLICT (merchant_id, payment_id) DO UPDATE SET hint_at = LEAST(a.hint_at, EXCLUDED.hint_at), hints = a.hints + EXCLUDED.hints,
    found_at = COALESCE(a.found_at, EXCLUDED.found_at),
    paid_at = CASE WHEN a.found_at IS NULL THEN EXCLUDED.paid_at ELSE a.paid_at END,
    late = CASE WHEN a.found_at IS NULL THEN EXCLUDED.late ELSE a.late END
WHERE EXCLUDED.hints > 0 OR a.found_at IS NULL`

// News is what arrived about a sale.
type News struct {
	Key
	// HintAt is when a webhook was posted that called it paid; nil for none.
	HintAt *time.Time
	// Found is set when a look found it paid.
	Found bool
}

// NoteArrivals notes webhooks that called sales paid, and which sales were found paid at an instant, in the transaction that notes the hints or
// makes the sales so. A sale may occur several times; what is said to be found and is not paid is not noted, and what was found before stays
// as it was.
func NoteArrivals(ctx context.Context, tx pgx.Tx, news []News, found time.Time) error {
	if len(news) == 0 {
		return nil
	}
	c := newColumns(len(news), 4)
	for _, n := range news {
		c.add(n.MerchantID, n.PaymentID, null(n.HintAt), n.Found)
	}
	if _, err := tx.Exec(ctx, noteArrivals, append(c.args, found)...); err != nil {
		return fmt.Errorf("note arrivals: %w", err)
	}
	return nil
}

const newestArrivals = `
SELECT found_at, paid_at, hint_at, hints, late FROM arrivals
WHERE merchant_id = $1 AND account_id = $2 AND found_at IS NOT NULL
ORDER BY found_at DESC LIMIT $3`

// Arrivals returns an account's newest paid sales, newest first.
func (s *Store) Arrivals(ctx context.Context, a Account, limit int) ([]trust.Arrival, error) {
	rows, err := s.pool.Query(ctx, newestArrivals, a.MerchantID, a.AccountID, limit)
	if err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[trust.Arrival])
	if err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	return out, nil
}

const countFalsePaid = `
SELECT count(*) FROM arrivals a
WHERE a.merchant_id = $1 AND a.account_id = $2 AND a.found_at IS NULL AND a.hint_at > $3 AND a.hint_at <= $4
  AND EXISTS (SELECT FROM payments p WHERE p.merchant_id = a.merchant_id AND p.id = a.payment_id AND p.paid_at IS NULL
              AND p.looked_at > a.hint_at + $5::interval)`

// FalsePaid counts the sales that a webhook called paid between two moments and that the provider, asked later than after, did not.
func (s *Store) FalsePaid(ctx context.Context, a Account, from, to time.Time, after time.Duration) (int, error) {
	var n int
	if err := s.pool.QueryRow(ctx, countFalsePaid, a.MerchantID, a.AccountID, from, to, after).Scan(&n); err != nil {
		return 0, fmt.Errorf("count false webhooks: %w", err)
	}
	return n, nil
}

const accountsWithArrivals = `
WITH RECURSIVE account AS (
    (SELECT merchant_id, account_id, provider, found_at FROM arrivals
     WHERE found_at IS NOT NULL AND ($1::uuid IS NULL OR merchant_id = $1) ORDER BY merchant_id, account_id, found_at DESC LIMIT 1)
    UNION ALL
    SELECT n.merchant_id, n.account_id, n.provider, n.found_at
    FROM account a CROSS JOIN LATERAL (
        SELECT r.merchant_id, r.account_id, r.provider, r.found_at FROM arrivals r
        WHERE r.found_at IS NOT NULL AND (r.merchant_id, r.account_id) > (a.merchant_id, a.account_id) AND ($1::uuid IS NULL OR r.merchant_id = $1)
        ORDER BY r.merchant_id, r.account_id, r.found_at DESC LIMIT 1
    ) n
)
SELECT a.merchant_id, a.account_id, a.provider FROM account a
LEFT JOIN habits h ON h.merchant_id = a.merchant_id AND h.account_id = a.account_id
WHERE a.found_at > $2 OR h.silent_since IS NOT NULL`

// AccountsWithArrivals lists the accounts that had a paid sale after an instant, or are silent; with a merchant, that merchant's only.
func (s *Store) AccountsWithArrivals(ctx context.Context, only *payment.MerchantID, after time.Time) ([]Account, error) {
	rows, err := s.pool.Query(ctx, accountsWithArrivals, only, after)
	if err != nil {
		return nil, fmt.Errorf("list accounts with arrivals: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Account])
	if err != nil {
		return nil, fmt.Errorf("list accounts with arrivals: %w", err)
	}
	return out, nil
}

const setHabit = `
INSERT INTO habits AS h (merchant_id, account_id, provider, silent_since, doubted, judged_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (merchant_id, account_id) DO UPDATE SET doubted = EXCLUDED.doubted, judged_at = EXCLUDED.judged_at,
    silent_since = CASE WHEN EXCLUDED.silent_since IS NULL THEN NULL ELSE COALESCE(h.silent_since, EXCLUDED.silent_since) END
RETURNING silent_since = $6 AND silent_since IS NOT NULL`

// SetHabit records what was judged. began tells that the account fell silent with this judgement.
func (s *Store) SetHabit(ctx context.Context, a Account, h trust.Habit, now time.Time) (began bool, err error) {
	now = now.UTC().Truncate(time.Microsecond)
	var since *time.Time
	if h.Silent {
		since = &now
	}
	var is *bool
	if err := s.pool.QueryRow(ctx, setHabit, a.MerchantID, a.AccountID, a.Provider, since, h.Doubted, now).Scan(&is); err != nil {
		return false, fmt.Errorf("set habit: %w", err)
	}
	return is != nil && *is, nil
}

// Habit is what was judged of an account last.
type Habit struct {
	Account
	SilentSince *time.Time
	Doubted     bool
}

const listHabits = `
SELECT merchant_id, account_id, provider, silent_since, doubted FROM habits
WHERE (silent_since IS NOT NULL OR doubted) AND ($1::uuid IS NULL OR merchant_id = $1)
ORDER BY merchant_id, account_id`

// Habits lists the accounts whose webhooks are silent or doubted; with a merchant, that merchant's only.
func (s *Store) Habits(ctx context.Context, only *payment.MerchantID) ([]Habit, error) {
	rows, err := s.pool.Query(ctx, listHabits, only)
	if err != nil {
		return nil, fmt.Errorf("list habits: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Habit, err error) {
		err = row.Scan(&h.MerchantID, &h.AccountID, &h.Provider, &h.SilentSince, &h.Doubted)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("list habits: %w", err)
	}
	return out, nil
}

const looksAhead = `
SELECT l.merchant_id, l.payment_id FROM (VALUES (2), (3)) AS v (lane) CROSS JOIN LATERAL (
    SELECT k.merchant_id, k.payment_id FROM looks k
    WHERE k.account_id = $1 AND k.lane = v.lane AND k.due_at > $2 ORDER BY k.due_at LIMIT $3
) l`

// LooksAhead lists sales of an account that are looked at routinely and not before an instant, the soonest of each lane first.
func (s *Store) LooksAhead(ctx context.Context, account payment.AccountID, after time.Time, limit int) ([]Key, error) {
	rows, err := s.pool.Query(ctx, looksAhead, account, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list looks ahead: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Key])
	if err != nil {
		return nil, fmt.Errorf("list looks ahead: %w", err)
	}
	return out, nil
}

const forgetArrivals = `
DELETE FROM arrivals a USING (
    SELECT merchant_id, payment_id FROM arrivals WHERE merchant_id = $1 AND account_id = $2 AND found_at IS NOT NULL
    ORDER BY found_at DESC OFFSET $3 LIMIT 5000
) old
WHERE a.merchant_id = old.merchant_id AND a.payment_id = old.payment_id`

const forgetClaims = `
DELETE FROM arrivals WHERE merchant_id = $1 AND account_id = $2 AND found_at IS NULL AND hint_at < $3`

// ForgetArrivals keeps an account's newest paid sales and the claims since an instant.
func (s *Store) ForgetArrivals(ctx context.Context, a Account, keep int, since time.Time) error {
	if _, err := s.pool.Exec(ctx, forgetArrivals, a.MerchantID, a.AccountID, keep); err != nil {
		return fmt.Errorf("forget arrivals: %w", err)
	}
	if _, err := s.pool.Exec(ctx, forgetClaims, a.MerchantID, a.AccountID, since); err != nil {
		return fmt.Errorf("forget claims: %w", err)
	}
	return nil
}

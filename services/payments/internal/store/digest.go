package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

const dueDigests = `SELECT ` + alertColumns + ` FROM alert_settings WHERE digest_at <= $1 AND chat_id <> 0 ORDER BY digest_at LIMIT $2`

// DueDigests returns settings whose digest is due, the longest due first. They are not leased: MakeDigest decides.
func (s *Store) DueDigests(ctx context.Context, now time.Time, limit int) ([]AlertSettings, error) {
	out, err := s.alertSettings(ctx, dueDigests, now, limit)
	if err != nil {
		return nil, fmt.Errorf("find due digests: %w", err)
	}
	return out, nil
}

const lockDigest = `SELECT true FROM alert_settings WHERE merchant_id = $1 AND digest_at = $2 FOR UPDATE`

const moveDigest = `UPDATE alert_settings SET digest_at = $2, digest_day = $3 WHERE merchant_id = $1`

// MakeDigest enqueues one merchant's digest, when it is wanted, and moves its time on, in one transaction: whichever replica comes
// first makes it, and the others find that it is not due any more. make gives nil when nothing is to be told.
func (s *Store) MakeDigest(ctx context.Context, a AlertSettings, at, day, now time.Time, make func(context.Context, pgx.Tx) (*Alert, error)) (made bool, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		made = false
		rows, err := tx.Query(ctx, lockDigest, a.MerchantID, a.DigestAt)
		if err != nil {
			return err
		}
		locked, err := pgx.CollectRows(rows, pgx.RowTo[bool])
		if err != nil || len(locked) == 0 {
			return err
		}
		alert, err := make(ctx, tx)
		if err != nil {
			return err
		}
		if alert != nil {
			if err := InsertAlerts(ctx, tx, []Alert{*alert}, now); err != nil {
				return err
			}
			made = true
		}
		_, err = tx.Exec(ctx, moveDigest, a.MerchantID, at, day)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("make digest: %w", err)
	}
	return made, nil
}

// Day is a merchant's sales as a digest counts them: Paid and Back within a period, Pending and Stuck now.
type Day struct {
	Paid, Back, Pending, Stuck                         int64
	PaidAmount, BackAmount, PendingAmount, StuckAmount money.Amount
}

const sumDay = `
SELECT count(*) FILTER (WHERE paid), count(*) FILTER (WHERE back), count(*) FILTER (WHERE pending), count(*) FILTER (WHERE stuck),
       COALESCE(sum(got) FILTER (WHERE paid), 0)::bigint, COALESCE(sum(got) FILTER (WHERE back), 0)::bigint,
       COALESCE(sum(owed) FILTER (WHERE pending), 0)::bigint, COALESCE(sum(owed) FILTER (WHERE stuck), 0)::bigint
FROM (
    SELECT p.amount_centavos AS owed, COALESCE(p.paid_centavos, p.amount_centavos) AS got,
           p.paid_at >= $2 AND p.paid_at < $3 AND p.state IN ('paid', 'refunded', 'charged_back', 'disputed') AS paid,
           p.state IN ('refunded', 'charged_back', 'disputed') AND state_since(p.facts) >= $2
               AND state_since(p.facts) < $3 AS back,
           p.state = 'pending' AS pending, ` + stuck + ` AS stuck
    FROM payments p WHERE p.merchant_id = $1) sales`

// SumDay counts a merchant's sales for a digest. It reads all of them, once a day.
func SumDay(ctx context.Context, tx pgx.Tx, m payment.MerchantID, from, to time.Time) (d Day, err error) {
	err = tx.QueryRow(ctx, sumDay, pgx.QueryExecModeCacheDescribe, m, from, to).
		Scan(&d.Paid, &d.Back, &d.Pending, &d.Stuck, &d.PaidAmount, &d.BackAmount, &d.PendingAmount, &d.StuckAmount)
	if err != nil {
		return Day{}, fmt.Errorf("sum day: %w", err)
	}
	return d, nil
}

// Condition is what is wrong with an account, for the merchants that have somebody to tell.
type Condition struct {
	MerchantID payment.MerchantID
	Kind       string
	Subject    string // the account
	Provider   string
	Sales      int64
	Amount     money.Amount
}

const lockConditions = `SELECT pg_try_advisory_xact_lock(hashtextextended('baixa.alert.conditions', 0))`

// An account is silent when several of its sales had no answer in several looks in a row and for a while; refused credentials speak
// for themselves.
const findConditions = `
WITH failing AS (
    SELECT l.merchant_id, l.account_id, l.provider, p.amount_centavos,
           p.last_outcome = 'credential' AS refused,
           p.last_outcome NOT IN ('', 'status', 'not_found', 'credential') AND l.unanswered >= 3
               AND COALESCE(p.looked_at, p.recorded_at) < $1::timestamptz - interval '5 minutes' AS silent
    FROM alert_settings s
    JOIN looks l ON l.merchant_id = s.merchant_id AND l.unanswered > 0
    JOIN payments p ON p.merchant_id = l.merchant_id AND p.id = l.payment_id
    WHERE s.chat_id <> 0
)
SELECT merchant_id, 'credential_refused', account_id::text, provider, count(*), sum(amount_centavos)::bigint
FROM failing WHERE refused GROUP BY merchant_id, account_id, provider
UNION ALL
SELECT merchant_id, 'provider_silent', account_id::text, provider, count(*), sum(amount_centavos)::bigint
FROM failing WHERE silent GROUP BY merchant_id, account_id, provider HAVING count(*) >= 3`

const keepConditions = `
INSERT INTO alert_conditions AS c (merchant_id, kind, subject, since, seen_at)
SELECT merchant_id, kind, subject, $4, $4 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS w (merchant_id, kind, subject)
ON CONFLICT (merchant_id, kind, subject) DO UPDATE SET seen_at = EXCLUDED.seen_at
RETURNING merchant_id, kind, subject, (xmax = 0)`

const endConditions = `DELETE FROM alert_conditions WHERE seen_at < $1 AND kind <> '` + silenceKind + `'`

// Watch finds what is wrong with accounts and enqueues an alert for what was not wrong before. What has been well for long is
// forgotten, so that it is told again when it returns. One replica at a time watches; the others return at once.
func (s *Store) Watch(ctx context.Context, now time.Time, well time.Duration, item func(Condition) json.RawMessage) (told int, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		told = 0
		var mine bool
		if err := tx.QueryRow(ctx, lockConditions).Scan(&mine); err != nil || !mine {
			return err
		}
		if _, err := tx.Exec(ctx, endConditions, now.Add(-well)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, findConditions, now)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Condition])
		if err != nil || len(list) == 0 {
			return err
		}
		fresh, err := keep(ctx, tx, list, now)
		if err != nil {
			return err
		}
		var alerts []Alert
		for _, c := range list {
			if fresh[c.MerchantID.String()+c.Kind+c.Subject] {
				alerts = append(alerts, Alert{MerchantID: c.MerchantID, Kind: c.Kind, Subject: c.Subject, Item: item(c)})
			}
		}
		told = len(alerts)
		return InsertAlerts(ctx, tx, alerts, now)
	})
	if err != nil {
		return 0, fmt.Errorf("watch accounts: %w", err)
	}
	return told, nil
}

// keep notes conditions and tells which are new.
func keep(ctx context.Context, tx pgx.Tx, list []Condition, now time.Time) (map[string]bool, error) {
	c := newColumns(len(list), 3)
	for _, x := range list {
		c.add(x.MerchantID, x.Kind, x.Subject)
	}
	rows, err := tx.Query(ctx, keepConditions, append(c.args, now)...)
	if err != nil {
		return nil, err
	}
	var (
		m             payment.MerchantID
		kind, subject string
		isNew         bool
		fresh         = map[string]bool{}
	)
	_, err = pgx.ForEachRow(rows, []any{&m, &kind, &subject, &isNew}, func() error {
		fresh[m.String()+kind+subject] = isNew
		return nil
	})
	return fresh, err
}

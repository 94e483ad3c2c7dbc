package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// The functions of this file run in the ledger's transaction and nowhere else.

// Key names one sale.
type Key struct {
	MerchantID payment.MerchantID
	PaymentID  payment.ID
}

const lockSales = `
SELECT ` + saleColumns + `
FROM payments p JOIN unnest($1::uuid[], $2::uuid[]) AS w (merchant_id, id) ON p.merchant_id = w.merchant_id AND p.id = w.id
ORDER BY p.merchant_id, p.id FOR UPDATE OF p`

// Lock locks and returns the sales, always in the same order, so that two transactions never wait for each other. Sales that
// do not exist are missing, and those whose rows cannot be read are apart. Every key must be given once.
func Lock(ctx context.Context, tx pgx.Tx, keys []Key) ([]Sale, []Unreadable, error) {
	merchants, ids := split(keys)
	rows, err := tx.Query(ctx, lockSales, merchants, ids)
	return sortSales(rows, err, "lock sales", len(keys))
}

// LockWithLooks is Lock together with Looks: one question to the server instead of two.
func LockWithLooks(ctx context.Context, tx pgx.Tx, keys []Key) (sales []Sale, bad []Unreadable, looks map[Key]Look, err error) {
	merchants, ids := split(keys)
	b := &pgx.Batch{}
	b.Queue(lockSales, merchants, ids).Query(func(rows pgx.Rows) (err error) {
		sales, bad, err = sortSales(rows, nil, "lock sales", len(keys))
		return err
	})
	b.Queue(getLooks, merchants, ids).Query(func(rows pgx.Rows) (err error) {
		looks, err = readLooks(rows)
		return err
	})
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, nil, nil, fmt.Errorf("lock sales and their looks: %w", err)
	}
	return sales, bad, looks, nil
}

const saveSales = `
UPDATE payments p SET state = w.state, review_reason = w.review_reason, facts = w.facts::jsonb, event_count = w.event_count,
    paid_centavos = w.paid_centavos, paid_at = w.paid_at, token_issued_at = w.token_issued_at, message = w.message,
    message_reason = w.message_reason, message_sent_at = w.message_sent_at, opened_at = w.opened_at, purchase = w.purchase,
    polls = w.polls, hints = w.hints, last_poll_at = w.last_poll_at, looked_at = w.looked_at, last_outcome = w.last_outcome,
    last_provider_status = w.last_provider_status, updated_at = w.updated_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::timestamptz[], $9::timestamptz[],
    $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::int[], $16::int[], $17::timestamptz[],
    $18::timestamptz[], $19::text[], $20::text[], $21::timestamptz[])
  AS w (merchant_id, id, state, review_reason, facts, event_count, paid_centavos, paid_at, token_issued_at, message, message_reason,
    message_sent_at, opened_at, purchase, polls, hints, last_poll_at, looked_at, last_outcome, last_provider_status, updated_at)
WHERE p.merchant_id = w.merchant_id AND p.id = w.id`

const saveCharges = `
UPDATE payments p SET state = w.state, review_reason = w.review_reason, facts = w.facts::jsonb, event_count = w.event_count,
    paid_centavos = w.paid_centavos, paid_at = w.paid_at, charge_id = w.charge_id, charge_hash = w.charge_hash,
    charge_reference = w.charge_reference, copy_paste = w.copy_paste, qr_expires_at = w.qr_expires_at,
    token_issued_at = w.token_issued_at, message = w.message, message_reason = w.message_reason,
    message_sent_at = w.message_sent_at, opened_at = w.opened_at, purchase = w.purchase, polls = w.polls, hints = w.hints,
    last_poll_at = w.last_poll_at, looked_at = w.looked_at, last_outcome = w.last_outcome,
    last_provider_status = w.last_provider_status, updated_at = w.updated_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::timestamptz[], $9::timestamptz[],
    $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::int[], $16::int[], $17::timestamptz[],
    $18::timestamptz[], $19::text[], $20::text[], $21::timestamptz[], $22::text[], $23::text[], $24::text[], $25::text[], $26::timestamptz[])
  AS w (merchant_id, id, state, review_reason, facts, event_count, paid_centavos, paid_at, token_issued_at, message, message_reason,
    message_sent_at, opened_at, purchase, polls, hints, last_poll_at, looked_at, last_outcome, last_provider_status, updated_at,
    charge_id, charge_hash, charge_reference, copy_paste, qr_expires_at)
WHERE p.merchant_id = w.merchant_id AND p.id = w.id`

// Save writes back what the ledger may change of locked sales, in one statement; their charges and the end of their codes only when charges is
// set, in another. Each of the two is given its sales in the order in which they were locked.
func Save(ctx context.Context, tx pgx.Tx, sales []*Sale, charges bool) error {
	if len(sales) == 0 {
		return nil
	}
	statement, width := saveSales, 21
	if charges {
		statement, width = saveCharges, 26
	}
	c := newColumns(len(sales), width)
	for _, s := range sales {
		facts, err := json.Marshal(&s.Facts)
		if err != nil {
			return fmt.Errorf("save sales: %w", err)
		}
		row := []any{s.MerchantID, s.ID, s.State.String(), string(s.ReviewReason), facts, s.EventCount, null((*int64)(s.PaidAmount)), null(s.PaidAt), null(s.TokenIssuedAt),
			s.Message, s.MessageReason, null(s.MessageSentAt), null(s.OpenedAt), s.Purchase, s.Polls, s.Hints, null(s.LastPollAt), null(s.LookedAt), s.LastOutcome,
			s.LastProviderStatus, s.UpdatedAt, s.Charge.ID, s.Charge.Hash, s.Charge.Reference, s.Charge.CopyPaste, null(s.QRExpiresAt)}
		c.add(row[:width]...)
	}
	if _, err := tx.Exec(ctx, statement, c.args...); err != nil {
		return fmt.Errorf("save sales: %w", err)
	}
	return nil
}

const insertSales = `
INSERT INTO payments (merchant_id, id, bot_id, account_id, provider, state, facts, amount_centavos, currency, charge_id, charge_hash,
    charge_reference, copy_paste, qr_expires_at, sale_key, external_id, idempotency_key, request_hash, telegram_id, buyer_name,
    buyer_email, buyer_phone, product_name, access_url, contact_text, tracking, campaign, delivered_elsewhere, traceparent, created_at, event_count,
    updated_at, page_key, file_url, group_access)
SELECT merchant_id, id, bot_id, account_id, provider, state, facts::jsonb, amount_centavos, currency, charge_id, charge_hash,
    charge_reference, copy_paste, qr_expires_at, sale_key, NULLIF(external_id, ''), NULLIF(idempotency_key, ''), request_hash, telegram_id,
    buyer_name, buyer_email, buyer_phone, product_name, access_url, contact_text, tracking::jsonb, campaign, delivered_elsewhere,
    traceparent, created_at, event_count, updated_at, page_key, file_url, NULLIF(group_access, '')::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[], $16::text[], $17::text[], $18::bytea[], $19::bigint[],
    $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::bool[], $29::text[],
    $30::timestamptz[], $31::int[], $32::timestamptz[], $33::text[], $34::text[], $35::text[]) WITH ORDINALITY
  AS w (merchant_id, id, bot_id, account_id, provider, state, facts, amount_centavos, currency, charge_id, charge_hash,
    charge_reference, copy_paste, qr_expires_at, sale_key, external_id, idempotency_key, request_hash, telegram_id, buyer_name,
    buyer_email, buyer_phone, product_name, access_url, contact_text, tracking, campaign, delivered_elsewhere, traceparent, created_at,
    event_count, updated_at, page_key, file_url, group_access, n)
ORDER BY merchant_id, external_id, idempotency_key, charge_hash, charge_id, charge_reference, n
ON CONFLICT DO NOTHING
RETURNING id`

// Insert inserts new sales and returns the ids of those that were inserted. A sale is left out when any of its unique keys is
// taken: external id, idempotency key, or a charge identifier at its account; of two in one call the first stays. They are
// inserted in the order of their keys, so that two calls with the same sales do not wait for each other in a circle.
func Insert(ctx context.Context, tx pgx.Tx, sales []Sale) (map[payment.ID]bool, error) {
	c := newColumns(len(sales), 35)
	for i := range sales {
		s := &sales[i]
		facts, err := json.Marshal(&s.Facts)
		if err != nil {
			return nil, fmt.Errorf("insert sales: %w", err)
		}
		c.add(s.MerchantID, s.ID, s.BotID, s.AccountID, s.Provider, s.State.String(), facts, int64(s.Amount), s.Currency,
			s.Charge.ID, s.Charge.Hash, s.Charge.Reference, s.Charge.CopyPaste, null(s.QRExpiresAt), s.SaleKey, s.ExternalID,
			s.IdempotencyKey, s.RequestHash, s.TelegramID, s.BuyerName, s.BuyerEmail, s.BuyerPhone, s.ProductName, s.AccessURL,
			s.ContactText, string(s.Tracking), s.Campaign, s.DeliveredElsewhere, s.Traceparent, s.CreatedAt, s.EventCount, s.UpdatedAt,
			s.PageKey, s.FileURL, s.Group.text())
	}
	rows, err := tx.Query(ctx, insertSales, c.args...)
	if err != nil {
		return nil, fmt.Errorf("insert sales: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[payment.ID])
	if err != nil {
		return nil, fmt.Errorf("insert sales: %w", err)
	}
	inserted := make(map[payment.ID]bool, len(ids))
	for _, id := range ids {
		inserted[id] = true
	}
	return inserted, nil
}

// The holders' ids come first: a planner without statistics would join every sale of the merchant before it asks for the keys.
const findTaken = `
WITH holder AS MATERIALIZED (
    SELECT DISTINCT ON (w.n) w.n, w.merchant_id, hit.id
    FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
      AS w (n, merchant_id, account_id, external_id, idempotency_key, charge_id, charge_hash, charge_reference)
    CROSS JOIN LATERAL (
        SELECT id, 1 AS rank FROM payments WHERE merchant_id = w.merchant_id AND idempotency_key = NULLIF(w.idempotency_key, '')
        UNION ALL SELECT id, 2 FROM payments WHERE merchant_id = w.merchant_id AND external_id = NULLIF(w.external_id, '')
        UNION ALL SELECT id, 3 FROM payments WHERE merchant_id = w.merchant_id AND account_id = w.account_id
            AND lower(charge_id) = lower(NULLIF(w.charge_id, '')) AND charge_id <> ''
        UNION ALL SELECT id, 4 FROM payments WHERE merchant_id = w.merchant_id AND account_id = w.account_id
            AND charge_hash = NULLIF(w.charge_hash, '') AND charge_hash <> ''
        UNION ALL SELECT id, 5 FROM payments WHERE merchant_id = w.merchant_id AND account_id = w.account_id
            AND charge_reference = NULLIF(w.charge_reference, '') AND charge_reference <> ''
    ) AS hit
    ORDER BY w.n, hit.rank
)
SELECT ` + saleColumns + `, h.n
FROM holder h JOIN payments p ON p.merchant_id = h.merchant_id AND p.id = h.id`

// Taken returns, by index into wanted, the sale that holds a unique key of each wanted sale. The sale with the same
// idempotency key or external id is preferred to one with the same charge.
func Taken(ctx context.Context, tx pgx.Tx, wanted []Sale) (map[int]Sale, error) {
	c := newColumns(len(wanted), 8)
	for i := range wanted {
		s := &wanted[i]
		c.add(i, s.MerchantID, s.AccountID, s.ExternalID, s.IdempotencyKey, s.Charge.ID, s.Charge.Hash, s.Charge.Reference)
	}
	rows, err := tx.Query(ctx, findTaken, c.args...)
	if err != nil {
		return nil, fmt.Errorf("find taken keys: %w", err)
	}
	out := map[int]Sale{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n int, err error) {
		var s Sale
		s, err = scanSale(row, &n)
		out[n] = s
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("find taken keys: %w", err)
	}
	return out, nil
}

const appendEvents = `
INSERT INTO payment_events (merchant_id, payment_id, number, at, kind, source, from_state, to_state, details, trace_id, decision)
SELECT merchant_id, payment_id, number, at, kind, source, from_state, to_state, details::jsonb, trace_id, decision::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[])
  AS w (merchant_id, payment_id, number, at, kind, source, from_state, to_state, details, trace_id, decision)`

// Append appends to histories. The numbers come from the locked sales, so the key refuses a second writer.
func Append(ctx context.Context, tx pgx.Tx, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	c := newColumns(len(events), 11)
	for i := range events {
		e := &events[i]
		details, err := marshal(e.Details)
		if err != nil {
			return fmt.Errorf("append events: %w", err)
		}
		var decision []byte // nil is NULL
		if e.Decision != nil {
			if decision, err = json.Marshal(e.Decision); err != nil {
				return fmt.Errorf("append events: %w", err)
			}
		}
		c.add(e.MerchantID, e.PaymentID, e.Number, e.At, string(e.Kind), string(e.Source), e.From, e.To, details, e.TraceID, decision)
	}
	if _, err := tx.Exec(ctx, appendEvents, c.args...); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

const addStatistics = `
INSERT INTO statistics AS s (merchant_id, bot_id, provider, campaign, day, metric, count, centavos)
SELECT merchant_id, bot_id, provider, campaign, day, metric, count, centavos
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::text[], $7::bigint[], $8::bigint[])
  AS w (merchant_id, bot_id, provider, campaign, day, metric, count, centavos)
ORDER BY merchant_id, bot_id, provider, campaign, day, metric
ON CONFLICT (merchant_id, bot_id, provider, campaign, day, metric)
DO UPDATE SET count = s.count + EXCLUDED.count, centavos = s.centavos + EXCLUDED.centavos`

// AddStatistics adds lines to the sums, always in the same order; every key must be given once.
func AddStatistics(ctx context.Context, tx pgx.Tx, lines []Line) error {
	if len(lines) == 0 {
		return nil
	}
	c := newColumns(len(lines), 8)
	for _, l := range lines {
		c.add(l.MerchantID, l.BotID, l.Provider, l.Campaign, l.Day, l.Metric, l.Count, int64(l.Amount))
	}
	if _, err := tx.Exec(ctx, addStatistics, c.args...); err != nil {
		return fmt.Errorf("add statistics: %w", err)
	}
	return nil
}

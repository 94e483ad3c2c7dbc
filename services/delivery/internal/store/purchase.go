package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// Claim is a Purchase that is to be sent now, with all that it is made of.
type Claim struct {
	sale.Key
	Number      int32 // of this claim; the result of an older one is not written
	Attempts    int32 // requests answered before
	DueAt       time.Time
	Now         time.Time  // the server's clock at the claim
	UnsureSince *time.Time // since when Meta may have it although we never heard

	EventID         string
	EventTime       time.Time
	ClientIP        string
	ClientUserAgent string
	FBP, FBC        string
	EmailHash       string
	PhoneHash       string
	ExternalID      string
	Value           money.Amount
	ProductName     string
	Tracking        sale.Tracking
	Traceparent     string

	Pixel         Pixel
	PixelRevision int32
}

// unsure_since is set before the request is made, since a crash cannot set it afterwards; a clear answer takes it back. Rows are
// updated by their place and joined one by one: whatever the statistics say of a table that has just grown, no plan reads it all.
const claimPurchases = `
WITH due AS MATERIALIZED (
  SELECT ctid, merchant_id, payment_id, due_at, unsure_since FROM purchases
  WHERE due_at <= now()
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE purchases SET due_at = now() + make_interval(secs => $2), claims = claims + 1, unsure_since = COALESCE(unsure_since, now())
  WHERE ctid = ANY (ARRAY(SELECT ctid FROM due))
  RETURNING merchant_id, payment_id, claims, attempts, event_id, event_time, client_ip, client_user_agent, fbp, fbc, traceparent,
    pixel_bot_id
)
SELECT c.merchant_id, c.payment_id, c.claims, c.attempts, due.due_at, now(), due.unsure_since, c.event_id, c.event_time,
  c.client_ip, c.client_user_agent, c.fbp, c.fbc, c.traceparent, d.email_hash, d.phone_hash, d.external_id_hash,
  d.amount_centavos, d.product_name, d.tracking, x.bot_id, x.pixel_id, x.sealed_token, x.api_version, x.test_event_code,
  x.base_url, x.paused_because, x.revision
FROM due JOIN claimed c ON c.merchant_id = due.merchant_id AND c.payment_id = due.payment_id
CROSS JOIN LATERAL (
  SELECT email_hash, phone_hash, external_id_hash, amount_centavos, product_name, tracking FROM deliveries
  WHERE merchant_id = c.merchant_id AND payment_id = c.payment_id LIMIT 1) d
CROSS JOIN LATERAL (
  SELECT bot_id, pixel_id, sealed_token, api_version, test_event_code, base_url, paused_because, revision FROM pixels
  WHERE merchant_id = c.merchant_id AND bot_id = c.pixel_bot_id LIMIT 1) x
ORDER BY due.due_at`

// ClaimPurchases leases up to limit due Purchases, oldest first. When the lease ends without a result they are due again.
func (s *Store) ClaimPurchases(ctx context.Context, limit int, lease time.Duration) ([]Claim, error) {
	rows, err := s.pool.Query(ctx, claimPurchases, limit, lease.Seconds())
	if err != nil {
		return nil, fmt.Errorf("claim purchases: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanClaim)
	if err != nil {
		return nil, fmt.Errorf("claim purchases: %w", err)
	}
	return out, nil
}

const renewPurchases = `
UPDATE purchases p SET due_at = now() + make_interval(secs => $4::float8)
FROM (
  SELECT q.merchant_id, q.payment_id FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS r (merchant_id, payment_id, claims)
  JOIN purchases q ON q.merchant_id = r.merchant_id AND q.payment_id = r.payment_id AND q.event = 'Purchase' AND q.state = 'queued' AND q.claims = r.claims
  ORDER BY q.merchant_id, q.payment_id FOR NO KEY UPDATE OF q SKIP LOCKED
) w
WHERE p.merchant_id = w.merchant_id AND p.payment_id = w.payment_id AND p.event = 'Purchase'`

// RenewPurchases holds claims for another lease; those whose results are written, or that somebody else has claimed since, stay as they are.
func (s *Store) RenewPurchases(ctx context.Context, claims []Claim, lease time.Duration) error {
	merchants, payments, numbers := make([]sale.MerchantID, len(claims)), make([]sale.PaymentID, len(claims)), make([]int32, len(claims))
	for i, c := range claims {
		merchants[i], payments[i], numbers[i] = c.Merchant, c.Payment, c.Number
	}
	if _, err := s.pool.Exec(ctx, renewPurchases, merchants, payments, numbers, lease.Seconds()); err != nil {
		return fmt.Errorf("renew purchases: %w", err)
	}
	return nil
}

func scanClaim(row pgx.CollectableRow) (c Claim, err error) {
	var tracking []byte
	err = row.Scan(&c.Merchant, &c.Payment, &c.Number, &c.Attempts, &c.DueAt, &c.Now, &c.UnsureSince, &c.EventID, &c.EventTime,
		&c.ClientIP, &c.ClientUserAgent, &c.FBP, &c.FBC, &c.Traceparent, &c.EmailHash, &c.PhoneHash, &c.ExternalID,
		&c.Value, &c.ProductName, &tracking, &c.Pixel.Bot, &c.Pixel.PixelID, &c.Pixel.SealedToken, &c.Pixel.APIVersion,
		&c.Pixel.TestEventCode, &c.Pixel.BaseURL, &c.Pixel.PausedBecause, &c.PixelRevision)
	if err != nil {
		return c, err
	}
	c.Pixel.Merchant = c.Merchant
	if err := json.Unmarshal(tracking, &c.Tracking); err != nil {
		return c, fmt.Errorf("decode tracking of payment %s: %w", c.Payment, err)
	}
	return c, nil
}

// Result is what became of a claim.
type Result struct {
	Claim  *Claim
	State  PurchaseState // Sent, Failed, or Queued for another attempt
	Reason string        // a short class of error, redacted; empty when sent
	Trace  string        // Meta's own id of the request, when it gave one
	Asked  bool          // a request was made
	Unsure bool          // and nobody knows whether Meta took it
	Retry  time.Duration // when Queued: until the next attempt
	Pause  string        // why the pixel must wait for a new token; empty when it need not
}

// Paused is the result of a claim whose pixel waits for a new token.
func Paused(c *Claim, look time.Duration) Result {
	return Result{Claim: c, State: Queued, Reason: reasonPaused, Retry: look}
}

// A result is written only by the claim that is still the last one.
const writeResults = `
WITH done AS (
  UPDATE purchases p SET state = r.state, reason = r.reason, attempts = p.attempts + r.asked::integer,
    due_at = CASE WHEN r.state = 'queued' THEN now() + make_interval(secs => r.retry) END, sent_at = CASE WHEN r.state = 'sent' THEN now() END,
    unsure_since = CASE WHEN r.unsure THEN p.unsure_since ELSE r.unsure_before END, meta_trace = r.trace, updated_at = now()
  FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
    $9::timestamptz[], $10::float8[])
    AS r (merchant_id, payment_id, claims, state, reason, trace, asked, unsure, unsure_before, retry)
  WHERE p.merchant_id = r.merchant_id AND p.payment_id = r.payment_id AND p.event = 'Purchase'
    AND p.state = 'queued' AND p.claims = r.claims
  RETURNING p.merchant_id, p.payment_id, p.state, p.reason, p.meta_trace, p.traceparent
)
INSERT INTO outcomes (merchant_id, payment_id, kind, detail, traceparent)
SELECT merchant_id, payment_id, 'purchase_' || state, CASE state WHEN 'sent' THEN meta_trace ELSE reason END, traceparent
FROM done WHERE state IN ('sent', 'failed')`

// A pause is told once, with the sale at which it was noticed.
const pausePixel = `
WITH paused AS (
  UPDATE pixels SET paused_because = $4::text, paused_at = now()
  WHERE merchant_id = $1 AND bot_id = $2 AND revision = $3 AND paused_at IS NULL
  RETURNING merchant_id
)
INSERT INTO outcomes (merchant_id, payment_id, kind, detail, traceparent)
SELECT merchant_id, $5::uuid, 'pixel_paused', $4::text, $6::text FROM paused`

// WriteResults writes a batch's results in one transaction, appends those that ended to the outcome log, and pauses pixels,
// unless they got a new token since the claim.
func (s *Store) WriteResults(ctx context.Context, results []Result) error {
	args, told := resultColumns(results), false
	err := pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, writeResults, args...)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Pause == "" {
				continue
			}
			p := r.Claim.Pixel
			paused, err := tx.Exec(ctx, pausePixel, p.Merchant, p.Bot, r.Claim.PixelRevision, r.Pause, r.Claim.Payment, r.Claim.Traceparent)
			if err != nil {
				return fmt.Errorf("pause pixel: %w", err)
			}
			told = told || paused.RowsAffected() > 0
		}
		told = told || tag.RowsAffected() > 0
		return nil
	})
	if err != nil {
		return fmt.Errorf("write purchase results: %w", err)
	}
	if told {
		s.announce()
	}
	return nil
}

func resultColumns(results []Result) []any {
	n := len(results)
	var (
		merchants, payments    = make([][16]byte, n), make([][16]byte, n)
		claims                 = make([]int32, n)
		states, reasons, trace = make([]string, n), make([]string, n), make([]string, n)
		asked, unsure          = make([]bool, n), make([]bool, n)
		before                 = make([]*time.Time, n)
		retry                  = make([]float64, n)
	)
	for i, r := range results {
		merchants[i], payments[i], claims[i] = r.Claim.Merchant, r.Claim.Payment, r.Claim.Number
		states[i], reasons[i], trace[i] = string(r.State), r.Reason, r.Trace
		asked[i], unsure[i], before[i] = r.Asked, r.Unsure, r.Claim.UnsureSince
		retry[i] = r.Retry.Seconds()
	}
	return []any{merchants, payments, claims, states, reasons, trace, asked, unsure, before, retry}
}

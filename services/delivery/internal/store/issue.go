package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// Issue is one link to make.
type Issue struct {
	sale.Key
	Bot          sale.BotID
	TokenVersion int32
	TokenHash    token.Hash
	ProductName  string
	Amount       money.Amount
	AccessURL    string
	FileURL      string
	Follows      bool        // the access is made later: that there is none is no news
	FileHash     *token.Hash // of the ticket of the file; nil without a file
	ContactText  string
	Tracking     sale.Tracking
	EmailHash    string // hexadecimal SHA-256 as Meta wants it, or empty; so are the next two
	PhoneHash    string
	ExternalID   string
	PaidAt       time.Time
	Lifetime     time.Duration // from now, where the merchant has no policy; 0 means for ever
	MaxOpens     int32         // where the merchant has no policy; 0 means without limit
	Traceparent  string
}

// Issued tells with what the token of a delivery is derived, and whether this call made the delivery.
type Issued struct {
	Version    int32
	Generation int32
	Created    bool
}

// Sorted by key in the statement, so that batches that overlap wait for each other in one order and never in a circle. The bot's
// own policy goes before the merchant's, whose bot_id is all zeros ($21). A link that leads nowhere is told of at once.
const (
	insertDeliveries      = insertGiven + `ON CONFLICT (merchant_id, payment_id) DO NOTHING` + insertedDeliveries
	insertFreshDeliveries = insertGiven + insertedDeliveries // fails when one is there
)

const insertGiven = `
WITH made AS (
INSERT INTO deliveries (merchant_id, payment_id, bot_id, token_version, token_hash, product_name, amount_centavos, access_url,
  contact_text, tracking, fbp, fbc, pageview_id, email_hash, phone_hash, external_id_hash, paid_at, expires_at, max_opens, traceparent,
  file_url, file_hash, lifetime_after_open_s, bind_device, purchase_after)
SELECT r.merchant_id, r.payment_id, r.bot_id, r.token_version, r.token_hash, r.product_name, r.amount, r.access_url,
  r.contact_text, r.tracking::jsonb, r.fbp, r.fbc, r.pageview_id, r.email_hash, r.phone_hash, r.external_id, r.paid_at,
  now() + make_interval(secs => NULLIF(COALESCE(l.lifetime_s, r.lifetime), 0)), COALESCE(l.max_opens, r.max_opens), r.traceparent,
  r.file_url, r.file_hash, COALESCE(l.lifetime_after_open_s, 0), COALESCE(l.bind_device, false),
  r.paid_at + make_interval(secs => NULLIF(l.purchase_unopened_s, 0))
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::bytea[], $6::text[], $7::bigint[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::float8[], $16::integer[], $17::text[],
  $18::text[], $19::text[], $20::text[], $22::text[], $23::bytea[], $24::boolean[])
  AS r (merchant_id, payment_id, bot_id, token_version, token_hash, product_name, amount, access_url, contact_text,
  tracking, email_hash, phone_hash, external_id, paid_at, lifetime, max_opens, traceparent, fbp, fbc, pageview_id, file_url, file_hash, follows)
LEFT JOIN LATERAL (` + policyOf + `) l ON true
ORDER BY r.merchant_id, r.payment_id
`

const insertedDeliveries = `
RETURNING merchant_id, payment_id, token_version, token_generation, access_url, file_url, traceparent
), told AS (
  INSERT INTO outcomes (merchant_id, payment_id, kind, detail, traceparent)
  SELECT merchant_id, payment_id, 'access_missing', CASE file_url WHEN '' THEN 'no_access' ELSE 'no_file_key' END, traceparent
  FROM made m WHERE access_url = '' AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $24::boolean[]) AS q (payment_id, follows)
      WHERE q.payment_id = m.payment_id AND q.follows)
    AND (file_url = '' OR NOT EXISTS (SELECT FROM file_keys k WHERE k.merchant_id = m.merchant_id))
)
SELECT merchant_id, payment_id, token_version, token_generation FROM made`

// policyOf is the policy of a row r, which has merchant_id and bot_id; $21 is the bot of all. Whether anybody has one at all is asked once for all rows.
const policyOf = `SELECT max_opens, lifetime_s, lifetime_after_open_s, bind_device, purchase_unopened_s FROM link_policies
  WHERE (SELECT EXISTS (SELECT FROM link_policies)) AND merchant_id = r.merchant_id AND bot_id IN (r.bot_id, $21) ORDER BY bot_id = $21 LIMIT 1`

const existingTokens = `
SELECT d.merchant_id, d.payment_id, d.token_version, d.token_generation
FROM deliveries d JOIN unnest($1::uuid[], $2::uuid[]) AS r (merchant_id, payment_id)
  ON d.merchant_id = r.merchant_id AND d.payment_id = r.payment_id`

// IssueBatch makes the deliveries that do not exist yet, all in one transaction, and leaves the others as they are. The answers
// are in the order of in; of two with the same key the first may have been created. Idempotency key: (merchant, payment).
func (s *Store) IssueBatch(ctx context.Context, in []Issue) ([]Issued, error) {
	args, err := issueColumns(in)
	if err != nil {
		return nil, err
	}
	found := make(map[sale.Key]Issued, len(in))
	err = s.fresh.InTx(ctx, s.pool, func(tx pgx.Tx, known bool) error {
		statement := insertFreshDeliveries
		if known {
			statement = insertDeliveries
		}
		clear(found)
		if err := pg.ByKey.Set(ctx, tx); err != nil {
			return err
		}
		if err := collectIssued(ctx, tx, found, true, statement, args...); err != nil {
			return fmt.Errorf("insert deliveries: %w", err)
		}
		if len(found) == len(in) {
			return nil
		}
		// A new statement, hence a new snapshot: it sees the rows that the insert had to wait for.
		if err := collectIssued(ctx, tx, found, false, existingTokens, args[0], args[1]); err != nil {
			return fmt.Errorf("find deliveries: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in, func(r Issue) bool { return r.AccessURL == "" }) {
		s.announce()
	}
	out := make([]Issued, len(in))
	for i, r := range in {
		is, ok := found[r.Key]
		if !ok {
			return nil, fmt.Errorf("delivery of payment %s vanished while it was issued", r.Payment)
		}
		out[i] = is
		is.Created = false // a second request of the same key in one batch made nothing
		found[r.Key] = is
	}
	return out, nil
}

// Link tells with what a sale's token is derived, or ErrNotFound.
func (s *Store) Link(ctx context.Context, k sale.Key) (Issued, error) {
	var is Issued
	err := s.pool.QueryRow(ctx, linkOfSale, k.Merchant, k.Payment).Scan(&is.Version, &is.Generation)
	if err != nil {
		return Issued{}, fmt.Errorf("link of payment %s: %w", k.Payment, one(err))
	}
	return is, nil
}

const linkOfSale = `
SELECT token_version, token_generation FROM deliveries WHERE merchant_id = $1 AND payment_id = $2`

// collectIssued adds the rows of a statement to found, which keeps what it has.
func collectIssued(ctx context.Context, tx pgx.Tx, found map[sale.Key]Issued, created bool, statement string, args ...any) error {
	rows, err := tx.Query(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k sale.Key
		is := Issued{Created: created}
		if err := rows.Scan(&k.Merchant, &k.Payment, &is.Version, &is.Generation); err != nil {
			return err
		}
		if _, ok := found[k]; !ok {
			found[k] = is
		}
	}
	return rows.Err()
}

func issueColumns(in []Issue) ([]any, error) {
	n := len(in)
	var (
		merchants, payments, bots = make([][16]byte, n), make([][16]byte, n), make([][16]byte, n)
		versions, maxOpens        = make([]int32, n), make([]int32, n)
		hashes                    = make([][]byte, n)
		products, urls, contacts  = make([]string, n), make([]string, n), make([]string, n)
		tracking, traces          = make([]string, n), make([]string, n)
		emails, phones, externals = make([]string, n), make([]string, n), make([]string, n)
		amounts                   = make([]int64, n)
		paid                      = make([]time.Time, n)
		fbps, fbcs, views         = make([]string, n), make([]string, n), make([]string, n)
		now                       = time.Now()
		lifetimes                 = make([]float64, n)
		files, tickets            = make([]string, n), make([][]byte, n)
		follows                   = make([]bool, n)
	)
	for i, r := range in {
		text, err := marshalTracking(r.Tracking)
		if err != nil {
			return nil, err
		}
		merchants[i], payments[i], bots[i] = r.Merchant, r.Payment, r.Bot
		versions[i], hashes[i], maxOpens[i] = r.TokenVersion, r.TokenHash[:], r.MaxOpens
		products[i], urls[i], contacts[i] = r.ProductName, r.AccessURL, r.ContactText
		tracking[i], traces[i] = text, r.Traceparent
		fbps[i], fbcs[i], views[i] = r.Tracking.BrowserCookie(""), r.Tracking.ClickCookie("", now), r.Tracking.PageViewID()
		emails[i], phones[i], externals[i] = r.EmailHash, r.PhoneHash, r.ExternalID
		follows[i] = r.Follows
		if files[i] = r.FileURL; r.FileHash != nil {
			tickets[i] = r.FileHash[:]
		}
		amounts[i], paid[i], lifetimes[i] = int64(r.Amount), r.PaidAt, r.Lifetime.Seconds()
	}
	return []any{merchants, payments, bots, versions, hashes, products, amounts, urls, contacts, tracking, emails, phones,
		externals, paid, lifetimes, maxOpens, traces, fbps, fbcs, views, sale.BotID{}, files, tickets, follows}, nil
}

package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// Visit is a person who opens a page.
type Visit struct {
	ClientIP    string // as really seen, or empty
	UserAgent   string
	FBP, FBC    string // Meta's cookies that the browser shows; may be empty or nonsense
	Device      Device // what the browser's cookie says, or a new one that is set when the link binds to a device
	Traceparent string // of the request
}

// Device is the SHA-256 of what only one browser knows.
type Device [sha256.Size]byte

// visitor tells one visit that comes again from another: by address and browser, hashed.
func (v Visit) visitor() []byte {
	h := sha256.Sum256([]byte(v.ClientIP + "\n" + v.UserAgent))
	return h[:]
}

// Opened is what a page shows.
type Opened struct {
	sale.Key
	State         State // anything but Active shows neither access nor pixel
	RevokedReason string
	ProductName   string
	Amount        money.Amount
	AccessURL     string
	FileURL       string // a file that is signed for a click
	FileKey       bool   // and the merchant has a key to sign it with
	ContactText   string
	ExternalID    string // hashed
	Bound         bool   // the link belongs to the visit's device from now on
	ExpiresAt     *time.Time
	OpensLeft     int32     // after this visit; -1 means without limit
	First         bool      // this visit was the first
	Now           time.Time // the server's clock, to compare with
	Traceparent   string    // of the sale

	// The Purchase of the sale; PixelID is empty when there is nothing to report to.
	PixelID    string
	EventID    string
	PurchaseAt time.Time // when it was decided
	FBP        string
	FBC        string
	Queued     bool // this visit queued it, or found it queued
}

// One statement, hence one transaction and one round trip. The row's lock makes one of several simultaneous visits the first;
// only then anything is inserted. The bot's own pixel goes before the merchant's, whose bot_id is all zeros ($6). The PageView's
// id is taken unless another sale has it: the unique index purchases_event_id decides, and own falls back to the sale's id.
//
// A visit that comes again from the same address and browser ($9) within sameVisit spends no use: a page is loaded again by the
// phone's every change of program, and an answer that was lost was no visit to the buyer. For the same reason a device whose
// cookie never came back may be replaced by the same visitor.
const openDelivery = `
WITH opened AS (
  UPDATE deliveries SET opens = opens + 1, first_opened_at = COALESCE(first_opened_at, now()), last_opened_at = now(),
    purchase_after = NULL, uses = uses + CASE WHEN ` + sameVisit + ` THEN 0 ELSE 1 END,
    counted_at = CASE WHEN ` + sameVisit + ` THEN counted_at ELSE now() END, visitor = $9,
    expires_at = CASE WHEN uses = 0 AND lifetime_after_open_s > 0
      THEN LEAST(expires_at, now() + make_interval(secs => lifetime_after_open_s)) ELSE expires_at END,
    device_hash = CASE WHEN bind_device THEN $8::bytea END, device_seen = bind_device AND device_hash IS NOT DISTINCT FROM $8
  WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    AND (max_opens = 0 OR uses < max_opens OR ` + sameVisit + `)
    AND (NOT bind_device OR device_hash IS NULL OR device_hash = $8 OR NOT device_seen AND ` + sameVisit + `)
  RETURNING merchant_id, payment_id, bot_id, product_name, amount_centavos, access_url, file_url, contact_text, external_id_hash,
    opens, bind_device, expires_at, CASE WHEN max_opens > 0 THEN GREATEST(max_opens - uses, 0) ELSE -1 END AS opens_left, traceparent, fbp, fbc, pageview_id
), first AS (
  SELECT merchant_id, payment_id, bot_id, pageview_id, COALESCE(NULLIF(fbp, ''), $4) AS fbp, COALESCE(NULLIF(fbc, ''), $5) AS fbc,
    COALESCE(NULLIF(traceparent, ''), $7) AS traceparent
  FROM opened WHERE opens = 1
), pixel AS (
  SELECT x.bot_id, x.pixel_id FROM first f JOIN pixels x ON x.merchant_id = f.merchant_id AND x.bot_id IN (f.bot_id, $6)
  ORDER BY x.bot_id = $6 LIMIT 1
), wanted AS (
  SELECT f.merchant_id, f.payment_id, f.pageview_id, f.fbp, f.fbc, f.traceparent, x.bot_id AS pixel_bot_id,
    COALESCE(x.pixel_id, '') AS pixel_id, CASE WHEN x.pixel_id IS NULL THEN 'not_configured' ELSE 'queued' END AS state,
    CASE WHEN x.pixel_id IS NULL THEN 'no pixel for this bot or merchant' ELSE '' END AS reason,
    CASE WHEN x.pixel_id IS NOT NULL THEN now() END AS due_at
  FROM first f LEFT JOIN pixel x ON true
), shared AS (
  INSERT INTO purchases (merchant_id, payment_id, state, reason, event_id, pixel_bot_id, pixel_id, event_time, due_at, client_ip,
    client_user_agent, fbp, fbc, traceparent)
  SELECT merchant_id, payment_id, state, reason, pageview_id, pixel_bot_id, pixel_id, now(), due_at, $2, $3, fbp, fbc, traceparent
  FROM wanted WHERE state = 'queued' AND pageview_id <> ''
  ON CONFLICT DO NOTHING
  RETURNING state, reason, event_id, pixel_id, fbp, fbc, created_at
), own AS (
  INSERT INTO purchases (merchant_id, payment_id, state, reason, event_id, pixel_bot_id, pixel_id, event_time, due_at, client_ip,
    client_user_agent, fbp, fbc, traceparent)
  SELECT merchant_id, payment_id, state, reason, CASE state WHEN 'queued' THEN 'purchase_' || payment_id ELSE '' END, pixel_bot_id,
    pixel_id, now(), due_at, $2, $3, fbp, fbc, traceparent
  FROM wanted WHERE NOT EXISTS (SELECT FROM shared)
  ON CONFLICT DO NOTHING
  RETURNING state, reason, event_id, pixel_id, fbp, fbc, created_at
), made AS (
  SELECT state, reason, event_id, pixel_id, fbp, fbc, created_at FROM shared
  UNION ALL SELECT state, reason, event_id, pixel_id, fbp, fbc, created_at FROM own
), alarm AS (
  INSERT INTO pixel_alarms (merchant_id, bot_id) SELECT f.merchant_id, f.bot_id FROM made m CROSS JOIN first f WHERE m.state = 'not_configured'
  ON CONFLICT DO NOTHING RETURNING merchant_id
), told AS (
  INSERT INTO outcomes (merchant_id, payment_id, kind, detail, traceparent)
  SELECT merchant_id, payment_id, 'opened', '', traceparent FROM first
  UNION ALL
  SELECT f.merchant_id, f.payment_id, CASE m.state WHEN 'queued' THEN 'purchase_queued' ELSE 'purchase_not_configured' END,
    CASE m.state WHEN 'queued' THEN m.event_id ELSE m.reason END, f.traceparent
  FROM made m CROSS JOIN first f
  UNION ALL SELECT f.merchant_id, f.payment_id, 'pixel_missing', '', f.traceparent FROM alarm CROSS JOIN first f
)
SELECT o.merchant_id, o.payment_id, o.product_name, o.amount_centavos, o.access_url, o.file_url,
  o.file_url <> '' AND EXISTS (SELECT FROM file_keys k WHERE k.merchant_id = o.merchant_id), o.contact_text, o.external_id_hash,
  o.bind_device, o.expires_at, o.opens_left, o.opens = 1, now(), o.traceparent, COALESCE(m.state, p.state, ''), COALESCE(m.pixel_id, p.pixel_id, ''),
  COALESCE(m.event_id, p.event_id, ''), COALESCE(m.created_at, p.created_at, now()), COALESCE(m.fbp, p.fbp, ''), COALESCE(m.fbc, p.fbc, '')
FROM opened o LEFT JOIN made m ON true LEFT JOIN purchases p
  ON p.merchant_id = o.merchant_id AND p.payment_id = o.payment_id AND p.event = 'Purchase'`

// sameVisit tells that a visit ($9) is the one that was counted last, come again.
const sameVisit = `(visitor = $9 AND counted_at > now() - interval '10 minutes')`

const purchaseOfVisit = `
SELECT state, pixel_id, event_id, created_at, fbp, fbc FROM purchases
WHERE merchant_id = $1 AND payment_id = $2 AND event = 'Purchase'`

const closedDelivery = `
SELECT d.merchant_id, d.payment_id, ` + stateOf + `, d.bind_device AND d.device_hash IS NOT NULL, d.revoked_reason, d.product_name,
  d.amount_centavos, d.contact_text, d.traceparent, now()
FROM deliveries d WHERE d.token_hash = $1 LIMIT 1`

// Open counts a person's visit of an active link and returns what the page shows. The first visit also queues the Purchase
// (or notes why there is none) and appends both to the outcome log, in the same transaction. A link that is not active is only
// read. ErrNotFound means that there is no such token.
func (s *Store) Open(ctx context.Context, h token.Hash, v Visit) (Opened, error) {
	o := Opened{State: Active}
	var purchase PurchaseState
	fbp, fbc := sale.Tracking{}.BrowserCookie(v.FBP), sale.Tracking{}.ClickCookie(v.FBC, time.Time{})
	err := again(func() error {
		return s.pool.QueryRow(ctx, openDelivery, h[:], v.ClientIP, v.UserAgent, fbp, fbc, sale.BotID{}, v.Traceparent,
			v.Device[:], v.visitor()).Scan(&o.Merchant, &o.Payment, &o.ProductName, &o.Amount, &o.AccessURL, &o.FileURL, &o.FileKey,
			&o.ContactText, &o.ExternalID, &o.Bound, &o.ExpiresAt, &o.OpensLeft, &o.First, &o.Now, &o.Traceparent, &purchase, &o.PixelID, &o.EventID, &o.PurchaseAt, &o.FBP, &o.FBC)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return s.closed(ctx, h)
	case err != nil:
		return Opened{}, fmt.Errorf("open delivery: %w", err)
	case o.First:
		o.Queued = purchase == Queued
		s.announce()
	case purchase == WaitingOpen:
		// This visit waited for the first one, whose Purchase its snapshot does not see yet.
		err := s.pool.QueryRow(ctx, purchaseOfVisit, o.Merchant, o.Payment).Scan(&purchase, &o.PixelID, &o.EventID, &o.PurchaseAt, &o.FBP, &o.FBC)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return Opened{}, fmt.Errorf("purchase of opened delivery: %w", err)
		}
	}
	return o, nil
}

// errReopened is rare enough to be told to the visitor as "not available now, try again".
var errReopened = errors.New("link reopened while it was looked at")

// closed reads a link that no visit counts for.
func (s *Store) closed(ctx context.Context, h token.Hash) (o Opened, err error) {
	var taken bool
	err = s.pool.QueryRow(ctx, closedDelivery, h[:]).Scan(&o.Merchant, &o.Payment, &o.State, &taken, &o.RevokedReason, &o.ProductName,
		&o.Amount, &o.ContactText, &o.Traceparent, &o.Now)
	if err != nil {
		return Opened{}, fmt.Errorf("read closed delivery: %w", one(err))
	}
	switch {
	case o.State == Active && taken:
		o.State = OtherDevice
	case o.State == Active:
		return Opened{}, errReopened
	}
	return o, nil
}

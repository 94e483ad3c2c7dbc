package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// ClickLink is an address for ads.
type ClickLink struct {
	MerchantID  payment.MerchantID
	Slug        string // small letters
	BotUsername string
	Campaign    string
	CreatedAt   time.Time
	Clicks      int64 // read by ClickLinks alone
	Machines    int64
	Created     bool // whether PutClickLink made it
}

const putClickLink = `
INSERT INTO click_links AS l (merchant_id, slug, bot_username, campaign) VALUES ($1, $2, $3, $4)
ON CONFLICT (slug) DO UPDATE SET bot_username = EXCLUDED.bot_username, campaign = EXCLUDED.campaign WHERE l.merchant_id = EXCLUDED.merchant_id
RETURNING created_at, (xmax = 0)`

// PutClickLink makes a link or changes the merchant's own. A slug of somebody else is ErrConflict, an unknown merchant ErrNotFound.
func (s *Store) PutClickLink(ctx context.Context, l ClickLink) (ClickLink, error) {
	err := s.pool.QueryRow(ctx, putClickLink, l.MerchantID, l.Slug, l.BotUsername, l.Campaign).Scan(&l.CreatedAt, &l.Created)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ClickLink{}, fmt.Errorf("slug: %w", ErrConflict)
	case pg.IsForeignKey(err):
		return ClickLink{}, ErrNotFound
	case err != nil:
		return ClickLink{}, fmt.Errorf("put click link: %w", err)
	}
	return l, nil
}

const listClickLinks = `
SELECT l.merchant_id, l.slug, l.bot_username, l.campaign, l.created_at, COALESCE(c.people, 0) + l.purged_people, COALESCE(c.machines, 0) + l.purged_machines, false
FROM click_links l LEFT JOIN (
    SELECT slug, count(*) FILTER (WHERE NOT machine) AS people, count(*) FILTER (WHERE machine) AS machines
    FROM clicks WHERE merchant_id = $1 GROUP BY slug) AS c ON c.slug = l.slug
WHERE l.merchant_id = $1 ORDER BY l.created_at, l.slug LIMIT 10000`

// ClickLinks lists a merchant's links with their clicks, oldest first.
func (s *Store) ClickLinks(ctx context.Context, m payment.MerchantID) ([]ClickLink, error) {
	rows, err := s.pool.Query(ctx, listClickLinks, m)
	if err != nil {
		return nil, fmt.Errorf("list click links: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ClickLink])
	if err != nil {
		return nil, fmt.Errorf("list click links: %w", err)
	}
	return out, nil
}

const newestClickLinks = `
SELECT merchant_id, slug, bot_username, campaign, created_at, 0::bigint, 0::bigint, false FROM click_links ORDER BY created_at DESC LIMIT $1`

// NewestClickLinks are links of all merchants, for a process that must forward also while the database is away.
func (s *Store) NewestClickLinks(ctx context.Context, limit int) ([]ClickLink, error) {
	rows, err := s.pool.Query(ctx, newestClickLinks, limit)
	if err != nil {
		return nil, fmt.Errorf("list newest click links: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ClickLink])
	if err != nil {
		return nil, fmt.Errorf("list newest click links: %w", err)
	}
	return out, nil
}

const findClickLink = `SELECT merchant_id, slug, bot_username, campaign, created_at FROM click_links WHERE slug = $1`

// FindClickLink finds a link by what stands in its address, or fails with ErrNotFound.
func (s *Store) FindClickLink(ctx context.Context, slug string) (ClickLink, error) {
	var l ClickLink
	err := s.pool.QueryRow(ctx, findClickLink, slug).Scan(&l.MerchantID, &l.Slug, &l.BotUsername, &l.Campaign, &l.CreatedAt)
	if err != nil {
		return ClickLink{}, fmt.Errorf("find click link: %w", one(err))
	}
	return l, nil
}

// Click is one click as it was captured.
type Click struct {
	MerchantID payment.MerchantID
	Token      string // 32 hexadecimal digits
	ID         uuid.UUID
	Slug       string
	ClickedAt  time.Time
	Machine    bool
	FBCLID     string
	Tracking   json.RawMessage // baixa.type.v1.Tracking in its JSON form
	Referrer   string
	Clipped    []string  // names of what was cut
	FirstAt    time.Time // when the first click with this fbclid came; read only
}

const insertClicks = `
INSERT INTO clicks (merchant_id, token, id, slug, clicked_at, machine, fbclid, tracking, referrer, clipped)
SELECT merchant_id, token, id, slug, clicked_at, machine, fbclid, tracking::jsonb, referrer, COALESCE(string_to_array(NULLIF(clipped, ''), ','), '{}')
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::bool[], $7::text[], $8::text[], $9::text[], $10::text[])
  AS w (merchant_id, token, id, slug, clicked_at, machine, fbclid, tracking, referrer, clipped)
ORDER BY merchant_id, token`

// InsertClicks stores clicks that came together in one statement.
func (s *Store) InsertClicks(ctx context.Context, clicks []Click) error {
	c := newColumns(len(clicks), 10)
	for i := range clicks {
		k := &clicks[i]
		clipped := ""
		for n, name := range k.Clipped {
			if n > 0 {
				clipped += ","
			}
			clipped += name
		}
		c.add(k.MerchantID, k.Token, k.ID, k.Slug, k.ClickedAt, k.Machine, k.FBCLID, string(k.Tracking), k.Referrer, clipped)
	}
	if _, err := s.pool.Exec(ctx, insertClicks, c.args...); err != nil {
		return fmt.Errorf("insert clicks: %w", err)
	}
	return nil
}

// clickColumns is what Click.targets take, from clicks AS c.
const clickColumns = `c.merchant_id, c.token, c.id, c.slug, c.clicked_at, c.machine, c.fbclid, c.tracking, c.referrer, c.clipped,
COALESCE((SELECT min(f.clicked_at) FROM clicks f WHERE f.merchant_id = c.merchant_id AND md5(f.fbclid) = md5(c.fbclid) AND f.fbclid = c.fbclid
          AND f.fbclid <> '' AND NOT f.machine), c.clicked_at)`

func (k *Click) targets() []any {
	return []any{&k.MerchantID, &k.Token, &k.ID, &k.Slug, &k.ClickedAt, &k.Machine, &k.FBCLID, &k.Tracking, &k.Referrer, &k.Clipped, &k.FirstAt}
}

const getClick = `SELECT ` + clickColumns + ` FROM clicks c WHERE c.merchant_id = $1 AND c.token = $2 AND NOT c.machine`

// GetClick returns a person's click of a merchant, or ErrNotFound.
func (s *Store) GetClick(ctx context.Context, m payment.MerchantID, token string) (Click, error) {
	var k Click
	if err := s.pool.QueryRow(ctx, getClick, m, token).Scan(k.targets()...); err != nil {
		return Click{}, fmt.Errorf("get click: %w", one(err))
	}
	return k, nil
}

const attachClick = `
INSERT INTO click_starts (merchant_id, bot_id, telegram_id, token, clicked_at)
SELECT c.merchant_id, $3, $4, c.token, c.clicked_at FROM clicks c WHERE c.merchant_id = $1 AND c.token = $2 AND NOT c.machine
ON CONFLICT (merchant_id, bot_id, telegram_id, token) DO NOTHING`

// AttachClick notes that a buyer started a bot with a click. Again changes nothing, and so does a token that the merchant does not
// have.
func (s *Store) AttachClick(ctx context.Context, m payment.MerchantID, token string, bot payment.BotID, telegram int64) error {
	if _, err := s.pool.Exec(ctx, attachClick, m, token, bot, telegram); err != nil {
		return fmt.Errorf("attach click: %w", err)
	}
	return nil
}

const buyersClicks = `
SELECT ` + clickColumns + `
FROM click_starts s JOIN clicks c ON c.merchant_id = s.merchant_id AND c.token = s.token
WHERE s.merchant_id = $1 AND s.bot_id = $2 AND s.telegram_id = $3 AND s.clicked_at <= $4
ORDER BY s.clicked_at DESC, s.token LIMIT $5`

// BuyersClicks are the clicks with which a buyer started a bot, until a moment; the first of them counts.
func (s *Store) BuyersClicks(ctx context.Context, m payment.MerchantID, bot payment.BotID, telegram int64, until time.Time, limit int) ([]Click, error) {
	rows, err := s.pool.Query(ctx, buyersClicks, m, bot, telegram, until, limit)
	if err != nil {
		return nil, fmt.Errorf("list a buyer's clicks: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k Click, err error) {
		err = row.Scan(k.targets()...)
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("list a buyer's clicks: %w", err)
	}
	return out, nil
}

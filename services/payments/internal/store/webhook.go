package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Webhook is what a provider posted.
type Webhook struct {
	ID          [16]byte
	Provider    string
	Digest      []byte // of everything that makes it the same webhook again
	AccountKey  string
	SaleKey     string
	Body        []byte // sealed
	ContentType string
	Headers     map[string]string
	RemoteAddr  string
	ReceivedAt  time.Time
	Attempts    int
	Lease       time.Time // until when a claim holds it, or who inserts it; zero: nobody
	// Opened is the body as it arrived, where whoever stored the webhook hands it on; Body is not needed then, and no header is sealed. It is
	// never a row's.
	Opened []byte `db:"-"`
	// Said is what was read of it before it was stored; nil: nothing was. It is never a row's.
	Said *Said `db:"-"`
}

// Said is what was read of a webhook.
type Said struct {
	Verdict Verdict // what it is before its sale is looked for: "parked", or what it is whatever sales there are
	Claims  []Claim // one at most where it was read before it was stored
}

// Claim is what a webhook says of one charge. Anybody may have written it.
type Claim struct {
	Ref            Charge
	Status         payment.Status
	ProviderStatus string
	Amount         *money.Amount // nil: it names none
}

// onCopy is what a copy of a webhook changes in its row h.
const onCopy = `
ON CONFLICT (digest) DO UPDATE SET copies = h.copies + 1, last_copy_at = EXCLUDED.received_at,
    body = CASE WHEN h.purged_at IS NULL THEN h.body ELSE EXCLUDED.body END,
    headers = CASE WHEN h.purged_at IS NULL THEN h.headers ELSE EXCLUDED.headers END, purged_at = NULL,
    state = CASE WHEN h.due_at IS NULL AND h.received_at < EXCLUDED.received_at - interval '5 seconds' THEN 'new' ELSE h.state END,
    due_at = CASE WHEN h.due_at IS NULL AND h.received_at < EXCLUDED.received_at - interval '5 seconds' THEN EXCLUDED.received_at ELSE h.due_at END`

// Copies come, but most webhooks are new, see pg.Fresh.
const (
	insertUnread      = `INSERT INTO webhooks AS h ` + unreadRows + storedRows
	insertUnreadKnown = `INSERT INTO webhooks AS h ` + unreadRows + onCopy + storedRows
	insertRead        = `INSERT INTO webhooks AS h ` + readRows + storedRows
	insertReadKnown   = `INSERT INTO webhooks AS h ` + readRows + onCopy + storedRows
)

const unreadRows = `(id, provider, digest, account_key, sale_key, body, content_type, headers, remote_addr, received_at, due_at, leased_until)
SELECT id, provider, digest, account_key, sale_key, body, content_type, headers::jsonb, remote_addr, received_at, received_at, lease
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
    $11::timestamptz[]) AS w (id, provider, digest, account_key, sale_key, body, content_type, headers, remote_addr, received_at, lease)`

// One whose sale is there is born unread.
const readRows = `(id, provider, digest, account_key, sale_key, body, content_type, headers, remote_addr, received_at,
    due_at, leased_until, state, reason, attempts, account_id, merchant_id, ref_hash, ref_id, ref_reference, claimed)
SELECT webhook_id, provider, digest, account_key, sale_key, body, content_type, headers::jsonb, remote_addr, received_at,
    CASE WHEN unread THEN received_at END, CASE WHEN unread THEN lease END, CASE WHEN unread THEN 'new' ELSE state END,
    CASE WHEN unread THEN '' ELSE reason END, CASE WHEN unread THEN 0 ELSE 1 END, account_id, merchant_id, hash, id, reference, claimed
FROM (
    SELECT w.*, CASE w.state WHEN 'new' THEN true WHEN 'parked' THEN
        w.sale_key <> '' AND EXISTS (SELECT 1 FROM payments p WHERE p.sale_key = w.sale_key` + within + `)
        OR w.hash <> '' AND EXISTS (SELECT 1 FROM payments p WHERE p.charge_hash = w.hash AND p.charge_hash <> ''` + within + `)
        OR w.id <> '' AND EXISTS (SELECT 1 FROM payments p WHERE lower(p.charge_id) = lower(w.id) AND p.charge_id <> ''` + within + `)
        OR w.reference <> '' AND EXISTS (SELECT 1 FROM payments p WHERE p.charge_reference = w.reference AND p.charge_reference <> ''` + within + `)
    ELSE false END AS unread
    FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::timestamptz[],
        $11::timestamptz[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], $16::text[], $17::text[], $18::text[], $19::text[])
      AS w (webhook_id, provider, digest, account_key, sale_key, body, content_type, headers, remote_addr, received_at,
        lease, state, reason, account_id, merchant_id, hash, id, reference, claimed)
    OFFSET 0
) AS w`

const storedRows = `
RETURNING h.digest, h.id, h.due_at IS NOT NULL`

// within is what a sale p and a webhook w must have in common beside an identifier.
const within = ` AND p.provider = w.provider AND (w.account_id IS NULL OR p.account_id = w.account_id)
  AND (w.merchant_id IS NULL OR p.merchant_id = w.merchant_id)`

// Stored is where a webhook is.
type Stored struct {
	ID     [16]byte // its own, or that of an exact copy that was there before
	Unread bool     // somebody has to read it
}

// InsertWebhooks stores webhooks durably in one statement and returns by digest where each is. One that was read already is born with its verdict, unless
// that is "parked" and there is a sale with its identifiers: it is born unread. A copy that comes later asks for another look, since the first may have been too early. Every digest must be given once. The lease that a webhook names is its row's only where the
// row is new and unread.
func (s *Store) InsertWebhooks(ctx context.Context, hooks []Webhook) (map[string]Stored, error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	n := len(hooks)
	ids, digests, bodies, headers := make([][16]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	texts := make([]string, 5*n)
	column := func(i int) []string { return texts[i*n : (i+1)*n : (i+1)*n] }
	providers, accountKeys, saleKeys, types, addrs := column(0), column(1), column(2), column(3), column(4)
	received, leases := make([]time.Time, n), make([]*time.Time, n)
	said := false
	for i := range hooks {
		h := &hooks[i]
		var err error
		if headers[i], err = marshal(h.Headers); err != nil {
			return nil, fmt.Errorf("insert webhooks: %w", err)
		}
		ids[i], providers[i], digests[i], accountKeys[i], saleKeys[i] = h.ID, h.Provider, h.Digest, h.AccountKey, h.SaleKey
		bodies[i], types[i], addrs[i], received[i] = h.Body, h.ContentType, h.RemoteAddr, h.ReceivedAt
		if !h.Lease.IsZero() {
			leases[i] = &h.Lease
		}
		said = said || h.Said != nil
	}
	args := []any{ids, providers, digests, accountKeys, saleKeys, bodies, types, headers, addrs, received, leases}
	if said {
		args = append(args, says(hooks)...)
	}
	out := make(map[string]Stored, n)
	err := s.fresh.Do(func(known bool) (err error) {
		var rows pgx.Rows
		switch {
		case said && known:
			rows, err = pg.ByKey.Query(ctx, s.pool, insertReadKnown, args...)
		case said:
			rows, err = pg.ByKey.Query(ctx, s.pool, insertRead, args...)
		case known:
			rows, err = s.pool.Query(ctx, insertUnreadKnown, args...)
		default:
			rows, err = s.pool.Query(ctx, insertUnread, args...)
		}
		if err != nil {
			return err
		}
		clear(out)
		var digest []byte
		var one Stored
		_, err = pgx.ForEachRow(rows, []any{&digest, &one.ID, &one.Unread}, func() error { out[string(digest)] = one; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("insert webhooks: %w", err)
	}
	return out, nil
}

// says are the columns of readRows that were read.
func says(hooks []Webhook) []any {
	c := newColumns(len(hooks), 8)
	for i := range hooks {
		v := Verdict{State: "new"}
		if said := hooks[i].Said; said != nil {
			v = said.Verdict
		}
		c.add(v.State, v.Reason, null(v.AccountID), null(v.MerchantID), v.Ref.Hash, v.Ref.ID, v.Ref.Reference, v.Claimed)
	}
	return c.args
}

// Copies are copies of a webhook that came while it was being stored, or soon after.
type Copies struct {
	Digest []byte
	N      int
	LastAt time.Time
}

// Rows are locked in the order of their digests, as whoever stores them does.
const countCopies = `
UPDATE webhooks h SET copies = h.copies + w.n, last_copy_at = GREATEST(h.last_copy_at, w.at)
FROM (
    SELECT k.id, v.n, v.at FROM unnest($1::bytea[], $2::int[], $3::timestamptz[]) AS v (digest, n, at)
    JOIN webhooks k ON k.digest = v.digest
    ORDER BY k.digest FOR UPDATE OF k
) AS w
WHERE h.id = w.id`

// CountCopies notes copies of webhooks that are stored. Nothing else comes of them: they ask for no other look. What a server that crashes at once
// had counted may be lost.
func (s *Store) CountCopies(ctx context.Context, counts []Copies) error {
	c := newColumns(len(counts), 3)
	for _, n := range counts {
		c.add(n.Digest, n.N, n.LastAt)
	}
	rows, err := pg.Lease.Query(ctx, s.pool, countCopies, c.args...)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("count copies: %w", err)
	}
	return nil
}

const claimWebhooks = `
WITH picked AS (
    SELECT id FROM webhooks
    WHERE due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE webhooks h SET leased_until = $2
FROM picked w WHERE h.id = w.id
RETURNING h.id, h.provider, h.digest, h.account_key, h.sale_key, h.body, h.content_type, h.headers, h.remote_addr, h.received_at, h.attempts,
    h.leased_until`

// ClaimWebhooks leases up to limit webhooks that wait to be read, until lease.
func (s *Store) ClaimWebhooks(ctx context.Context, now, lease time.Time, limit int) ([]Webhook, error) {
	rows, err := pg.Lease.Query(ctx, s.pool, claimWebhooks, now, lease, limit)
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Webhook])
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return out, nil
}

// Verdict is what became of a webhook after it was read.
type Verdict struct {
	ID         [16]byte
	Digest     []byte    // of the webhook
	Lease      time.Time // as claimed
	State      string    // as the table's check lists them
	Reason     string
	DueAt      *time.Time // read again then; nil: not by itself
	AccountID  *payment.AccountID
	MerchantID *payment.MerchantID
	PaymentID  *payment.ID
	Ref        Charge // identifiers in it, to match later
	Claimed    string
}

const judgeWebhooks = `
UPDATE webhooks h SET state = w.state, reason = w.reason, due_at = w.due_at, leased_until = NULL, attempts = h.attempts + 1,
    account_id = w.account_id, merchant_id = w.merchant_id, payment_id = w.payment_id, ref_hash = w.ref_hash, ref_id = w.ref_id,
    ref_reference = w.ref_reference, claimed = w.claimed
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::timestamptz[])
    AS w (id, state, reason, due_at, account_id, merchant_id, payment_id, ref_hash, ref_id, ref_reference, claimed, lease)
WHERE h.id = w.id AND h.leased_until = w.lease`

// JudgeWebhooks writes what became of webhooks and ends their leases, in the transaction that records it with the sales. One
// that is not held any more (its sale has just appeared, or the lease ended) will be read again and is left alone. Rows are
// written in the order of their digests, as whoever stores them does: the transaction is to be one of pg.ByKey, whose plan finds them one after the
// other in the order given. Locking them first, in a statement's part, would write each row twice.
func JudgeWebhooks(ctx context.Context, tx pgx.Tx, verdicts []Verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	verdicts = slices.Clone(verdicts)
	slices.SortFunc(verdicts, func(a, b Verdict) int { return bytes.Compare(a.Digest, b.Digest) })
	c := newColumns(len(verdicts), 12)
	for _, v := range verdicts {
		c.add(v.ID, v.State, v.Reason, null(v.DueAt), null(v.AccountID), null(v.MerchantID), null(v.PaymentID), v.Ref.Hash, v.Ref.ID, v.Ref.Reference, v.Claimed, v.Lease)
	}
	if _, err := tx.Exec(ctx, judgeWebhooks, c.args...); err != nil {
		return fmt.Errorf("judge webhooks: %w", err)
	}
	return nil
}

// stillHeld are those of the webhooks $1 that have the leases $2, locked in the order of their digests, as a part of updates of h.
const stillHeld = `
FROM (
    SELECT k.id FROM unnest($1::uuid[], $2::timestamptz[]) AS v (id, lease)
    JOIN webhooks k ON k.id = v.id AND k.leased_until = v.lease
    ORDER BY k.digest FOR UPDATE OF k
) AS w
WHERE h.id = w.id`

const postponeWebhooks = `
UPDATE webhooks h SET leased_until = NULL, attempts = h.attempts + 1, due_at = $3, reason = $4` + stillHeld

// leases are the arguments of stillHeld.
func leases(hooks []Webhook) []any {
	c := newColumns(len(hooks), 2)
	for i := range hooks {
		c.add(hooks[i].ID, hooks[i].Lease)
	}
	return c.args
}

// PostponeWebhooks gives claimed webhooks back unread, due again at due. Those that are not held any more are left alone.
func (s *Store) PostponeWebhooks(ctx context.Context, hooks []Webhook, due time.Time, reason string) error {
	if len(hooks) == 0 {
		return nil
	}
	if _, err := s.pool.Exec(ctx, postponeWebhooks, append(leases(hooks), due, reason)...); err != nil {
		return fmt.Errorf("postpone webhooks: %w", err)
	}
	return nil
}

const returnWebhooks = `
UPDATE webhooks h SET leased_until = NULL` + stillHeld

// ReturnWebhooks gives back webhooks that nobody began to read, each of which still has the lease that it was inserted with.
func (s *Store) ReturnWebhooks(ctx context.Context, hooks []Webhook) error {
	if len(hooks) == 0 {
		return nil
	}
	if _, err := s.pool.Exec(ctx, returnWebhooks, leases(hooks)...); err != nil {
		return fmt.Errorf("return webhooks: %w", err)
	}
	return nil
}

// Hint is what a webhook says about which sale it means.
type Hint struct {
	Provider   string
	SaleKey    string
	AccountID  *payment.AccountID // nil: not known
	MerchantID *payment.MerchantID
	Ref        Charge
}

const matchHints = `
SELECT w.n, p.merchant_id, p.id, p.account_id, p.sale_key = w.sale_key AND p.charge_id = '' AND p.charge_hash = ''
FROM unnest($1::int[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[])
  AS w (n, provider, sale_key, account_id, merchant_id, hash, id, reference)
CROSS JOIN LATERAL (
    SELECT merchant_id, id, account_id, provider, sale_key, charge_id, charge_hash FROM payments WHERE sale_key = NULLIF(w.sale_key, '')
    UNION SELECT merchant_id, id, account_id, provider, sale_key, charge_id, charge_hash FROM payments WHERE charge_hash = NULLIF(w.hash, '') AND charge_hash <> ''
    UNION SELECT merchant_id, id, account_id, provider, sale_key, charge_id, charge_hash FROM payments WHERE lower(charge_id) = lower(NULLIF(w.id, '')) AND charge_id <> ''
    UNION SELECT merchant_id, id, account_id, provider, sale_key, charge_id, charge_hash FROM payments WHERE charge_reference = NULLIF(w.reference, '') AND charge_reference <> ''
) AS p
WHERE true` + within + `
ORDER BY w.n, p.id`

// Matched is a sale that a hint names exactly.
type Matched struct {
	Key
	AccountID payment.AccountID
	// Unnamed says that the sale's own address was used and that the provider's identifiers are not known: the answer that had
	// them was lost.
	Unnamed bool
}

// MatchHints returns, by index into hints, the sales that each names by exact identifiers, within its provider and, where known,
// its account and merchant.
func (s *Store) MatchHints(ctx context.Context, hints []Hint) (map[int][]Matched, error) {
	if len(hints) == 0 {
		return nil, nil
	}
	c := newColumns(len(hints), 8)
	for i, h := range hints {
		c.add(i, h.Provider, h.SaleKey, null(h.AccountID), null(h.MerchantID), h.Ref.Hash, h.Ref.ID, h.Ref.Reference)
	}
	rows, err := pg.ByKey.Query(ctx, s.pool, matchHints, c.args...)
	if err != nil {
		return nil, fmt.Errorf("match hints: %w", err)
	}
	out := map[int][]Matched{}
	var n int
	var m Matched
	_, err = pgx.ForEachRow(rows, []any{&n, &m.MerchantID, &m.PaymentID, &m.AccountID, &m.Unnamed}, func() error {
		out[n] = append(out[n], m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("match hints: %w", err)
	}
	return out, nil
}

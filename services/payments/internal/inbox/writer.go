package inbox

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	maxBatchBytes = 8 << 20 // of sealed bodies in one statement
	maxConflicts  = 5       // attempts of one batch that deadlocks with those who read webhooks
)

// entry is one webhook on its way.
type entry struct {
	hook    store.Webhook
	opened  map[string]string // its headers as they arrived
	body    []byte            // the same
	span    trace.SpanContext // of the call; the statement's span is drawn under that of the first in a batch
	receipt Receipt           // once it is committed
}

func size(e *entry) int64 { return int64(len(e.hook.Body)) + 512 }

// Run writes until ctx is done; what was taken before that is written, each commit within WriteTimeout, and nothing more is
// taken. It runs once.
func (b *Inbox) Run(ctx context.Context) error {
	done := make(chan struct{})
	var counting sync.WaitGroup
	counting.Go(func() { b.countCopies(context.WithoutCancel(ctx), done) })
	err := b.group.Run(ctx)
	close(done)
	counting.Wait()
	return err
}

// commit stores a batch in one statement and writes its receipts.
func (b *Inbox) commit(ctx context.Context, batch []*entry) error {
	groups := join(batch)
	hooks := make([]store.Webhook, len(groups))
	for i, g := range groups {
		hooks[i] = g[0].hook
	}
	b.lend(hooks)
	b.meters.batch.Record(ctx, int64(len(batch)))
	ctx = trace.ContextWithSpanContext(ctx, batch[0].span)
	ids, err := b.insert(ctx, hooks)
	if err != nil {
		return err
	}
	b.press.note(b.cfg.Now(), len(groups))
	if !b.hand(groups, hooks, ids) {
		b.cfg.Wake()
	}
	for _, g := range groups {
		if err := b.receive(ctx, g, ids); err != nil {
			return err
		}
	}
	return nil
}

// join groups copies. Groups are in the order of their digests, so that two statements that hold the same webhooks lock their
// rows in the same order.
func join(batch []*entry) [][]*entry {
	at := make(map[[32]byte]int, len(batch))
	groups := make([][]*entry, 0, len(batch))
	for _, e := range batch {
		digest := [32]byte(e.hook.Digest)
		i, known := at[digest]
		if !known {
			i = len(groups)
			at[digest] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	slices.SortFunc(groups, func(a, b []*entry) int { return bytes.Compare(a[0].hook.Digest, b[0].hook.Digest) })
	return groups
}

// insert runs the statement within WriteTimeout, again when it lost a deadlock.
func (b *Inbox) insert(ctx context.Context, hooks []store.Webhook) (ids map[string][16]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.WriteTimeout)
	defer cancel()
	for range maxConflicts {
		ids, err = b.cfg.Store.InsertWebhooks(ctx, hooks)
		if !conflict(err) {
			break
		}
	}
	return ids, err
}

// receive writes the receipts of one group. The first of them is the one whose row was offered.
func (b *Inbox) receive(ctx context.Context, group []*entry, ids map[string][16]byte) error {
	first := group[0].hook
	id, stored := ids[string(first.Digest)]
	if !stored {
		return errors.New("the statement did not say where a webhook is")
	}
	copies := len(group)
	if id == first.ID {
		copies--
		b.meters.count(ctx, "stored", 1)
	}
	b.meters.count(ctx, "duplicate", copies)
	for i, e := range group {
		e.receipt = Receipt{ID: id, Duplicate: i > 0 || id != first.ID}
	}
	return nil
}

// conflict reports whether the statement lost a deadlock and may be run again.
func conflict(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001")
}

// refusesRow reports whether the database refused the data of a row (classes 22 and 23 of its SQLSTATEs).
func refusesRow(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && len(e.Code) == 5 && (e.Code[:2] == "22" || e.Code[:2] == "23")
}

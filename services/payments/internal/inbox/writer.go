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
	b.meters.batch.Record(ctx, int64(len(batch)))
	ctx = trace.ContextWithSpanContext(ctx, batch[0].span)
	b.read(ctx, groups, hooks)
	b.lend(hooks)
	stored, err := b.insert(ctx, hooks)
	if err != nil {
		return err
	}
	b.press.note(b.cfg.Now(), len(groups))
	if !b.hand(groups, hooks, stored) {
		b.cfg.Wake()
	}
	for _, g := range groups {
		if err := b.receive(ctx, g, stored); err != nil {
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

// read asks what the webhooks say while storing is what waits: those that nobody has to read any more need no second version of their rows, and the
// batches are large enough to pay for the question.
func (b *Inbox) read(ctx context.Context, groups [][]*entry, hooks []store.Webhook) {
	if b.cfg.Read == nil || !b.Pressed() {
		return
	}
	opened := make([]store.Webhook, len(hooks))
	for i, h := range hooks {
		h.Body, h.Opened, h.Headers = nil, groups[i][0].body, groups[i][0].opened
		opened[i] = h
	}
	for i, said := range b.cfg.Read(ctx, opened) {
		hooks[i].Said = said
	}
}

// insert runs the statement within WriteTimeout, again when it lost a deadlock.
func (b *Inbox) insert(ctx context.Context, hooks []store.Webhook) (stored map[string]store.Stored, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.WriteTimeout)
	defer cancel()
	for range maxConflicts {
		stored, err = b.cfg.Store.InsertWebhooks(ctx, hooks)
		if !conflict(err) {
			break
		}
	}
	return stored, err
}

// receive writes the receipts of one group. The first of them is the one whose row was offered.
func (b *Inbox) receive(ctx context.Context, group []*entry, stored map[string]store.Stored) error {
	first := group[0].hook
	at, known := stored[string(first.Digest)]
	if !known {
		return errors.New("the statement did not say where a webhook is")
	}
	copies := len(group)
	if at.ID == first.ID {
		copies--
		b.meters.count(ctx, "stored", 1)
	}
	b.meters.count(ctx, "duplicate", copies)
	for i, e := range group {
		e.receipt = Receipt{ID: at.ID, Duplicate: i > 0 || at.ID != first.ID}
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

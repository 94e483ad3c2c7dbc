package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// A sale whose row somebody edited so that it cannot be read must not hold up the others of a batch, and nothing may be decided about it.
// It is set aside with what happens to it (store/held.go), and goes on from there when its row can be read again. See docs/adr/0019.

// refused is the error of a call that wants all of its sales and cannot have this one.
func (b *book) refused(calls []*call) error {
	if len(b.unreadable) == 0 {
		return nil
	}
	for _, c := range calls {
		if c.holds {
			continue
		}
		for _, e := range c.entries {
			if u, bad := b.unreadable[e.Key]; bad {
				return u
			}
		}
	}
	return nil
}

// hold writes what is set aside.
func (b *book) hold(ctx context.Context, tx pgx.Tx, entries []Entry) error {
	if len(b.unreadable) == 0 {
		return nil
	}
	var kept []store.HeldEntry
	for _, e := range entries {
		if _, bad := b.unreadable[e.Key]; !bad || !e.keeps() {
			continue
		}
		raw, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("keep an event of payment %s: %w", e.PaymentID, err)
		}
		kept = append(kept, store.HeldEntry{Key: e.Key, Entry: raw})
	}
	bad := make([]store.Unreadable, 0, len(b.unreadable))
	for _, u := range b.unreadable {
		bad = append(bad, u)
	}
	return store.Hold(ctx, tx, bad, kept, b.now)
}

// keeps reports whether an entry of a sale that is set aside is kept for it. What the provider said is not: it is asked again, and an old
// answer must not be taken for a new one. Nor is what only asked for a look.
func (e Entry) keeps() bool {
	switch e.Event.Kind {
	case "", payment.Reported, payment.PollFailed, payment.BuyerPresent, payment.ExpiryReached, payment.HintRefused:
		return false
	case payment.HintReceived:
		return e.Charge != nil // it named the sale at its provider
	}
	return true
}

func (b *book) log(ctx context.Context) {
	for _, u := range b.unreadable {
		slog.ErrorContext(ctx, "sale set aside: its stored row cannot be read; repair it and it goes on by itself",
			slog.String("payment_id", u.PaymentID.String()), slog.String("merchant_id", u.MerchantID.String()), slog.String("why", u.Why))
	}
}

// Hold sets sales aside that somebody found unreadable: they are logged and recorded, and neither looked at nor worked on until Release.
func (l *Ledger) Hold(ctx context.Context, bad []store.Unreadable) error {
	if len(bad) == 0 {
		return nil
	}
	b := newBook(l, 0)
	for _, u := range bad {
		b.unreadable[u.Key] = u
	}
	err := pg.InTx(ctx, l.pool, func(tx pgx.Tx) error { return b.hold(ctx, tx, nil) })
	if err != nil {
		return fmt.Errorf("hold %d sales: %w", len(bad), err)
	}
	b.log(ctx)
	return nil
}

// Release lets a sale go that was set aside, if its row can be read by now: what happened to it meanwhile is applied, it is looked at as soon
// as its provider's rule allows, and its work is due. It reports whether it did. Doing it again is harmless.
func (l *Ledger) Release(ctx context.Context, k store.Key) (bool, error) {
	var b *book
	released := false
	err := pg.InTx(ctx, l.pool, func(tx pgx.Tx) error {
		var err error
		if b, err = l.open(ctx, tx, []Entry{{Key: k}}); err != nil {
			return err
		}
		if released = len(b.unreadable) == 0; !released {
			return nil
		}
		raw, err := store.ReleaseSale(ctx, tx, k, b.now)
		if err != nil {
			return err
		}
		for _, text := range raw {
			var e Entry
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("read an event of payment %s: %w", k.PaymentID, err)
			}
			b.enter(e)
		}
		p := b.pages[k]
		now := b.now
		p.look.WantAt, p.asked, p.wanted = &now, true, true
		b.work.Deliver, b.work.Owner, b.work.Token = true, true, true
		return l.close(ctx, tx, b, nil)
	})
	if err != nil {
		return false, fmt.Errorf("release payment %s: %w", k.PaymentID, err)
	}
	if released {
		slog.InfoContext(ctx, "sale goes on: its row can be read again", slog.String("payment_id", k.PaymentID.String()))
		l.wake(b.work)
	}
	return released, nil
}

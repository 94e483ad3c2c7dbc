package prove

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Leaves say what the leaf knows nothing of; the sales of a call are all of one merchant. Results may be nil. Both are asked about at
// most 500 sales a call.
type Leaves interface {
	// Undelivered are the sales of which delivery has no link.
	Undelivered(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error)
	// Untold are the sales of which notifier has no message to the buyer.
	Untold(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error)
	// Unrecorded is what notifier never recorded of the duties, and what it recorded and nothing leads on.
	Unrecorded(ctx context.Context, m payment.MerchantID, duties []Duty) ([]Unrecorded, error)
}

// Unrecorded is one thing that notifier does not have of a sale.
type Unrecorded struct {
	PaymentID payment.ID
	// Kind is "notice", "access", "message_stuck" or "access_stuck".
	Kind string
	Key  string // of a notice or a message
}

// askBatch is how many sales the leaves are asked about at once.
const askBatch = 500

// errand is what is asked of the leaves about sales of one merchant.
type errand struct {
	merchant        payment.MerchantID
	links, messages []payment.ID
	duties          []Duty
	asked           int64
}

// leaves asks delivery and notifier about every sale with whatever its history says they must have. It reads the sales anew, each batch in
// one moment, without a transaction around the calls: what is recorded here, and not open any more, was recorded there before.
func (p *prover) leaves() error {
	var after store.Key
	for {
		var (
			errands []errand
			last    *store.Key
		)
		err := pgx.BeginTxFunc(p.ctx, p.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
			errands, last, err = readErrands(p.ctx, tx, after, p.merchant)
			return err
		})
		if err != nil {
			return err
		}
		if last == nil {
			return nil
		}
		after = *last
		for _, e := range errands {
			if err := p.ask(e); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// readErrands reads the next sales behind a key; last is nil behind the last one.
func readErrands(ctx context.Context, tx pgx.Tx, after store.Key, m *payment.MerchantID) (out []errand, last *store.Key, err error) {
	sales, err := store.EntrustedSales(ctx, tx, after, m, askBatch)
	if err != nil || len(sales) == 0 {
		return nil, nil, err
	}
	duties, err := readDuties(ctx, tx, sales)
	if err != nil {
		return nil, nil, err
	}
	for i, s := range sales {
		if len(out) == 0 || out[len(out)-1].merchant != s.MerchantID { // a merchant's sales lie together
			out = append(out, errand{merchant: s.MerchantID})
		}
		e := &out[len(out)-1]
		if s.Link {
			e.links = append(e.links, s.PaymentID)
		}
		if s.Message {
			e.messages = append(e.messages, s.PaymentID)
		}
		if d := duties[i]; s.Message || d.Access || len(d.Keys) > 0 {
			e.duties = append(e.duties, d)
		}
		if s.Link || len(duties[i].Keys) > 0 {
			e.asked++
		}
	}
	return out, &sales[len(sales)-1].Key, nil
}

func (p *prover) ask(e errand) error {
	note := func(kind string, id payment.ID, format string, args ...any) {
		p.found(Found{Kind: kind, MerchantID: e.merchant, PaymentID: id, Text: fmt.Sprintf(format, args...)})
	}
	missing, err := p.Leaves.Undelivered(p.ctx, e.merchant, e.links)
	if err != nil {
		return err
	}
	for _, id := range missing {
		note("link_unknown", id, "a link was issued, and delivery knows of none")
	}
	if missing, err = p.Leaves.Untold(p.ctx, e.merchant, e.messages); err != nil {
		return err
	}
	for _, id := range missing {
		note("message_unknown", id, "the buyer's message was handed over, and notifier knows of none")
	}
	unrecorded, err := p.Leaves.Unrecorded(p.ctx, e.merchant, e.duties)
	if err != nil {
		return err
	}
	for _, u := range unrecorded {
		switch u.Kind {
		case "notice":
			kind, whom := whose(u.Key)
			note(kind, u.PaymentID, "%s was to be told (%s), nothing here will tell, and notifier knows of nothing", whom, u.Key)
		case "access":
			note("access_unknown", u.PaymentID, "it gives a group and was delivered, and notifier granted no access")
		case "message_stuck":
			note("message_stuck", u.PaymentID, "the message %s waits at notifier, and nothing there will send it", u.Key)
		case "access_stuck":
			note("access_stuck", u.PaymentID, "the access to the group has an end, and nothing at notifier will end it")
		default:
			return fmt.Errorf("notifier found %q, which this version does not know", u.Kind)
		}
	}
	p.counts.Asked += e.asked
	return nil
}

package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// Patience is how long everything may take to settle.
const Patience = 4 * time.Minute

const lookEvery = 250 * time.Millisecond

// Settle waits until nothing is left to happen, telling progress, and returns the result. It fails when ctx ends or patience does.
func (d *Demo) Settle(ctx context.Context, started time.Time, imported int, progress func(settled, all int)) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	quiet := 0
	for {
		sales, err := d.sales(ctx)
		if err != nil {
			return Result{}, client.Explain(err, d.GRPC)
		}
		settled, open := 0, map[string]bool{}
		for _, s := range sales {
			if d.settled(s) {
				settled++
			} else {
				open[s.GetProvider()] = true
			}
		}
		progress(settled, len(sales))
		waiting, err := d.payLate(sales)
		if err != nil {
			return Result{}, err
		}
		d.clock(sales, open, time.Since(started))
		r := d.result(sales, imported, time.Since(started))
		// The last events are on their way to the socket when the last sale is settled.
		if settled == len(sales) && len(sales) >= imported && !waiting {
			if quiet++; quiet > 2 {
				return r, nil
			}
		} else {
			quiet = 0
		}
		select {
		case <-tick.C:
		case err := <-d.ended:
			d.ended <- err
			return r, fmt.Errorf("the system ended: %w", err)
		case <-ctx.Done():
			return r, fmt.Errorf("%d of %d sales have not settled", len(sales)-settled, len(sales))
		}
	}
}

// clock notes when each provider's last sale settled.
func (d *Demo) clock(sales []*paymentsv1.Payment, open map[string]bool, took time.Duration) {
	for _, s := range sales {
		if name := s.GetProvider(); open[name] {
			delete(d.took, name)
		} else if _, noted := d.took[name]; !noted {
			d.took[name] = took
		}
	}
}

// settled reports whether nothing more is expected of a sale for now: its provider was asked, and when it is paid its buyer has the
// message and Meta the Purchase. A buyer whose message came before this start is gone with the simulators that played it.
func (d *Demo) settled(s *paymentsv1.Payment) bool {
	if s.GetKnowledge().GetPolls() == 0 {
		return false
	}
	f := s.GetFulfilment()
	if s.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID || f.GetDeliveredElsewhere() {
		return true
	}
	told := f.GetMessage() == "sent" || f.GetMessage() == "undeliverable" || f.GetMessage() == "maybe_sent"
	if told && f.GetMessageSentAt().AsTime().Before(d.born) {
		return true
	}
	return told && f.GetTokenIssuedAt() != nil && slices.Contains([]string{"sent", "failed", "not_configured"}, f.GetPurchase())
}

// payLate pays the charges that ended first, as soon as the system has seen them end. waiting is true until they are paid here, too.
func (d *Demo) payLate(sales []*paymentsv1.Payment) (waiting bool, err error) {
	status := map[string]paymentsv1.PaymentStatus{}
	for _, s := range sales {
		status[s.GetExternalId()] = s.GetStatus()
	}
	for i := range d.late {
		l := &d.late[i]
		switch now := status[l.externalID]; {
		case now == paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED && !l.paid:
			if err := d.world.SetStatus(l.charge.Provider, l.charge.ID, sim.Paid); err != nil {
				return true, err
			}
			l.paid, waiting = true, true
			delete(d.took, string(l.charge.Provider))
		case now != paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID:
			waiting = true
		}
	}
	return waiting, nil
}

// sales are all sales, as the API shows them.
func (d *Demo) sales(ctx context.Context) ([]*paymentsv1.Payment, error) {
	var out []*paymentsv1.Payment
	req := &paymentsv1.ListPaymentsRequest{PageSize: 500}
	for {
		page, err := d.client.Payments.ListPayments(ctx, req)
		if err != nil {
			return nil, err
		}
		out = append(out, page.GetPayments()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

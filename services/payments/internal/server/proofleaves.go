package server

import (
	"context"
	"fmt"
	"time"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/prove"
)

// leaves asks delivery and notifier for a proof, a call for up to 500 sales. The service asks for itself: who called may see these sales
// already.
type leaves struct{ s *Server }

const (
	askAtOnce  = 500
	askedAfter = 30 * time.Second // of a call
)

// Undelivered implements prove.Leaves.
func (l leaves) Undelivered(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error) {
	return ask(ctx, "delivery", sales, func(ctx context.Context, ids []string) ([]string, error) {
		resp, err := l.s.Delivery.FindUnissued(ctx, &deliveryv1.FindUnissuedRequest{MerchantId: m.String(), PaymentIds: ids})
		return resp.GetPaymentIds(), err
	})
}

// Untold implements prove.Leaves.
func (l leaves) Untold(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error) {
	return ask(ctx, "notifier", sales, func(ctx context.Context, ids []string) ([]string, error) {
		resp, err := l.s.Notifier.FindUntold(ctx, &notifierv1.FindUntoldRequest{MerchantId: m.String(), PaymentIds: ids})
		return resp.GetPaymentIds(), err
	})
}

// Unrecorded implements prove.Leaves.
func (l leaves) Unrecorded(ctx context.Context, m payment.MerchantID, duties []prove.Duty) (out []prove.Unrecorded, err error) {
	ctx = auth.With(ctx, auth.Principal{Operator: true})
	for len(duties) > 0 {
		req := &notifierv1.FindUnrecordedRequest{MerchantId: m.String()}
		n := min(len(duties), askAtOnce)
		for _, d := range duties[:n] {
			req.Sales = append(req.Sales, &notifierv1.Recorded{PaymentId: d.PaymentID.String(), Keys: d.Keys, Access: d.Access})
		}
		duties = duties[n:]
		call, cancel := context.WithTimeout(ctx, askedAfter)
		resp, err := l.s.Notifier.FindUnrecorded(call, req)
		cancel()
		if err != nil {
			return nil, unreachable("notifier", err)
		}
		for _, u := range resp.GetUnrecorded() {
			id, err := payment.ParseID(u.GetPaymentId())
			if err != nil {
				return nil, fmt.Errorf("notifier names a sale by what is no id: %w", err)
			}
			out = append(out, prove.Unrecorded{PaymentID: id, Kind: u.GetKind(), Key: u.GetKey()})
		}
	}
	return out, nil
}

// ask returns the sales of which unknown names the ids.
func ask(ctx context.Context, leaf string, sales []payment.ID, unknown func(context.Context, []string) ([]string, error)) (missing []payment.ID, err error) {
	ctx = auth.With(ctx, auth.Principal{Operator: true})
	for len(sales) > 0 {
		n := min(len(sales), askAtOnce)
		ids := make([]string, n)
		for i, id := range sales[:n] {
			ids[i] = id.String()
		}
		sales = sales[n:]
		call, cancel := context.WithTimeout(ctx, askedAfter)
		names, err := unknown(call, ids)
		cancel()
		if err != nil {
			return nil, unreachable(leaf, err)
		}
		for _, name := range names {
			id, err := payment.ParseID(name)
			if err != nil {
				return nil, fmt.Errorf("%s names a sale by what is no id: %w", leaf, err)
			}
			missing = append(missing, id)
		}
	}
	return missing, nil
}

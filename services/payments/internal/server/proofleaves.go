package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// leaves asks delivery and notifier for a proof, about several sales at once.
type leaves struct{ s *Server }

const (
	askAtOnce  = 16
	askedAfter = 30 * time.Second // of a batch
)

// Undelivered implements prove.Leaves.
func (l leaves) Undelivered(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error) {
	return ask(ctx, "delivery", sales, func(ctx context.Context, id payment.ID) (bool, error) {
		_, err := l.s.Delivery.GetDelivery(ctx, &deliveryv1.GetDeliveryRequest{MerchantId: m.String(), PaymentId: id.String()})
		if status.Code(err) == codes.NotFound {
			return false, nil
		}
		return true, err
	})
}

// Untold implements prove.Leaves.
func (l leaves) Untold(ctx context.Context, m payment.MerchantID, sales []payment.ID) ([]payment.ID, error) {
	return ask(ctx, "notifier", sales, func(ctx context.Context, id payment.ID) (bool, error) {
		resp, err := l.s.Notifier.GetNotifications(ctx, &notifierv1.GetNotificationsRequest{MerchantId: m.String(), PaymentId: id.String()})
		return slices.ContainsFunc(resp.GetNotifications(), func(n *notifierv1.Notification) bool { return n.GetKind() == "delivery" }), err
	})
}

// ask returns the sales of which known says no. The service asks for itself: who called may see these sales already.
func ask(ctx context.Context, leaf string, sales []payment.ID, known func(context.Context, payment.ID) (bool, error)) ([]payment.ID, error) {
	ctx, cancel := context.WithTimeout(auth.With(ctx, auth.Principal{Operator: true}), askedAfter)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askAtOnce)
	var mu sync.Mutex
	var missing []payment.ID
	for _, id := range sales {
		g.Go(func() error {
			yes, err := known(ctx, id)
			if err != nil {
				return unreachable(leaf, err)
			}
			if !yes {
				mu.Lock()
				defer mu.Unlock()
				missing = append(missing, id)
			}
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(missing, func(a, b payment.ID) int { return slices.Compare(a[:], b[:]) })
	return missing, err
}

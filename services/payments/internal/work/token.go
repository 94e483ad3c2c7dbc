package work

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The links of sales whose money went back are closed, and opened again when it returns; and links are sent again (resend.go).

func (w *Worker) claimTokens(ctx context.Context, limit int) ([]store.Effect, error) {
	now := w.Now()
	revoke, err := w.Store.ClaimEffects(ctx, ledger.KindRevoke, now, now.Add(lease), limit)
	if err != nil {
		return nil, err
	}
	restore, err := w.Store.ClaimEffects(ctx, ledger.KindRestore, now, now.Add(lease), limit-len(revoke))
	if err != nil {
		return revoke, err
	}
	resend, err := w.Store.ClaimEffects(ctx, ledger.KindResend, now, now.Add(lease), limit-len(revoke)-len(restore))
	if err != nil {
		return slices.Concat(revoke, restore), err
	}
	group, err := w.Store.ClaimEffects(ctx, ledger.KindGroup, now, now.Add(lease), limit-len(revoke)-len(restore)-len(resend))
	return slices.Concat(revoke, restore, resend, group), err
}

// changeTokens looks at each sale as it is now, so that the last word stands however the orders were overtaken.
func (w *Worker) changeTokens(ctx context.Context, effects []store.Effect) error {
	sales, effects, err := w.salesOf(ctx, effects)
	if err != nil {
		return err
	}
	var first error
	for _, e := range effects {
		do := w.changeToken
		switch e.Kind {
		case ledger.KindResend:
			do = w.resend
		case ledger.KindGroup:
			do = w.showGroup
		}
		var sale store.Sale
		if s := sales[e.Key]; s != nil {
			sale = *s
		}
		if err := do(ctx, e, sale); err != nil {
			first = firstOf(first, w.postpone(ctx, []store.Effect{e}, err))
		}
	}
	return first
}

// changeToken makes the link what the sale is. When the sale has changed in the meantime it is done again, for whoever ordered
// that change may have been served before this.
func (w *Worker) changeToken(ctx context.Context, e store.Effect, s store.Sale) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		entries, err := w.setToken(call, e, s)
		if err != nil {
			return err
		}
		opened, settled := s.State == payment.Paid, false
		err = w.Ledger.ApplyOrHold(ctx, entries, func(ctx context.Context, tx pgx.Tx) error {
			now, bad, err := store.Lock(ctx, tx, []store.Key{e.Key})
			if err != nil {
				return err
			}
			if settled = len(bad) > 0; settled { // set aside, its order with it
				return nil
			}
			if settled = len(now) == 0 || (now[0].State == payment.Paid) == opened; !settled {
				s = now[0]
				return nil
			}
			return store.FinishEffects(ctx, tx, []store.Effect{e})
		})
		if err != nil || settled {
			return err
		}
	}
}

// setToken opens or closes the link and returns what the history says of it.
func (w *Worker) setToken(ctx context.Context, e store.Effect, s store.Sale) ([]ledger.Entry, error) {
	if err := w.setGroup(ctx, e, s); err != nil {
		return nil, err
	}
	var err error
	kind, about := payment.TokenRestored, map[string]string(nil)
	if s.State == payment.Paid {
		_, err = w.Delivery.RestoreToken(ctx, &deliveryv1.RestoreTokenRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String()})
	} else {
		reason := ledger.ParseTokenOrder(e.Payload, s.State).Reason
		kind, about = payment.TokenRevoked, map[string]string{"reason": reason}
		_, err = w.Delivery.RevokeToken(ctx, &deliveryv1.RevokeTokenRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String(), Reason: reason})
	}
	switch status.Code(err) {
	case codes.OK:
		if err := w.tellBuyer(ctx, e, s); err != nil {
			return nil, err
		}
		return []ledger.Entry{{Key: e.Key, Details: about, TraceID: traceID(ctx),
			Event: payment.Event{Kind: kind, At: w.Now(), Source: payment.SourceSystem}}}, nil
	case codes.NotFound: // never issued: the delivery saw the state and did nothing
		return nil, nil
	}
	return nil, fmt.Errorf("change link: %w", err)
}

// tellBuyer says that the link was closed or works again, to a buyer who had been sent it.
func (w *Worker) tellBuyer(ctx context.Context, e store.Effect, s store.Sale) error {
	if s.Message != "sent" && s.Message != "maybe_sent" {
		return nil
	}
	kind := "access_revoked"
	if s.State == payment.Paid {
		kind = "access_restored"
	}
	r := w.notice(ctx, s, kind, e.Name)
	if r == nil {
		return nil
	}
	if _, err := w.Notifier.Notify(ctx, r); err != nil && status.Code(err) != codes.InvalidArgument {
		return fmt.Errorf("tell buyer: %w", err)
	}
	return nil
}

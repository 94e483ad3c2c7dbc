package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// followBatch is the most outcomes of one stream message.
const followBatch = 500

// GetDelivery implements DeliveryService.
func (s *Server) GetDelivery(ctx context.Context, req *deliveryv1.GetDeliveryRequest) (*deliveryv1.GetDeliveryResponse, error) {
	m, err := scope(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	if (req.GetPaymentId() == "") == (req.GetToken() == "") {
		return nil, rpcerr.Invalid("payment_id", "exactly one of payment_id and token")
	}
	var d store.Delivery
	if req.GetToken() != "" {
		t, perr := token.Parse(req.GetToken())
		if perr != nil {
			return nil, rpcerr.NotFound("delivery") // as for any other token that names nothing
		}
		d, err = s.cfg.Store.ByToken(ctx, m, t.Hash())
	} else {
		id, perr := sale.ParsePaymentID(req.GetPaymentId())
		if perr != nil {
			return nil, rpcerr.Invalid("payment_id", "a UUID")
		}
		d, err = s.cfg.Store.ByPayment(ctx, m, id)
	}
	if err != nil {
		return nil, err
	}
	return &deliveryv1.GetDeliveryResponse{Delivery: present(d)}, nil
}

// RevokeToken implements DeliveryService.
func (s *Server) RevokeToken(ctx context.Context, req *deliveryv1.RevokeTokenRequest) (*deliveryv1.RevokeTokenResponse, error) {
	k, err := key(ctx, req.GetMerchantId(), req.GetPaymentId())
	if err != nil {
		return nil, err
	}
	switch req.GetReason() {
	case "refunded", "charged_back", "disputed", "manual":
	default:
		return nil, rpcerr.Invalid("reason", "refunded, charged_back, disputed or manual")
	}
	d, err := s.cfg.Store.Revoke(ctx, k, req.GetReason())
	if err != nil {
		return nil, err
	}
	return &deliveryv1.RevokeTokenResponse{Delivery: present(d)}, nil
}

// RestoreToken implements DeliveryService.
func (s *Server) RestoreToken(ctx context.Context, req *deliveryv1.RestoreTokenRequest) (*deliveryv1.RestoreTokenResponse, error) {
	k, err := key(ctx, req.GetMerchantId(), req.GetPaymentId())
	if err != nil {
		return nil, err
	}
	d, err := s.cfg.Store.Restore(ctx, k)
	if err != nil {
		return nil, err
	}
	return &deliveryv1.RestoreTokenResponse{Delivery: present(d)}, nil
}

// UpdateAccess implements DeliveryService.
func (s *Server) UpdateAccess(ctx context.Context, req *deliveryv1.UpdateAccessRequest) (*deliveryv1.UpdateAccessResponse, error) {
	k, err := key(ctx, req.GetMerchantId(), req.GetPaymentId())
	if err != nil {
		return nil, err
	}
	address, ok := accessURL(req.GetAccessUrl())
	if !ok || address == "" {
		return nil, rpcerr.Invalid("access_url", "an https or t.me address")
	}
	d, err := s.cfg.Store.UpdateAccess(ctx, k, address)
	if err != nil {
		return nil, err
	}
	return &deliveryv1.UpdateAccessResponse{Delivery: present(d)}, nil
}

// FollowOutcomes implements DeliveryService. A merchant follows its own outcomes, an operator all.
func (s *Server) FollowOutcomes(req *deliveryv1.FollowOutcomesRequest, stream grpc.ServerStreamingServer[deliveryv1.FollowOutcomesResponse]) error {
	m, err := scope(stream.Context(), "")
	if err != nil {
		return err
	}
	after, err := eventlog.ParseCursor(req.GetCursor())
	if err != nil {
		return rpcerr.Invalid("cursor", "a cursor that FollowOutcomes returned, or empty")
	}
	return s.cfg.Store.Follow(stream.Context(), after, followBatch, m, func(_ context.Context, rows []store.Outcome) error {
		out := make([]*deliveryv1.Outcome, len(rows))
		for i, o := range rows {
			out[i] = &deliveryv1.Outcome{
				Id: o.Cursor.String(), MerchantId: o.Merchant.String(), PaymentId: o.Payment.String(), Kind: outcomeKinds[o.Kind],
				At: timestamppb.New(o.At), Detail: o.Detail, Traceparent: o.Traceparent,
			}
		}
		return stream.Send(&deliveryv1.FollowOutcomesResponse{Outcomes: out, Cursor: rows[len(rows)-1].Cursor.String()})
	})
}

func key(ctx context.Context, merchantID, paymentID string) (sale.Key, error) {
	m, err := merchant(ctx, merchantID)
	if err != nil {
		return sale.Key{}, err
	}
	p, err := sale.ParsePaymentID(paymentID)
	if err != nil {
		return sale.Key{}, rpcerr.Invalid("payment_id", "a UUID")
	}
	return sale.Key{Merchant: m, Payment: p}, nil
}

var outcomeKinds = map[store.OutcomeKind]deliveryv1.OutcomeKind{
	store.OutcomeOpened:        deliveryv1.OutcomeKind_OUTCOME_KIND_OPENED,
	store.OutcomeQueued:        deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_QUEUED,
	store.OutcomeSent:          deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_SENT,
	store.OutcomeFailed:        deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_FAILED,
	store.OutcomeNotConfigured: deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_NOT_CONFIGURED,
	store.OutcomePixelPaused:   deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_PAUSED,
	store.OutcomePixelMissing:  deliveryv1.OutcomeKind_OUTCOME_KIND_PIXEL_MISSING,
	store.OutcomeAccessMissing: deliveryv1.OutcomeKind_OUTCOME_KIND_ACCESS_MISSING,
}

var states = map[store.State]deliveryv1.DeliveryState{
	store.Active:  deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE,
	store.Revoked: deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED,
	store.Expired: deliveryv1.DeliveryState_DELIVERY_STATE_EXPIRED,
	store.UsedUp:  deliveryv1.DeliveryState_DELIVERY_STATE_USED_UP,
}

var purchaseStates = map[store.PurchaseState]deliveryv1.PurchaseState{
	store.WaitingOpen:   deliveryv1.PurchaseState_PURCHASE_STATE_WAITING_OPEN,
	store.Queued:        deliveryv1.PurchaseState_PURCHASE_STATE_QUEUED,
	store.Sent:          deliveryv1.PurchaseState_PURCHASE_STATE_SENT,
	store.Failed:        deliveryv1.PurchaseState_PURCHASE_STATE_FAILED,
	store.NotConfigured: deliveryv1.PurchaseState_PURCHASE_STATE_NOT_CONFIGURED,
}

func present(d store.Delivery) *deliveryv1.Delivery {
	out := &deliveryv1.Delivery{
		PaymentId: d.Payment.String(), MerchantId: d.Merchant.String(), State: states[d.State], StateReason: d.RevokedReason,
		IssuedAt: timestamppb.New(d.IssuedAt), FirstOpenedAt: moment(d.FirstOpenedAt), LastOpenedAt: moment(d.LastOpenedAt),
		Opens: d.Opens, ExpiresAt: moment(d.ExpiresAt), OpensLeft: -1, BoundToDevice: d.BindDevice, DeviceKnown: d.DeviceKnown,
		Generation: d.Generation,
		Purchase: &deliveryv1.Purchase{
			State: purchaseStates[d.Purchase.State], EventId: d.Purchase.EventID, Attempts: d.Purchase.Attempts,
			SentAt: moment(d.Purchase.SentAt),
		},
	}
	if d.MaxOpens > 0 {
		out.OpensLeft = max(0, d.MaxOpens-d.Uses)
	}
	switch d.State {
	case store.Expired:
		out.StateReason = "expired"
	case store.UsedUp:
		out.StateReason = "used_up"
	}
	switch d.Purchase.State {
	case store.Failed, store.NotConfigured, store.Queued:
		out.Purchase.Reason = d.Purchase.Reason
	case store.Sent:
		out.Purchase.Value = &typev1.Money{Centavos: int64(d.Amount), Currency: money.BRL}
	}
	return out
}

func moment(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

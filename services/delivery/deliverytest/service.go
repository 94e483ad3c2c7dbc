package deliverytest

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// IssueToken implements DeliveryService.
func (f *Fake) IssueToken(ctx context.Context, req *deliveryv1.IssueTokenRequest) (*deliveryv1.IssueTokenResponse, error) {
	if err := f.enter(ctx, "IssueToken"); err != nil {
		return nil, err
	}
	out, err := f.issue(ctx, req)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// BatchIssueTokens implements DeliveryService.
func (f *Fake) BatchIssueTokens(ctx context.Context, req *deliveryv1.BatchIssueTokensRequest) (*deliveryv1.BatchIssueTokensResponse, error) {
	if err := f.enter(ctx, "BatchIssueTokens"); err != nil {
		return nil, err
	}
	if n := len(req.GetRequests()); n < 1 || n > 500 {
		return nil, rpcerr.Invalid("requests", "1 to 500 requests")
	}
	out, err := f.issue(ctx, req.GetRequests()...)
	if err != nil {
		return nil, err
	}
	return &deliveryv1.BatchIssueTokensResponse{Responses: out}, nil
}

func (f *Fake) issue(ctx context.Context, reqs ...*deliveryv1.IssueTokenRequest) ([]*deliveryv1.IssueTokenResponse, error) {
	var bad rpcerr.Fields
	keys := make([][2]string, len(reqs))
	for i, r := range reqs {
		m, err := auth.From(ctx).Merchant(r.GetMerchantId())
		if err != nil {
			return nil, err
		}
		keys[i] = [2]string{m, r.GetPaymentId()}
		bad.Require(r.GetPaymentId() != "", "payment_id", "a UUID")
		bad.Require(r.GetBotId() != "", "bot_id", "a UUID")
		bad.Require(r.GetProductName() != "", "product_name", "what was bought")
		bad.Require(r.GetAmount().GetCentavos() > 0, "amount", "what was paid, in centavos above 0")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]*deliveryv1.IssueTokenResponse, len(reqs))
	for i, r := range reqs {
		l, ok := f.byID[keys[i]]
		if !ok {
			l = &link{token: tokenOf(r.GetPaymentId()), delivery: &deliveryv1.Delivery{
				PaymentId: r.GetPaymentId(), MerchantId: keys[i][0], State: deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE,
				IssuedAt: timestamppb.Now(), Purchase: &deliveryv1.Purchase{State: deliveryv1.PurchaseState_PURCHASE_STATE_WAITING_OPEN},
			}}
			f.byID[keys[i]] = l
			f.issued = append(f.issued, proto.CloneOf(r))
		}
		out[i] = &deliveryv1.IssueTokenResponse{Token: l.token, Url: "https://pay.example.com/delivery/" + l.token, Created: !ok}
	}
	return out, nil
}

// GetLink implements DeliveryService.
func (f *Fake) GetLink(ctx context.Context, req *deliveryv1.GetLinkRequest) (*deliveryv1.GetLinkResponse, error) {
	if err := f.enter(ctx, "GetLink"); err != nil {
		return nil, err
	}
	m, err := auth.From(ctx).Merchant(req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.byID[[2]string{m, req.GetPaymentId()}]
	if !ok {
		return nil, rpcerr.NotFound("delivery")
	}
	return &deliveryv1.GetLinkResponse{Token: l.token, Url: "https://pay.example.com/delivery/" + l.token}, nil
}

// RegenerateToken implements DeliveryService.
func (f *Fake) RegenerateToken(ctx context.Context, req *deliveryv1.RegenerateTokenRequest) (*deliveryv1.RegenerateTokenResponse, error) {
	if err := f.enter(ctx, "RegenerateToken"); err != nil {
		return nil, err
	}
	if req.GetKey() == "" {
		return nil, rpcerr.Invalid("key", "1 to 100 bytes of UTF-8 text")
	}
	m, err := auth.From(ctx).Merchant(req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.byID[[2]string{m, req.GetPaymentId()}]
	if !ok {
		return nil, rpcerr.NotFound("delivery")
	}
	made := !l.orders[req.GetKey()]
	if made {
		if l.orders == nil {
			l.orders = map[string]bool{}
		}
		l.orders[req.GetKey()] = true
		l.delivery.Generation++
		l.token = tokenOf(req.GetPaymentId() + "/" + strconv.Itoa(int(l.delivery.GetGeneration())))
	}
	return &deliveryv1.RegenerateTokenResponse{Token: l.token, Url: "https://pay.example.com/delivery/" + l.token, Created: made}, nil
}

// GetDelivery implements DeliveryService.
func (f *Fake) GetDelivery(ctx context.Context, req *deliveryv1.GetDeliveryRequest) (*deliveryv1.GetDeliveryResponse, error) {
	if err := f.enter(ctx, "GetDelivery"); err != nil {
		return nil, err
	}
	m, err := auth.From(ctx).Scope(req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	if (req.GetPaymentId() == "") == (req.GetToken() == "") {
		return nil, rpcerr.Invalid("payment_id", "exactly one of payment_id and token")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, l := range f.byID {
		if (m == "" || m == k[0]) && (k[1] == req.GetPaymentId() || l.token == req.GetToken()) {
			return &deliveryv1.GetDeliveryResponse{Delivery: proto.CloneOf(l.delivery)}, nil
		}
	}
	return nil, rpcerr.NotFound("delivery")
}

// RevokeToken implements DeliveryService.
func (f *Fake) RevokeToken(ctx context.Context, req *deliveryv1.RevokeTokenRequest) (*deliveryv1.RevokeTokenResponse, error) {
	if err := f.enter(ctx, "RevokeToken"); err != nil {
		return nil, err
	}
	switch req.GetReason() {
	case "refunded", "charged_back", "disputed", "manual":
	default:
		return nil, rpcerr.Invalid("reason", "refunded, charged_back, disputed or manual")
	}
	d, err := f.change(ctx, req.GetMerchantId(), req.GetPaymentId(), func(d *deliveryv1.Delivery) {
		if d.State != deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED {
			d.State, d.StateReason = deliveryv1.DeliveryState_DELIVERY_STATE_REVOKED, req.GetReason()
		}
	})
	return &deliveryv1.RevokeTokenResponse{Delivery: d}, err
}

// RestoreToken implements DeliveryService.
func (f *Fake) RestoreToken(ctx context.Context, req *deliveryv1.RestoreTokenRequest) (*deliveryv1.RestoreTokenResponse, error) {
	if err := f.enter(ctx, "RestoreToken"); err != nil {
		return nil, err
	}
	d, err := f.change(ctx, req.GetMerchantId(), req.GetPaymentId(), func(d *deliveryv1.Delivery) {
		d.State, d.StateReason = deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE, ""
	})
	return &deliveryv1.RestoreTokenResponse{Delivery: d}, err
}

// UpdateAccess implements DeliveryService; the address is kept for Access.
func (f *Fake) UpdateAccess(ctx context.Context, req *deliveryv1.UpdateAccessRequest) (*deliveryv1.UpdateAccessResponse, error) {
	if err := f.enter(ctx, "UpdateAccess"); err != nil {
		return nil, err
	}
	if req.GetAccessUrl() == "" {
		return nil, rpcerr.Invalid("access_url", "an https or t.me address")
	}
	d, err := f.change(ctx, req.GetMerchantId(), req.GetPaymentId(), func(*deliveryv1.Delivery) {})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[[2]string{d.GetMerchantId(), d.GetPaymentId()}].access = req.GetAccessUrl()
	return &deliveryv1.UpdateAccessResponse{Delivery: d}, nil
}

// Access is the address that UpdateAccess gave a sale last; empty when there is none.
func (f *Fake) Access(merchantID, paymentID string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.byID[[2]string{merchantID, paymentID}]; l != nil {
		return l.access
	}
	return ""
}

func (f *Fake) change(ctx context.Context, merchantID, paymentID string, do func(*deliveryv1.Delivery)) (*deliveryv1.Delivery, error) {
	m, err := auth.From(ctx).Merchant(merchantID)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.byID[[2]string{m, paymentID}]
	if !ok {
		return nil, rpcerr.NotFound("delivery")
	}
	do(l.delivery)
	return proto.CloneOf(l.delivery), nil
}

// FollowOutcomes implements DeliveryService.
func (f *Fake) FollowOutcomes(req *deliveryv1.FollowOutcomesRequest, stream grpc.ServerStreamingServer[deliveryv1.FollowOutcomesResponse]) error {
	if err := f.enter(stream.Context(), "FollowOutcomes"); err != nil {
		return err
	}
	m, err := auth.From(stream.Context()).Scope("")
	if err != nil {
		return err
	}
	at := 0
	if c := req.GetCursor(); c != "" {
		text, ok := strings.CutPrefix(c, "1-")
		if at, err = strconv.Atoi(text); err != nil || !ok || at < 0 {
			return rpcerr.Invalid("cursor", "a cursor that FollowOutcomes returned, or empty")
		}
	}
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	for {
		f.mu.Lock()
		more, ended := f.more, f.broken != broken
		fresh := f.outcomes[min(at, len(f.outcomes)):]
		f.mu.Unlock()
		if ended {
			return status.Error(codes.Unavailable, "fault of the fake delivery")
		}
		out := &deliveryv1.FollowOutcomesResponse{}
		for _, o := range fresh {
			at++
			if m == "" || m == o.GetMerchantId() {
				out.Outcomes = append(out.Outcomes, proto.CloneOf(o))
			}
		}
		if len(out.GetOutcomes()) > 0 {
			out.Cursor = "1-" + strconv.Itoa(at)
			if err := stream.Send(out); err != nil {
				return err
			}
			continue
		}
		select {
		case <-more:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// FindUnissued implements DeliveryService.
func (f *Fake) FindUnissued(ctx context.Context, req *deliveryv1.FindUnissuedRequest) (*deliveryv1.FindUnissuedResponse, error) {
	if err := f.enter(ctx, "FindUnissued"); err != nil {
		return nil, err
	}
	m, err := auth.From(ctx).Merchant(req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &deliveryv1.FindUnissuedResponse{}
	for _, id := range req.GetPaymentIds() {
		issued := false
		for k := range f.byID {
			issued = issued || k[0] == m && k[1] == id
		}
		if !issued {
			out.PaymentIds = append(out.PaymentIds, id)
		}
	}
	return out, nil
}

package delivery_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
)

// every lists a good call of each RPC about a sale of merchant A; a test that walks it sees new RPCs missing.
func every(req *deliveryv1.IssueTokenRequest, token string) map[string]proto.Message {
	return map[string]proto.Message{
		"/baixa.delivery.v1.DeliveryService/IssueToken":       proto.CloneOf(req),
		"/baixa.delivery.v1.DeliveryService/BatchIssueTokens": &deliveryv1.BatchIssueTokensRequest{Requests: []*deliveryv1.IssueTokenRequest{proto.CloneOf(req)}},
		"/baixa.delivery.v1.DeliveryService/GetDelivery":      &deliveryv1.GetDeliveryRequest{MerchantId: merchantA, Token: token},
		"/baixa.delivery.v1.DeliveryService/RevokeToken":      &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Reason: "manual"},
		"/baixa.delivery.v1.DeliveryService/RestoreToken":     &deliveryv1.RestoreTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId()},
		"/baixa.delivery.v1.DeliveryService/RegenerateToken":  &deliveryv1.RegenerateTokenRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), Key: "x"},
		"/baixa.delivery.v1.DeliveryService/UpdateAccess":     &deliveryv1.UpdateAccessRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId(), AccessUrl: "https://stolen.example"},
		"/baixa.delivery.v1.DeliveryService/GetLink":          &deliveryv1.GetLinkRequest{MerchantId: merchantA, PaymentId: req.GetPaymentId()},
		"/baixa.delivery.v1.DeliveryService/FindUnissued":     &deliveryv1.FindUnissuedRequest{MerchantId: merchantA, PaymentIds: []string{req.GetPaymentId()}},
		"/baixa.delivery.v1.LinksService/PutLinkPolicy":       &deliveryv1.PutLinkPolicyRequest{MerchantId: merchantA, MaxOpens: 1},
		"/baixa.delivery.v1.LinksService/ListLinkPolicies":    &deliveryv1.ListLinkPoliciesRequest{MerchantId: merchantA},
		"/baixa.delivery.v1.LinksService/PutFileKey":          &deliveryv1.PutFileKeyRequest{MerchantId: merchantA, KeyId: "k1", Secret: "stolen-stolen-stolen"},
		"/baixa.delivery.v1.LinksService/ListFileKeys":        &deliveryv1.ListFileKeysRequest{MerchantId: merchantA},
		"/baixa.delivery.v1.PixelsService/PutPixel":           &deliveryv1.PutPixelRequest{MerchantId: merchantA, PixelId: "99999", AccessToken: "stolen"},
		"/baixa.delivery.v1.PixelsService/ListPixels":         &deliveryv1.ListPixelsRequest{MerchantId: merchantA},
	}
}

// methods are all unary methods of the services.
func methods() []string {
	var out []string
	for _, d := range []grpc.ServiceDesc{deliveryv1.DeliveryService_ServiceDesc, deliveryv1.PixelsService_ServiceDesc, deliveryv1.LinksService_ServiceDesc} {
		for _, m := range d.Methods {
			out = append(out, "/"+d.ServiceName+"/"+m.MethodName)
		}
	}
	return out
}

func TestTenancy_everyRPC(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	req := request()
	link := w.issue(r, req)
	if _, err := r.pixels.PutPixel(w.ctx, &deliveryv1.PutPixelRequest{MerchantId: merchantA, PixelId: "11111", AccessToken: "own"}); err != nil {
		t.Fatal(err)
	}
	calls := every(req, link.GetToken())
	for _, method := range methods() {
		in, ok := calls[method]
		if !ok {
			t.Errorf("%s is not walked by this test", method)
			continue
		}
		wantCode(t, method+" without a principal", r.bare.Invoke(w.ctx, method, in, new(anyReply)), codes.Unauthenticated)
		wantCode(t, method+" as another merchant", r.conn.Invoke(w.as(merchantB), method, in, new(anyReply)), codes.PermissionDenied)
	}
	// The same without naming the merchant: one's own rows only, and there are none.
	_, err := r.GetDelivery(w.as(merchantB), &deliveryv1.GetDeliveryRequest{Token: link.GetToken()})
	wantCode(t, "another merchant's token", err, codes.NotFound)
	_, err = r.GetDelivery(w.as(merchantB), &deliveryv1.GetDeliveryRequest{PaymentId: req.GetPaymentId()})
	wantCode(t, "another merchant's sale", err, codes.NotFound)
	_, err = r.RevokeToken(w.as(merchantB), &deliveryv1.RevokeTokenRequest{PaymentId: req.GetPaymentId(), Reason: "manual"})
	wantCode(t, "revoking another merchant's sale", err, codes.NotFound)
	_, err = r.RestoreToken(w.as(merchantB), &deliveryv1.RestoreTokenRequest{PaymentId: req.GetPaymentId()})
	wantCode(t, "restoring another merchant's sale", err, codes.NotFound)
	_, err = r.RegenerateToken(w.as(merchantB), &deliveryv1.RegenerateTokenRequest{PaymentId: req.GetPaymentId(), Key: "x"})
	wantCode(t, "a new link of another merchant's sale", err, codes.NotFound)
	_, err = r.UpdateAccess(w.as(merchantB), &deliveryv1.UpdateAccessRequest{PaymentId: req.GetPaymentId(), AccessUrl: "https://stolen.example"})
	wantCode(t, "the access of another merchant's sale", err, codes.NotFound)
	_, err = r.GetLink(w.as(merchantB), &deliveryv1.GetLinkRequest{PaymentId: req.GetPaymentId()})
	wantCode(t, "the link of another merchant's sale", err, codes.NotFound)
	if list, err := r.links.ListLinkPolicies(w.as(merchantB), &deliveryv1.ListLinkPoliciesRequest{}); err != nil || len(list.GetPolicies()) != 0 {
		t.Errorf("merchant B sees policies %v, %v", list, err)
	}
	if list, err := r.links.ListFileKeys(w.as(merchantB), &deliveryv1.ListFileKeysRequest{}); err != nil || len(list.GetKeys()) != 0 {
		t.Errorf("merchant B sees keys %v, %v", list, err)
	}
	if list, err := r.pixels.ListPixels(w.as(merchantB), &deliveryv1.ListPixelsRequest{}); err != nil || len(list.GetPixels()) != 0 {
		t.Errorf("merchant B sees pixels %v, %v", list, err)
	}
	if d := w.get(r, req); d.GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE || d.GetMerchantId() != merchantA {
		t.Errorf("after all that: %v, want untouched", d)
	}
	list, err := r.pixels.ListPixels(w.as(merchantA), &deliveryv1.ListPixelsRequest{})
	if err != nil || len(list.GetPixels()) != 1 || list.GetPixels()[0].GetPixelId() != "11111" {
		t.Errorf("merchant A's pixels = %v, %v; want untouched", list, err)
	}
	_, err = r.pixels.ListPixels(w.ctx, &deliveryv1.ListPixelsRequest{})
	wantCode(t, "an operator who names no merchant", err, codes.InvalidArgument)
}

// anyReply takes any answer; its fields stay unknown.
type anyReply = deliveryv1.RestoreTokenRequest

func TestTenancy_batchWithOneForeignSale(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	own, foreign := request(), request()
	foreign.MerchantId = merchantB
	_, err := r.BatchIssueTokens(w.as(merchantA), &deliveryv1.BatchIssueTokensRequest{Requests: []*deliveryv1.IssueTokenRequest{own, foreign}})
	wantCode(t, "batch", err, codes.PermissionDenied)
	_, err = r.GetDelivery(w.ctx, &deliveryv1.GetDeliveryRequest{PaymentId: own.GetPaymentId()})
	wantCode(t, "the own one of it", err, codes.NotFound)
}

func TestFollowOutcomes_ownOnly(t *testing.T) {
	w := newWorld(t)
	r := w.start()
	mine, other := request(), request()
	other.MerchantId = merchantB
	// The other's outcomes come first: a follower that saw them would receive them before its own.
	for _, req := range []*deliveryv1.IssueTokenRequest{other, mine} {
		r.visit(w.issue(r, req).GetToken())
	}
	for _, o := range take(t, w.as(merchantA), r, "", 2) {
		if o.GetPaymentId() != mine.GetPaymentId() {
			t.Errorf("merchant A received an outcome of %s", o.GetMerchantId())
		}
	}
	stream, err := deliveryv1.NewDeliveryServiceClient(r.bare).FollowOutcomes(w.ctx, &deliveryv1.FollowOutcomesRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, "without a principal", err, codes.Unauthenticated)
}

// take follows until n outcomes came.
func take(t *testing.T, ctx context.Context, r *replica, cursor string, n int) []*deliveryv1.Outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.FollowOutcomes(ctx, &deliveryv1.FollowOutcomesRequest{Cursor: cursor})
	if err != nil {
		t.Fatalf("FollowOutcomes: %v", err)
	}
	var out []*deliveryv1.Outcome
	for len(out) < n {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d of %d outcomes: %v", len(out), n, status.Convert(err))
		}
		out = append(out, m.GetOutcomes()...)
	}
	return out
}

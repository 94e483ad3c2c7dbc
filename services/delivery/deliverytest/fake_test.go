package deliverytest_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/delivery/deliverytest"
)

const (
	merchantA = "01930000-0000-7000-8000-00000000000a"
	merchantB = "01930000-0000-7000-8000-00000000000b"
	sale      = "01930000-0000-7000-8000-0000000000ff"
)

func request() *deliveryv1.IssueTokenRequest {
	return &deliveryv1.IssueTokenRequest{
		MerchantId: merchantA, PaymentId: sale, BotId: merchantB, ProductName: "Curso", Amount: &typev1.Money{Centavos: 100},
	}
}

func start(t *testing.T) (*deliverytest.Fake, deliveryv1.DeliveryServiceClient, context.Context) {
	t.Helper()
	f, conn := deliverytest.Start(t)
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return f, deliveryv1.NewDeliveryServiceClient(conn), ctx
}

func TestFake_issue(t *testing.T) {
	f, client, ctx := start(t)
	f.FailNext("IssueToken", codes.Unavailable, codes.Internal)
	var got []codes.Code
	var tokens []string
	for range 4 {
		out, err := client.IssueToken(ctx, request())
		got = append(got, status.Code(err))
		tokens = append(tokens, out.GetToken())
	}
	if want := [4]codes.Code{codes.Unavailable, codes.Internal, codes.OK, codes.OK}; [4]codes.Code(got) != want {
		t.Errorf("codes = %v, want %v", got, want)
	}
	if tokens[2] == "" || tokens[2] != tokens[3] || len(f.Issued()) != 1 || f.Calls("IssueToken") != 4 {
		t.Errorf("tokens %q, %d issued, %d calls; want one link by four calls", tokens[2:], len(f.Issued()), f.Calls("IssueToken"))
	}
	asB := auth.With(ctx, auth.Principal{MerchantID: merchantB})
	if _, err := client.IssueToken(asB, request()); status.Code(err) != codes.PermissionDenied {
		t.Errorf("as another merchant: %v, want PermissionDenied", err)
	}
	if _, err := client.GetDelivery(asB, &deliveryv1.GetDeliveryRequest{PaymentId: sale}); status.Code(err) != codes.NotFound {
		t.Errorf("another merchant's sale: %v, want NotFound", err)
	}
	bad := request()
	bad.ProductName = ""
	_, err := client.BatchIssueTokens(ctx, &deliveryv1.BatchIssueTokensRequest{Requests: []*deliveryv1.IssueTokenRequest{bad}})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("batch without a product: %v, want InvalidArgument", err)
	}
}

func TestFake_revokeAndRestore(t *testing.T) {
	_, client, ctx := start(t)
	if _, err := client.IssueToken(ctx, request()); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"disputed", "refunded"} {
		out, err := client.RevokeToken(ctx, &deliveryv1.RevokeTokenRequest{MerchantId: merchantA, PaymentId: sale, Reason: reason})
		if err != nil || out.GetDelivery().GetStateReason() != "disputed" {
			t.Errorf("revoke: %v, %v; want the first reason", out, err)
		}
	}
	out, err := client.RestoreToken(ctx, &deliveryv1.RestoreTokenRequest{MerchantId: merchantA, PaymentId: sale})
	if err != nil || out.GetDelivery().GetState() != deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE {
		t.Errorf("restore: %v, %v; want active", out, err)
	}
}

func TestFake_followOverAnOutage(t *testing.T) {
	f, client, ctx := start(t)
	f.Emit(merchantA, sale, deliveryv1.OutcomeKind_OUTCOME_KIND_OPENED, "")
	stream, err := client.FollowOutcomes(ctx, &deliveryv1.FollowOutcomesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || len(first.GetOutcomes()) != 1 {
		t.Fatalf("first = %v, %v", first, err)
	}
	f.Down(codes.Unavailable)
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("open stream: %v, want Unavailable", err)
	}
	if _, err := client.IssueToken(ctx, request()); status.Code(err) != codes.Unavailable {
		t.Errorf("call: %v, want Unavailable", err)
	}
	f.Up()
	f.Emit(merchantA, sale, deliveryv1.OutcomeKind_OUTCOME_KIND_PURCHASE_SENT, "A1")
	if stream, err = client.FollowOutcomes(ctx, &deliveryv1.FollowOutcomesRequest{Cursor: first.GetCursor()}); err != nil {
		t.Fatal(err)
	}
	rest, err := stream.Recv()
	if err != nil || len(rest.GetOutcomes()) != 1 || rest.GetOutcomes()[0].GetDetail() != "A1" {
		t.Errorf("after the outage: %v, %v; want the second outcome alone", rest, err)
	}
}

func TestFake_delay(t *testing.T) {
	f, client, ctx := start(t)
	f.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := client.IssueToken(ctx, request()); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("delayed call: %v, want DeadlineExceeded", err)
	}
}

func TestFake_regenerate(t *testing.T) {
	_, client, ctx := start(t)
	first, err := client.IssueToken(ctx, request())
	if err != nil {
		t.Fatal(err)
	}
	again := &deliveryv1.RegenerateTokenRequest{MerchantId: merchantA, PaymentId: sale, Key: "1"}
	one, err1 := client.RegenerateToken(ctx, again)
	two, err2 := client.RegenerateToken(ctx, again)
	if err1 != nil || err2 != nil || one.GetToken() == first.GetToken() || one.GetToken() != two.GetToken() || !one.GetCreated() || two.GetCreated() {
		t.Errorf("regenerated %v, %v and %v, %v; want one new link", one, err1, two, err2)
	}
	if issued, err := client.IssueToken(ctx, request()); err != nil || issued.GetToken() != one.GetToken() {
		t.Errorf("issued again: %v, %v; want the new link", issued, err)
	}
	again.PaymentId = merchantB
	if _, err := client.RegenerateToken(ctx, again); status.Code(err) != codes.NotFound {
		t.Errorf("unknown sale: %v", err)
	}
}

func TestFake_updateAccess(t *testing.T) {
	f, client, ctx := start(t)
	if _, err := client.IssueToken(ctx, request()); err != nil {
		t.Fatal(err)
	}
	const address = "https://t.me/+invented"
	update := &deliveryv1.UpdateAccessRequest{MerchantId: merchantA, PaymentId: sale, AccessUrl: address}
	if _, err := client.UpdateAccess(ctx, update); err != nil || f.Access(merchantA, sale) != address {
		t.Errorf("%v, access %q", err, f.Access(merchantA, sale))
	}
	update.PaymentId = merchantB
	if _, err := client.UpdateAccess(ctx, update); status.Code(err) != codes.NotFound {
		t.Errorf("unknown sale: %v", err)
	}
}

package accesses

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// answers is a service that answers what a test says; methods that no test uses are nil.
type answers struct {
	notifierv1.AccessServiceClient
	asked []*notifierv1.ListAccessesRequest
	last  fmt.Stringer
}

func (a *answers) ListAccesses(_ context.Context, r *notifierv1.ListAccessesRequest, _ ...grpc.CallOption) (*notifierv1.ListAccessesResponse, error) {
	a.asked = append(a.asked, &notifierv1.ListAccessesRequest{MerchantId: r.GetMerchantId(), State: r.GetState(), PageSize: r.GetPageSize(), PageToken: r.GetPageToken()})
	if r.GetPageToken() != "" {
		return &notifierv1.ListAccessesResponse{Accesses: []*notifierv1.Access{{Id: "three", State: notifierv1.AccessState_ACCESS_STATE_ACTIVE, StartedAt: timestamppb.Now()}}}, nil
	}
	return &notifierv1.ListAccessesResponse{NextPageToken: "more", Accesses: []*notifierv1.Access{
		{Id: "one", State: notifierv1.AccessState_ACCESS_STATE_ERROR, LastError: "bot_not_admin\x1b[2J", ChatId: -1001, UserId: 7, PaymentId: "p1"},
		{Id: "two", State: notifierv1.AccessState_ACCESS_STATE_CANCELLED, CancelledReason: "refunded", RemovedAt: timestamppb.Now()}}}, nil
}

func (a *answers) ExtendAccess(_ context.Context, r *notifierv1.ExtendAccessRequest, _ ...grpc.CallOption) (*notifierv1.ExtendAccessResponse, error) {
	a.last = r
	return &notifierv1.ExtendAccessResponse{Access: &notifierv1.Access{Id: r.GetAccessId(), State: notifierv1.AccessState_ACCESS_STATE_ACTIVE, ExpiresAt: r.GetUntil()}}, nil
}

func (a *answers) RevokeAccess(_ context.Context, r *notifierv1.RevokeAccessRequest, _ ...grpc.CallOption) (*notifierv1.RevokeAccessResponse, error) {
	a.last = r
	return nil, fmt.Errorf("no such access")
}

func TestDesk_listsPageByPage(t *testing.T) {
	var out strings.Builder
	a := &answers{}
	d := Desk{Accesses: a, Merchant: "m", Out: &out}
	if err := d.List(t.Context(), &notifierv1.ListAccessesRequest{State: States["error"]}, 10); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one    error: bot_not_admin", "group -1001", "buyer 7", "sale p1", "cancelled: refunded", "out since 20", "without end"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Error("a reason steers the terminal")
	}
	if len(a.asked) != 2 || a.asked[0].GetMerchantId() != "m" || a.asked[0].GetPageSize() != 10 || a.asked[1].GetPageSize() != 8 || a.asked[1].GetPageToken() != "more" {
		t.Errorf("asked %v", a.asked)
	}
}

func TestDesk_changesOne(t *testing.T) {
	var out strings.Builder
	a := &answers{}
	d := Desk{Accesses: a, Merchant: "m", Out: &out}
	until := time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC)
	if err := d.Extend(t.Context(), "one", until); err != nil || !strings.Contains(out.String(), "until "+until.Local().Format(time.DateTime)) {
		t.Errorf("%q, %v", out.String(), err)
	}
	if r, ok := a.last.(*notifierv1.ExtendAccessRequest); !ok || r.GetMerchantId() != "m" || !r.GetUntil().AsTime().Equal(until) {
		t.Errorf("asked %v", a.last)
	}
	out.Reset()
	if err := d.Revoke(t.Context(), "one"); err == nil || out.Len() != 0 {
		t.Errorf("a refusal prints %q, %v", out.String(), err)
	}
}

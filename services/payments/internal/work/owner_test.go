package work

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

func TestOwner_eachEventWithAKeyOfItsOwn(t *testing.T) {
	b := newBench(t)
	s := b.paid()
	b.notifier.FailNext(1, "BatchNotify", codes.Unavailable)
	if n, err := b.news(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	b.pass(awayFor)
	b.settle()
	b.reports(s, gatewaystest.Refunded(1990))
	b.settle()
	keys := map[string]int{}
	for _, r := range b.notifier.Requests() {
		if e := r.GetOwnerEvent(); e != nil {
			keys[r.GetKey()+" "+e.GetStatus()]++
			if e.GetPaymentExternalId() != "BOT35_1" || e.GetBotExternalId() != "35" || e.GetAmount().GetCentavos() != 1990 || e.GetProvider() != "atomopay" || e.GetCustomerName() != "Bia" || e.GetAt() == nil {
				t.Errorf("event: %v", e)
			}
		}
	}
	if len(keys) != 2 || keys["owner:2 paid"] != 1 {
		t.Errorf("told: %v", keys)
	}
}

func TestOwner_oneRefusedEventStopsNobodyAndEnds(t *testing.T) {
	b := newBench(t)
	bad, fine := b.paid(), b.paid()
	real := b.Notifier
	b.Notifier = &picky{real, bad.ID.String(), codes.InvalidArgument}
	if n, err := b.news(); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, owner := b.messages(fine); len(owner) != 1 {
		t.Errorf("the other's owner was told %v", owner)
	}
	b.pass(time.Hour)
	if n, _ := b.news(); n != 0 {
		t.Errorf("%d events are still tried", n)
	}
	b.Notifier = &picky{real, bad.ID.String(), codes.Internal}
	b.reports(bad, gatewaystest.Refunded(1990))
	b.reports(fine, gatewaystest.Refunded(1990))
	if n, err := b.news(); n != 2 || status.Code(err) != codes.Internal {
		t.Errorf("%d, %v", n, err)
	}
	b.Notifier = real
	b.pass(time.Minute)
	if n, err := b.news(); n != 1 || err != nil {
		t.Errorf("%d waited for the leaf's error to pass, %v", n, err)
	}
	if _, owner := b.messages(bad); owner["payment_update refunded"] != 1 {
		t.Errorf("told: %v", owner)
	}
}

// picky refuses batches that hold one sale.
type picky struct {
	notifierv1.NotifierServiceClient
	bad  string
	code codes.Code
}

func (p *picky) BatchNotify(ctx context.Context, r *notifierv1.BatchNotifyRequest, opts ...grpc.CallOption) (*notifierv1.BatchNotifyResponse, error) {
	for _, one := range r.GetRequests() {
		if one.GetPaymentId() == p.bad {
			return nil, status.Error(p.code, "refused")
		}
	}
	return p.NotifierServiceClient.BatchNotify(ctx, r, opts...)
}

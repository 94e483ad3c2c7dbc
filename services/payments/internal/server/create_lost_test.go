package server

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

// charging answers every charge with the same, once the test sets it.
type charging struct {
	gatewaysv1.GatewaysServiceClient
	answer *gatewaysv1.CreateChargeResponse
}

func (c *charging) CreateCharge(context.Context, *gatewaysv1.CreateChargeRequest, ...grpc.CallOption) (*gatewaysv1.CreateChargeResponse, error) {
	return proto.CloneOf(c.answer), nil
}

func TestCreatePayment_answerLostThenAskedAgain(t *testing.T) {
	for name, fault := range map[string]func(*gatewaystest.Fake){
		"gateways away": func(f *gatewaystest.Fake) { f.FailNext(gatewaystest.CreateCharge, 1, codes.Unavailable) },
		"answer lost":   func(f *gatewaystest.Fake) { f.LoseNext(gatewaystest.CreateCharge, 1) },
		"out of time":   func(f *gatewaystest.Fake) { f.FailNext(gatewaystest.CreateCharge, 1, codes.DeadlineExceeded) },
	} {
		d := newDesk(t)
		fault(d.gateways)
		r, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
		p := r.GetPayment()
		if err != nil || !r.GetCreated() || p.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING || p.GetCharge().GetHash() != "" || p.GetCharge().GetReference() == "" {
			t.Fatalf("%s: %v, %v", name, r, err)
		}
		got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: p.GetId()})
		next := got.GetPayment().GetKnowledge().GetNextPollAt()
		if err != nil || next == nil || next.AsTime().After(time.Now().Add(2*time.Minute)) {
			t.Errorf("%s: it is looked for at %v, %v", name, next, err)
		}
		again, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
		if err != nil || again.GetCreated() || again.GetPayment().GetId() != p.GetId() || again.GetPayment().GetCharge().GetCopyPaste() == "" {
			t.Errorf("%s: the repetition brings %v, %v", name, again, err)
		}
	}
}

// A program that asks in a loop for a charge whose answer was lost fills no history, and finds the charge when it is there.
func TestCreatePayment_aLoopForALostChargeIsOneLine(t *testing.T) {
	d := newDesk(t)
	provider := &charging{d.Gateways, nil}
	d.Gateways = provider
	var made *paymentsv1.CreatePaymentResponse
	for n := range 30 {
		provider.answer = &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT, HttpStatus: 404,
			Reason: fmt.Sprintf("an earlier request may have reached the provider, which does not show a charge yet; ask again in %ds", 30-n)}
		var err error
		if made, err = d.CreatePayment(d.one.ctx, d.one.create("a")); err != nil || made.GetCreated() != (n == 0) {
			t.Fatalf("request %d: %v, %v", n+1, made, err)
		}
	}
	provider.answer = &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Ref: &gatewaysv1.ChargeRef{Id: "9"}, CopyPaste: "000201"}
	if got, err := d.CreatePayment(d.one.ctx, d.one.create("a")); err != nil || got.GetPayment().GetCharge().GetCopyPaste() == "" {
		t.Errorf("at last: %v, %v", got, err)
	}
	events, err := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: made.GetPayment().GetId()})
	var kinds []string
	for _, e := range events.GetEvents() {
		kinds = append(kinds, e.GetKind())
	}
	if want := []string{"created", "charge_unsure", "charge_created"}; err != nil || !slices.Equal(kinds, want) {
		t.Errorf("the history is %v, %v, want %v", kinds, err, want)
	}
}

package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

func TestRegisterPayment_isFollowedAtOnce(t *testing.T) {
	d := newDesk(t)
	r := d.one.register(1)
	created := time.Now().Add(-time.Hour).UTC()
	r.CreatedAt = timestamppb.New(created)
	r.Charge = &paymentsv1.Charge{Id: " 123 ", Hash: "h", Reference: "f", CopyPaste: "000201", ExpiresAt: timestamppb.New(created.Add(24 * time.Hour))}
	r.Buyer = &paymentsv1.Buyer{Document: cpf}
	got, err := d.RegisterPayment(d.one.ctx, r)
	if err != nil || !got.GetCreated() {
		t.Fatal(got, err)
	}
	read, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: got.GetPayment().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	next := read.GetPayment().GetKnowledge().GetNextPollAt()
	if next == nil || next.AsTime().After(time.Now()) || read.GetPayment().GetCharge().GetId() != "123" {
		t.Errorf("due at %v, charge %v", next, read.GetPayment().GetCharge())
	}
	read.GetPayment().GetKnowledge().NextPollAt = nil
	if !proto.Equal(read.GetPayment(), got.GetPayment()) {
		t.Errorf("read again it is\n%v\nand was\n%v", read.GetPayment(), got.GetPayment())
	}
	if strings.Contains(d.everything(), cpf) {
		t.Error("the buyer's document is in the database")
	}
}

func TestRegisterPayment_repetitions(t *testing.T) {
	d := newDesk(t)
	first := d.registered(d.one, 1)
	again := d.one.register(1)
	again.BotId, again.Source, again.MerchantId = " 35 ", "import", d.one.id // who registers, and how, is not part of the sale
	got, err := d.RegisterPayment(d.operator(), again)
	if err != nil || got.GetCreated() || got.GetPayment().GetId() != first {
		t.Errorf("again: %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		change func(*paymentsv1.RegisterPaymentRequest)
		says   string
	}{
		"other amount":   {func(r *paymentsv1.RegisterPaymentRequest) { r.Amount.Centavos++ }, "external_id"},
		"other charge":   {func(r *paymentsv1.RegisterPaymentRequest) { r.Charge.Hash = "new" }, "external_id"},
		"another's name": {func(r *paymentsv1.RegisterPaymentRequest) { r.ExternalId = "new" }, "charge"},
	} {
		r := d.one.register(1)
		c.change(r)
		_, err := d.RegisterPayment(d.one.ctx, r)
		if code, _ := said(err); code != codes.AlreadyExists || !strings.Contains(Errors(err).Error(), c.says) {
			t.Errorf("%s: %v", name, Errors(err))
		}
	}
	theirs := d.two.register(1)
	if got, err := d.RegisterPayment(d.two.ctx, theirs); err != nil || !got.GetCreated() || got.GetPayment().GetId() == first {
		t.Errorf("another merchant's sale with the same identifiers: %v, %v", got, err)
	}
}

func TestRegisterPayment_withoutAnExternalIDTheChargeIsTheKey(t *testing.T) {
	d := newDesk(t)
	r := d.one.register(1)
	r.ExternalId, r.Charge = "", &paymentsv1.Charge{Id: "ABC"}
	first, err := d.RegisterPayment(d.one.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.RegisterPayment(d.one.ctx, proto.CloneOf(r)); err != nil || again.GetCreated() || again.GetPayment().GetId() != first.GetPayment().GetId() {
		t.Errorf("again: %v, %v", again, err)
	}
	r.Charge.Id = "abc"
	if _, err := d.RegisterPayment(d.one.ctx, r); Errors(err) == nil {
		t.Error("the same charge in another case is another sale")
	}
}

func TestRegisterPayment_badInputNamesEveryField(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		change func(*paymentsv1.RegisterPaymentRequest)
		code   codes.Code
		fields string
	}{
		"no charge":     {func(r *paymentsv1.RegisterPaymentRequest) { r.Charge = nil }, codes.InvalidArgument, "charge"},
		"blank charge":  {func(r *paymentsv1.RegisterPaymentRequest) { r.Charge.Hash = "  " }, codes.InvalidArgument, "charge"},
		"odd charge":    {func(r *paymentsv1.RegisterPaymentRequest) { r.Charge.Hash = "a\x00" }, codes.InvalidArgument, "charge.hash"},
		"source":        {func(r *paymentsv1.RegisterPaymentRequest) { r.Source = "x" }, codes.InvalidArgument, "source"},
		"future":        {func(r *paymentsv1.RegisterPaymentRequest) { r.CreatedAt = timestamppb.New(time.Now().Add(time.Hour)) }, codes.InvalidArgument, "created_at"},
		"before PIX":    {func(r *paymentsv1.RegisterPaymentRequest) { r.CreatedAt = timestamppb.New(time.Unix(0, 0)) }, codes.InvalidArgument, "created_at"},
		"everything":    {func(r *paymentsv1.RegisterPaymentRequest) { proto.Reset(r) }, codes.InvalidArgument, "amount product.name charge account_id bot_id"},
		"unknown bot":   {func(r *paymentsv1.RegisterPaymentRequest) { r.BotId = "99" }, codes.NotFound, ""},
		"another's bot": {func(r *paymentsv1.RegisterPaymentRequest) { r.BotId = d.two.bot }, codes.NotFound, ""},
		"account":       {func(r *paymentsv1.RegisterPaymentRequest) { r.AccountId = d.two.account }, codes.NotFound, ""},
		"merchant":      {func(r *paymentsv1.RegisterPaymentRequest) { r.MerchantId = d.two.id }, codes.PermissionDenied, ""},
	} {
		r := d.one.register(1)
		c.change(r)
		_, err := d.RegisterPayment(d.one.ctx, r)
		if code, fields := said(err); code != c.code || fields != c.fields {
			t.Errorf("%s: %v names %q, want %v and %q", name, code, fields, c.code, c.fields)
		}
	}
	_, err := d.RegisterPayment(d.operator(), d.one.register(1))
	if code, fields := said(err); code != codes.InvalidArgument || fields != "merchant_id" {
		t.Errorf("an operator who names nobody: %v %q", code, fields)
	}
}

func TestBatchRegisterPayments_eachForItself(t *testing.T) {
	d := newDesk(t)
	d.registered(d.one, 5)
	batch := &paymentsv1.BatchRegisterPaymentsRequest{}
	for n := range 8 {
		batch.Requests = append(batch.Requests, d.one.register(n))
	}
	batch.Requests[1].Amount.Centavos = 0
	batch.Requests[2].BotId = "3\x005"
	batch.Requests[3].MerchantId = d.two.id
	batch.Requests[4] = d.one.register(0) // the first once more
	batch.Requests[5].Amount.Centavos = 7 // recorded before, otherwise
	batch.Requests[6].AccountId = unknownID()
	for round := range 2 {
		got, err := d.BatchRegisterPayments(d.one.ctx, batch)
		if err != nil || len(got.GetResults()) != 8 {
			t.Fatal(got, err)
		}
		for i, says := range []string{"", "amount.centavos: ", "bot_id: ", "not the merchant", "", "external_id: used before", "account_id: account not found", ""} {
			r := got.GetResults()[i]
			created := round == 0 && (i == 0 || i == 7)
			if (says == "") != (r.GetError() == "") || !strings.Contains(r.GetError(), says) || (r.GetPaymentId() != "") != (says == "") || r.GetCreated() != created {
				t.Errorf("round %d, item %d: %v, want %q, created %t", round, i, r, says, created)
			}
		}
		if got.GetResults()[0].GetPaymentId() != got.GetResults()[4].GetPaymentId() {
			t.Error("one sale twice in a batch became two")
		}
	}
	for _, n := range []int{0, 501} {
		_, err := d.BatchRegisterPayments(d.one.ctx, &paymentsv1.BatchRegisterPaymentsRequest{Requests: make([]*paymentsv1.RegisterPaymentRequest, n)})
		if code, fields := said(err); code != codes.InvalidArgument || fields != "requests" {
			t.Errorf("%d sales: %v %q", n, code, fields)
		}
	}
	d.gateways.Fail(gatewaystest.ListAccounts, codes.Unavailable)
	batch.Requests = []*paymentsv1.RegisterPaymentRequest{d.two.register(99)}
	_, err := d.BatchRegisterPayments(d.two.ctx, batch)
	if code, _ := said(err); code != codes.Unavailable {
		t.Errorf("gateways away: %v; the sale is not at fault", err)
	}
}

func TestBatchRegisterPayments_fiveHundred(t *testing.T) {
	d := newDesk(t)
	batch := &paymentsv1.BatchRegisterPaymentsRequest{}
	for n := range 500 {
		r := d.one.register(n)
		r.BotId = "35"
		r.Charge.Id = fmt.Sprint("id", n)
		batch.Requests = append(batch.Requests, r)
	}
	for round := range 2 {
		got, err := d.BatchRegisterPayments(d.one.ctx, batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got.GetResults() {
			if r.GetError() != "" || r.GetCreated() != (round == 0) {
				t.Fatalf("round %d, item %d: %v", round, i, r)
			}
		}
	}
	if n := len(d.gateways.Calls(gatewaystest.ListAccounts)); n != 1 {
		t.Errorf("accounts were listed %d times", n)
	}
}

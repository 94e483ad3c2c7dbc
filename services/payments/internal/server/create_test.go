package server

import (
	"context"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

func amount(centavos int64) *money.Amount { a := money.Amount(centavos); return &a }

func TestCreatePayment_rowThenCharge(t *testing.T) {
	d := newDesk(t)
	r, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if err != nil || !r.GetCreated() {
		t.Fatal(r, err)
	}
	p := r.GetPayment()
	if p.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING || p.GetCharge().GetCopyPaste() == "" || p.GetCharge().GetExpiresAt() == nil ||
		p.GetCharge().GetHash() != "h-"+p.GetCharge().GetReference() || p.GetMerchantId() != d.one.id || p.GetBotId() != d.one.bot || p.GetProvider() != "atomopay" ||
		p.GetTracking().GetUtmSource() != "fb" || p.GetBotExternalId() != "35" || p.GetExternalId() != "x-a" || p.GetAmount().GetCurrency() != "BRL" {
		t.Errorf("payment: %v", p)
	}
	got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: p.GetId()})
	if err != nil || got.GetPayment().GetKnowledge().GetNextPollAt() == nil {
		t.Errorf("next look: %v, %v", got, err)
	}
	got.GetPayment().GetKnowledge().NextPollAt = nil
	if !proto.Equal(got.GetPayment(), p) {
		t.Errorf("read again it is\n%v\nand was\n%v", got.GetPayment(), p)
	}
	events, err := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: p.GetId()})
	if err != nil || len(events.GetEvents()) != 2 || events.GetEvents()[0].GetKind() != "created" || events.GetEvents()[1].GetKind() != "charge_created" ||
		events.GetEvents()[0].GetDetails()["by"] != "key k-Loja" || events.GetEvents()[0].GetTo() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING {
		t.Errorf("history: %v, %v", events, err)
	}
	call := d.gateways.Calls(gatewaystest.CreateCharge)[0].(*gatewaysv1.CreateChargeRequest)
	if call.GetCustomer().GetDocument() != cpf || call.GetWebhookBaseUrl() != "https://baixa.example" || call.GetSaleKey() == "" || call.GetReference() != p.GetCharge().GetReference() {
		t.Errorf("asked: %v", call)
	}
}

func TestCreatePayment_documentIsNeitherKeptNorReturned(t *testing.T) {
	d := newDesk(t)
	r, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(d.everything(), cpf) {
		t.Error("the buyer's document is in the database")
	}
	if raw, _ := protojson.Marshal(r); strings.Contains(string(raw), cpf) {
		t.Error("the buyer's document is in the answer")
	}
	other := d.one.create("a")
	other.Buyer.Document = "52998224725"
	again, err := d.CreatePayment(d.one.ctx, other)
	if err != nil || again.GetCreated() || again.GetPayment().GetId() != r.GetPayment().GetId() {
		t.Errorf("a hash of the document must not be kept either: %v, %v", again, err)
	}
}

func TestCreatePayment_sameKey(t *testing.T) {
	d := newDesk(t)
	first, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if err != nil {
		t.Fatal(err)
	}
	same := d.one.create("a")
	same.MerchantId, same.BotId, same.AccountId = strings.ToUpper(d.one.id), strings.ToUpper(d.one.bot), strings.ToUpper(d.one.account)
	again, err := d.CreatePayment(auth.With(t.Context(), auth.Principal{Operator: true}), same)
	if err != nil || again.GetCreated() || again.GetPayment().GetId() != first.GetPayment().GetId() || again.GetPayment().GetCharge().GetCopyPaste() == "" {
		t.Errorf("again, said in other words: %v, %v", again, err)
	}
	for name, change := range map[string]func(*paymentsv1.CreatePaymentRequest){
		"amount":      func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos++ },
		"product":     func(r *paymentsv1.CreatePaymentRequest) { r.Product.Name = "x" },
		"buyer":       func(r *paymentsv1.CreatePaymentRequest) { r.Buyer.TelegramId = 1 },
		"tracking":    func(r *paymentsv1.CreatePaymentRequest) { r.Tracking.UtmSource = "x" },
		"external id": func(r *paymentsv1.CreatePaymentRequest) { r.ExternalId = "x" },
	} {
		r := d.one.create("a")
		change(r)
		if _, err := d.CreatePayment(d.one.ctx, r); Errors(err) == nil || !strings.Contains(Errors(err).Error(), "idempotency_key") {
			t.Errorf("another %s: %v", name, Errors(err))
		} else if code, _ := said(err); code != codes.AlreadyExists {
			t.Errorf("another %s: %v", name, code)
		}
	}
	r := d.one.create("b")
	r.ExternalId = "x-a"
	if _, err := d.CreatePayment(d.one.ctx, r); Errors(err) == nil || !strings.Contains(Errors(err).Error(), "external_id") {
		t.Errorf("the external id of another sale: %v", Errors(err))
	}
	theirs, err := d.CreatePayment(d.two.ctx, d.two.create("a"))
	if err != nil || !theirs.GetCreated() {
		t.Errorf("another merchant's same key: %v, %v", theirs, err)
	}
	if n := len(d.gateways.Calls(gatewaystest.CreateCharge)); n != 2 {
		t.Errorf("%d charges asked for", n)
	}
}

func TestCreatePayment_manyAtOnceMakeOneCharge(t *testing.T) {
	d := newDesk(t)
	var wg sync.WaitGroup
	ids := make([]string, 12)
	created := make([]bool, len(ids))
	errs := make([]error, len(ids))
	for i := range ids {
		wg.Go(func() {
			r, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
			ids[i], created[i], errs[i] = r.GetPayment().GetId(), r.GetCreated(), err
		})
	}
	wg.Wait()
	makers := 0
	for i := range ids {
		if errs[i] != nil || ids[i] != ids[0] {
			t.Errorf("%s, %v", ids[i], errs[i])
		}
		if created[i] {
			makers++
		}
	}
	references := map[string]bool{}
	for _, c := range d.gateways.Calls(gatewaystest.CreateCharge) {
		references[c.(*gatewaysv1.CreateChargeRequest).GetReference()] = true
	}
	if makers != 1 || len(references) != 1 {
		t.Errorf("%d made it, %d references were asked for", makers, len(references))
	}
	events, err := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: ids[0]})
	if err != nil || len(events.GetEvents()) != 2 {
		t.Errorf("history: %v, %v", events, err)
	}
}

func TestCreatePayment_refused(t *testing.T) {
	d := newDesk(t)
	d.gateways.RefuseNextCharge("customer.document: required")
	for range 2 { // the repetition hears the same
		_, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
		if code, _ := said(err); code != codes.FailedPrecondition || !strings.Contains(err.Error(), "payment ") {
			t.Fatalf("%v", err)
		}
	}
	list, err := d.ListPayments(d.one.ctx, &paymentsv1.ListPaymentsRequest{})
	if err != nil || len(list.GetPayments()) != 1 || list.GetPayments()[0].GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED {
		t.Fatalf("sales: %v, %v", list, err)
	}
	events, _ := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: list.GetPayments()[0].GetId()})
	if e := events.GetEvents()[1]; e.GetKind() != "charge_failed" || e.GetDetails()["reason"] != "customer.document: required" {
		t.Errorf("history: %v", e)
	}
	if n := len(d.gateways.Calls(gatewaystest.CreateCharge)); n != 1 {
		t.Errorf("%d charges asked for", n)
	}
}

func TestCreatePayment_chargeOfAnotherSaleIsRefused(t *testing.T) {
	d := newDesk(t)
	d.Gateways = &charging{d.Gateways, &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS,
		Ref: &gatewaysv1.ChargeRef{Id: "9", Hash: "same"}, CopyPaste: "000201"}}
	first, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreatePayment(d.one.ctx, d.one.create("b")); err == nil || !strings.Contains(err.Error(), "another sale") {
		t.Errorf("got %v", err)
	} else if code, _ := said(err); code != codes.FailedPrecondition {
		t.Errorf("got %v", code)
	}
	list, _ := d.ListPayments(d.one.ctx, &paymentsv1.ListPaymentsRequest{Status: paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED})
	if len(list.GetPayments()) != 1 || list.GetPayments()[0].GetCharge().GetHash() != "" || list.GetPayments()[0].GetCharge().GetCopyPaste() != "" {
		t.Errorf("the second sale: %v", list.GetPayments())
	}
	got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: first.GetPayment().GetId()})
	if err != nil || got.GetPayment().GetCharge().GetHash() != "same" {
		t.Errorf("the first sale: %v, %v", got, err)
	}
}

func TestCreatePayment_outcomesOfTheCharge(t *testing.T) {
	for outcome, want := range map[gatewaysv1.Outcome]paymentsv1.PaymentStatus{
		gatewaysv1.Outcome_OUTCOME_TRANSIENT:       paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING,
		gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST: paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED,
		gatewaysv1.Outcome_OUTCOME_CREDENTIAL:      paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED,
		gatewaysv1.Outcome_OUTCOME_RATE_LIMITED:    paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED,
	} {
		d := newDesk(t)
		d.Gateways = &charging{d.Gateways, &gatewaysv1.CreateChargeResponse{Outcome: outcome, Reason: "why\x00", HttpStatus: 418}}
		_, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
		if code, _ := said(err); (code == codes.OK) != (want == paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING) {
			t.Errorf("%s: %v", outcome, err)
		}
		list, err := d.ListPayments(d.one.ctx, &paymentsv1.ListPaymentsRequest{})
		if err != nil || len(list.GetPayments()) != 1 || list.GetPayments()[0].GetStatus() != want {
			t.Fatalf("%s: %v, %v", outcome, list, err)
		}
		events, _ := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: list.GetPayments()[0].GetId()})
		if e := events.GetEvents()[1]; e.GetDetails()["reason"] != "why" || e.GetDetails()["http_status"] != "418" {
			t.Errorf("%s: history %v", outcome, e)
		}
	}
}

func TestCreatePayment_badInputNamesEveryField(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		change func(*paymentsv1.CreatePaymentRequest)
		code   codes.Code
		fields string
	}{
		"no amount":   {func(r *paymentsv1.CreatePaymentRequest) { r.Amount = nil }, codes.InvalidArgument, "amount"},
		"zero":        {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = 0 }, codes.InvalidArgument, "amount.centavos"},
		"negative":    {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = -1 }, codes.InvalidArgument, "amount.centavos"},
		"too much":    {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Centavos = 1 << 60 }, codes.InvalidArgument, "amount.centavos"},
		"currency":    {func(r *paymentsv1.CreatePaymentRequest) { r.Amount.Currency = "USD" }, codes.InvalidArgument, "amount.currency"},
		"no key":      {func(r *paymentsv1.CreatePaymentRequest) { r.IdempotencyKey = "" }, codes.InvalidArgument, "idempotency_key"},
		"long key":    {func(r *paymentsv1.CreatePaymentRequest) { r.IdempotencyKey = strings.Repeat("k", 101) }, codes.InvalidArgument, "idempotency_key"},
		"no product":  {func(r *paymentsv1.CreatePaymentRequest) { r.Product = nil }, codes.InvalidArgument, "product.name"},
		"address":     {func(r *paymentsv1.CreatePaymentRequest) { r.Product.AccessUrl = "javascript:alert(1)" }, codes.InvalidArgument, "product.access_url"},
		"group chat":  {inGroup(func(g *paymentsv1.GroupAccess, _ *paymentsv1.CreatePaymentRequest) { g.ChatId = 1001 }), codes.InvalidArgument, "product.group.chat_id"},
		"group unit":  {inGroup(func(g *paymentsv1.GroupAccess, _ *paymentsv1.CreatePaymentRequest) { g.DurationUnit = 0 }), codes.InvalidArgument, "product.group.duration_unit"},
		"group value": {inGroup(func(g *paymentsv1.GroupAccess, _ *paymentsv1.CreatePaymentRequest) { g.DurationValue = 0 }), codes.InvalidArgument, "product.group.duration_value"},
		"group forever": {inGroup(func(g *paymentsv1.GroupAccess, _ *paymentsv1.CreatePaymentRequest) {
			g.DurationUnit = paymentsv1.DurationUnit_DURATION_UNIT_FOREVER
		}), codes.InvalidArgument, "product.group.duration_value"},
		"group and address": {inGroup(func(_ *paymentsv1.GroupAccess, r *paymentsv1.CreatePaymentRequest) {
			r.Product.AccessUrl = "https://x.example"
		}), codes.InvalidArgument, "product.group"},
		"group of nobody":   {inGroup(func(_ *paymentsv1.GroupAccess, r *paymentsv1.CreatePaymentRequest) { r.Buyer.TelegramId = 0 }), codes.InvalidArgument, "buyer.telegram_id"},
		"zero byte":         {func(r *paymentsv1.CreatePaymentRequest) { r.Buyer.Name = "a\x00" }, codes.InvalidArgument, "buyer.name"},
		"document":          {func(r *paymentsv1.CreatePaymentRequest) { r.Buyer.Document = "390.533.447-05" }, codes.InvalidArgument, "buyer.document"},
		"telegram":          {func(r *paymentsv1.CreatePaymentRequest) { r.Buyer.TelegramId = 1 << 60 }, codes.InvalidArgument, "buyer.telegram_id"},
		"account":           {func(r *paymentsv1.CreatePaymentRequest) { r.AccountId = "default" }, codes.InvalidArgument, "account_id"},
		"bot":               {func(r *paymentsv1.CreatePaymentRequest) { r.BotId = " " }, codes.InvalidArgument, "bot_id"},
		"bot zero byte":     {func(r *paymentsv1.CreatePaymentRequest) { r.BotId = "3\x005" }, codes.InvalidArgument, "bot_id"},
		"everything":        {func(r *paymentsv1.CreatePaymentRequest) { proto.Reset(r) }, codes.InvalidArgument, "amount product.name idempotency_key account_id bot_id"},
		"unknown bot":       {func(r *paymentsv1.CreatePaymentRequest) { r.BotId = "99" }, codes.NotFound, ""},
		"another's bot":     {func(r *paymentsv1.CreatePaymentRequest) { r.BotId = d.two.bot }, codes.NotFound, ""},
		"unknown account":   {func(r *paymentsv1.CreatePaymentRequest) { r.AccountId = unknownID() }, codes.NotFound, ""},
		"another's account": {func(r *paymentsv1.CreatePaymentRequest) { r.AccountId = d.two.account }, codes.NotFound, ""},
		"another merchant":  {func(r *paymentsv1.CreatePaymentRequest) { r.MerchantId = d.two.id }, codes.PermissionDenied, ""},
		"no merchant":       {func(r *paymentsv1.CreatePaymentRequest) { r.MerchantId = "x" }, codes.PermissionDenied, ""},
	} {
		r := d.one.create("a")
		c.change(r)
		_, err := d.CreatePayment(d.one.ctx, r)
		if code, fields := said(err); code != c.code || fields != c.fields {
			t.Errorf("%s: %v names %q, want %v and %q", name, code, fields, c.code, c.fields)
		}
		if err != nil && strings.Contains(err.Error(), "390.533") {
			t.Errorf("%s: the error repeats the document", name)
		}
	}
	if list, err := d.ListPayments(d.operator(), &paymentsv1.ListPaymentsRequest{}); err != nil || len(list.GetPayments()) != 0 {
		t.Errorf("something was recorded: %v, %v", list, err)
	}
}

func TestCreatePayment_oddTrackingNeverBlocks(t *testing.T) {
	d := newDesk(t)
	r := d.one.create("a")
	r.Tracking = &typev1.Tracking{UtmSource: strings.Repeat("é", 2000), Fbp: "a\x00b", CampaignCode: strings.Repeat("c", 3000)}
	got, err := d.CreatePayment(d.one.ctx, r)
	if err != nil || got.GetPayment().GetTracking().GetFbp() != "ab" || len(got.GetPayment().GetTracking().GetUtmSource()) > maxText {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCreatePayment_gatewaysAwayBeforeTheRowRecordsNothing(t *testing.T) {
	d := newDesk(t)
	d.gateways.FailNext(gatewaystest.ListAccounts, 1, codes.Unavailable)
	_, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if code, _ := said(err); code != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if list, err := d.ListPayments(d.operator(), &paymentsv1.ListPaymentsRequest{}); err != nil || len(list.GetPayments()) != 0 {
		t.Errorf("something was recorded: %v, %v", list, err)
	}
}

func TestCreatePayment_callerThatGoesAwayIsRecordedAllTheSame(t *testing.T) {
	d := newDesk(t)
	release := d.gateways.Hold(gatewaystest.CreateCharge)
	defer release()
	ctx, leave := context.WithCancel(d.one.ctx)
	done := make(chan error, 1)
	go func() { _, err := d.CreatePayment(ctx, d.one.create("a")); done <- err }()
	d.gateways.WaitCalls(t, gatewaystest.CreateCharge, 1)
	leave()
	<-done
	list, err := d.ListPayments(d.one.ctx, &paymentsv1.ListPaymentsRequest{})
	if err != nil || len(list.GetPayments()) != 1 {
		t.Fatal(list, err)
	}
	events, err := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: list.GetPayments()[0].GetId()})
	if err != nil || len(events.GetEvents()) != 2 || events.GetEvents()[1].GetKind() != "charge_unsure" {
		t.Errorf("history: %v, %v", events, err)
	}
}

// inGroup sells 30 days of a group and changes one thing about it.
func inGroup(change func(*paymentsv1.GroupAccess, *paymentsv1.CreatePaymentRequest)) func(*paymentsv1.CreatePaymentRequest) {
	return func(r *paymentsv1.CreatePaymentRequest) {
		r.Product.Group = &paymentsv1.GroupAccess{ChatId: -1001234567890, DurationUnit: paymentsv1.DurationUnit_DURATION_UNIT_DAYS, DurationValue: 30}
		change(r.Product.Group, r)
	}
}

func TestCreatePayment_groupIsKept(t *testing.T) {
	d := newDesk(t)
	r := d.one.create("group")
	inGroup(func(*paymentsv1.GroupAccess, *paymentsv1.CreatePaymentRequest) {})(r)
	made, err := d.CreatePayment(d.one.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: made.GetPayment().GetId()})
	if err != nil || !proto.Equal(got.GetPayment().GetProduct().GetGroup(), r.GetProduct().GetGroup()) {
		t.Errorf("%v, %v", got.GetPayment().GetProduct(), err)
	}
	other := d.one.create("none")
	if made, err = d.CreatePayment(d.one.ctx, other); err != nil || made.GetPayment().GetProduct().GetGroup() != nil {
		t.Errorf("without: %v, %v", made.GetPayment().GetProduct(), err)
	}
}

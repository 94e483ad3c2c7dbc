package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	// A charge that nobody heard of again is looked for after this long, by the reference that it was asked for with.
	lostCharge = time.Minute
	// What is left of the caller's time for recording what came of the charge.
	recordTime = 2 * time.Second
)

// CreatePayment commits the sale first and asks for the charge afterwards, so that no charge is ever without its sale.
func (s *Server) CreatePayment(ctx context.Context, r *paymentsv1.CreatePaymentRequest) (*paymentsv1.CreatePaymentResponse, error) {
	opening, err := s.newPayment(ctx, r)
	if err != nil {
		return nil, err
	}
	recorded, err := s.Ledger.Record(ctx, []ledger.Opening{opening})
	if err == nil {
		err = recorded[0].Err
	}
	if err != nil {
		return nil, err
	}
	sale := recorded[0].Sale
	// A repetition of a request whose charge is not known asks for it again: the gateways make one charge a reference.
	uncharged := sale.State == payment.Pending && sale.Charge.ID == "" && sale.Charge.Hash == "" && sale.Charge.CopyPaste == ""
	if !recorded[0].Created && !uncharged {
		return &paymentsv1.CreatePaymentResponse{Payment: s.message(sale, nil)}, refusedBefore(sale)
	}
	sale, err = s.charge(ctx, sale, r, recorded[0].Created)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.CreatePaymentResponse{Payment: s.message(sale, nil), Created: recorded[0].Created}, nil
}

// refusedBefore repeats a provider's refusal to whoever repeats the request.
func refusedBefore(s store.Sale) error {
	if s.State == payment.Failed && s.Charge.ID == "" && s.Charge.Hash == "" {
		return rpcerr.Precondition("the provider refused the charge of payment " + s.ID.String())
	}
	return nil
}

func (s *Server) newPayment(ctx context.Context, r *paymentsv1.CreatePaymentRequest) (ledger.Opening, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return ledger.Opening{}, err
	}
	var f rpcerr.Fields
	amount := checkAmount(&f, r.GetAmount())
	checkProduct(&f, r.GetProduct())
	checkGroup(&f, r.GetProduct(), r.GetBuyer())
	checkBuyer(&f, r.GetBuyer())
	f.Require(r.GetIdempotencyKey() != "", "idempotency_key", "a text that is the same when this request is repeated, and only then")
	checkText(&f, "idempotency_key", r.GetIdempotencyKey(), 100)
	checkText(&f, "external_id", r.GetExternalId(), 200)
	account := checkSeller(&f, r.GetBotId(), r.GetAccountId())
	if err := f.Err(); err != nil {
		return ledger.Opening{}, err
	}
	bots, err := s.bots(ctx, []payment.MerchantID{m}, []string{r.GetBotId()})
	if err != nil {
		return ledger.Opening{}, err
	}
	bot, ok := bots.find(m, r.GetBotId())
	if !ok {
		return ledger.Opening{}, rpcerr.NotFound("bot_id: bot")
	}
	provider, err := s.accounts.provider(ctx, m, account)
	if err != nil {
		return ledger.Opening{}, err
	}
	content := proto.Clone(r).(*paymentsv1.CreatePaymentRequest)
	content.MerchantId, content.BotId, content.AccountId = m.String(), bot.ID.String(), account.String()
	withoutDocument(content.GetBuyer())
	sale := newSale(ctx, m, bot, account, provider, amount, s.Now(), r.GetBuyer(), r.GetProduct())
	sale.IdempotencyKey, sale.ExternalID, sale.RequestHash = r.GetIdempotencyKey(), r.GetExternalId(), fingerprint(content)
	from, found := s.attribution(ctx, &sale, r.GetClickToken(), r.GetTracking(), true)
	sale.Tracking, sale.Campaign = tracking(from)
	sale.Charge.Reference = strings.ReplaceAll(sale.ID.String(), "-", "")
	return ledger.Opening{Sale: sale, Kind: payment.Created, Source: payment.SourceAPI, TraceID: traceID(sale.Traceparent),
		LookFrom: s.Now().Add(lostCharge), Details: opened(ctx, provider, amount, found)}, nil
}

// charge asks for the charge and records what came of it. When nothing is known of the answer the sale stays pending and is
// looked for by its reference. first is false for a sale that an earlier request made.
func (s *Server) charge(ctx context.Context, sale store.Sale, r *paymentsv1.CreatePaymentRequest, first bool) (store.Sale, error) {
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	req := &gatewaysv1.CreateChargeRequest{MerchantId: sale.MerchantID.String(), AccountId: sale.AccountID.String(), Reference: sale.Charge.Reference,
		Amount: sum(sale.Amount, sale.Currency), Description: sale.ProductName, WebhookBaseUrl: s.WebhookURL, SaleKey: sale.SaleKey,
		Tracking: trackingOf(sale), Customer: &gatewaysv1.Customer{Name: sale.BuyerName, Email: sale.BuyerEmail, Phone: sale.BuyerPhone,
			Document: r.GetBuyer().GetDocument()}}
	call, cancel := chargeTime(ctx)
	defer cancel()
	resp, err := s.Gateways.CreateCharge(auth.With(call, auth.Principal{Operator: true}), req)
	now := s.Now()
	if !first && status.Code(err) == codes.FailedPrecondition {
		return sale, nil // there may be a charge, which cannot be looked up: nothing new is known
	}
	e := ledger.Entry{Key: key, TraceID: traceID(sale.Traceparent), Details: map[string]string{},
		Event: payment.Event{Kind: payment.ChargeCreated, At: now, Source: payment.SourceAPI}}
	var refusal error
	switch {
	case refusedCharge(err):
		e.Event.Kind, refusal = payment.ChargeFailed, err
		e.Details["reason"] = clean(rpcerr.Text(err), 300)
	case err != nil:
		e.Event.Kind = payment.ChargeUnsure
		e.Details["reason"] = status.Code(err).String()
	case resp.GetOutcome() == gatewaysv1.Outcome_OUTCOME_STATUS:
		e.Charge = &store.Charge{ID: resp.GetRef().GetId(), Hash: resp.GetRef().GetHash(), Reference: resp.GetRef().GetReference(), CopyPaste: resp.GetCopyPaste()}
		if resp.GetExpiresAt() != nil {
			at := resp.GetExpiresAt().AsTime()
			e.QRExpiresAt = &at
		}
	case resp.GetOutcome() == gatewaysv1.Outcome_OUTCOME_TRANSIENT:
		e.Event.Kind = payment.ChargeUnsure
		e.Details["reason"] = clean(resp.GetReason(), 300)
	default: // refused, wrong credentials, over the limit, or not understood: there is no charge
		e.Event.Kind = payment.ChargeFailed
		e.Details["reason"] = clean(resp.GetReason(), 300)
		refusal = rpcerr.Precondition(fmt.Sprintf("the provider refused the charge of payment %s: %s", sale.ID, e.Details["reason"]))
	}
	if resp.GetHttpStatus() != 0 {
		e.Details["http_status"] = fmt.Sprint(resp.GetHttpStatus())
	}
	// The caller may have gone away; what is known of the charge is recorded all the same.
	applied, err := s.Ledger.Apply(context.WithoutCancel(ctx), []ledger.Entry{e})
	if pg.IsUnique(err, "") { // an older charge's identifiers: whoever paid it would settle another sale
		e.Charge, e.QRExpiresAt, e.Event.Kind = nil, nil, payment.ChargeFailed
		e.Details["reason"] = "the provider answered with the charge of another sale"
		refusal = rpcerr.Precondition(fmt.Sprintf("the provider refused the charge of payment %s: %s", sale.ID, e.Details["reason"]))
		applied, err = s.Ledger.Apply(context.WithoutCancel(ctx), []ledger.Entry{e})
	}
	if err != nil {
		return sale, err
	}
	return applied[key], refusal
}

// refusedCharge reports whether the gateways said that there is no charge and will be none. ALREADY_EXISTS is not that: it says
// that a charge was asked for under the reference before.
func refusedCharge(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition:
		return true
	}
	return false
}

// opened are the details of a sale's first event. click says which click it came from: "token", "buyer" or "unknown".
func opened(ctx context.Context, provider string, amount money.Amount, click string) map[string]string {
	out := map[string]string{"provider": provider, "amount_centavos": fmt.Sprint(int64(amount)), "by": caller(ctx)}
	if click != "" {
		out["click"] = click
	}
	return out
}

// trackingOf is a stored sale's tracking; nil when another version wrote it.
func trackingOf(s store.Sale) *typev1.Tracking {
	t := &typev1.Tracking{}
	if protojson.Unmarshal(s.Tracking, t) != nil {
		return nil
	}
	return t
}

// withoutDocument takes the buyer's document out of what is kept, be it as a hash.
func withoutDocument(b *paymentsv1.Buyer) {
	if b != nil {
		b.Document = ""
	}
}

// chargeTime is ctx with an earlier deadline.
func chargeTime(ctx context.Context) (context.Context, context.CancelFunc) {
	at, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(at)
	return context.WithTimeout(ctx, left-min(recordTime, left/4))
}

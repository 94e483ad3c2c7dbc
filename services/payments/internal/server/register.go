package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

var tracer = otel.Tracer("github.com/baixapay/baixa/services/payments/internal/server")

// RegisterPayment is BatchRegisterPayments of one, with the error as a status.
func (s *Server) RegisterPayment(ctx context.Context, r *paymentsv1.RegisterPaymentRequest) (*paymentsv1.RegisterPaymentResponse, error) {
	recorded, errs, err := s.register(ctx, []*paymentsv1.RegisterPaymentRequest{r})
	if err := errors.Join(err, errs[0]); err != nil {
		return nil, err
	}
	return &paymentsv1.RegisterPaymentResponse{Payment: s.message(recorded[0].Sale, nil), Created: recorded[0].Created}, nil
}

// BatchRegisterPayments registers each sale for itself.
func (s *Server) BatchRegisterPayments(ctx context.Context, r *paymentsv1.BatchRegisterPaymentsRequest) (*paymentsv1.BatchRegisterPaymentsResponse, error) {
	if n := len(r.GetRequests()); n < 1 || n > 500 {
		return nil, rpcerr.Invalid("requests", "1 to 500 sales")
	}
	recorded, errs, err := s.register(ctx, r.GetRequests())
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.BatchRegisterPaymentsResponse{}
	for i := range recorded {
		result := &paymentsv1.RegisterResult{Created: recorded[i].Created}
		if errs[i] != nil {
			result.Error = rpcerr.Text(Errors(errs[i]))
		} else {
			result.PaymentId = recorded[i].Sale.ID.String()
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

// register checks and records; errs has each sale's own error, err is that of the whole call.
func (s *Server) register(ctx context.Context, requests []*paymentsv1.RegisterPaymentRequest) (recorded []ledger.Recorded, errs []error, err error) {
	recorded, errs = make([]ledger.Recorded, len(requests)), make([]error, len(requests))
	merchants, names := make([]payment.MerchantID, len(requests)), make([]string, len(requests))
	for i, r := range requests {
		if merchants[i], errs[i] = one(ctx, r.GetMerchantId()); status.Code(errs[i]) == codes.Unauthenticated {
			return recorded, errs, errs[i]
		}
		names[i] = r.GetBotId()
		var f rpcerr.Fields
		if checkText(&f, "bot_id", names[i], 100); f.Err() != nil {
			names[i] = "" // refused below; here it must not fail the others
		}
	}
	known, err := s.bots(ctx, merchants, names)
	if err != nil {
		return recorded, errs, err
	}
	var openings []ledger.Opening
	var of []int
	for i, r := range requests {
		if errs[i] != nil {
			continue
		}
		own := ctx
		if len(requests) > 1 { // each sale has a trace of its own, linked to the call that brought them all
			var span trace.Span
			own, span = tracer.Start(ctx, "register sale", trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
			span.End()
		}
		opening, err := s.opening(own, merchants[i], known, r)
		if unavailable(err) {
			return recorded, errs, err
		}
		if errs[i] = err; err == nil {
			openings, of = append(openings, opening), append(of, i)
		}
	}
	if len(openings) == 0 {
		return recorded, errs, nil
	}
	results, err := s.Ledger.Record(ctx, openings)
	if err != nil {
		return recorded, errs, err
	}
	for n, i := range of {
		recorded[i], errs[i] = results[n], results[n].Err
	}
	return recorded, errs, nil
}

func unavailable(err error) bool {
	return err != nil && (status.Code(err) == codes.Unavailable || pg.Unavailable(err))
}

type botKey struct {
	merchant payment.MerchantID
	name     string
}

type bots map[botKey]store.Bot

// find prefers the merchant's own id of a bot to ours.
func (b bots) find(m payment.MerchantID, name string) (store.Bot, bool) {
	name = strings.TrimSpace(name)
	id, ok := b[botKey{m, name}]
	if !ok {
		id, ok = b[botKey{m, strings.ToLower(name)}]
	}
	return id, ok
}

// bots finds the bots that are named, by our id or the external id.
func (s *Server) bots(ctx context.Context, merchants []payment.MerchantID, names []string) (bots, error) {
	names = slices.Clone(names)
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	found, err := s.Store.FindBots(ctx, merchants, names)
	if err != nil {
		return nil, err
	}
	out := bots{}
	for _, b := range found {
		out[botKey{b.MerchantID, b.ID.String()}] = b
	}
	for _, b := range found {
		out[botKey{b.MerchantID, b.ExternalID}] = b
	}
	return out, nil
}

func (s *Server) opening(ctx context.Context, m payment.MerchantID, known bots, r *paymentsv1.RegisterPaymentRequest) (ledger.Opening, error) {
	var f rpcerr.Fields
	amount := checkAmount(&f, r.GetAmount())
	checkProduct(&f, r.GetProduct())
	checkGroup(&f, r.GetProduct(), r.GetBuyer())
	checkBuyer(&f, r.GetBuyer())
	charge := store.Charge{ID: strings.TrimSpace(r.GetCharge().GetId()), Hash: strings.TrimSpace(r.GetCharge().GetHash()),
		Reference: strings.TrimSpace(r.GetCharge().GetReference()), CopyPaste: strings.TrimSpace(r.GetCharge().GetCopyPaste())}
	f.Require(charge.ID != "" || charge.Hash != "" || charge.Reference != "", "charge", "at least one of id, hash and reference")
	checkText(&f, "charge.id", charge.ID, 200)
	checkText(&f, "charge.hash", charge.Hash, 200)
	checkText(&f, "charge.reference", charge.Reference, 200)
	checkText(&f, "external_id", r.GetExternalId(), 200)
	checkText(&f, "charge.copy_paste", charge.CopyPaste, maxText)
	source, kind := payment.SourceAPI, payment.Registered
	if r.GetSource() == "import" {
		source, kind = payment.SourceImport, payment.Imported
	}
	f.Require(r.GetSource() == "" || r.GetSource() == "api" || r.GetSource() == "import", "source", "\"api\", \"import\" or nothing")
	created := s.Now()
	if r.GetCreatedAt() != nil {
		created = r.GetCreatedAt().AsTime()
		checkCreated(&f, created, s.Now())
	}
	account := checkSeller(&f, r.GetBotId(), r.GetAccountId())
	if err := f.Err(); err != nil {
		return ledger.Opening{}, err
	}
	bot, ok := known.find(m, r.GetBotId())
	if !ok {
		return ledger.Opening{}, rpcerr.NotFound("bot_id: bot")
	}
	provider, err := s.accounts.provider(ctx, m, account)
	if err != nil {
		return ledger.Opening{}, err
	}
	// Who registers a sale, and how, is not part of what the sale is.
	content := proto.Clone(r).(*paymentsv1.RegisterPaymentRequest)
	content.MerchantId, content.Source, content.BotId, content.AccountId = m.String(), "", bot.ID.String(), account.String()
	withoutDocument(content.GetBuyer())
	sale := newSale(ctx, m, bot, account, provider, amount, created, r.GetBuyer(), r.GetProduct())
	sale.Charge, sale.ExternalID, sale.RequestHash = charge, r.GetExternalId(), fingerprint(content)
	sale.DeliveredElsewhere, sale.DeliveredEver = r.GetDeliveredElsewhere(), r.GetDeliveredElsewhere()
	if r.GetCharge().GetExpiresAt() != nil {
		at := r.GetCharge().GetExpiresAt().AsTime()
		sale.QRExpiresAt = &at
	}
	from, found := s.attribution(ctx, &sale, r.GetClickToken(), r.GetTracking(), source != payment.SourceImport)
	sale.Tracking, sale.Campaign = tracking(from)
	return ledger.Opening{Sale: sale, Kind: kind, Source: source, TraceID: traceID(sale.Traceparent), Details: opened(ctx, provider, amount, found)}, nil
}

// newSale is what every new sale has.
func newSale(ctx context.Context, m payment.MerchantID, bot store.Bot, account payment.AccountID, provider string, amount money.Amount,
	created time.Time, buyer *paymentsv1.Buyer, product *paymentsv1.Product) store.Sale {
	return store.Sale{
		Payment: payment.Payment{ID: payment.ID(newID()), MerchantID: m, State: payment.Pending, Amount: amount, Currency: money.BRL, CreatedAt: created.UTC()},
		BotID:   bot.ID, BotExternalID: bot.ExternalID, AccountID: account, Provider: provider, SaleKey: auth.Random(), PageKey: auth.Random(),
		TelegramID: buyer.GetTelegramId(), BuyerName: buyer.GetName(), BuyerEmail: buyer.GetEmail(), BuyerPhone: buyer.GetPhone(),
		ProductName: product.GetName(), AccessURL: product.GetAccessUrl(), FileURL: product.GetFileUrl(), ContactText: product.GetContactText(), Group: group(product.GetGroup()),
		Traceparent: telemetry.Carrier(ctx)}
}

// newID is a UUID of version 7: ids made later sort later, so that new rows lie together.
func newID() uuid.UUID {
	id, err := uuid.NewV7()
	if err != nil { // the system's source of randomness is gone: nothing can go on
		panic(err)
	}
	return id
}

func traceID(traceparent string) string {
	if link, ok := telemetry.LinkFrom(traceparent); ok && link.SpanContext.IsSampled() {
		return link.SpanContext.TraceID().String()
	}
	return ""
}

// caller is who asked, for the history.
func caller(ctx context.Context) string {
	if p := auth.From(ctx); p.KeyID != "" {
		return "key " + p.KeyID
	}
	return "service"
}

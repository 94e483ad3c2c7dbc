package server

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// GetPayment returns one sale.
func (s *Server) GetPayment(ctx context.Context, r *paymentsv1.GetPaymentRequest) (*paymentsv1.GetPaymentResponse, error) {
	sale, err := s.sale(ctx, r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	next, err := s.next(ctx, sale)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.GetPaymentResponse{Payment: s.message(sale, next)}, nil
}

// next is when a sale is looked at next, nil for never again.
func (s *Server) next(ctx context.Context, sale store.Sale) (*time.Time, error) {
	look, err := s.Store.GetLook(ctx, store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &look.DueAt, err
}

// ListPayments lists sales, newest first.
func (s *Server) ListPayments(ctx context.Context, r *paymentsv1.ListPaymentsRequest) (*paymentsv1.ListPaymentsResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	filter := store.Filter{Merchant: m, State: stateOf(r.GetStatus()), Provider: strings.ToLower(r.GetProvider()), Bot: r.GetBotId(), Stuck: r.GetStuck(), Limit: int(r.GetPageSize())}
	var f rpcerr.Fields
	f.Require(r.GetPageSize() >= 0 && r.GetPageSize() <= 500, "page_size", "1 to 500, or 0 for 50")
	checkText(&f, "provider", r.GetProvider(), 100)
	checkText(&f, "bot_id", r.GetBotId(), 100)
	f.Require(r.GetStatus() == 0 || filter.State != 0, "status", "one of the statuses")
	if filter.Limit == 0 {
		filter.Limit = 50
	}
	if r.GetCreatedFrom() != nil {
		filter.From = r.GetCreatedFrom().AsTime()
	}
	if r.GetCreatedTo() != nil {
		filter.To = r.GetCreatedTo().AsTime()
	}
	if r.GetPageToken() != "" {
		filter.Before, err = position(r.GetPageToken())
		f.Require(err == nil, "page_token", "next_page_token of the page before")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	filter.Limit++ // one more tells whether there is a next page
	sales, err := s.Store.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListPaymentsResponse{}
	if len(sales) == filter.Limit {
		sales = sales[:len(sales)-1]
		last := sales[len(sales)-1]
		out.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt.UTC().Format(time.RFC3339Nano) + "," + last.ID.String()))
	}
	for _, sale := range sales {
		out.Payments = append(out.Payments, s.message(sale, nil))
	}
	return out, nil
}

func position(token string) (*store.Position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, err
	}
	at, id, _ := strings.Cut(string(raw), ",")
	created, err1 := time.Parse(time.RFC3339Nano, at)
	pid, err2 := payment.ParseID(id)
	return &store.Position{CreatedAt: created, ID: pid}, errors.Join(err1, err2)
}

// ListPaymentEvents returns a sale's whole history.
func (s *Server) ListPaymentEvents(ctx context.Context, r *paymentsv1.ListPaymentEventsRequest) (*paymentsv1.ListPaymentEventsResponse, error) {
	sale, err := s.sale(ctx, r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	events, err := s.Store.Events(ctx, sale.MerchantID, sale.ID)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListPaymentEventsResponse{}
	for _, e := range events {
		out.Events = append(out.Events, event(e))
	}
	return out, nil
}

// RecheckPayment makes a sale due now; the schedule keeps to the provider's rule.
func (s *Server) RecheckPayment(ctx context.Context, r *paymentsv1.RecheckPaymentRequest) (*paymentsv1.RecheckPaymentResponse, error) {
	sale, err := s.sale(ctx, r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	now := s.Now()
	until := now.Add(2 * time.Minute)
	applied, err := s.Ledger.Apply(ctx, []ledger.Entry{{Key: key, Hint: true, BuyerUntil: &until, TraceID: traceID(sale.Traceparent),
		Details: map[string]string{"by": caller(ctx)},
		Event:   payment.Event{Kind: payment.RecheckRequested, At: now, Source: payment.SourceManual}}})
	if err != nil {
		return nil, err
	}
	sale = applied[key]
	next, err := s.next(ctx, sale)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.RecheckPaymentResponse{Payment: s.message(sale, next), NextPollAt: stamp(next)}, nil
}

// ReviewPayment decides a doubt, through the ledger like everything else.
func (s *Server) ReviewPayment(ctx context.Context, r *paymentsv1.ReviewPaymentRequest) (*paymentsv1.ReviewPaymentResponse, error) {
	var f rpcerr.Fields
	f.Require(r.GetDecision() == paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT || r.GetDecision() == paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE,
		"decision", "REVIEW_DECISION_ACCEPT or REVIEW_DECISION_REFUSE")
	f.Require(strings.TrimSpace(r.GetNote()) != "", "note", "why, in a sentence")
	checkText(&f, "note", r.GetNote(), 500)
	if err := f.Err(); err != nil {
		return nil, err
	}
	sale, err := s.sale(ctx, r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	if !sale.ReviewOpen() {
		return nil, rpcerr.Precondition("the payment is " + sale.State.String() + "; there is nothing to review")
	}
	kind := payment.ReviewAccepted
	if r.GetDecision() == paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE {
		kind = payment.ReviewRefused
	}
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	applied, err := s.Ledger.Apply(ctx, []ledger.Entry{{Key: key, TraceID: traceID(sale.Traceparent),
		Details: map[string]string{"note": r.GetNote(), "by": caller(ctx)},
		Event:   payment.Event{Kind: kind, At: s.Now(), Source: payment.SourceOperator}}})
	if err != nil {
		return nil, err
	}
	sale = applied[key]
	events, err := s.Store.Events(ctx, sale.MerchantID, sale.ID)
	if err != nil {
		return nil, err
	}
	if events[sale.EventCount-1].Details["why"] == string(payment.WhyNothingToReview) { // somebody else's answer came first
		return nil, rpcerr.Precondition("the payment is " + sale.State.String() + "; it was reviewed a moment ago")
	}
	return &paymentsv1.ReviewPaymentResponse{Payment: s.message(sale, nil)}, nil
}

package server

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

var webhookStates = []string{"new", "matched", "parked", "not_understood", "ignored", "refused", "unmatched"}

// ListWebhooks lists webhooks, newest first.
func (s *Server) ListWebhooks(ctx context.Context, r *paymentsv1.ListWebhooksRequest) (*paymentsv1.ListWebhooksResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	filter := store.WebhookFilter{Merchant: m, State: r.GetState(), Provider: strings.ToLower(r.GetProvider()), Limit: int(r.GetPageSize())}
	var f rpcerr.Fields
	f.Require(r.GetPageSize() >= 0 && r.GetPageSize() <= 500, "page_size", "1 to 500, or 0 for 50")
	checkState(&f, r.GetState())
	checkText(&f, "provider", r.GetProvider(), 100)
	if r.GetPaymentId() != "" {
		id, err := payment.ParseID(r.GetPaymentId())
		f.Require(err == nil, "payment_id", "a UUID as CreatePayment returns it")
		filter.PaymentID = &id
	}
	if r.GetReceivedFrom() != nil {
		filter.From = r.GetReceivedFrom().AsTime()
	}
	if r.GetReceivedTo() != nil {
		filter.To = r.GetReceivedTo().AsTime()
	}
	if r.GetPageToken() != "" {
		id, err := uuid.Parse(r.GetPageToken())
		f.Require(err == nil, "page_token", "next_page_token of the page before")
		filter.Before = &id
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if filter.Limit == 0 {
		filter.Limit = 50
	}
	filter.Limit++ // one more tells whether there is a next page
	list, err := s.Store.Webhooks(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListWebhooksResponse{}
	if len(list) == filter.Limit {
		list = list[:len(list)-1]
		out.NextPageToken = list[len(list)-1].ID.String()
	}
	for _, w := range list {
		out.Webhooks = append(out.Webhooks, webhook(w))
	}
	return out, nil
}

func checkState(f *rpcerr.Fields, state string) {
	f.Require(state == "" || slices.Contains(webhookStates, state), "state", "one of "+strings.Join(webhookStates, ", "))
}

// GetWebhook returns one.
func (s *Server) GetWebhook(ctx context.Context, r *paymentsv1.GetWebhookRequest) (*paymentsv1.GetWebhookResponse, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	id, err := uuid.Parse(r.GetWebhookId())
	if err != nil {
		return nil, rpcerr.Invalid("webhook_id", "a UUID as its sender got it, or as ListWebhooks returns it")
	}
	list, err := s.Store.Webhooks(ctx, store.WebhookFilter{Merchant: m, ID: &id, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, rpcerr.NotFound("webhook")
	}
	return &paymentsv1.GetWebhookResponse{Webhook: webhook(list[0])}, nil
}

// ReplayWebhooks makes webhooks wait to be read again.
func (s *Server) ReplayWebhooks(ctx context.Context, r *paymentsv1.ReplayWebhooksRequest) (*paymentsv1.ReplayWebhooksResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	replay := store.Replay{Merchant: m, State: r.GetState(), Provider: strings.ToLower(r.GetProvider()), Now: moment(s.Now()), DryRun: r.GetDryRun()}
	var f rpcerr.Fields
	checkState(&f, r.GetState())
	checkText(&f, "provider", r.GetProvider(), 100)
	f.Require(len(r.GetWebhookIds()) <= 500, "webhook_ids", "at most 500")
	for _, text := range r.GetWebhookIds() {
		id, err := uuid.Parse(text)
		f.Require(err == nil, "webhook_ids", "UUIDs as ListWebhooks returns them")
		if err == nil && !slices.Contains(replay.IDs, id) {
			replay.IDs = append(replay.IDs, id)
		}
	}
	window := r.GetReceivedFrom() != nil || r.GetReceivedTo() != nil || r.GetState() != "" || r.GetProvider() != ""
	if len(r.GetWebhookIds()) > 0 {
		f.Require(!window, "webhook_ids", "ids alone, or a window without ids")
	} else {
		f.Require(r.GetReceivedFrom() != nil, "received_from", "when the window begins, or webhook_ids")
		f.Require(r.GetReceivedTo() != nil, "received_to", "when the window ends, or webhook_ids")
		replay.From, replay.To = r.GetReceivedFrom().AsTime(), r.GetReceivedTo().AsTime()
		f.Require(replay.From.Before(replay.To), "received_to", "after received_from")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	found, purged, err := s.Store.ReplayWebhooks(ctx, replay)
	if err != nil {
		return nil, err
	}
	if found < int64(len(replay.IDs)) {
		return nil, rpcerr.NotFound("one of the webhooks")
	}
	return &paymentsv1.ReplayWebhooksResponse{Replayed: found - purged, Purged: purged}, nil
}

func webhook(w store.WebhookRow) *paymentsv1.Webhook {
	out := &paymentsv1.Webhook{Id: w.ID.String(), Provider: w.Provider, State: w.State, Reason: w.Reason, ReceivedAt: timestamppb.New(w.ReceivedAt),
		Copies: int32(w.Copies), LastCopyAt: stamp(w.LastCopyAt), ContentType: w.ContentType, SealedBytes: w.Size, PurgedAt: stamp(w.PurgedAt),
		RemoteAddr: w.RemoteAddr, HeaderNames: w.HeaderNames, ChargeHash: w.Hash, ChargeId: w.RefID, ChargeReference: w.RefReference, Claimed: w.Claimed,
		DueAt: stamp(w.DueAt), Attempts: int32(w.Attempts)}
	if w.MerchantID != nil {
		out.MerchantId = w.MerchantID.String()
	}
	if w.PaymentID != nil {
		out.PaymentId = w.PaymentID.String()
	}
	if w.AccountID != nil {
		out.AccountId = w.AccountID.String()
	}
	return out
}

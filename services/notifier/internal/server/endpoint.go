package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/channel/webhook"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	maxDescription = 200 // bytes
	maxEventTypes  = 50
	maxFilterBots  = 1000
	maxOverlap     = 7 * 24 * time.Hour
	stdOverlap     = 24 * time.Hour
	maxRedeliver   = 10_000
	maxSince       = 30 * 24 * time.Hour
)

// Endpoints implements notifierv1.EndpointsServiceServer. It is safe for concurrent use.
type Endpoints struct {
	notifierv1.UnimplementedEndpointsServiceServer
	store  *store.Store
	sealer *seal.Sealer
	sender *webhook.Sender
}

// NewEndpoints checks that nothing is missing.
func NewEndpoints(st *store.Store, sealer *seal.Sealer, sender *webhook.Sender) (*Endpoints, error) {
	if st == nil || sealer == nil || sender == nil {
		return nil, errors.New("endpoints server: a dependency is missing")
	}
	return &Endpoints{store: st, sealer: sealer, sender: sender}, nil
}

// PutEndpoint makes or changes one.
func (s *Endpoints) PutEndpoint(ctx context.Context, r *notifierv1.PutEndpointRequest) (*notifierv1.PutEndpointResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	e, err := s.endpoint(ctx, owner, r)
	if err != nil {
		return nil, err
	}
	secretID, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("secret id: %w", err)
	}
	secret := webhook.NewSecret()
	sealed, err := webhook.SealSecret(s.sealer, owner, e.ID, secretID, secret)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	made, err := s.store.PutEndpoint(ctx, e, secretID, sealed)
	if errors.Is(err, store.ErrTooMany) {
		return nil, rpcerr.Precondition(fmt.Sprintf("a merchant has at most %d endpoints; delete one first", store.MaxEndpoints))
	}
	if err != nil {
		return nil, err
	}
	if !made {
		secret = ""
	}
	s.sender.Wake() // it may have been disabled
	row, err := s.store.Endpoint(ctx, owner, e.ID)
	if err != nil {
		return nil, err
	}
	return &notifierv1.PutEndpointResponse{Endpoint: endpoint(row), Secret: secret}, nil
}

// endpoint reads and checks a request.
func (s *Endpoints) endpoint(ctx context.Context, owner uuid.UUID, r *notifierv1.PutEndpointRequest) (store.Endpoint, error) {
	var f rpcerr.Fields
	e := store.Endpoint{MerchantID: owner, URL: r.GetUrl(), Description: r.GetDescription(), EventTypes: []string{}, BotIDs: []uuid.UUID{}}
	if r.GetEndpointId() != "" {
		e.ID = id(&f, "endpoint_id", r.GetEndpointId())
	} else {
		var err error
		if e.ID, err = uuid.NewV7(); err != nil {
			return e, fmt.Errorf("endpoint id: %w", err)
		}
	}
	f.Require(len(e.Description) <= maxDescription && utf8.ValidString(e.Description), "description", fmt.Sprintf("UTF-8 text of at most %d bytes", maxDescription))
	f.Require(len(r.GetEventTypes()) <= maxEventTypes, "event_types", fmt.Sprintf("at most %d types; none means all", maxEventTypes))
	for i, name := range r.GetEventTypes()[:min(len(r.GetEventTypes()), maxEventTypes)] {
		f.Require(goodType(name), fmt.Sprintf("event_types[%d]", i), "lower case letters, digits and underscores, such as payment_update")
		e.EventTypes = append(e.EventTypes, name)
	}
	f.Require(len(r.GetBotIds()) <= maxFilterBots, "bot_ids", fmt.Sprintf("at most %d bots; none means all", maxFilterBots))
	for i, text := range r.GetBotIds()[:min(len(r.GetBotIds()), maxFilterBots)] {
		e.BotIDs = append(e.BotIDs, id(&f, fmt.Sprintf("bot_ids[%d]", i), text))
	}
	loopback, err := s.sender.CheckURL(ctx, e.URL, auth.From(ctx).Operator)
	e.Loopback = loopback
	for _, expected := range []error{webhook.ErrURL, webhook.ErrPrivate, webhook.ErrLoopback} {
		if errors.Is(err, expected) {
			f.Require(false, "url", expected.Error())
		}
	}
	if err := f.Err(); err != nil {
		return e, err
	}
	return e, err
}

// ListEndpoints lists a merchant's.
func (s *Endpoints) ListEndpoints(ctx context.Context, r *notifierv1.ListEndpointsRequest) (*notifierv1.ListEndpointsResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.store.Endpoints(ctx, owner)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.ListEndpointsResponse{}
	for _, e := range list {
		out.Endpoints = append(out.Endpoints, endpoint(e))
	}
	return out, nil
}

// find is the endpoint that a request names; what is someone else's is not found.
func (s *Endpoints) find(ctx context.Context, requested, text string) (store.Endpoint, error) {
	owner, err := merchant(ctx, requested)
	if err != nil {
		return store.Endpoint{}, err
	}
	var f rpcerr.Fields
	endpointID := id(&f, "endpoint_id", text)
	if err := f.Err(); err != nil {
		return store.Endpoint{}, err
	}
	e, err := s.store.Endpoint(ctx, owner, endpointID)
	return e, noEndpoint(err)
}

func noEndpoint(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return rpcerr.NotFound("endpoint")
	}
	return err
}

func enabled(e store.Endpoint) error {
	if e.DisabledReason != "" {
		return rpcerr.Precondition("the endpoint is disabled (" + e.DisabledReason + "); PutEndpoint enables it")
	}
	return nil
}

// RotateSecret adds a secret.
func (s *Endpoints) RotateSecret(ctx context.Context, r *notifierv1.RotateSecretRequest) (*notifierv1.RotateSecretResponse, error) {
	overlap := stdOverlap
	if r.GetOverlap() != nil {
		overlap = r.GetOverlap().AsDuration()
	}
	e, err := s.find(ctx, r.GetMerchantId(), r.GetEndpointId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(overlap >= 0 && overlap <= maxOverlap && (r.GetOverlap() == nil || r.GetOverlap().IsValid()), "overlap", "0s to 604800s (7 days)")
	if err := f.Err(); err != nil {
		return nil, err
	}
	secretID, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("secret id: %w", err)
	}
	secret := webhook.NewSecret()
	sealed, err := webhook.SealSecret(s.sealer, e.MerchantID, e.ID, secretID, secret)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	until, err := s.store.RotateSecret(ctx, e.MerchantID, e.ID, secretID, sealed, overlap)
	if errors.Is(err, store.ErrTooMany) {
		return nil, rpcerr.Precondition(fmt.Sprintf("%d secrets are good already; wait until one ends, or rotate with an overlap of 0s", store.MaxSecrets))
	}
	if err != nil {
		return nil, noEndpoint(err)
	}
	return &notifierv1.RotateSecretResponse{Secret: secret, OldUntil: timestamppb.New(until)}, nil
}

// DeleteEndpoint forgets one.
func (s *Endpoints) DeleteEndpoint(ctx context.Context, r *notifierv1.DeleteEndpointRequest) (*notifierv1.DeleteEndpointResponse, error) {
	e, err := s.find(ctx, r.GetMerchantId(), r.GetEndpointId())
	if err != nil {
		return nil, err
	}
	if err := s.store.DeleteEndpoint(ctx, e.MerchantID, e.ID); err != nil {
		return nil, noEndpoint(err)
	}
	return &notifierv1.DeleteEndpointResponse{}, nil
}

// ListAttempts lists what was sent.
func (s *Endpoints) ListAttempts(ctx context.Context, r *notifierv1.ListAttemptsRequest) (*notifierv1.ListAttemptsResponse, error) {
	e, err := s.find(ctx, r.GetMerchantId(), r.GetEndpointId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	var event *uuid.UUID
	if r.GetEventId() != "" {
		v := id(&f, "event_id", r.GetEventId())
		event = &v
	}
	size := pageSize(&f, r.GetPageSize())
	below := int64(math.MaxInt64)
	if r.GetPageToken() != "" {
		below, err = strconv.ParseInt(r.GetPageToken(), 10, 64)
		f.Require(err == nil && below > 0, "page_token", "the next_page_token of the page before, or nothing")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	list, err := s.store.WebhookAttempts(ctx, e.MerchantID, e.ID, event, r.GetFailed(), below, size+1)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.ListAttemptsResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = strconv.FormatInt(list[size-1].Seq, 10)
	}
	for _, a := range list {
		out.Attempts = append(out.Attempts, attempt(a))
	}
	return out, nil
}

// Redeliver sends again.
func (s *Endpoints) Redeliver(ctx context.Context, r *notifierv1.RedeliverRequest) (*notifierv1.RedeliverResponse, error) {
	e, err := s.find(ctx, r.GetMerchantId(), r.GetEndpointId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require((r.GetEventId() != "") != (r.GetSince() != nil), "event_id", "exactly one of event_id and since")
	var event uuid.UUID
	if r.GetEventId() != "" {
		event = id(&f, "event_id", r.GetEventId())
	}
	if r.GetSince() != nil {
		since := r.GetSince().AsTime()
		f.Require(r.GetSince().IsValid() && time.Since(since) <= maxSince && !since.After(time.Now()), "since", "a time within the last 30 days")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := enabled(e); err != nil {
		return nil, err
	}
	out := &notifierv1.RedeliverResponse{Events: 1}
	if r.GetSince() == nil {
		if err := s.store.Redeliver(ctx, e.MerchantID, e.ID, event); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return nil, rpcerr.NotFound("event")
			}
			return nil, err
		}
	} else {
		n, err := s.store.RedeliverSince(ctx, e.MerchantID, e.ID, r.GetSince().AsTime(), maxRedeliver)
		if err != nil {
			return nil, err
		}
		out.Events, out.More = int32(n), n == maxRedeliver
	}
	s.sender.Wake()
	return out, nil
}

// SendTestEvent queues one event for this endpoint alone.
func (s *Endpoints) SendTestEvent(ctx context.Context, r *notifierv1.SendTestEventRequest) (*notifierv1.SendTestEventResponse, error) {
	e, err := s.find(ctx, r.GetMerchantId(), r.GetEndpointId())
	if err != nil {
		return nil, err
	}
	if err := enabled(e); err != nil {
		return nil, err
	}
	eventID, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("event id: %w", err)
	}
	body, err := webhook.TestEvent(eventID, e.ID, time.Now())
	if err != nil {
		return nil, err
	}
	if err := s.store.PutTestMessage(ctx, e.MerchantID, e.ID, eventID, body); err != nil {
		return nil, noEndpoint(err)
	}
	s.sender.Wake()
	return &notifierv1.SendTestEventResponse{EventId: eventID.String()}, nil
}

func pageSize(f *rpcerr.Fields, n int32) int {
	f.Require(n >= 0 && n <= 500, "page_size", "1 to 500, or 0 for 50")
	if n <= 0 {
		return 50
	}
	return int(min(n, 500))
}

func endpoint(e store.Endpoint) *notifierv1.Endpoint {
	out := &notifierv1.Endpoint{Id: e.ID.String(), MerchantId: e.MerchantID.String(), Url: e.URL, Description: e.Description, EventTypes: e.EventTypes,
		State: notifierv1.EndpointState_ENDPOINT_STATE_ENABLED, Reason: e.DisabledReason, CreatedAt: timestamppb.New(e.CreatedAt),
		UpdatedAt: timestamppb.New(e.UpdatedAt), FailingSince: optional(e.FailingSince), Waiting: e.Waiting, Secrets: int32(e.Secrets)}
	if e.DisabledReason != "" {
		out.State = notifierv1.EndpointState_ENDPOINT_STATE_DISABLED
	}
	for _, b := range e.BotIDs {
		out.BotIds = append(out.BotIds, b.String())
	}
	return out
}

func attempt(a store.WebhookAttempt) *notifierv1.Attempt {
	out := &notifierv1.Attempt{EventId: a.EventID.String(), EventType: a.Type, Number: int32(a.Number), At: timestamppb.New(a.At),
		ElapsedMs: int32(a.ElapsedMS), HttpStatus: int32(a.HTTPStatus), Reason: a.Reason, Delivered: a.Reason == "", NextAttemptAt: optional(a.NextAt)}
	if a.PaymentID != uuid.Nil {
		out.PaymentId = a.PaymentID.String()
	}
	return out
}

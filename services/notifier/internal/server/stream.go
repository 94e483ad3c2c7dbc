package server

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	maxTicketBots = 1000
	outcomeBatch  = 200
	outcomeSpace  = 25 * time.Millisecond // between two reads: who follows writes a history, and does it for many at once
)

// CreateStreamTicket makes a ticket for one connection.
func (s *Server) CreateStreamTicket(ctx context.Context, r *notifierv1.CreateStreamTicketRequest) (*notifierv1.CreateStreamTicketResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(len(r.GetBotIds()) <= maxTicketBots, "bot_ids", fmt.Sprintf("at most %d bots; none means all", maxTicketBots))
	bots := make([]uuid.UUID, 0, min(len(r.GetBotIds()), maxTicketBots))
	for i, text := range r.GetBotIds()[:min(len(r.GetBotIds()), maxTicketBots)] {
		bots = append(bots, id(&f, fmt.Sprintf("bot_ids[%d]", i), text))
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(bots) > 0 {
		foreign, err := s.Store.ForeignBots(ctx, owner, bots)
		if err != nil {
			return nil, err
		}
		if len(foreign) > 0 {
			return nil, rpcerr.Denied("bot_ids: not all of them are this merchant's")
		}
	}
	text, hash := websocket.NewTicket(owner)
	expires, err := s.Store.PutTicket(ctx, owner, hash, bots, websocket.TicketLife)
	if err != nil {
		return nil, err
	}
	return &notifierv1.CreateStreamTicketResponse{Ticket: text, ExpiresAt: timestamppb.New(expires)}, nil
}

// FollowOutcomes streams what became of messages, of all merchants: only operators and services may.
func (s *Server) FollowOutcomes(r *notifierv1.FollowOutcomesRequest, out notifierv1.NotifierService_FollowOutcomesServer) error {
	switch caller := auth.From(out.Context()); {
	case !caller.Known():
		return rpcerr.Unauthenticated("a signed principal is needed")
	case !caller.Operator:
		return rpcerr.Denied("outcomes of all merchants are for operators only")
	}
	after, err := eventlog.ParseCursor(r.GetCursor())
	if err != nil {
		return rpcerr.Invalid("cursor", "a cursor of this stream, or nothing")
	}
	return eventlog.Follow(out.Context(), s.Store.Outcomes(), eventlog.Feed[store.Outcome]{
		After: after, Batch: outcomeBatch, Space: outcomeSpace, Read: s.Store.OutcomesAfter,
		Deliver: func(_ context.Context, rows []store.Outcome) error {
			m := &notifierv1.FollowOutcomesResponse{Cursor: rows[len(rows)-1].Cursor.String(), Outcomes: make([]*notifierv1.Outcome, len(rows))}
			for i, row := range rows {
				m.Outcomes[i] = outcome(row)
			}
			return out.Send(m)
		},
	})
}

// GetHealth counts what waits and what failed.
func (s *Server) GetHealth(ctx context.Context, r *notifierv1.GetHealthRequest) (*notifierv1.GetHealthResponse, error) {
	whose, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	h, err := s.Store.Health(ctx, whose)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.GetHealthResponse{Queued: h.Queued, OldestQueuedAt: optional(h.OldestQueuedAt), Sent: h.Sent,
		Undeliverable: h.Undeliverable, MaybeSent: h.MaybeSent, OpenSockets: int64(s.OpenSockets(whose)), OwnerEvents: h.OwnerEvents,
		AccessesInError: h.Broken, EndpointsDisabled: h.Disabled, EndpointsFailing: h.FailingLong,
		CarriedByFallback: h.Carried, CarriedBecause: h.CarriedBecause}
	if h.BrokenSale != nil {
		out.AccessInErrorPaymentId = h.BrokenSale.String()
	}
	for _, b := range h.RefusedBots {
		out.RefusedBotIds = append(out.RefusedBotIds, b.String())
	}
	return out, nil
}

package notifiertest

import (
	"context"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// Notify records one.
func (f *Fake) Notify(ctx context.Context, r *notifierv1.NotifyRequest) (*notifierv1.NotifyResponse, error) {
	if err := f.enter(ctx, "Notify"); err != nil {
		return nil, err
	}
	if err := check(ctx, r); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.record(r), nil
}

// BatchNotify records all or nothing.
func (f *Fake) BatchNotify(ctx context.Context, r *notifierv1.BatchNotifyRequest) (*notifierv1.BatchNotifyResponse, error) {
	if err := f.enter(ctx, "BatchNotify"); err != nil {
		return nil, err
	}
	if n := len(r.GetRequests()); n < 1 || n > 500 {
		return nil, rpcerr.Invalid("requests", "1 to 500 requests")
	}
	for _, one := range r.GetRequests() {
		if err := check(ctx, one); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &notifierv1.BatchNotifyResponse{}
	for _, one := range r.GetRequests() {
		out.Responses = append(out.Responses, f.record(one))
	}
	return out, nil
}

// GetNotifications lists a sale's.
func (f *Fake) GetNotifications(ctx context.Context, r *notifierv1.GetNotificationsRequest) (*notifierv1.GetNotificationsResponse, error) {
	if err := f.enter(ctx, "GetNotifications"); err != nil {
		return nil, err
	}
	merchant, err := auth.From(ctx).Scope(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	out := &notifierv1.GetNotificationsResponse{}
	f.locked(func() {
		for _, n := range f.rows {
			if n.PaymentId == r.GetPaymentId() && (merchant == "" || n.MerchantId == merchant) {
				out.Notifications = append(out.Notifications, proto.CloneOf(n))
			}
		}
	})
	return out, nil
}

// PutBot keeps a bot.
func (f *Fake) PutBot(ctx context.Context, r *notifierv1.PutBotRequest) (*notifierv1.PutBotResponse, error) {
	if err := f.enter(ctx, "PutBot"); err != nil {
		return nil, err
	}
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	f.locked(func() { f.bots[merchant+"/"+r.GetBotId()] = proto.CloneOf(r) })
	return &notifierv1.PutBotResponse{BotId: r.GetBotId(), UpdatedAt: timestamppb.Now()}, nil
}

// CreateStreamTicket makes a ticket that opens nothing.
func (f *Fake) CreateStreamTicket(ctx context.Context, r *notifierv1.CreateStreamTicketRequest) (*notifierv1.CreateStreamTicketResponse, error) {
	if err := f.enter(ctx, "CreateStreamTicket"); err != nil {
		return nil, err
	}
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); err != nil {
		return nil, err
	}
	expires := timestamppb.Now()
	expires.Seconds += 60
	return &notifierv1.CreateStreamTicketResponse{Ticket: "bxt_test_" + auth.Random(), ExpiresAt: expires}, nil
}

// GetHealth counts everything ever recorded.
func (f *Fake) GetHealth(ctx context.Context, r *notifierv1.GetHealthRequest) (*notifierv1.GetHealthResponse, error) {
	if err := f.enter(ctx, "GetHealth"); err != nil {
		return nil, err
	}
	merchant, err := auth.From(ctx).Scope(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	out := &notifierv1.GetHealthResponse{}
	f.locked(func() {
		for _, n := range f.rows {
			switch {
			case merchant != "" && n.MerchantId != merchant:
			case n.Channel == notifierv1.Channel_CHANNEL_WEBSOCKET:
				out.OwnerEvents++
			case n.State == notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED:
				if out.Queued++; out.OldestQueuedAt == nil {
					out.OldestQueuedAt = n.CreatedAt
				}
			case n.State == notifierv1.NotificationState_NOTIFICATION_STATE_SENT:
				out.Sent++
			case n.State == notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE:
				out.Undeliverable++
			default:
				out.MaybeSent++
			}
		}
	})
	return out, nil
}

// FollowOutcomes streams outcomes, one a message, until the caller or the server goes. The cursor is their number.
func (f *Fake) FollowOutcomes(r *notifierv1.FollowOutcomesRequest, out notifierv1.NotifierService_FollowOutcomesServer) error {
	if err := f.enter(out.Context(), "FollowOutcomes"); err != nil {
		return err
	}
	if !auth.From(out.Context()).Operator {
		return rpcerr.Denied("outcomes of all merchants are for operators only")
	}
	next, err := strconv.Atoi(r.GetCursor())
	if err != nil && r.GetCursor() != "" {
		return rpcerr.Invalid("cursor", "a cursor of this stream, or nothing")
	}
	for {
		var (
			fresh   []*notifierv1.Outcome
			changed chan struct{}
		)
		f.locked(func() { fresh, changed = f.outcomes[min(next, len(f.outcomes)):], f.changed })
		for _, o := range fresh {
			next++
			if err := out.Send(&notifierv1.FollowOutcomesResponse{Outcomes: []*notifierv1.Outcome{o}, Cursor: strconv.Itoa(next)}); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-out.Context().Done():
			return out.Context().Err()
		}
	}
}

func kindOf(r *notifierv1.NotifyRequest) string {
	if e := r.GetOwnerEvent(); e != nil {
		return e.GetType()
	}
	kind, _, _ := strings.Cut(r.GetKey(), ":")
	return kind
}

// FindUntold says of which sales no delivery message was recorded.
func (f *Fake) FindUntold(ctx context.Context, r *notifierv1.FindUntoldRequest) (*notifierv1.FindUntoldResponse, error) {
	if err := f.enter(ctx, "FindUntold"); err != nil {
		return nil, err
	}
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	out := &notifierv1.FindUntoldResponse{}
	f.locked(func() {
		told := map[string]bool{}
		for _, n := range f.rows {
			told[n.PaymentId] = told[n.PaymentId] || n.MerchantId == merchant && n.Kind == "delivery"
		}
		for _, id := range r.GetPaymentIds() {
			if !told[id] {
				out.PaymentIds = append(out.PaymentIds, id)
			}
		}
	})
	return out, nil
}

// FindUnrecorded says what was never recorded. Nothing is ever stuck here.
func (f *Fake) FindUnrecorded(ctx context.Context, r *notifierv1.FindUnrecordedRequest) (*notifierv1.FindUnrecordedResponse, error) {
	if err := f.enter(ctx, "FindUnrecorded"); err != nil {
		return nil, err
	}
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var fields rpcerr.Fields
	fields.Require(len(r.GetSales()) > 0 && len(r.GetSales()) <= 500, "sales", "1 to 500 sales")
	if err := fields.Err(); err != nil {
		return nil, err
	}
	out := &notifierv1.FindUnrecordedResponse{}
	f.locked(func() {
		for _, sale := range r.GetSales() {
			for _, key := range sale.GetKeys() {
				if f.byKey[merchant+"/"+sale.GetPaymentId()+"/"+key] == nil {
					out.Unrecorded = append(out.Unrecorded, &notifierv1.Unrecorded{PaymentId: sale.GetPaymentId(), Kind: "notice", Key: key})
				}
			}
		}
	})
	for _, sale := range r.GetSales() {
		if _, err := f.access.find(ctx, merchant, sale.GetPaymentId()); sale.GetAccess() && err != nil {
			out.Unrecorded = append(out.Unrecorded, &notifierv1.Unrecorded{PaymentId: sale.GetPaymentId(), Kind: "access"})
		}
	}
	return out, nil
}

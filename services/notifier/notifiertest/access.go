package notifiertest

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// accesses is the fake's other service: it keeps what was granted and does what a test says.
type accesses struct {
	notifierv1.UnimplementedAccessServiceServer
	mu   sync.Mutex
	rows map[string]*notifierv1.Access // by merchant and payment
}

// AccessClient is Client for the access service.
func (f *Fake) AccessClient(t testing.TB) notifierv1.AccessServiceClient {
	t.Helper()
	return notifierv1.NewAccessServiceClient(f.Conn(t))
}

// Access returns what was granted to a sale, or nil.
func (f *Fake) Access(merchantID, paymentID string) *notifierv1.Access {
	f.access.mu.Lock()
	defer f.access.mu.Unlock()
	if a := f.access.rows[merchantID+"/"+paymentID]; a != nil {
		return proto.CloneOf(a)
	}
	return nil
}

// SetAccess changes what was granted to a sale and, with what not empty, appends the outcome; it reports whether there is one.
func (f *Fake) SetAccess(merchantID, paymentID, what, reason string, change func(*notifierv1.Access)) (found bool) {
	f.access.mu.Lock()
	a := f.access.rows[merchantID+"/"+paymentID]
	if a != nil {
		change(a)
		a = proto.CloneOf(a)
	}
	f.access.mu.Unlock()
	if a == nil || what == "" {
		return a != nil
	}
	f.locked(func() {
		f.outcomes = append(f.outcomes, &notifierv1.Outcome{Id: uuid.NewString(), MerchantId: merchantID, PaymentId: paymentID, Kind: "access",
			Channel: notifierv1.Channel_CHANNEL_GROUP, Reason: reason, At: timestamppb.Now(),
			Access: &notifierv1.AccessOutcome{AccessId: a.Id, What: what, ChatId: a.ChatId, ExpiresAt: a.ExpiresAt}})
		close(f.changed)
		f.changed = make(chan struct{})
	})
	return true
}

// GrantAccess records one.
func (s *accesses) GrantAccess(ctx context.Context, r *notifierv1.GrantAccessRequest) (*notifierv1.GrantAccessResponse, error) {
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); err != nil {
		return nil, err
	}
	if r.GetChatId() >= 0 || r.GetUserId() <= 0 {
		return nil, rpcerr.Invalid("chat_id", "a group's id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.GetMerchantId() + "/" + r.GetPaymentId()
	a, known := s.rows[key]
	if !known {
		a = &notifierv1.Access{Id: uuid.NewString(), MerchantId: r.GetMerchantId(), PaymentId: r.GetPaymentId(), BotId: r.GetBotId(), ChatId: r.GetChatId(),
			UserId: r.GetUserId(), State: notifierv1.AccessState_ACCESS_STATE_PENDING, DurationUnit: r.GetDurationUnit(), DurationValue: r.GetDurationValue(),
			CreatedAt: timestamppb.Now()}
		if s.rows == nil {
			s.rows = map[string]*notifierv1.Access{}
		}
		s.rows[key] = a
	}
	return &notifierv1.GrantAccessResponse{Access: proto.CloneOf(a), Created: !known}, nil
}

// find is called with the lock held.
func (s *accesses) find(ctx context.Context, requested, payment string) (*notifierv1.Access, error) {
	merchant, err := auth.From(ctx).Merchant(requested)
	if err != nil {
		return nil, err
	}
	if a := s.rows[merchant+"/"+payment]; a != nil {
		return a, nil
	}
	return nil, rpcerr.NotFound("access")
}

// GetAccess reads one by its sale.
func (s *accesses) GetAccess(ctx context.Context, r *notifierv1.GetAccessRequest) (*notifierv1.GetAccessResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(ctx, r.GetMerchantId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	return &notifierv1.GetAccessResponse{Access: proto.CloneOf(a)}, nil
}

// RevokeAccess ends one.
func (s *accesses) RevokeAccess(ctx context.Context, r *notifierv1.RevokeAccessRequest) (*notifierv1.RevokeAccessResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(ctx, r.GetMerchantId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	if a.State != notifierv1.AccessState_ACCESS_STATE_CANCELLED {
		a.State, a.CancelledReason, a.InviteUrl, a.LinkReady = notifierv1.AccessState_ACCESS_STATE_CANCELLED, r.GetReason(), "", false
	}
	return &notifierv1.RevokeAccessResponse{Access: proto.CloneOf(a)}, nil
}

// RestoreAccess gives one back.
func (s *accesses) RestoreAccess(ctx context.Context, r *notifierv1.RestoreAccessRequest) (*notifierv1.RestoreAccessResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(ctx, r.GetMerchantId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	if a.State == notifierv1.AccessState_ACCESS_STATE_CANCELLED && (a.CancelledReason != "manual" || r.GetManualToo()) {
		a.State, a.CancelledReason = notifierv1.AccessState_ACCESS_STATE_PENDING, ""
	}
	return &notifierv1.RestoreAccessResponse{Access: proto.CloneOf(a)}, nil
}

package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/access"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Telegram's ids have at most 52 significant bits (core.telegram.org/bots/api#chat).
const (
	maxTelegramID = int64(1) << 52
	maxDuration   = 1000
	maxExtension  = 10 * 366 * 24 * time.Hour
)

var units = []string{"hours", "days", "weeks", "months", store.Forever}

var cancelReasons = []string{"refunded", "charged_back", "disputed", store.CancelledManually}

// Accesses implements notifierv1.AccessServiceServer. It is safe for concurrent use.
type Accesses struct {
	notifierv1.UnimplementedAccessServiceServer
	store  *store.Store
	sealer *seal.Sealer
	wake   func()
}

// NewAccesses checks that nothing is missing. wake is called after something became due.
func NewAccesses(st *store.Store, sealer *seal.Sealer, wake func()) (*Accesses, error) {
	if st == nil || sealer == nil || wake == nil {
		return nil, errors.New("accesses server: a dependency is missing")
	}
	return &Accesses{store: st, sealer: sealer, wake: wake}, nil
}

// GrantAccess records one.
func (s *Accesses) GrantAccess(ctx context.Context, r *notifierv1.GrantAccessRequest) (*notifierv1.GrantAccessResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	a := store.Access{MerchantID: owner, PaymentID: id(&f, "payment_id", r.GetPaymentId()), BotID: id(&f, "bot_id", r.GetBotId()),
		ChatID: r.GetChatId(), UserID: r.GetUserId(), Unit: r.GetDurationUnit(), Value: int(r.GetDurationValue())}
	f.Require(a.ChatID < 0 && a.ChatID > -maxTelegramID, "chat_id", "a group's or channel's id: a negative number such as -1001234567890")
	f.Require(a.UserID > 0 && a.UserID < maxTelegramID, "user_id", "the buyer's Telegram id: a positive number")
	f.Require(slices.Contains(units, a.Unit), "duration_unit", "hours, days, weeks, months or forever")
	if a.Unit == store.Forever {
		f.Require(a.Value == 0, "duration_value", "0 with forever")
	} else {
		f.Require(a.Value >= 1 && a.Value <= maxDuration, "duration_value", fmt.Sprintf("1 to %d", maxDuration))
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if goodTrace(r.GetTraceparent()) {
		a.Traceparent = r.GetTraceparent()
	}
	if a.ID, err = uuid.NewV7(); err != nil {
		return nil, fmt.Errorf("access id: %w", err)
	}
	row, created, err := s.store.GrantAccess(ctx, a)
	if err != nil {
		return nil, err
	}
	if created {
		s.wake()
	}
	out, err := s.message(ctx, row)
	return &notifierv1.GrantAccessResponse{Access: out, Created: created}, err
}

// GetAccess reads one.
func (s *Accesses) GetAccess(ctx context.Context, r *notifierv1.GetAccessRequest) (*notifierv1.GetAccessResponse, error) {
	whose, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	row, err := s.find(ctx, whose, r.GetAccessId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	out, err := s.message(ctx, row)
	return &notifierv1.GetAccessResponse{Access: out}, err
}

// find is the access that a request names one way or the other.
func (s *Accesses) find(ctx context.Context, whose *uuid.UUID, accessID, paymentID string) (store.Access, error) {
	var f rpcerr.Fields
	f.Require((accessID != "") != (paymentID != ""), "access_id", "exactly one of access_id and payment_id")
	var byID, bySale uuid.UUID
	if accessID != "" {
		byID = id(&f, "access_id", accessID)
	}
	if paymentID != "" {
		bySale = id(&f, "payment_id", paymentID)
	}
	if err := f.Err(); err != nil {
		return store.Access{}, err
	}
	row, err := s.store.Access(ctx, whose, byID, bySale)
	if errors.Is(err, store.ErrNotFound) {
		return row, rpcerr.NotFound("access")
	}
	return row, err
}

// ListAccesses lists them.
func (s *Accesses) ListAccesses(ctx context.Context, r *notifierv1.ListAccessesRequest) (*notifierv1.ListAccessesResponse, error) {
	whose, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	size := pageSize(&f, r.GetPageSize())
	filter := store.AccessFilter{Merchant: whose, State: store.AccessState(r.GetState()), ChatID: r.GetChatId(), UserID: r.GetUserId(), Limit: size + 1}
	f.Require(notifierv1.AccessState_name[int32(r.GetState())] != "", "state", "an AccessState")
	if r.GetPageToken() != "" {
		filter.Before = id(&f, "page_token", r.GetPageToken())
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	list, err := s.store.Accesses(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := &notifierv1.ListAccessesResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = list[size-1].ID.String()
	}
	for _, row := range list {
		m, err := s.message(ctx, row)
		if err != nil {
			return nil, err
		}
		m.InviteUrl = "" // one at a time
		out.Accesses = append(out.Accesses, m)
	}
	return out, nil
}

// named is the access of a request that changes it.
func (s *Accesses) named(ctx context.Context, requested, accessID, paymentID string) (store.Access, error) {
	owner, err := merchant(ctx, requested)
	if err != nil {
		return store.Access{}, err
	}
	return s.find(ctx, &owner, accessID, paymentID)
}

// RevokeAccess ends one.
func (s *Accesses) RevokeAccess(ctx context.Context, r *notifierv1.RevokeAccessRequest) (*notifierv1.RevokeAccessResponse, error) {
	row, err := s.named(ctx, r.GetMerchantId(), r.GetAccessId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	reason := r.GetReason()
	if reason == "" {
		reason = store.CancelledManually
	}
	if !slices.Contains(cancelReasons, reason) {
		return nil, rpcerr.Invalid("reason", "refunded, charged_back, disputed, manual or nothing")
	}
	if row, err = s.store.CancelAccess(ctx, row, reason); err != nil {
		return nil, err
	}
	s.wake()
	out, err := s.message(ctx, row)
	return &notifierv1.RevokeAccessResponse{Access: out}, err
}

// RestoreAccess gives one back.
func (s *Accesses) RestoreAccess(ctx context.Context, r *notifierv1.RestoreAccessRequest) (*notifierv1.RestoreAccessResponse, error) {
	row, err := s.named(ctx, r.GetMerchantId(), r.GetAccessId(), r.GetPaymentId())
	if err != nil {
		return nil, err
	}
	if row, err = s.store.RestoreAccess(ctx, row, r.GetManualToo()); err != nil {
		return nil, err
	}
	s.wake()
	out, err := s.message(ctx, row)
	return &notifierv1.RestoreAccessResponse{Access: out}, err
}

// ExtendAccess moves an end.
func (s *Accesses) ExtendAccess(ctx context.Context, r *notifierv1.ExtendAccessRequest) (*notifierv1.ExtendAccessResponse, error) {
	row, err := s.named(ctx, r.GetMerchantId(), r.GetAccessId(), "")
	if err != nil {
		return nil, err
	}
	until := r.GetUntil().AsTime().Truncate(time.Microsecond)
	if r.GetUntil() == nil || !r.GetUntil().IsValid() || time.Until(until) > maxExtension {
		return nil, rpcerr.Invalid("until", "the new end, at most 10 years ahead")
	}
	if row.State == store.AccessActive && row.ExpiresAt != nil && until.Before(*row.ExpiresAt) {
		return nil, rpcerr.Invalid("until", "not before the present end; RevokeAccess ends an access")
	}
	row, ok, err := s.store.ExtendAccess(ctx, row, until)
	switch {
	case err != nil:
		return nil, err
	case !ok && row.State == store.AccessActive && row.ExpiresAt == nil:
		return nil, rpcerr.Precondition("the access has no end")
	case !ok:
		return nil, rpcerr.Precondition("the access is not active; RestoreAccess gives a revoked one back")
	}
	out, err := s.message(ctx, row)
	return &notifierv1.ExtendAccessResponse{Access: out}, err
}

// message is an access as the caller may see it.
func (s *Accesses) message(ctx context.Context, a store.Access) (*notifierv1.Access, error) {
	out := &notifierv1.Access{Id: a.ID.String(), MerchantId: a.MerchantID.String(), PaymentId: a.PaymentID.String(), BotId: a.BotID.String(),
		ChatId: a.ChatID, UserId: a.UserID, State: notifierv1.AccessState(a.State), DurationUnit: a.Unit, DurationValue: int32(a.Value), LastError: a.Error,
		CancelledReason: a.Cancelled, CreatedAt: timestamppb.New(a.CreatedAt), StartedAt: optional(a.StartedAt), ExpiresAt: optional(a.ExpiresAt),
		RemovedAt: optional(a.RemovedAt), NextAt: optional(a.DueAt)}
	live := a.State == store.AccessPending || a.State == store.AccessActive || a.State == store.AccessError
	out.LinkReady = live && a.Link != nil && (a.LinkUntil.After(a.Now) || a.State == store.AccessActive)
	if out.LinkReady && auth.From(ctx).Operator {
		link, err := access.OpenLink(s.sealer, a)
		if err != nil {
			return nil, err
		}
		out.InviteUrl = link
	}
	return out, nil
}

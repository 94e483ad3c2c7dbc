package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// StartBackfill records what is to be asked about again; the work does it.
func (s *Server) StartBackfill(ctx context.Context, r *paymentsv1.StartBackfillRequest) (*paymentsv1.StartBackfillResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	var f rpcerr.Fields
	f.Require(r.GetFrom() != nil, "from", "the beginning of the time, such as 2026-11-20T14:00:00-03:00")
	f.Require(r.GetTo() != nil, "to", "the end of the time")
	from, to := r.GetFrom().AsTime(), r.GetTo().AsTime()
	if r.GetFrom() != nil && r.GetTo() != nil {
		f.Require(to.After(from), "to", "a moment after from")
		f.Require(!to.After(now.Add(time.Minute)), "to", "a moment that has passed")
	}
	checkText(&f, "provider", r.GetProvider(), 100)
	b := store.Backfill{MerchantID: m, From: from.Truncate(time.Microsecond), To: to.Truncate(time.Microsecond), Provider: strings.ToLower(r.GetProvider()), CreatedAt: now}
	if r.GetAccountId() != "" {
		id, err := payment.ParseAccountID(r.GetAccountId())
		f.Require(err == nil, "account_id", "a UUID as PutAccount returns it, or nothing")
		b.AccountID = &id
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if b.AccountID != nil {
		if _, err := s.accounts.provider(ctx, m, *b.AccountID); err != nil {
			return nil, err
		}
	}
	if r.GetDryRun() {
		n, err := s.Store.CountTouched(ctx, b)
		if err != nil {
			return nil, err
		}
		return &paymentsv1.StartBackfillResponse{Backfill: &paymentsv1.Backfill{MerchantId: m.String(), From: r.GetFrom(), To: r.GetTo(), Provider: b.Provider,
			AccountId: r.GetAccountId(), Total: int32(n)}}, nil
	}
	if b.ID, err = uuid.NewV7(); err != nil {
		return nil, err
	}
	created := false
	err = pg.InTx(ctx, s.Store.Pool(), func(tx pgx.Tx) (err error) {
		b.ID, created, err = s.Store.StartBackfill(ctx, tx, b)
		return err
	})
	var overlap *store.OverlapError
	switch {
	case errors.As(err, &overlap):
		return nil, rpcerr.Precondition(overlap.Error())
	case errors.Is(err, store.ErrNotFound):
		return nil, rpcerr.NotFound("merchant")
	case err != nil:
		return nil, err
	}
	if b, err = s.Store.GetBackfill(ctx, b.ID, &m); err != nil {
		return nil, err
	}
	return &paymentsv1.StartBackfillResponse{Backfill: backfill(b), Created: created}, nil
}

// GetBackfill tells how far a backfill is.
func (s *Server) GetBackfill(ctx context.Context, r *paymentsv1.GetBackfillRequest) (*paymentsv1.GetBackfillResponse, error) {
	b, err := s.backfill(ctx, r.GetBackfillId())
	if err != nil {
		return nil, err
	}
	return &paymentsv1.GetBackfillResponse{Backfill: backfill(b)}, nil
}

// ListBackfills lists backfills and how far they are.
func (s *Server) ListBackfills(ctx context.Context, r *paymentsv1.ListBackfillsRequest) (*paymentsv1.ListBackfillsResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Backfills(ctx, m, r.GetRunning())
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListBackfillsResponse{}
	for _, b := range list {
		out.Backfills = append(out.Backfills, backfill(b))
	}
	return out, nil
}

// CancelBackfill ends a backfill.
func (s *Server) CancelBackfill(ctx context.Context, r *paymentsv1.CancelBackfillRequest) (*paymentsv1.CancelBackfillResponse, error) {
	b, err := s.backfill(ctx, r.GetBackfillId())
	if err != nil {
		return nil, err
	}
	if err := s.Store.CancelBackfill(ctx, b.ID, &b.MerchantID, s.Now()); err != nil {
		return nil, err
	}
	if b, err = s.backfill(ctx, r.GetBackfillId()); err != nil {
		return nil, err
	}
	return &paymentsv1.CancelBackfillResponse{Backfill: backfill(b)}, nil
}

// backfill is one that exists for the caller.
func (s *Server) backfill(ctx context.Context, text string) (store.Backfill, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return store.Backfill{}, err
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return store.Backfill{}, rpcerr.Invalid("backfill_id", "a UUID as StartBackfill returns it")
	}
	b, err := s.Store.GetBackfill(ctx, id, m)
	if errors.Is(err, store.ErrNotFound) {
		return b, rpcerr.NotFound("backfill")
	}
	return b, err
}

func backfill(b store.Backfill) *paymentsv1.Backfill {
	out := &paymentsv1.Backfill{Id: b.ID.String(), MerchantId: b.MerchantID.String(), From: timestamppb.New(b.From), To: timestamppb.New(b.To), Provider: b.Provider,
		State: b.State, Total: int32(b.Total), Asked: int32(b.Asked), Done: int32(b.Done), Unanswered: int32(b.Unanswered), Changed: int32(b.Changed),
		CreatedAt: timestamppb.New(b.CreatedAt), FinishedAt: stamp(b.FinishedAt)}
	if b.AccountID != nil {
		out.AccountId = b.AccountID.String()
	}
	return out
}

package server

import (
	"context"
	"errors"
	"regexp"

	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/file"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

const (
	mostOpens       = 1_000_000
	leastSeconds    = 60
	mostSeconds     = 10 * 365 * 24 * 3600
	mostUnopened    = 6 * 24 * 3600 // Meta takes no event older than 7 days, and an attempt may have to wait
	defaultFileLife = 300
)

var (
	keyIDForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	secretForm = regexp.MustCompile(`^[\x21-\x7e]{16,256}$`)
)

// PutLinkPolicy implements LinksService.
func (s *Server) PutLinkPolicy(ctx context.Context, req *deliveryv1.PutLinkPolicyRequest) (*deliveryv1.PutLinkPolicyResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var bad rpcerr.Fields
	p := store.Policy{
		Merchant: m, MaxOpens: req.GetMaxOpens(), Lifetime: req.GetLifetimeSeconds(), LifetimeAfterOpen: req.GetLifetimeAfterOpenSeconds(),
		BindDevice: req.GetBindToDevice(), PurchaseUnopened: req.GetPurchaseUnopenedAfterSeconds(),
	}
	if req.GetBotId() != "" {
		p.Bot, err = sale.ParseBotID(req.GetBotId())
		bad.Require(err == nil, "bot_id", "a UUID, or empty for all bots")
	}
	within := func(v, most int32) bool { return v == 0 || v >= leastSeconds && v <= most }
	bad.Require(p.MaxOpens >= 0 && p.MaxOpens <= mostOpens, "max_opens", "0 (no limit) to 1000000")
	bad.Require(within(p.Lifetime, mostSeconds), "lifetime_seconds", "0 (for ever), or 60 to 315360000")
	bad.Require(within(p.LifetimeAfterOpen, mostSeconds), "lifetime_after_open_seconds", "0 (for ever), or 60 to 315360000")
	bad.Require(within(p.PurchaseUnopened, mostUnopened), "purchase_unopened_after_seconds", "0 (never), or 60 to 518400: Meta takes no event older than 7 days")
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if p, err = s.cfg.Store.PutPolicy(ctx, p); err != nil {
		return nil, err
	}
	return &deliveryv1.PutLinkPolicyResponse{Policy: policy(p)}, nil
}

// ListLinkPolicies implements LinksService.
func (s *Server) ListLinkPolicies(ctx context.Context, req *deliveryv1.ListLinkPoliciesRequest) (*deliveryv1.ListLinkPoliciesResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.Store.Policies(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &deliveryv1.ListLinkPoliciesResponse{Policies: make([]*deliveryv1.LinkPolicy, len(list))}
	for i, p := range list {
		out.Policies[i] = policy(p)
	}
	return out, nil
}

func policy(p store.Policy) *deliveryv1.LinkPolicy {
	out := &deliveryv1.LinkPolicy{
		MerchantId: p.Merchant.String(), MaxOpens: p.MaxOpens, LifetimeSeconds: p.Lifetime, LifetimeAfterOpenSeconds: p.LifetimeAfterOpen,
		BindToDevice: p.BindDevice, PurchaseUnopenedAfterSeconds: p.PurchaseUnopened, UpdatedAt: timestamppb.New(p.UpdatedAt),
	}
	if !p.Bot.IsZero() {
		out.BotId = p.Bot.String()
	}
	return out
}

// PutFileKey implements LinksService.
func (s *Server) PutFileKey(ctx context.Context, req *deliveryv1.PutFileKeyRequest) (*deliveryv1.PutFileKeyResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var bad rpcerr.Fields
	k := store.FileKey{Merchant: m, KeyID: req.GetKeyId(), Lifetime: req.GetLifetimeSeconds()}
	if k.Lifetime == 0 {
		k.Lifetime = defaultFileLife
	}
	bad.Require(keyIDForm.MatchString(k.KeyID), "key_id", "1 to 32 letters, digits, - or _")
	bad.Require(secretForm.MatchString(req.GetSecret()), "secret", "16 to 256 printable characters without spaces")
	bad.Require(k.Lifetime >= 30 && k.Lifetime <= 86400, "lifetime_seconds", "30 to 86400, or 0 for 300")
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if k.SealedSecret, err = s.cfg.Sealer.Seal([]byte(req.GetSecret()), file.SealName(m)); err != nil {
		return nil, err
	}
	if k, err = s.cfg.Store.PutFileKey(ctx, k); err != nil {
		return nil, err
	}
	return &deliveryv1.PutFileKeyResponse{Key: fileKey(k)}, nil
}

// ListFileKeys implements LinksService.
func (s *Server) ListFileKeys(ctx context.Context, req *deliveryv1.ListFileKeysRequest) (*deliveryv1.ListFileKeysResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	k, err := s.cfg.Store.FileKey(ctx, m)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &deliveryv1.ListFileKeysResponse{}, nil
	case err != nil:
		return nil, err
	}
	return &deliveryv1.ListFileKeysResponse{Keys: []*deliveryv1.FileKey{fileKey(k)}}, nil
}

func fileKey(k store.FileKey) *deliveryv1.FileKey {
	return &deliveryv1.FileKey{MerchantId: k.Merchant.String(), KeyId: k.KeyID, LifetimeSeconds: k.Lifetime, UpdatedAt: timestamppb.New(k.UpdatedAt)}
}

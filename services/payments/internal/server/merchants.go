package server

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// CreateMerchant makes a merchant; only an operator may.
func (s *Server) CreateMerchant(ctx context.Context, r *paymentsv1.CreateMerchantRequest) (*paymentsv1.CreateMerchantResponse, error) {
	if _, err := scope(ctx, ""); err != nil {
		return nil, err
	}
	if !auth.From(ctx).Operator {
		return nil, rpcerr.Denied("an operator's key is needed to create merchants")
	}
	var f rpcerr.Fields
	f.Require(r.GetName() != "", "name", "the merchant's name")
	checkText(&f, "name", r.GetName(), 200)
	checkText(&f, "external_id", r.GetExternalId(), 100)
	if err := f.Err(); err != nil {
		return nil, err
	}
	m, created, err := s.Store.CreateMerchant(ctx, store.Merchant{ID: payment.MerchantID(newID()), Name: r.GetName(), ExternalID: r.GetExternalId()})
	if err != nil {
		return nil, err
	}
	return &paymentsv1.CreateMerchantResponse{Merchant: merchantMessage(m), Created: created}, nil
}

// ListMerchants lists merchants; a merchant's key sees itself.
func (s *Server) ListMerchants(ctx context.Context, _ *paymentsv1.ListMerchantsRequest) (*paymentsv1.ListMerchantsResponse, error) {
	only, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Merchants(ctx, only)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListMerchantsResponse{}
	for _, m := range list {
		out.Merchants = append(out.Merchants, merchantMessage(m))
	}
	return out, nil
}

// SetLookWeight changes a merchant's part of the looks; only an operator may.
func (s *Server) SetLookWeight(ctx context.Context, r *paymentsv1.SetLookWeightRequest) (*paymentsv1.SetLookWeightResponse, error) {
	if _, err := scope(ctx, ""); err != nil {
		return nil, err
	}
	if !auth.From(ctx).Operator {
		return nil, rpcerr.Denied("an operator's key is needed to change a merchant's part of the looks")
	}
	var f rpcerr.Fields
	m, err := payment.ParseMerchantID(r.GetMerchantId())
	f.Require(err == nil, "merchant_id", "a UUID as CreateMerchant returns it")
	f.Require(r.GetLookWeight() >= 1 && r.GetLookWeight() <= 100, "look_weight", "a whole number from 1 to 100")
	if err := f.Err(); err != nil {
		return nil, err
	}
	out, err := s.Store.SetLookWeight(ctx, m, int(r.GetLookWeight()))
	if err != nil {
		return nil, named(err, "merchant")
	}
	return &paymentsv1.SetLookWeightResponse{Merchant: merchantMessage(out)}, nil
}

func merchantMessage(m store.Merchant) *paymentsv1.Merchant {
	return &paymentsv1.Merchant{Id: m.ID.String(), Name: m.Name, ExternalId: m.ExternalID, CreatedAt: timestamppb.New(m.CreatedAt),
		LookWeight: int32(m.LookWeight)}
}

// PutBot makes or renames a bot.
func (s *Server) PutBot(ctx context.Context, r *paymentsv1.PutBotRequest) (*paymentsv1.PutBotResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(r.GetExternalId() != "", "external_id", "your own id of the bot")
	checkText(&f, "external_id", r.GetExternalId(), 100)
	checkText(&f, "name", r.GetName(), 200)
	if err := f.Err(); err != nil {
		return nil, err
	}
	b, err := s.Store.PutBot(ctx, store.Bot{MerchantID: m, ID: payment.BotID(newID()), ExternalID: r.GetExternalId(), Name: r.GetName()})
	if err != nil {
		return nil, named(err, "merchant_id: merchant")
	}
	return &paymentsv1.PutBotResponse{Bot: botMessage(b), Created: b.Created}, nil
}

// ListBots lists a merchant's bots.
func (s *Server) ListBots(ctx context.Context, r *paymentsv1.ListBotsRequest) (*paymentsv1.ListBotsResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Bots(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListBotsResponse{}
	for _, b := range list {
		out.Bots = append(out.Bots, botMessage(b))
	}
	return out, nil
}

func botMessage(b store.Bot) *paymentsv1.Bot {
	return &paymentsv1.Bot{Id: b.ID.String(), MerchantId: b.MerchantID.String(), ExternalId: b.ExternalID, Name: b.Name, CreatedAt: timestamppb.New(b.CreatedAt)}
}

// CreateAPIKey makes a key and shows it once.
func (s *Server) CreateAPIKey(ctx context.Context, r *paymentsv1.CreateAPIKeyRequest) (*paymentsv1.CreateAPIKeyResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	f.Require(r.GetName() != "", "name", "what the key is for")
	checkText(&f, "name", r.GetName(), 100)
	if err := f.Err(); err != nil {
		return nil, err
	}
	id := newID()
	secret, hash := auth.NewKey(id)
	key := store.APIKey{ID: id, MerchantID: m, Name: r.GetName(), Hash: hash}
	if key.CreatedAt, err = s.Store.CreateKey(ctx, key); err != nil {
		return nil, named(err, "merchant_id: merchant")
	}
	return &paymentsv1.CreateAPIKeyResponse{Key: keyMessage(key), Secret: secret}, nil
}

// ListAPIKeys lists keys without their secrets.
func (s *Server) ListAPIKeys(ctx context.Context, r *paymentsv1.ListAPIKeysRequest) (*paymentsv1.ListAPIKeysResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	keys, err := s.Store.Keys(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListAPIKeysResponse{}
	for _, k := range keys {
		out.Keys = append(out.Keys, keyMessage(k))
	}
	return out, nil
}

// RevokeAPIKey ends a key.
func (s *Server) RevokeAPIKey(ctx context.Context, r *paymentsv1.RevokeAPIKeyRequest) (*paymentsv1.RevokeAPIKeyResponse, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	id, err := payment.ParseID(r.GetKeyId())
	if err != nil {
		return nil, rpcerr.Invalid("key_id", "a UUID as CreateAPIKey returns it")
	}
	k, err := s.Store.RevokeKey(ctx, id, m)
	if err != nil {
		return nil, named(err, "key")
	}
	return &paymentsv1.RevokeAPIKeyResponse{Key: keyMessage(k)}, nil
}

func keyMessage(k store.APIKey) *paymentsv1.APIKey {
	out := &paymentsv1.APIKey{Id: payment.ID(k.ID).String(), Name: k.Name, CreatedAt: timestamppb.New(k.CreatedAt), RevokedAt: stamp(k.RevokedAt)}
	if k.MerchantID != nil {
		out.MerchantId = k.MerchantID.String()
	}
	return out
}

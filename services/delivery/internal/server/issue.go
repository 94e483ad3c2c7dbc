package server

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/delivery/internal/file"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

const (
	maxBatch   = 500
	maxProduct = 500  // bytes kept of a product's name
	maxContact = 4000 // bytes kept of a contact text
	maxURL     = 2048
)

// IssueToken implements DeliveryService.
func (s *Server) IssueToken(ctx context.Context, req *deliveryv1.IssueTokenRequest) (*deliveryv1.IssueTokenResponse, error) {
	out, err := s.issue(ctx, []*deliveryv1.IssueTokenRequest{req}, func(int) string { return "" })
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// BatchIssueTokens implements DeliveryService.
func (s *Server) BatchIssueTokens(ctx context.Context, req *deliveryv1.BatchIssueTokensRequest) (*deliveryv1.BatchIssueTokensResponse, error) {
	if n := len(req.GetRequests()); n < 1 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", "1 to 500 requests")
	}
	out, err := s.issue(ctx, req.GetRequests(), func(i int) string { return "requests[" + strconv.Itoa(i) + "]." })
	if err != nil {
		return nil, err
	}
	return &deliveryv1.BatchIssueTokensResponse{Responses: out}, nil
}

func (s *Server) issue(ctx context.Context, reqs []*deliveryv1.IssueTokenRequest, path func(int) string) ([]*deliveryv1.IssueTokenResponse, error) {
	var bad rpcerr.Fields
	in := make([]store.Issue, len(reqs))
	for i, r := range reqs {
		text, err := auth.From(ctx).Merchant(r.GetMerchantId())
		if err != nil {
			return nil, err
		}
		in[i] = s.read(r, text, path(i), &bad)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	newest, trace := s.keys().Newest(), telemetry.Carrier(ctx)
	made := make([]token.Token, len(in))
	for i := range in {
		t, err := s.derive(ctx, token.Name{Sale: in[i].Key, Version: newest})
		if err != nil {
			return nil, err
		}
		made[i], in[i].TokenVersion, in[i].TokenHash, in[i].Traceparent = t, newest, t.Hash(), trace
		if in[i].FileURL != "" {
			ticket := t.File().Hash()
			in[i].FileHash = &ticket
		}
	}
	issued, err := s.cfg.Store.IssueBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	out := make([]*deliveryv1.IssueTokenResponse, len(in))
	for i, is := range issued {
		t := made[i]
		if is.Version != newest || is.Generation != 0 { // made before, with another key
			if t, err = s.derive(ctx, token.Name{Sale: in[i].Key, Version: is.Version, Generation: is.Generation}); err != nil {
				return nil, fmt.Errorf("link of payment %s: %w", in[i].Payment, err)
			}
		}
		out[i] = &deliveryv1.IssueTokenResponse{Token: t.Text(), Url: s.base + t.Text(), Created: is.Created}
	}
	return out, nil
}

// GetLink implements DeliveryService.
func (s *Server) GetLink(ctx context.Context, req *deliveryv1.GetLinkRequest) (*deliveryv1.GetLinkResponse, error) {
	k, err := key(ctx, req.GetMerchantId(), req.GetPaymentId())
	if err != nil {
		return nil, err
	}
	is, err := s.cfg.Store.Link(ctx, k)
	if err != nil {
		return nil, err
	}
	t, err := s.derive(ctx, token.Name{Sale: k, Version: is.Version, Generation: is.Generation})
	if err != nil {
		return nil, fmt.Errorf("link of payment %s: %w", k.Payment, err)
	}
	return &deliveryv1.GetLinkResponse{Token: t.Text(), Url: s.base + t.Text()}, nil
}

// RegenerateToken implements DeliveryService.
func (s *Server) RegenerateToken(ctx context.Context, req *deliveryv1.RegenerateTokenRequest) (*deliveryv1.RegenerateTokenResponse, error) {
	k, err := key(ctx, req.GetMerchantId(), req.GetPaymentId())
	if err != nil {
		return nil, err
	}
	if n := len(req.GetKey()); n < 1 || n > 100 || pg.Clip(req.GetKey(), n) != req.GetKey() {
		return nil, rpcerr.Invalid("key", "1 to 100 bytes of UTF-8 text")
	}
	ring := s.keys()
	is, err := s.cfg.Store.Regenerate(ctx, store.Regeneration{
		Key: k, By: req.GetKey(), Version: ring.Newest(), Lifetime: s.cfg.Lifetime, MaxOpens: s.cfg.MaxOpens, Derive: ring.Derive,
	})
	if err != nil {
		return nil, err
	}
	t, err := s.derive(ctx, token.Name{Sale: k, Version: is.Version, Generation: is.Generation})
	if err != nil {
		return nil, fmt.Errorf("link of payment %s: %w", k.Payment, err)
	}
	return &deliveryv1.RegenerateTokenResponse{Token: t.Text(), Url: s.base + t.Text(), Created: is.Created}, nil
}

// read checks one request. Attribution and matching data never make it fail: what is odd in them is left out.
func (s *Server) read(r *deliveryv1.IssueTokenRequest, merchant, path string, bad *rpcerr.Fields) store.Issue {
	const uuid = "a UUID in its 36-character text form"
	var is store.Issue
	var err error
	is.Merchant, err = sale.ParseMerchantID(merchant)
	bad.Require(err == nil, path+"merchant_id", uuid)
	is.Payment, err = sale.ParsePaymentID(r.GetPaymentId())
	bad.Require(err == nil, path+"payment_id", uuid)
	is.Bot, err = sale.ParseBotID(r.GetBotId())
	bad.Require(err == nil, path+"bot_id", uuid)
	is.ProductName = pg.Clip(strings.TrimSpace(r.GetProductName()), maxProduct)
	bad.Require(is.ProductName != "", path+"product_name", "what was bought")
	is.Amount = money.Amount(r.GetAmount().GetCentavos())
	bad.Require(is.Amount > 0, path+"amount", "what was paid, in centavos above 0")
	currency := r.GetAmount().GetCurrency()
	bad.Require(currency == "" || currency == money.BRL, path+"amount.currency", "BRL or empty")
	var ok bool
	is.AccessURL, ok = accessURL(r.GetAccessUrl())
	bad.Require(ok, path+"access_url", "an https or t.me address, or empty")
	is.Follows = r.GetAccessFollows()
	is.FileURL = strings.TrimSpace(r.GetFileUrl())
	if is.FileURL != "" {
		err = file.Check(is.FileURL)
		bad.Require(err == nil, path+"file_url", file.Expected)
		bad.Require(is.AccessURL == "", path+"file_url", "no access_url beside it")
	}
	is.ContactText = pg.Clip(strings.TrimSpace(r.GetContactText()), maxContact)
	is.Tracking = tracking(r.GetTracking())
	is.EmailHash = purchase.HashEmail(r.GetBuyerEmail())
	is.PhoneHash = purchase.HashPhone(r.GetBuyerPhone())
	is.ExternalID = purchase.HashExternalID(r.GetBuyerExternalId())
	is.PaidAt = time.Now().UTC()
	if r.GetPaidAt().IsValid() && r.GetPaidAt().GetSeconds() > 0 {
		is.PaidAt = r.GetPaidAt().AsTime()
	}
	is.Lifetime, is.MaxOpens = s.cfg.Lifetime, s.cfg.MaxOpens
	return is
}

// accessURL accepts what a phone can open and a page can link to: web addresses, Telegram's own scheme, and t.me addresses
// without a scheme. Scripts and data are refused.
func accessURL(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", true
	}
	if strings.HasPrefix(s, "t.me/") || strings.HasPrefix(s, "telegram.me/") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURL || strings.ContainsAny(s, "\x00\r\n\t\"<>") {
		return "", false
	}
	switch strings.ToLower(u.Scheme) {
	case "https", "http":
		return s, u.Hostname() != "" && u.User == nil
	case "tg":
		return s, u.Host != ""
	}
	return "", false
}

func tracking(t *typev1.Tracking) sale.Tracking {
	return sale.Tracking{
		UTMSource: t.GetUtmSource(), UTMMedium: t.GetUtmMedium(), UTMCampaign: t.GetUtmCampaign(), UTMTerm: t.GetUtmTerm(),
		UTMContent: t.GetUtmContent(), CampaignCode: t.GetCampaignCode(), FBCLID: t.GetFbclid(), FBP: t.GetFbp(), FBC: t.GetFbc(),
		ClickTimeMS: t.GetClickTimeMs(), PageViewEventID: t.GetPageviewEventId(), ClientIP: t.GetClientIp(),
		ClientUserAgent: t.GetClientUserAgent(), EventSourceURL: t.GetEventSourceUrl(), TrackingToken: t.GetTrackingToken(),
		Src: t.GetSrc(), Sck: t.GetSck(),
	}.Clipped()
}

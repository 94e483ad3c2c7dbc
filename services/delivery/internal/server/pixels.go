package server

import (
	"context"
	"regexp"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

var (
	tokenForm    = regexp.MustCompile(`^[\x21-\x7e]+$`)
	testCodeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)
)

// PutPixel implements PixelsService. base_url makes the service call an address of the caller's choice, so only operators
// may give one.
func (s *Server) PutPixel(ctx context.Context, req *deliveryv1.PutPixelRequest) (*deliveryv1.PutPixelResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var bad rpcerr.Fields
	p := store.Pixel{
		Merchant: m, PixelID: strings.TrimSpace(req.GetPixelId()), APIVersion: req.GetApiVersion(),
		TestEventCode: req.GetTestEventCode(), BaseURL: req.GetBaseUrl(),
	}
	if req.GetBotId() != "" {
		p.Bot, err = sale.ParseBotID(req.GetBotId())
		bad.Require(err == nil, "bot_id", "a UUID, or empty for all bots")
	}
	access := strings.TrimSpace(req.GetAccessToken()) // pasted with spaces or line breaks around it
	bad.Require(purchase.ValidPixelID(p.PixelID), "pixel_id", "5 to 20 digits")
	bad.Require(len(access) <= 1024 && tokenForm.MatchString(access), "access_token", "the pixel's Conversions API token, at most 1024 characters without spaces")
	bad.Require(p.APIVersion == "" || purchase.ValidVersion(p.APIVersion), "api_version", "a form such as v21.0, or empty")
	bad.Require(testCodeForm.MatchString(p.TestEventCode), "test_event_code", "letters and digits, or empty")
	if p.BaseURL != "" {
		if berr := purchase.CheckBaseURL(p.BaseURL); berr != nil {
			bad.Require(false, "base_url", strings.TrimPrefix(berr.Error(), "expected "))
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if p.BaseURL != "" && !auth.From(ctx).Operator {
		return nil, rpcerr.Denied("base_url: only an operator may redirect a pixel")
	}
	if p.SealedToken, err = s.cfg.Sealer.Seal([]byte(access), purchase.SealName(p.Merchant, p.Bot)); err != nil {
		return nil, err
	}
	if p, err = s.cfg.Store.PutPixel(ctx, p); err != nil {
		return nil, err
	}
	if s.cfg.Queued != nil {
		s.cfg.Queued()
	}
	return &deliveryv1.PutPixelResponse{Pixel: s.pixel(p)}, nil
}

// ListPixels implements PixelsService.
func (s *Server) ListPixels(ctx context.Context, req *deliveryv1.ListPixelsRequest) (*deliveryv1.ListPixelsResponse, error) {
	m, err := merchant(ctx, req.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.Store.Pixels(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &deliveryv1.ListPixelsResponse{Pixels: make([]*deliveryv1.Pixel, len(list))}
	for i, p := range list {
		out.Pixels[i] = s.pixel(p)
	}
	return out, nil
}

func (s *Server) pixel(p store.Pixel) *deliveryv1.Pixel {
	out := &deliveryv1.Pixel{
		MerchantId: p.Merchant.String(), PixelId: p.PixelID, ApiVersion: p.APIVersion, TestEventCode: p.TestEventCode,
		PausedBecause: p.PausedBecause, UpdatedAt: timestamppb.New(p.UpdatedAt),
	}
	if !p.Bot.IsZero() {
		out.BotId = p.Bot.String()
	}
	if out.ApiVersion == "" {
		out.ApiVersion = s.cfg.Version
	}
	return out
}

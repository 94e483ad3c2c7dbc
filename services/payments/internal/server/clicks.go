package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/click"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// PutClickLink makes a link or changes the merchant's own.
func (s *Server) PutClickLink(ctx context.Context, r *paymentsv1.PutClickLinkRequest) (*paymentsv1.PutClickLinkResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	slug, ok := click.Slug(r.GetSlug())
	if strings.TrimSpace(r.GetSlug()) == "" {
		slug, ok = click.NewSlug(), true
	}
	f.Require(ok, "slug", "3 to 64 of a-z, 0-9, - and _, beginning and ending with a letter or digit; or nothing")
	bot, ok := click.BotUsername(r.GetBotUsername())
	f.Require(ok, "bot_username", "the bot's username at Telegram: 4 to 32 letters, digits and underscores")
	checkText(&f, "campaign_code", r.GetCampaignCode(), 200)
	if err := f.Err(); err != nil {
		return nil, err
	}
	l, err := s.Store.PutClickLink(ctx, store.ClickLink{MerchantID: m, Slug: slug, BotUsername: bot, Campaign: r.GetCampaignCode()})
	if err != nil {
		return nil, named(err, "merchant_id: merchant")
	}
	return &paymentsv1.PutClickLinkResponse{Link: s.clickLink(l), Created: l.Created}, nil
}

// ListClickLinks lists a merchant's links.
func (s *Server) ListClickLinks(ctx context.Context, r *paymentsv1.ListClickLinksRequest) (*paymentsv1.ListClickLinksResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	list, err := s.Store.ClickLinks(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListClickLinksResponse{}
	for _, l := range list {
		out.Links = append(out.Links, s.clickLink(l))
	}
	return out, nil
}

func (s *Server) clickLink(l store.ClickLink) *paymentsv1.ClickLink {
	out := &paymentsv1.ClickLink{MerchantId: l.MerchantID.String(), Slug: l.Slug, BotUsername: l.BotUsername, CampaignCode: l.Campaign,
		Clicks: l.Clicks, Machines: l.Machines, CreatedAt: timestamppb.New(l.CreatedAt)}
	if s.PublicURL != "" {
		out.Url = strings.TrimRight(s.PublicURL, "/") + "/go/" + l.Slug
	}
	return out
}

// AttachClick says that a buyer started a bot with a click's token.
func (s *Server) AttachClick(ctx context.Context, r *paymentsv1.AttachClickRequest) (*paymentsv1.AttachClickResponse, error) {
	m, bot, err := s.starter(ctx, r.GetMerchantId(), r.GetBotId(), r.GetTelegramId(), func(f *rpcerr.Fields) {
		_, ok := click.Token(r.GetClickToken())
		f.Require(ok, "click_token", "the 32 hexadecimal characters that the bot was started with")
	})
	if err != nil {
		return nil, err
	}
	token, _ := click.Token(r.GetClickToken())
	k, err := s.Store.GetClick(ctx, m, token)
	if err != nil {
		return nil, named(err, "click_token: click")
	}
	if err := s.Store.AttachClick(ctx, m, token, bot.ID, r.GetTelegramId()); err != nil {
		return nil, err
	}
	last, err := s.Store.BuyersClicks(ctx, m, bot.ID, r.GetTelegramId(), s.Now().Add(time.Hour), 1)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.AttachClickResponse{Click: clickMessage(k), Last: len(last) == 1 && last[0].Token == token}, nil
}

// ListClicks is the history of a buyer with a bot.
func (s *Server) ListClicks(ctx context.Context, r *paymentsv1.ListClicksRequest) (*paymentsv1.ListClicksResponse, error) {
	m, bot, err := s.starter(ctx, r.GetMerchantId(), r.GetBotId(), r.GetTelegramId(), nil)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.BuyersClicks(ctx, m, bot.ID, r.GetTelegramId(), s.Now().Add(time.Hour), 100)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListClicksResponse{}
	for _, k := range list {
		out.Clicks = append(out.Clicks, clickMessage(k))
	}
	return out, nil
}

// starter checks who started which bot.
func (s *Server) starter(ctx context.Context, merchant, bot string, telegram int64, more func(*rpcerr.Fields)) (payment.MerchantID, store.Bot, error) {
	m, err := one(ctx, merchant)
	if err != nil {
		return m, store.Bot{}, err
	}
	var f rpcerr.Fields
	f.Require(telegram > 0 && telegram < 1<<52, "telegram_id", "the Telegram id of the person who started the bot")
	f.Require(strings.TrimSpace(bot) != "", "bot_id", "the bot that was started, by our id or its external id")
	checkText(&f, "bot_id", bot, 100)
	if more != nil {
		more(&f)
	}
	if err := f.Err(); err != nil {
		return m, store.Bot{}, err
	}
	known, err := s.bots(ctx, []payment.MerchantID{m}, []string{bot})
	if err != nil {
		return m, store.Bot{}, err
	}
	b, ok := known.find(m, bot)
	if !ok {
		return m, store.Bot{}, rpcerr.NotFound("bot_id: bot")
	}
	return m, b, nil
}

func clickMessage(k store.Click) *paymentsv1.Click {
	return &paymentsv1.Click{Token: k.Token, Slug: k.Slug, ClickedAt: timestamppb.New(k.ClickedAt), FirstClickedAt: timestamppb.New(k.FirstAt),
		Id: k.ID.String(), Clipped: k.Clipped}
}

// attribution is where a sale came from: what the caller says and what its click captured. found says which click that was, for the
// sale's history. It never fails: whatever is wrong with a click, the sale is made.
func (s *Server) attribution(ctx context.Context, sale *store.Sale, token string, told *typev1.Tracking, last bool) (t *typev1.Tracking, found string) {
	alone := told
	if token == "" && told.GetTrackingToken() != "" {
		rest := proto.Clone(told).(*typev1.Tracking)
		rest.TrackingToken = ""
		if proto.Size(rest) == 0 { // a token alone is all that its click captured; with data beside it, the data is
			token, alone = told.GetTrackingToken(), nil
		}
	}
	var k store.Click
	var err error
	switch {
	case token != "":
		plain, ok := click.Token(token)
		if err = store.ErrNotFound; ok {
			k, err = s.Store.GetClick(ctx, sale.MerchantID, plain)
		}
		found = "token"
	case proto.Size(told) > 0 || !last || sale.TelegramID <= 0:
		return told, ""
	default:
		var list []store.Click
		list, err = s.Store.BuyersClicks(ctx, sale.MerchantID, sale.BotID, sale.TelegramID, sale.CreatedAt, 1)
		if err == nil && len(list) == 0 {
			return told, ""
		}
		if err == nil {
			k, found = list[0], "buyer"
		}
	}
	if err == nil {
		t, err = tracked(k, alone)
	}
	if err == nil {
		return t, found
	}
	if !errors.Is(err, store.ErrNotFound) {
		slog.WarnContext(ctx, "click not read; the sale is made without it", slog.String("payment_id", sale.ID.String()), slog.Any("error", err))
	}
	if token == "" {
		return told, ""
	}
	t = &typev1.Tracking{}
	if told != nil {
		t = proto.Clone(told).(*typev1.Tracking)
	}
	t.TrackingToken = token // word for word: who asks later can see what was meant
	return t, "unknown"
}

// tracked is what a click captured, and what the caller says beside it, which counts more.
func tracked(k store.Click, told *typev1.Tracking) (*typev1.Tracking, error) {
	t := &typev1.Tracking{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(k.Tracking, t); err != nil {
		return nil, err
	}
	t.ClickTimeMs = k.FirstAt.UnixMilli() // fbc is built from the first time that this fbclid was seen
	if told != nil {
		proto.Merge(t, told)
	}
	t.TrackingToken = k.Token
	return t, nil
}

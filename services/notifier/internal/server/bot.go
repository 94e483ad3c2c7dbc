package server

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// BotFather's tokens are the bot's number, a colon and 35 characters today; the length is left some room
// (core.telegram.org/bots/api#authorizing-your-bot).
var botToken = regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{30,64}$`)

// PutBot sets a bot's token, texts and fallback and wakes what waited for it.
func (s *Server) PutBot(ctx context.Context, r *notifierv1.PutBotRequest) (*notifierv1.PutBotResponse, error) {
	owner, err := merchant(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	bot := id(&f, "bot_id", r.GetBotId())
	token := strings.TrimSpace(r.GetToken())
	f.Require(botToken.MatchString(token), "token", "BotFather's token: the bot's number, a colon and 35 letters, digits, - or _")
	if r.GetBaseUrl() != "" {
		if err := telegram.CheckBase(r.GetBaseUrl()); err != nil {
			f.Require(false, "base_url", strings.TrimPrefix(err.Error(), "expected "))
		}
	}
	if _, err := message.Parse(message.Delivery, r.GetDeliveryTemplate()); err != nil {
		f.Require(false, "delivery_template", strings.TrimPrefix(err.Error(), message.ErrTemplate.Error()+": "))
	}
	f.Require(goodLang(r.GetLang()), "lang", "pt-BR, en or empty")
	var fallback *uuid.UUID
	if r.GetFallbackBotId() != "" {
		other := id(&f, "fallback_bot_id", r.GetFallbackBotId())
		f.Require(other != bot, "fallback_bot_id", "another bot")
		fallback = &other
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	// base_url makes this service call an address of the caller's choice, with whatever the network lets it reach.
	if r.GetBaseUrl() != "" && !auth.From(ctx).Operator {
		return nil, rpcerr.Denied("base_url: only an operator may send a bot's messages elsewhere than to Telegram")
	}
	if fallback != nil {
		if _, err := s.Store.Bot(ctx, owner, *fallback); errors.Is(err, store.ErrNotFound) {
			return nil, rpcerr.Precondition("fallback_bot_id: that bot has no token yet; put it first")
		} else if err != nil {
			return nil, err
		}
	}
	number, err := strconv.ParseInt(token[:strings.IndexByte(token, ':')], 10, 64)
	if err != nil {
		return nil, rpcerr.Invalid("token", "BotFather's token, which begins with the bot's number")
	}
	sealed, err := telegram.SealToken(s.Sealer, owner, bot, token)
	if err != nil {
		return nil, fmt.Errorf("bot %s: %w", bot, err)
	}
	row, before, err := s.Store.PutBot(ctx, store.Bot{MerchantID: owner, BotID: bot, Token: sealed, TokenHash: auth.Hash(token),
		BaseURL: r.GetBaseUrl(), Template: r.GetDeliveryTemplate(), Lang: r.GetLang(), Fallback: fallback, Number: number})
	if err != nil {
		return nil, err
	}
	s.Wake()
	out := &notifierv1.PutBotResponse{BotId: bot.String(), UpdatedAt: timestamppb.New(row.UpdatedAt), TelegramBotId: number}
	if before != 0 && before != number {
		out.ReplacedTelegramBotId = before
	}
	return out, nil
}

func goodLang(lang string) bool {
	return lang == "" || lang == message.Portuguese || lang == message.English
}

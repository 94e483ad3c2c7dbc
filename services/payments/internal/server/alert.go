package server

import (
	"context"
	"errors"
	"strings"
	"time"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/alert"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
	"github.com/baixapay/baixa/services/payments/internal/work"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// What settings are until somebody says otherwise.
const (
	defaultZone = "America/Sao_Paulo"
	defaultHour = 9
)

// GetAlertSettings returns a merchant's settings.
func (s *Server) GetAlertSettings(ctx context.Context, r *paymentsv1.GetAlertSettingsRequest) (*paymentsv1.GetAlertSettingsResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	a, err := s.Store.AlertSettings(ctx, m)
	if errors.Is(err, store.ErrNotFound) {
		list, err := s.Store.Merchants(ctx, &m)
		if err == nil && len(list) == 0 {
			err = rpcerr.NotFound("merchant_id: merchant")
		}
		hour := int32(defaultHour)
		return &paymentsv1.GetAlertSettingsResponse{Settings: &paymentsv1.AlertSettings{MerchantId: m.String(), Lang: wording.Portuguese.Tag(),
			Timezone: defaultZone, DigestHour: &hour}}, err
	}
	if err != nil {
		return nil, err
	}
	return &paymentsv1.GetAlertSettingsResponse{Settings: alertMessage(a)}, nil
}

// PutAlertSettings sets them.
func (s *Server) PutAlertSettings(ctx context.Context, r *paymentsv1.PutAlertSettingsRequest) (*paymentsv1.PutAlertSettingsResponse, error) {
	in := r.GetSettings()
	m, err := one(ctx, in.GetMerchantId())
	if err != nil {
		return nil, err
	}
	a, zone, err := alertSettings(in)
	if err != nil {
		return nil, err
	}
	bots, err := s.Store.FindBots(ctx, []payment.MerchantID{m}, []string{in.GetBotId()})
	if err != nil {
		return nil, err
	}
	if len(bots) == 0 {
		return nil, rpcerr.NotFound("settings.bot_id: bot")
	}
	a.MerchantID, a.BotID = m, bots[0].ID
	a.DigestAt, a.DigestDay = alert.Next(s.Now(), zone, a.DigestHour)
	if a, err = s.Store.PutAlertSettings(ctx, a); err != nil {
		return nil, named(err, "settings.bot_id: bot")
	}
	return &paymentsv1.PutAlertSettingsResponse{Settings: alertMessage(a)}, nil
}

// alertSettings checks what a caller wants.
func alertSettings(in *paymentsv1.AlertSettings) (store.AlertSettings, *time.Location, error) {
	var f rpcerr.Fields
	a := store.AlertSettings{ChatID: in.GetChatId(), Kinds: in.GetKinds(), Timezone: in.GetTimezone(), DigestHour: defaultHour}
	const bits = 1 << 52 // of a chat's id, as Telegram says
	f.Require(a.ChatID > -bits && a.ChatID < bits, "settings.chat_id", "a Telegram chat's id, or 0 for no alerts")
	f.Require(in.GetBotId() != "", "settings.bot_id", "the bot that writes, by our id or your own")
	checkText(&f, "settings.bot_id", in.GetBotId(), 100)
	for _, k := range a.Kinds {
		f.Require(alert.Known(k), "settings.kinds", "of "+kindList())
	}
	if a.Kinds == nil {
		a.Kinds = []string{}
	}
	lang, known := wording.Parse(in.GetLang())
	f.Require(known, "settings.lang", "pt-BR, en or empty")
	a.Lang = lang.Tag()
	if a.Timezone == "" {
		a.Timezone = defaultZone
	}
	zone, err := time.LoadLocation(a.Timezone)
	f.Require(err == nil && a.Timezone != "Local", "settings.timezone", "an IANA time zone, such as America/Sao_Paulo")
	if in.DigestHour != nil {
		a.DigestHour = int(in.GetDigestHour())
	}
	f.Require(a.DigestHour >= 0 && a.DigestHour <= 23, "settings.digest_hour", "0 to 23")
	return a, zone, f.Err()
}

func kindList() string {
	var all []string
	for _, k := range alert.Kinds() {
		all = append(all, string(k))
	}
	return strings.Join(all, ", ")
}

// SendTestAlert writes to the chat of the settings, once a call.
func (s *Server) SendTestAlert(ctx context.Context, r *paymentsv1.SendTestAlertRequest) (*paymentsv1.SendTestAlertResponse, error) {
	m, err := one(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	a, err := s.Store.AlertSettings(ctx, m)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.ChatID == 0 {
		return nil, rpcerr.Precondition("settings: there is no chat to write to; put one with PutAlertSettings")
	}
	if err != nil {
		return nil, err
	}
	lang, _ := wording.Parse(a.Lang)
	title, body := alert.Test(lang)
	once := payment.ID(newID()).String()
	n, err := s.Notifier.Notify(ctx, work.OwnerMessage(a, work.TestKey(once), title, body))
	if err != nil {
		return nil, err
	}
	return &paymentsv1.SendTestAlertResponse{NotificationId: n.GetNotification().GetId()}, nil
}

func alertMessage(a store.AlertSettings) *paymentsv1.AlertSettings {
	hour := int32(a.DigestHour)
	return &paymentsv1.AlertSettings{MerchantId: a.MerchantID.String(), ChatId: a.ChatID, BotId: a.BotID.String(), Kinds: a.Kinds, Lang: a.Lang,
		Timezone: a.Timezone, DigestHour: &hour, UpdatedAt: timestamppb.New(a.UpdatedAt), LastSentAt: stamp(a.LastSentAt), LastFailure: a.LastFailure}
}

package server

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// alerted gives the first merchant somebody to tell.
func (d *desk) alerted() {
	_, err := d.PutAlertSettings(d.one.ctx, &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: 5, BotId: d.one.bot}})
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestAlertSettings_putAndGet(t *testing.T) {
	d := newDesk(t)
	get := func() *paymentsv1.AlertSettings {
		t.Helper()
		got, err := d.GetAlertSettings(d.one.ctx, &paymentsv1.GetAlertSettingsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetSettings()
	}
	if s := get(); s.GetChatId() != 0 || s.GetDigestHour() != 9 || s.GetTimezone() != "America/Sao_Paulo" || s.GetLang() != "pt-BR" || s.GetUpdatedAt() != nil {
		t.Errorf("before: %v", s)
	}
	midnight := int32(0)
	put := &paymentsv1.AlertSettings{ChatId: -1001234567890, BotId: "35", Kinds: []string{"digest", "sale_paid"}, Lang: "en", Timezone: "America/Manaus", DigestHour: &midnight}
	if _, err := d.PutAlertSettings(d.one.ctx, &paymentsv1.PutAlertSettingsRequest{Settings: put}); err != nil {
		t.Fatal(err)
	}
	s := get()
	if s.GetChatId() != put.ChatId || s.GetBotId() != d.one.bot || len(s.GetKinds()) != 2 || s.GetLang() != "en" || s.GetTimezone() != "America/Manaus" ||
		s.DigestHour == nil || s.GetDigestHour() != 0 || time.Since(s.GetUpdatedAt().AsTime()) > time.Hour {
		t.Errorf("after: %v", s)
	}
	_, err := d.GetAlertSettings(d.operator(), &paymentsv1.GetAlertSettingsRequest{MerchantId: unknownID()})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("an unknown merchant: %v", err)
	}
}

func TestAlertSettings_badInputIsNamed(t *testing.T) {
	d := newDesk(t)
	hour := int32(24)
	_, err := d.PutAlertSettings(d.one.ctx, &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: 1 << 60, Kinds: []string{"rain"},
		Lang: "fr", Timezone: "Brazil/Nowhere", DigestHour: &hour}})
	code, fields := said(err)
	want := "settings.chat_id settings.bot_id settings.kinds settings.lang settings.timezone settings.digest_hour"
	if code != codes.InvalidArgument || fields != want || !strings.Contains(err.Error(), "credential_refused") {
		t.Errorf("%v names %q: %v", code, fields, err)
	}
	for _, bot := range []string{"nobody's", d.two.bot} {
		_, err = d.PutAlertSettings(d.one.ctx, &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: 5, BotId: bot}})
		if code, _ := said(err); code != codes.NotFound {
			t.Errorf("bot %q: %v", bot, err)
		}
	}
	for _, zone := range []string{"Local", "../../etc/passwd", "America/Sao_Paulo\x00"} {
		_, err = d.PutAlertSettings(d.one.ctx, &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{ChatId: 5, BotId: "35", Timezone: zone}})
		if code, fields := said(err); code != codes.InvalidArgument || fields != "settings.timezone" {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}

func TestSendTestAlert_oneACall(t *testing.T) {
	d := newDesk(t)
	_, err := d.SendTestAlert(d.one.ctx, &paymentsv1.SendTestAlertRequest{})
	if code, _ := said(err); code != codes.FailedPrecondition || !strings.Contains(err.Error(), "PutAlertSettings") {
		t.Errorf("without settings: %v", err)
	}
	d.alerted()
	for range 2 {
		if r, err := d.SendTestAlert(d.one.ctx, &paymentsv1.SendTestAlertRequest{}); err != nil || r.GetNotificationId() == "" {
			t.Fatal(r, err)
		}
	}
	var sent int
	for _, r := range d.Notifier.(*notifierLeaf).asked {
		if m := r.GetOwnerMessage(); m != nil && m.GetChatId() == 5 && r.GetMerchantId() == d.one.id && strings.Contains(m.GetTitle(), "Teste") {
			sent++
		}
	}
	if sent != 2 {
		t.Errorf("%d messages, want 2", sent)
	}
}

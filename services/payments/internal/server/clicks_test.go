package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// knownToken is a click of the first merchant.
var knownToken = strings.Repeat("a", 32)

// clicked stores a click of a merchant as the capture does, ago before now, and attaches it to a buyer of bot 35 when one is named.
func (d *desk) clicked(s seller, token, fbclid string, ago time.Duration, source string) {
	d.t.Helper()
	m, _ := payment.ParseMerchantID(s.id)
	at := time.Now().Add(-ago).UTC().Truncate(time.Millisecond)
	raw, err := json.Marshal(map[string]any{"utm_source": source, "fbclid": fbclid, "click_time_ms": fmt.Sprint(at.UnixMilli()), "campaign_code": "c-35",
		"client_ip": "198.51.100.7", "pageview_event_id": "pv-" + token, "tracking_token": token})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.Store.InsertClicks(d.t.Context(), []store.Click{{MerchantID: m, Token: token, ID: uuid.New(), Slug: "promo", ClickedAt: at, FBCLID: fbclid, Tracking: raw}}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) attach(s seller, telegram int64, token string) *paymentsv1.AttachClickResponse {
	d.t.Helper()
	r, err := d.AttachClick(s.ctx, &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: telegram, ClickToken: token})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func TestClickLinks_putAndList(t *testing.T) {
	d := newDesk(t)
	made, err := d.PutClickLink(d.one.ctx, &paymentsv1.PutClickLinkRequest{Slug: "Promo", BotUsername: "@Clube_bot", CampaignCode: "c-35"})
	if err != nil || !made.GetCreated() || made.GetLink().GetUrl() != "https://baixa.example/go/promo" || made.GetLink().GetBotUsername() != "Clube_bot" {
		t.Fatal(made, err)
	}
	_, err = d.PutClickLink(d.two.ctx, &paymentsv1.PutClickLinkRequest{Slug: "promo", BotUsername: "outro_bot"})
	if code, _ := said(err); code != codes.AlreadyExists {
		t.Errorf("another merchant takes the slug: %v", err)
	}
	random, err := d.PutClickLink(d.one.ctx, &paymentsv1.PutClickLinkRequest{BotUsername: "Clube_bot"})
	if err != nil || len(random.GetLink().GetSlug()) < 10 {
		t.Errorf("a link without a name: %v, %v", random, err)
	}
	list, err := d.ListClickLinks(d.one.ctx, &paymentsv1.ListClickLinksRequest{})
	if err != nil || len(list.GetLinks()) != 2 || list.GetLinks()[0].GetClicks() != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
	_, err = d.PutClickLink(d.one.ctx, &paymentsv1.PutClickLinkRequest{Slug: "a/b", BotUsername: "a b", CampaignCode: strings.Repeat("x", 201)})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "slug bot_username campaign_code" {
		t.Errorf("%v names %q", code, fields)
	}
	_, err = d.PutClickLink(d.operator(), &paymentsv1.PutClickLinkRequest{MerchantId: unknownID(), BotUsername: "clube_bot"})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("unknown merchant: %v", err)
	}
}

func TestAttachClick_lastClickCountsAndHistoryStays(t *testing.T) {
	d := newDesk(t)
	early, late := strings.Repeat("1", 32), strings.Repeat("2", 32)
	d.clicked(d.one, early, "X", 2*time.Hour, "first")
	d.clicked(d.one, late, "X", time.Hour, "second")
	if r := d.attach(d.one, 77, late); !r.GetLast() || !r.GetClick().GetFirstClickedAt().AsTime().Before(r.GetClick().GetClickedAt().AsTime()) {
		t.Errorf("the first start: %v", r)
	}
	for range 2 {
		if r := d.attach(d.one, 77, strings.ToUpper(early)); r.GetLast() {
			t.Error("an older click counts because its link was opened again")
		}
	}
	list, err := d.ListClicks(d.one.ctx, &paymentsv1.ListClicksRequest{BotId: d.one.bot, TelegramId: 77})
	if err != nil || len(list.GetClicks()) != 2 || list.GetClicks()[0].GetToken() != late {
		t.Errorf("history %v, %v", list, err)
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		r    *paymentsv1.AttachClickRequest
		code codes.Code
		says string
	}{
		"a deep link":     {d.one.ctx, &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: 77, ClickToken: "p123"}, codes.InvalidArgument, "click_token"},
		"nobody":          {d.one.ctx, &paymentsv1.AttachClickRequest{BotId: "35", ClickToken: early}, codes.InvalidArgument, "telegram_id"},
		"a group":         {d.one.ctx, &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: -5, ClickToken: early}, codes.InvalidArgument, "telegram_id"},
		"no bot":          {d.one.ctx, &paymentsv1.AttachClickRequest{TelegramId: 77, ClickToken: early}, codes.InvalidArgument, "bot_id"},
		"unknown bot":     {d.one.ctx, &paymentsv1.AttachClickRequest{BotId: "99", TelegramId: 77, ClickToken: early}, codes.NotFound, ""},
		"another's click": {d.two.ctx, &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: 77, ClickToken: early}, codes.NotFound, ""},
		"nobody's click":  {d.one.ctx, &paymentsv1.AttachClickRequest{BotId: "35", TelegramId: 77, ClickToken: strings.Repeat("9", 32)}, codes.NotFound, ""},
	} {
		_, err := d.AttachClick(c.ctx, c.r)
		if code, fields := said(err); code != c.code || fields != c.says {
			t.Errorf("%s: %v names %q", name, err, fields)
		}
	}
}

func TestCreatePayment_carriesItsClick(t *testing.T) {
	d := newDesk(t)
	early, late := strings.Repeat("1", 32), strings.Repeat("2", 32)
	d.clicked(d.one, early, "IwAR", 2*time.Hour, "first")
	d.clicked(d.one, late, "IwAR", time.Hour, "second")
	d.clicked(d.two, strings.Repeat("3", 32), "IwAR", 9*time.Hour, "theirs")
	d.attach(d.one, 77, early)
	d.attach(d.one, 77, late)
	m, _ := payment.ParseMerchantID(d.one.id)
	k, err := d.Store.GetClick(t.Context(), m, late)
	if err != nil {
		t.Fatal(err)
	}
	first := k.FirstAt.UnixMilli() // of the fbclid, two hours ago, and not of the other merchant
	if age := time.Since(k.FirstAt); age < 119*time.Minute || age > 3*time.Hour {
		t.Fatalf("the first click is %s old", age)
	}
	captured := &typev1.Tracking{UtmSource: "second", Fbclid: "IwAR", ClickTimeMs: first, CampaignCode: "c-35", ClientIp: "198.51.100.7", PageviewEventId: "pv-" + late, TrackingToken: late}
	for name, c := range map[string]struct {
		telegram int64
		token    string
		told     *typev1.Tracking
		want     *typev1.Tracking
		found    string
	}{
		"the buyer's last": {77, "", nil, captured, "buyer"},
		"a token":          {0, late, nil, captured, "token"},
		"a token in capitals": {0, strings.ToUpper(strings.Repeat("1", 31)) + "1", nil, with(captured, func(t *typev1.Tracking) {
			t.UtmSource, t.PageviewEventId, t.TrackingToken = "first", "pv-"+early, early
		}), "token"},
		"the origin's tracking_token":  {0, "", &typev1.Tracking{TrackingToken: late}, captured, "token"},
		"a token and data":             {0, late, &typev1.Tracking{UtmSource: "told", Src: "s"}, with(captured, func(t *typev1.Tracking) { t.UtmSource, t.Src = "told", "s" }), "token"},
		"data alone":                   {77, "", &typev1.Tracking{UtmSource: "told"}, &typev1.Tracking{UtmSource: "told"}, ""},
		"data with the origin's token": {77, "", &typev1.Tracking{UtmSource: "told", TrackingToken: late}, &typev1.Tracking{UtmSource: "told", TrackingToken: late}, ""},
		"another buyer":                {78, "", nil, &typev1.Tracking{}, ""},
		"an unknown token":             {77, strings.Repeat("9", 32), nil, &typev1.Tracking{TrackingToken: strings.Repeat("9", 32)}, "unknown"},
		"another merchant's token":     {0, strings.Repeat("3", 32), nil, &typev1.Tracking{TrackingToken: strings.Repeat("3", 32)}, "unknown"},
		"no token at all":              {0, "p123 <script>", nil, &typev1.Tracking{TrackingToken: "p123 <script>"}, "unknown"},
	} {
		r := d.one.create(name)
		r.Buyer.TelegramId, r.ClickToken, r.Tracking = c.telegram, c.token, c.told
		made, err := d.CreatePayment(d.one.ctx, r)
		if err != nil {
			t.Errorf("%s: attribution blocks money: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, made.GetPayment().GetTracking(), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		events, err := d.ListPaymentEvents(d.one.ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: made.GetPayment().GetId()})
		if err != nil || events.GetEvents()[0].GetDetails()["click"] != c.found {
			t.Errorf("%s: the history says %v, %v", name, events.GetEvents()[0].GetDetails(), err)
		}
		again, err := d.CreatePayment(d.one.ctx, r)
		if err != nil || again.GetCreated() {
			t.Errorf("%s: again: %v", name, err)
		}
	}
	for _, call := range d.gateways.Calls(gatewaystest.CreateCharge) {
		if r := call.(*gatewaysv1.CreateChargeRequest); r.GetTracking().GetTrackingToken() == "" && r.GetTracking().GetUtmSource() == "second" {
			t.Errorf("the provider was told %v", r.GetTracking())
		}
	}
}

func TestRegisterPayment_carriesItsClick(t *testing.T) {
	d := newDesk(t)
	token := strings.Repeat("1", 32)
	d.clicked(d.one, token, "IwAR", time.Hour, "ad")
	d.attach(d.one, 77, token)
	for i, c := range []struct {
		change func(*paymentsv1.RegisterPaymentRequest)
		want   string
	}{
		{func(*paymentsv1.RegisterPaymentRequest) {}, token},
		{func(r *paymentsv1.RegisterPaymentRequest) { r.Source = "import" }, ""},
		{func(r *paymentsv1.RegisterPaymentRequest) { r.Source, r.ClickToken = "import", token }, token},
		{func(r *paymentsv1.RegisterPaymentRequest) {
			r.CreatedAt = timestamppb.New(time.Now().Add(-2 * time.Hour))
		}, ""}, // the sale came before the click
	} {
		r := d.one.register(100 + i)
		r.Buyer = &paymentsv1.Buyer{TelegramId: 77}
		c.change(r)
		got, err := d.RegisterPayment(d.one.ctx, r)
		if err != nil || got.GetPayment().GetTracking().GetTrackingToken() != c.want {
			t.Errorf("%d: %v, %v", i, got.GetPayment().GetTracking(), err)
		}
	}
}

func with(t *typev1.Tracking, change func(*typev1.Tracking)) *typev1.Tracking {
	out := proto.Clone(t).(*typev1.Tracking)
	change(out)
	return out
}

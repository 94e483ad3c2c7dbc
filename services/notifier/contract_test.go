package notifier_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/notifiertest"
)

// TestContract_serviceAndFakeAgree is what other services' tests rely on: the fake promises what the service does.
func TestContract_serviceAndFakeAgree(t *testing.T) {
	for name, client := range map[string]notifierv1.NotifierServiceClient{
		"service": newHouse(t, pgtest.New(t).DSN(), newSealer(t)),
		"fake":    notifiertest.New().Client(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("idempotent", func(t *testing.T) { contractIdempotent(t, client) })
			t.Run("tenancy", func(t *testing.T) { contractTenancy(t, client) })
			t.Run("no chat", func(t *testing.T) { contractNoChat(t, client) })
		})
	}
}

func contractIdempotent(t *testing.T, c notifierv1.NotifierServiceClient) {
	merchant, bot := uuid.NewString(), uuid.NewString()
	message := buyerMessage(merchant, bot)
	event := ownerEvent(merchant, bot, message.GetPaymentId())
	first, err := c.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{message, event, message}})
	if err != nil {
		t.Fatal(err)
	}
	r := first.GetResponses()
	if len(r) != 3 || !r[0].GetCreated() || !r[1].GetCreated() || r[2].GetCreated() || r[2].GetNotification().GetId() != r[0].GetNotification().GetId() {
		t.Errorf("first: %v", r)
	}
	if r[0].GetNotification().GetKind() != "delivery" || r[1].GetNotification().GetKind() != "payment_update" ||
		r[0].GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED ||
		r[1].GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		t.Errorf("kinds and states: %v", r)
	}
	event.GetOwnerEvent().Status = "refunded" // the key decides, not the content
	again, err := c.Notify(as(t, merchant), event)
	if err != nil || again.GetCreated() || again.GetNotification().GetId() != r[1].GetNotification().GetId() {
		t.Errorf("again: %v, %v", again, err)
	}
	list, err := c.GetNotifications(service(t), &notifierv1.GetNotificationsRequest{PaymentId: message.GetPaymentId()})
	if err != nil || len(list.GetNotifications()) != 2 || list.GetNotifications()[0].GetKind() != "delivery" {
		t.Errorf("an operator sees %v, %v", list, err)
	}
	unknown := uuid.NewString()
	found, err := c.FindUntold(as(t, merchant), &notifierv1.FindUntoldRequest{PaymentIds: []string{unknown, message.GetPaymentId()}})
	if err != nil || len(found.GetPaymentIds()) != 1 || found.GetPaymentIds()[0] != unknown {
		t.Errorf("untold: %v, %v", found, err)
	}
	found, err = c.FindUntold(as(t, uuid.NewString()), &notifierv1.FindUntoldRequest{PaymentIds: []string{message.GetPaymentId()}})
	if err != nil || len(found.GetPaymentIds()) != 1 {
		t.Errorf("another merchant is told of what is not its own: %v, %v", found, err)
	}
	wanted := &notifierv1.FindUnrecordedRequest{Sales: []*notifierv1.Recorded{{PaymentId: message.GetPaymentId(), Keys: []string{message.GetKey(), "owner:99"}, Access: true},
		{PaymentId: event.GetPaymentId(), Keys: []string{event.GetKey()}}}}
	missing, err := c.FindUnrecorded(as(t, merchant), wanted)
	var said []string
	for _, u := range missing.GetUnrecorded() {
		said = append(said, u.GetPaymentId()+" "+u.GetKind()+" "+u.GetKey())
	}
	slices.Sort(said)
	if want := []string{message.GetPaymentId() + " access ", message.GetPaymentId() + " notice owner:99"}; err != nil || !slices.Equal(said, want) {
		t.Errorf("unrecorded: %q, %v; want %q", said, err, want)
	}
	missing, err = c.FindUnrecorded(as(t, uuid.NewString()), wanted)
	if err != nil || len(missing.GetUnrecorded()) != 4 {
		t.Errorf("another merchant has recorded nothing of it: %v, %v", missing, err)
	}
	if _, err := c.FindUnrecorded(as(t, merchant), &notifierv1.FindUnrecordedRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("nothing asked: %v", err)
	}
}

func contractTenancy(t *testing.T, c notifierv1.NotifierServiceClient) {
	mine, bot := uuid.NewString(), uuid.NewString()
	message := buyerMessage(mine, bot)
	if _, err := c.Notify(as(t, mine), message); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutBot(as(t, mine), &notifierv1.PutBotRequest{BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	stranger := as(t, uuid.NewString())
	calls := map[string]func(ctx context.Context) error{
		"Notify": func(ctx context.Context) error { _, err := c.Notify(ctx, buyerMessage(mine, bot)); return err },
		"BatchNotify": func(ctx context.Context) error {
			_, err := c.BatchNotify(ctx, &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{buyerMessage(mine, bot)}})
			return err
		},
		"GetNotifications": func(ctx context.Context) error {
			_, err := c.GetNotifications(ctx, &notifierv1.GetNotificationsRequest{MerchantId: mine, PaymentId: message.GetPaymentId()})
			return err
		},
		"FindUntold": func(ctx context.Context) error {
			_, err := c.FindUntold(ctx, &notifierv1.FindUntoldRequest{MerchantId: mine, PaymentIds: []string{message.GetPaymentId()}})
			return err
		},
		"FindUnrecorded": func(ctx context.Context) error {
			_, err := c.FindUnrecorded(ctx, &notifierv1.FindUnrecordedRequest{MerchantId: mine, Sales: []*notifierv1.Recorded{{PaymentId: message.GetPaymentId()}}})
			return err
		},
		"PutBot": func(ctx context.Context) error {
			_, err := c.PutBot(ctx, &notifierv1.PutBotRequest{MerchantId: mine, BotId: bot, Token: token})
			return err
		},
		"CreateStreamTicket": func(ctx context.Context) error {
			_, err := c.CreateStreamTicket(ctx, &notifierv1.CreateStreamTicketRequest{MerchantId: mine})
			return err
		},
		"GetHealth": func(ctx context.Context) error {
			_, err := c.GetHealth(ctx, &notifierv1.GetHealthRequest{MerchantId: mine})
			return err
		},
		"FollowOutcomes": func(ctx context.Context) error {
			s, err := c.FollowOutcomes(ctx, &notifierv1.FollowOutcomesRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
	}
	// A new RPC belongs into the map.
	if want := len(notifierv1.NotifierService_ServiceDesc.Methods) + len(notifierv1.NotifierService_ServiceDesc.Streams); len(calls) != want {
		t.Errorf("%d of %d RPCs are tried as the wrong merchant", len(calls), want)
	}
	for name, call := range calls {
		if err := call(stranger); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s as another merchant: %v", name, err)
		}
	}
	got, err := c.GetNotifications(stranger, &notifierv1.GetNotificationsRequest{PaymentId: message.GetPaymentId()})
	if err != nil || len(got.GetNotifications()) != 0 {
		t.Errorf("another merchant sees %v, %v", got, err)
	}
	if h, err := c.GetHealth(stranger, &notifierv1.GetHealthRequest{}); err != nil || h.GetQueued()+h.GetSent() != 0 {
		t.Errorf("another merchant counts %v, %v", h, err)
	}
	if _, err := c.PutBot(service(t), &notifierv1.PutBotRequest{BotId: bot, Token: token}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("an operator who names no merchant: %v", err)
	}
}

func contractNoChat(t *testing.T, c notifierv1.NotifierServiceClient) {
	message := buyerMessage(uuid.NewString(), uuid.NewString())
	message.GetBuyerMessage().ChatId = 0
	r, err := c.Notify(service(t), message)
	if err != nil || r.GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE || r.GetNotification().GetReason() != "no_chat" {
		t.Fatalf("got %v, %v", r, err)
	}
	for cursor, n := "", 0; ; n++ {
		var got []*notifierv1.Outcome
		got, cursor = follow(t, c, cursor, 1)
		for _, o := range got {
			if o.GetPaymentId() == message.GetPaymentId() && o.GetReason() == "no_chat" {
				return
			}
		}
	}
}

func TestServer_foreignBotsGiveNoTicket(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	mine, other, bot := uuid.NewString(), uuid.NewString(), uuid.NewString()
	if _, err := h.PutBot(as(t, other), &notifierv1.PutBotRequest{BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateStreamTicket(as(t, mine), &notifierv1.CreateStreamTicketRequest{BotIds: []string{bot}}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a bot of someone else: %v", err)
	}
}

func TestServer_badInputIsNamed(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, bot := uuid.NewString(), uuid.NewString()
	notify := func(change func(*notifierv1.NotifyRequest)) func() error {
		return func() error {
			r := buyerMessage(merchant, bot)
			change(r)
			_, err := h.Notify(service(t), r)
			return err
		}
	}
	event := func(change func(*notifierv1.OwnerEvent)) func() error {
		return func() error {
			r := ownerEvent(merchant, bot, uuid.NewString())
			change(r.GetOwnerEvent())
			_, err := h.Notify(service(t), r)
			return err
		}
	}
	put := func(change func(*notifierv1.PutBotRequest)) func() error {
		return func() error {
			r := &notifierv1.PutBotRequest{MerchantId: merchant, BotId: bot, Token: token}
			change(r)
			_, err := h.PutBot(service(t), r)
			return err
		}
	}
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"payment":       {notify(func(r *notifierv1.NotifyRequest) { r.PaymentId = "812" }), "payment_id: a UUID"},
		"merchant":      {notify(func(r *notifierv1.NotifyRequest) { r.MerchantId = "x" }), "merchant_id: a UUID"},
		"bot":           {notify(func(r *notifierv1.NotifyRequest) { r.BotId = "" }), "bot_id: a UUID"},
		"key":           {notify(func(r *notifierv1.NotifyRequest) { r.Key = strings.Repeat("k", 101) }), "key: 1 to 100"},
		"key of nought": {notify(func(r *notifierv1.NotifyRequest) { r.Key = "a\x00b" }), "key: 1 to 100"},
		"nothing":       {notify(func(r *notifierv1.NotifyRequest) { r.What = nil }), "what: buyer_message, owner_event or owner_message"},
		"url":           {notify(func(r *notifierv1.NotifyRequest) { r.GetBuyerMessage().Url = "javascript:1" }), "buyer_message.url"},
		"currency":      {notify(func(r *notifierv1.NotifyRequest) { r.GetBuyerMessage().Amount = &typev1.Money{Currency: "USD"} }), "buyer_message.amount.currency: BRL"},
		"language":      {notify(func(r *notifierv1.NotifyRequest) { r.GetBuyerMessage().Lang = "tlh" }), "buyer_message.lang"},
		"long name":     {notify(func(r *notifierv1.NotifyRequest) { r.GetBuyerMessage().ProductName = strings.Repeat("x", 5000) }), "buyer_message.product_name"},
		"event type":    {event(func(e *notifierv1.OwnerEvent) { e.Type = "Payment Update" }), "owner_event.type"},
		"event text":    {event(func(e *notifierv1.OwnerEvent) { e.Detail = strings.Repeat("x", 5000) }), "owner_event.detail"},
		"event time":    {event(func(e *notifierv1.OwnerEvent) { e.At = &timestamppb.Timestamp{Nanos: -1} }), "owner_event.at"},
		"token":         {put(func(r *notifierv1.PutBotRequest) { r.Token = "123456:short" }), "token: BotFather's token"},
		"address":       {put(func(r *notifierv1.PutBotRequest) { r.BaseUrl = "http://10.0.0.1" }), "base_url: https"},
		"template":      {put(func(r *notifierv1.PutBotRequest) { r.DeliveryTemplate = "{link} {preco}" }), "delivery_template: unknown placeholder {preco}"},
		"empty batch":   {func() error { _, err := h.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{}); return err }, "requests: 1 to 500"},
		"one of a batch": {func() error {
			bad := buyerMessage(merchant, bot)
			bad.Key = ""
			_, err := h.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{buyerMessage(merchant, bot), bad}})
			return err
		}, "requests[1].key: 1 to 100"},
		"ticket's bots": {func() error {
			_, err := h.CreateStreamTicket(as(t, merchant), &notifierv1.CreateStreamTicketRequest{BotIds: []string{bot, "44"}})
			return err
		}, "bot_ids[1]: a UUID"},
		"cursor": {func() error {
			s, err := h.FollowOutcomes(service(t), &notifierv1.FollowOutcomesRequest{Cursor: "yesterday"})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, "cursor:"},
	} {
		err := c.call()
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), "short") {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	health, err := h.GetHealth(service(t), &notifierv1.GetHealthRequest{MerchantId: merchant})
	if err != nil || health.GetQueued() != 0 || health.GetOwnerEvents() != 0 {
		t.Errorf("bad input left something: %v, %v", health, err)
	}
	if got, err := h.GetNotifications(service(t), &notifierv1.GetNotificationsRequest{PaymentId: uuid.NewString()}); err != nil || len(got.GetNotifications()) != 0 {
		t.Errorf("an unknown sale: %v, %v", got, err)
	}
}

package notifiertest_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/notifier/notifiertest"
)

func message(payment string) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: "m", PaymentId: payment, BotId: "b", Key: "delivery:1",
		What: &notifierv1.NotifyRequest_BuyerMessage{BuyerMessage: &notifierv1.BuyerMessage{ChatId: 5, Url: "https://x.example"}}}
}

func TestFake_switches(t *testing.T) {
	f := notifiertest.New()
	c := f.Client(t)
	f.FailNext(1, "Notify", codes.Unavailable)
	if _, err := c.Notify(t.Context(), message("p")); status.Code(err) != codes.Unavailable {
		t.Errorf("failing call: %v", err)
	}
	if _, err := c.Notify(t.Context(), message("p")); err != nil || len(f.Requests()) != 1 || f.Calls("Notify") != 2 {
		t.Errorf("next call: %v, %d recorded, %d calls", err, len(f.Requests()), f.Calls("Notify"))
	}
	if f.Settle("m", "other", "delivery:1", notifierv1.NotificationState_NOTIFICATION_STATE_SENT, "") {
		t.Error("an unknown message was settled")
	}
	for i, want := range []bool{true, false} {
		if got := f.Settle("m", "p", "delivery:1", notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE, "blocked"); got != want {
			t.Errorf("settled %v the %d. time", got, i+1)
		}
	}
	f.AutoSend()
	if r, err := c.Notify(t.Context(), message("q")); err != nil || r.GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT || r.GetNotification().GetMessageId() == 0 {
		t.Errorf("sent at once: %v, %v", r, err)
	}
	stream, err := c.FollowOutcomes(t.Context(), &notifierv1.FollowOutcomesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"blocked", ""} {
		m, err := stream.Recv()
		if err != nil || m.GetOutcomes()[0].GetReason() != want || m.GetOutcomes()[0].GetKind() != "delivery" {
			t.Errorf("outcome %v, %v", m, err)
		}
	}
	f.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Notify(ctx, message("r")); status.Code(err) != codes.DeadlineExceeded || len(f.Requests()) != 2 {
		t.Errorf("late call: %v, %d recorded", err, len(f.Requests()))
	}
}

package explain

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// write rewrites the golden stories. What it writes must be read line by line before it is committed.
var write = flag.Bool("write", false, "rewrite the golden files")

// scenes are the main cases, by the name of their golden file.
var scenes = map[string]func(t *testing.T) *scene{
	"settled_without_webhook": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Imported)
		for range 37 {
			s.after(20*time.Second).says("waiting_payment", payment.StatusPending, 123456)
		}
		return s.after(20*time.Second).says("paid", payment.StatusPaid, 123456).delivers().opens()
	},
	"hint_then_paid": func(t *testing.T) *scene {
		s := begin(t, "paradise", payment.Created)
		s.note(payment.ChargeCreated, payment.SourceAPI, "http_status", "201")
		s.after(40*time.Second).note(payment.HintReceived, payment.SourceWebhook, "claimed", "paid", "provider_status", "approved", "amount_centavos", "123456")
		return s.after(200*time.Millisecond).says("approved", payment.StatusPaid, 0).delivers()
	},
	"forged_hint": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered)
		s.after(10*time.Second).says("waiting_payment", payment.StatusPending, 0)
		s.after(5*time.Second).note(payment.HintReceived, payment.SourceWebhook, "claimed", "paid", "provider_status", "paid")
		return s.after(time.Second).says("waiting_payment", payment.StatusPending, 0).next(time.Minute, payment.LookHinted)
	},
	"amount_differs": func(t *testing.T) *scene {
		return begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 12300)
	},
	"review_accepted": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 12300)
		s.after(time.Hour).event(payment.Event{Kind: payment.ReviewAccepted, Source: payment.SourceOperator}, map[string]string{"note": "cupom combinado\n\x1b[31mcom o cliente", "by": "key k1"})
		return s.delivers()
	},
	"expired_then_paid_late": func(t *testing.T) *scene {
		s := begin(t, "pushinpay", payment.Registered).after(30*time.Minute).says("created", payment.StatusPending, 123456)
		s.after(45*time.Minute).says("created", payment.StatusPending, 123456)
		return s.after(5*time.Hour).says("paid", payment.StatusPaid, 123456).delivers()
	},
	"refunded_after_delivery": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456).delivers().opens()
		s.after(26*time.Hour).note(payment.HintReceived, payment.SourceWebhook, "claimed", "refunded", "provider_status", "refunded")
		s.after(time.Second).says("refunded", payment.StatusRefunded, 123456)
		s.after(time.Second).note(payment.TokenRevoked, payment.SourceSystem, "reason", "refunded")
		return s
	},
	"paid_after_refund": paidAfterRefund,
	"refused_after_delivery": func(t *testing.T) *scene {
		s := paidAfterRefund(t)
		return s.after(time.Hour).event(payment.Event{Kind: payment.ReviewRefused, Source: payment.SourceOperator}, map[string]string{"note": "devolvido ao comprador", "by": "key k1"})
	},
	"provider_down": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered)
		for range 5 {
			s.after(time.Minute).fails(payment.OutcomeTransient, "502")
		}
		s.in.Account = &gatewaysv1.Account{State: gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, Breaker: "open"}
		return s.next(4*time.Minute, payment.LookRetry)
	},
	"not_found": func(t *testing.T) *scene {
		s := begin(t, "paradise", payment.Registered)
		return s.after(2*time.Minute).fails(payment.OutcomeNotFound, "404").after(3*time.Hour).fails(payment.OutcomeNotFound, "404").next(time.Hour, payment.LookRare)
	},
	"credential": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).fails(payment.OutcomeCredential, "401")
		s.in.Account = &gatewaysv1.Account{State: gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED}
		return s.next(5*time.Minute, payment.LookRetry)
	},
	"buyer_unreachable": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
		s.note(payment.TokenIssued, payment.SourceSystem).note(payment.MessageQueued, payment.SourceSystem)
		return s.after(time.Second).note(payment.MessageFailed, payment.SourceNotifier, "reason", "blocked")
	},
	"delivered_elsewhere": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Imported)
		s.in.Sale.DeliveredElsewhere, s.in.Sale.DeliveredEver = true, true
		return s.after(time.Minute).says("paid", payment.StatusPaid, 123456)
	},
	"unknown_word": func(t *testing.T) *scene {
		s := begin(t, "paradise", payment.Registered).after(time.Minute).says("em_custodia", payment.StatusUnknown, 0)
		return s.next(5*time.Minute, payment.LookYoung)
	},
	"contract": func(t *testing.T) *scene {
		s := begin(t, "paradise", payment.Registered).after(time.Minute).fails(payment.OutcomeContract, "200", "excerpt", `{"data":{"estado":9},"token":"abcdef123456"}`)
		return s.next(5*time.Minute, payment.LookRetry)
	},
	"second_payment": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute)
		price := s.in.Sale.Amount
		s.looked(payment.OutcomeStatus, "paid")
		s.event(payment.Event{Kind: payment.Reported, Source: payment.SourcePoll, Reading: &payment.Reading{Status: payment.StatusPaid, Amount: &price, EndToEndID: "E1"}},
			map[string]string{"outcome": "status", "status": "paid", "provider_status": "paid"}).delivers()
		return s.after(time.Minute).event(payment.Event{Kind: payment.SecondPayment, Source: payment.SourceBackfill, Reading: &payment.Reading{Status: payment.StatusPaid,
			Amount: &price, EndToEndID: "E2"}}, map[string]string{"amount_centavos": "123456"})
	},
	"delivery_service_down": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
		s.in.Effects = []store.OpenEffect{{Name: "deliver", Kind: "deliver", Attempts: 5, LastError: "Unavailable", CreatedAt: s.now, DueAt: s.now.Add(95 * time.Second)},
			{Name: "owner:2", Kind: "owner", Attempts: 2, Payload: []byte(`{"type":"payment_update","status":"paid","detail":"paid"}`), CreatedAt: s.now, DueAt: s.now.Add(65 * time.Second)}}
		s.in.Away = []string{"delivery", "notifier"}
		return s.after(time.Minute)
	},
	"bot_token_refused": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
		s.note(payment.TokenIssued, payment.SourceSystem).note(payment.MessageQueued, payment.SourceSystem)
		s.in.Notifications = []*notifierv1.Notification{{Kind: "delivery", Channel: notifierv1.Channel_CHANNEL_TELEGRAM, State: notifierv1.NotificationState_NOTIFICATION_STATE_QUEUED,
			Reason: "bot_unauthorized", CreatedAt: timestamppb.New(s.now)}}
		return s
	},
	"never_asked": func(t *testing.T) *scene {
		return begin(t, "atomopay", payment.Imported).next(-50*time.Hour, payment.LookFirst).after(3 * time.Minute)
	},
	"dispute": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456).delivers()
		return s.after(time.Hour).says("med", payment.StatusDisputed, 123456).next(12*time.Hour, payment.LookWatch)
	},
	"leaves_know_more": func(t *testing.T) *scene {
		s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456)
		s.note(payment.TokenIssued, payment.SourceSystem).note(payment.MessageQueued, payment.SourceSystem)
		stamp := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(s.now.Add(d)) }
		s.in.Notifications = []*notifierv1.Notification{
			{Kind: "payment_update", Channel: notifierv1.Channel_CHANNEL_WEBSOCKET, State: notifierv1.NotificationState_NOTIFICATION_STATE_SENT, SentAt: stamp(time.Second)},
			{Kind: "delivery", Channel: notifierv1.Channel_CHANNEL_TELEGRAM, State: notifierv1.NotificationState_NOTIFICATION_STATE_SENT, SentAt: stamp(2 * time.Second)}}
		s.in.Delivery = &deliveryv1.Delivery{State: deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE, FirstOpenedAt: stamp(time.Minute), LastOpenedAt: stamp(time.Hour), Opens: 3,
			Purchase: &deliveryv1.Purchase{State: deliveryv1.PurchaseState_PURCHASE_STATE_FAILED, Reason: "Meta error 190 (HTTP 400)"}}
		return s.after(2 * time.Hour)
	},
}

// paidAfterRefund was delivered, its money went back, and comes again.
func paidAfterRefund(t *testing.T) *scene {
	s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456).delivers()
	s.after(time.Hour).says("refunded", payment.StatusRefunded, 123456)
	s.after(time.Second).note(payment.TokenRevoked, payment.SourceSystem, "reason", "refunded")
	return s.after(time.Hour).says("paid", payment.StatusPaid, 123456)
}

func TestTell_golden(t *testing.T) {
	for name, make := range scenes {
		for _, l := range []wording.Lang{wording.Portuguese, wording.English} {
			t.Run(name+"/"+l.Tag(), func(t *testing.T) {
				got := print(make(t).tell(l))
				file := filepath.Join("testdata", name+"."+l.Tag()+".txt")
				if *write {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != 2*len(scenes) {
		t.Errorf("%d golden files for %d scenes: %v", len(files), len(scenes), err)
	}
}

func print(s Story) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", s.Summary)
	for _, l := range s.Timeline {
		fmt.Fprintf(&b, "%s %-8s %-16s x%d %s\n", l.At.Format("15:04:05"), l.Service, l.Kind, l.Times, l.Text)
	}
	fmt.Fprintf(&b, "\nnext: %s\naction: %s\n", s.Next, s.Action)
	return b.String()
}

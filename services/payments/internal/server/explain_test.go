package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	linkToken = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
	pageKey   = "PaGeKeYPaGeKeYPaGeKeYPaGeKeY0123456789-_PaG" // as long as a token, too
)

// linked gives a sale a link that the delivery knows.
func (s *shop) linked(sale store.Sale) *deliveryv1.Delivery {
	d := &deliveryv1.Delivery{PaymentId: sale.ID.String(), MerchantId: sale.MerchantID.String(), State: deliveryv1.DeliveryState_DELIVERY_STATE_ACTIVE,
		IssuedAt: timestamppb.New(s.now)}
	s.delivery.byToken[linkToken] = d
	return d
}

func TestExplainPayment_foundByEverything(t *testing.T) {
	s := newShop(t)
	older := s.sells(0, func(x *store.Sale) { x.TelegramID = 700100 })
	s.now = s.now.Add(time.Minute)
	sale := s.sells(0, func(x *store.Sale) { x.TelegramID, x.ExternalID, x.PageKey = 700100, "BOT35_9", pageKey })
	s.linked(sale)
	for query, want := range map[string]string{
		sale.ID.String():                        "payment_id",
		" " + strings.ToUpper(sale.ID.String()): "payment_id",
		"BOT35_9":                               "external_id",
		sale.Charge.Hash:                        "charge_hash",
		sale.Charge.ID:                          "charge_id",
		sale.Charge.Reference:                   "charge_reference",
		"700100":                                "telegram_id",
		linkToken:                               "token",
		"https://loja.example/delivery/" + linkToken:                    "token",
		"https://loja.example/delivery/" + linkToken + "/?utm=1#acesso": "token",
		sale.PageKey: "page_key",
		"https://loja.example/pay/" + sale.PageKey:           "page_key",
		"loja.example/pay/" + sale.PageKey + "/events?x=1#y": "page_key",
	} {
		resp, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: query})
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		if resp.GetPayment().GetId() != sale.ID.String() || resp.GetMatchedBy() != want {
			t.Errorf("%q: %s by %s, want %s by %s", query, resp.GetPayment().GetId(), resp.GetMatchedBy(), sale.ID, want)
		}
		var others []string
		if want == "telegram_id" {
			others = []string{older.ID.String()}
		}
		if diff := cmp.Diff(others, resp.GetOtherPaymentIds()); diff != "" {
			t.Errorf("%q: others: %s", query, diff)
		}
	}
}

func TestExplainPayment_exactIDBeforeTelegram(t *testing.T) {
	s := newShop(t)
	charged := s.sells(0, func(x *store.Sale) { x.Charge.ID = "700100" })
	s.now = s.now.Add(time.Hour)
	buyers := s.sells(0, func(x *store.Sale) { x.TelegramID = 700100 })
	resp, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: "700100"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetPayment().GetId() != charged.ID.String() || resp.GetMatchedBy() != "charge_id" || len(resp.GetOtherPaymentIds()) != 1 || resp.GetOtherPaymentIds()[0] != buyers.ID.String() {
		t.Errorf("found %s by %s, others %v", resp.GetPayment().GetId(), resp.GetMatchedBy(), resp.GetOtherPaymentIds())
	}
}

func TestExplainPayment_onlyOnesOwn(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, func(x *store.Sale) { x.TelegramID, x.ExternalID, x.PageKey = 700100, "BOT35_9", pageKey })
	s.linked(sale)
	for _, query := range []string{sale.ID.String(), "BOT35_9", sale.Charge.Hash, sale.Charge.ID, sale.Charge.Reference, "700100", linkToken, sale.PageKey,
		"https://loja.example/pay/" + sale.PageKey, "https://loja.example/pay/", "https://loja.example/pay/%00", "/pay/?",
		"https://loja.example/delivery/" + linkToken, "nothing", "https://loja.example/delivery/", "%", "'; --"} {
		_, err := s.server.ExplainPayment(s.of(1), &paymentsv1.ExplainPaymentRequest{Query: query})
		if status.Code(Errors(err)) != codes.NotFound {
			t.Errorf("another merchant asks for %q: %v", query, err)
		}
		_, err = s.server.ExplainPayment(t.Context(), &paymentsv1.ExplainPaymentRequest{Query: query})
		if status.Code(Errors(err)) != codes.Unauthenticated {
			t.Errorf("nobody asks for %q: %v", query, err)
		}
	}
	if resp, err := s.server.ExplainPayment(s.operator(), &paymentsv1.ExplainPaymentRequest{Query: linkToken}); err != nil || resp.GetPayment().GetId() != sale.ID.String() {
		t.Errorf("the operator: %v, %v", resp, err)
	}
}

func TestExplainPayment_badRequest(t *testing.T) {
	s := newShop(t)
	for _, r := range []*paymentsv1.ExplainPaymentRequest{{}, {Query: "  "}, {Query: "x", Lang: "fr"}, {Query: "a\x00b"}, {Query: "\xff"}, {Query: strings.Repeat("x", 2049)}} {
		if _, err := s.server.ExplainPayment(s.operator(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q %q: %v", r.GetQuery(), r.GetLang(), err)
		}
	}
}

func TestExplainPayment_wholeStory(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.now = s.now.Add(10 * time.Second)
	s.says(sale, payment.StatusPending, 0)
	s.now = s.now.Add(10 * time.Second)
	s.says(sale, payment.StatusPending, 0)
	s.now = s.now.Add(10 * time.Second)
	s.says(sale, payment.StatusPaid, 1990)
	s.note(sale, payment.TokenIssued, nil)
	s.note(sale, payment.MessageQueued, nil)
	d := s.linked(sale)
	d.FirstOpenedAt = timestamppb.New(s.now.Add(time.Minute))
	s.notifier.told = []*notifierv1.Notification{{Kind: "delivery", Channel: notifierv1.Channel_CHANNEL_TELEGRAM,
		State: notifierv1.NotificationState_NOTIFICATION_STATE_SENT, SentAt: timestamppb.New(s.now.Add(time.Second))}}
	s.now = s.now.Add(time.Hour)
	resp, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: sale.ID.String(), Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Service, Kind string
		Times         int32
	}
	var got []line
	for _, e := range resp.GetTimeline() {
		got = append(got, line{e.GetService(), e.GetKind(), e.GetTimes()})
	}
	want := []line{{"payments", "registered", 1}, {"gateways", "reported", 2}, {"gateways", "reported", 1}, {"delivery", "token_issued", 1},
		{"notifier", "message_queued", 1}, {"notifier", "message_sent", 1}, {"delivery", "opened", 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"No webhook told us", "3 looks", "opened the page"} {
		if !strings.Contains(resp.GetSummary(), part) {
			t.Errorf("summary lacks %q: %s", part, resp.GetSummary())
		}
	}
	if !strings.Contains(resp.GetNext(), "Next comes the delivery") {
		t.Errorf("the open work is not told: %s", resp.GetNext())
	}
	if resp.GetAction() != "" || resp.GetPayment().GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID {
		t.Errorf("action %q, status %v", resp.GetAction(), resp.GetPayment().GetStatus())
	}
}

func TestExplainPayment_leavesAway(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.delivery.err, s.notifier.err, s.accounts.err = status.Error(codes.Unavailable, "down"), status.Error(codes.DeadlineExceeded, "slow"), errors.New("odd")
	resp, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: sale.ID.String()})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"serviço de entrega não respondeu", "serviço de mensagens não respondeu", "serviço dos provedores não respondeu"} {
		if !strings.Contains(resp.GetSummary(), part) {
			t.Errorf("summary lacks %q: %s", part, resp.GetSummary())
		}
	}
	if resp.GetPayment().GetKnowledge().GetNextPollAt() == nil || !strings.Contains(resp.GetNext(), "Átomo Pay") {
		t.Errorf("the next look is not told: %s", resp.GetNext())
	}
	if _, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: linkToken}); status.Code(err) != codes.Unavailable {
		t.Errorf("a link while the delivery is away: %v", err)
	}
}

func TestExplainPayment_accountRefused(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.accounts.list[0].State = gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED
	resp, err := s.server.ExplainPayment(s.of(0), &paymentsv1.ExplainPaymentRequest{Query: sale.ID.String()})
	if err != nil || !strings.Contains(resp.GetAction(), "POST /v1/accounts") {
		t.Errorf("%v, action %q", err, resp.GetAction())
	}
}

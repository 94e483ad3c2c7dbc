package notifier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const token = "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// house is a running notifier with a Telegram that takes everything.
type house struct {
	notifierv1.NotifierServiceClient
	notifierv1.TemplatesServiceClient
	endpoints notifierv1.EndpointsServiceClient
	accesses  notifierv1.AccessServiceClient
	service   *notifier.Service
	public    *httptest.Server
	dsn       string
	stop      func() error

	mu   sync.Mutex
	sent []string // bodies
	// refuse answers a request to that path instead of taking the message, unless it returns "".
	refuse func(path string) string
}

func newHouse(t *testing.T, dsn string, sealer *seal.Sealer) *house {
	t.Helper()
	h := &house{dsn: dsn}
	telegram := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.refuse != nil {
			if answer := h.refuse(r.URL.Path); answer != "" {
				_, _ = io.WriteString(w, answer) // a lost answer fails the test elsewhere
				return
			}
		}
		h.sent = append(h.sent, string(body))
		fmt.Fprintf(w, `{"ok":true,"result":{"message_id":%d}}`, len(h.sent))
	}))
	t.Cleanup(telegram.Close)
	if err := notifier.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	memory := rpc.NewMemory()
	h.service, err = notifier.New(t.Context(), notifier.Config{DSN: dsn, TelegramURL: telegram.URL},
		notifier.Deps{Listener: memory.Listener(), Signer: signer, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	h.public = httptest.NewServer(h.service.Handler())
	t.Cleanup(h.public.Close)
	conn, err := rpc.Dial(rpc.ClientConfig{Memory: memory, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient},
		Stream: []grpc.StreamClientInterceptor{signer.StreamClient}})
	if err != nil {
		t.Fatal(err)
	}
	h.NotifierServiceClient, h.TemplatesServiceClient = notifierv1.NewNotifierServiceClient(conn), notifierv1.NewTemplatesServiceClient(conn)
	h.endpoints, h.accesses = notifierv1.NewEndpointsServiceClient(conn), notifierv1.NewAccessServiceClient(conn)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.service.Run(ctx) }()
	var once sync.Once
	var ended error
	h.stop = func() error {
		once.Do(func() { cancel(); ended = <-done; _ = conn.Close() })
		return ended
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return h
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	keys, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func as(t *testing.T, merchant string) context.Context {
	return auth.With(t.Context(), auth.Principal{MerchantID: merchant})
}

func service(t *testing.T) context.Context {
	return auth.With(t.Context(), auth.Principal{Operator: true})
}

func buyerMessage(merchant, bot string) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: merchant, PaymentId: uuid.NewString(), BotId: bot, Key: "delivery",
		What: &notifierv1.NotifyRequest_BuyerMessage{BuyerMessage: &notifierv1.BuyerMessage{ChatId: 5, ProductName: "Curso",
			Amount: &typev1.Money{Centavos: 1990}, Url: "https://x.example/delivery/secret", BuyerName: "Ana"}}}
}

func ownerEvent(merchant, bot, payment string) *notifierv1.NotifyRequest {
	return &notifierv1.NotifyRequest{MerchantId: merchant, PaymentId: payment, BotId: bot, Key: "payment_update:paid",
		What: &notifierv1.NotifyRequest_OwnerEvent{OwnerEvent: &notifierv1.OwnerEvent{Type: "payment_update", Status: "paid",
			Amount: &typev1.Money{Centavos: 1990}, BotExternalId: "44", PaymentExternalId: "812", CustomerName: "Ana"}}}
}

// follow returns the next n outcomes and the cursor behind them.
func follow(t *testing.T, c notifierv1.NotifierServiceClient, cursor string, n int) ([]*notifierv1.Outcome, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(service(t), 90*time.Second)
	defer cancel()
	stream, err := c.FollowOutcomes(ctx, &notifierv1.FollowOutcomesRequest{Cursor: cursor})
	if err != nil {
		t.Fatal(err)
	}
	var got []*notifierv1.Outcome
	for len(got) < n {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d outcomes: %v", len(got), err)
		}
		got, cursor = append(got, m.GetOutcomes()...), m.GetCursor()
	}
	return got, cursor
}

func TestService_tellsBuyerAndOwner(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, bot := uuid.NewString(), uuid.NewString()
	ticket, err := h.CreateStreamTicket(as(t, merchant), &notifierv1.CreateStreamTicketRequest{BotIds: []string{bot}})
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), h.public.URL+"/ws?ticket="+ticket.GetTicket(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	read := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		_, body, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	read()
	message := buyerMessage(merchant, bot)
	if _, err := h.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{message,
		ownerEvent(merchant, bot, message.GetPaymentId())}}); err != nil {
		t.Fatal(err)
	}
	if body := read(); !strings.Contains(body, `"payment_id":812,"bot_id":44,"status":"paid","amount":19.90`) {
		t.Errorf("the owner sees %s", body)
	}
	list := func() []*notifierv1.Notification {
		got, err := h.GetNotifications(as(t, merchant), &notifierv1.GetNotificationsRequest{PaymentId: message.GetPaymentId()})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetNotifications()
	}
	if got := list(); len(got) != 2 || got[0].GetReason() != "no_bot" || got[0].GetNextAttemptAt() != nil || got[1].GetKind() != "payment_update" {
		t.Fatalf("before the bot: %v", got)
	}
	if _, err := h.PutBot(as(t, merchant), &notifierv1.PutBotRequest{BotId: bot, Token: " " + token + "\n", DeliveryTemplate: "Acesse, {nome}: {link}"}); err != nil {
		t.Fatal(err)
	}
	outcomes, cursor := follow(t, h, "", 1)
	if o := outcomes[0]; o.GetPaymentId() != message.GetPaymentId() || o.GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT || o.GetMessageId() != 1 || o.GetKind() != "delivery" {
		t.Errorf("outcome %v", o)
	}
	for _, n := range list() {
		if n.GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT || n.GetSentAt() == nil || strings.Contains(n.String(), "secret") {
			t.Errorf("after the bot: %v", n)
		}
	}
	if len(h.sent) != 1 || !strings.Contains(h.sent[0], "Acesse, Ana: https://x.example/delivery/secret") {
		t.Errorf("Telegram got %q", h.sent)
	}
	health, err := h.GetHealth(as(t, merchant), &notifierv1.GetHealthRequest{})
	if err != nil || health.GetSent() != 1 || health.GetQueued() != 0 || health.GetOwnerEvents() != 1 || health.GetOpenSockets() != 1 {
		t.Errorf("health %v, %v", health, err)
	}
	// A stop ends streams in order: the follower is told to come back, the socket to resume.
	ctx, cancel := context.WithTimeout(service(t), 90*time.Second)
	defer cancel()
	stream, err := h.FollowOutcomes(ctx, &notifierv1.FollowOutcomesRequest{Cursor: cursor})
	if err != nil {
		t.Fatal(err)
	}
	followed := make(chan error, 1)
	go func() { _, err := stream.Recv(); followed <- err }()
	socket := make(chan error, 1)
	go func() { _, _, err := conn.Read(t.Context()); socket <- err }()
	if _, err := h.GetHealth(ctx, &notifierv1.GetHealthRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := h.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := <-followed; status.Code(err) != codes.Unavailable {
		t.Errorf("the follower was told %v", err)
	}
	if err := <-socket; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket was told %v", err)
	}
}

func TestService_restartGoesOnWhereItStopped(t *testing.T) {
	dsn, sealer := pgtest.New(t).DSN(), newSealer(t)
	h := newHouse(t, dsn, sealer)
	merchant, bot := uuid.NewString(), uuid.NewString()
	message := buyerMessage(merchant, bot)
	if _, err := h.Notify(service(t), message); err != nil {
		t.Fatal(err)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	h = newHouse(t, dsn, sealer)
	if _, err := h.PutBot(service(t), &notifierv1.PutBotRequest{MerchantId: merchant, BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notifier.New(t.Context(), notifier.Config{DSN: dsn},
		notifier.Deps{Listener: rpc.NewMemory().Listener(), Signer: signer, Sealer: newSealer(t)}); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("with another keyset: %v", err)
	}
	_, cursor := follow(t, h, "", 1)
	again, err := h.Notify(service(t), message)
	if err != nil || again.GetCreated() || again.GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		t.Errorf("the same key: %v, %v", again, err)
	}
	if _, err := h.Notify(service(t), buyerMessage(merchant, bot)); err != nil {
		t.Fatal(err)
	}
	if got, _ := follow(t, h, cursor, 1); len(got) != 1 || len(h.sent) != 2 {
		t.Errorf("%d outcomes behind the cursor, %d messages", len(got), len(h.sent))
	}
}

func TestNew_refusesWhatCannotRun(t *testing.T) {
	db := pgtest.New(t)
	signer, err := auth.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	deps := notifier.Deps{Listener: rpc.NewMemory().Listener(), Signer: signer, Sealer: newSealer(t)}
	if _, err := notifier.New(t.Context(), notifier.Config{DSN: db.DSN()}, deps); !strings.Contains(fmt.Sprint(err), pg.ErrBehind.Error()) {
		t.Errorf("without migrations: %v", err)
	}
	if _, err := notifier.New(t.Context(), notifier.Config{DSN: db.DSN()}, notifier.Deps{}); err == nil {
		t.Error("without dependencies it was made")
	}
	_, err = notifier.New(t.Context(), notifier.Config{TelegramURL: "http://telegram.example", TelegramPerBot: -1, TelegramTimeout: time.Hour}, deps)
	for _, field := range []string{"DSN", "TelegramURL", "TelegramPerBot", "TelegramTimeout"} {
		if !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestService_sendsMessagesOfABatchInOrder(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, bot := uuid.NewString(), uuid.NewString()
	if _, err := h.PutBot(service(t), &notifierv1.PutBotRequest{MerchantId: merchant, BotId: bot, Token: token, DeliveryTemplate: "{produto} {link}"}); err != nil {
		t.Fatal(err)
	}
	first, second := buyerMessage(merchant, bot), buyerMessage(merchant, bot)
	first.GetBuyerMessage().ProductName, second.GetBuyerMessage().ProductName = "um", "dois"
	got, err := h.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{first, second, first}})
	if err != nil {
		t.Fatal(err)
	}
	var made []bool
	for _, r := range got.GetResponses() {
		made = append(made, r.GetCreated())
	}
	if diff := cmp.Diff([]bool{true, true, false}, made); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	follow(t, h, "", 2)
	if len(h.sent) != 2 || !strings.Contains(h.sent[0], "um https") || !strings.Contains(h.sent[1], "dois https") {
		t.Errorf("Telegram got %q", h.sent)
	}
}

func TestService_interruptedMessageIsNotSentAgain(t *testing.T) {
	db := pgtest.New(t)
	h := newHouse(t, db.DSN(), newSealer(t))
	merchant, bot := uuid.NewString(), uuid.NewString()
	first, second := buyerMessage(merchant, bot), buyerMessage(merchant, bot)
	if _, err := h.BatchNotify(service(t), &notifierv1.BatchNotifyRequest{Requests: []*notifierv1.NotifyRequest{first, second}}); err != nil {
		t.Fatal(err)
	}
	// Another process claimed the first one and died: its lease is over. It had the token, which is not known here yet.
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE notifier.telegram_queue SET state = 1, attempt = 1, lease_until = now() WHERE payment_id = $1`,
		first.GetPaymentId()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.PutBot(service(t), &notifierv1.PutBotRequest{MerchantId: merchant, BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	got, _ := follow(t, h, "", 2)
	if got[0].GetPaymentId() != first.GetPaymentId() || got[0].GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT || got[0].GetReason() != "interrupted" ||
		got[1].GetPaymentId() != second.GetPaymentId() || got[1].GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		t.Errorf("outcomes %v", got)
	}
	if len(h.sent) != 1 {
		t.Errorf("%d messages left, want the second alone", len(h.sent))
	}
}

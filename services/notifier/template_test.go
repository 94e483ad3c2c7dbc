package notifier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

// texts are the texts that Telegram got, in order.
func (h *house) texts(t *testing.T) (out []string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.sent {
		var m struct{ Text string }
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m.Text)
	}
	return out
}

func TestTemplates_theBotsBeforeTheMerchantsBeforeTheDefault(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, own, plain := uuid.NewString(), uuid.NewString(), uuid.NewString()
	put := func(bot, kind, lang, text string) {
		t.Helper()
		if _, err := h.PutTemplate(as(t, merchant), &notifierv1.PutTemplateRequest{BotId: bot, Kind: kind, Lang: lang, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	cursor := ""
	send := func(bot, key, lang string) {
		t.Helper()
		r := buyerMessage(merchant, bot)
		r.Key, r.GetBuyerMessage().Lang, r.GetBuyerMessage().BotName = key, lang, "A&B"
		if strings.HasPrefix(key, "access") {
			r.GetBuyerMessage().Url = ""
		}
		if _, err := h.Notify(service(t), r); err != nil {
			t.Fatal(err)
		}
		_, cursor = follow(t, h, cursor, 1)
	}
	for _, bot := range []string{own, plain} {
		if _, err := h.PutBot(as(t, merchant), &notifierv1.PutBotRequest{BotId: bot, Token: token, Lang: map[string]string{plain: "en"}[bot]}); err != nil {
			t.Fatal(err)
		}
	}
	send(own, "delivery", "") // opens the bot, so that what follows must open it again
	put("", "delivery", "", "todos {link}")
	put(own, "delivery", "pt-BR", "{bot}: {name} {amount} {link}")
	put("", "access_revoked", "en", "gone, {nome}")
	send(own, "delivery", "")
	send(plain, "delivery", "pt-BR")
	send(plain, "delivery", "")
	send(plain, "access_revoked:1", "")
	send(own, "access_revoked:1", "pt-BR")
	want := []string{"Pagamento confirmado", "A&amp;B: Ana R$ 19,90 https", "todos https", "Payment confirmed", "gone, Ana", "o acesso foi encerrado"}
	got := h.texts(t)
	if len(got) != len(want) {
		t.Fatalf("Telegram got %q", got)
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Errorf("message %d is %q, want %q in it", i, got[i], w)
		}
	}
	put("", "access_revoked", "en", " ")
	r := buyerMessage(merchant, own)
	r.Key = "access_revoked:2"
	if n, err := h.Notify(service(t), r); err != nil || n.GetNotification().GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SKIPPED {
		t.Errorf("without a text: %v, %v", n, err)
	}
}

func TestTemplates_preview(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	ctx := as(t, uuid.NewString())
	got, err := h.PreviewTemplate(ctx, &notifierv1.PreviewTemplateRequest{Kind: "delivery", Text: "<b>{produto}</b> {valor} {link}", ProductName: "A<B"})
	if err != nil || got.GetHtml() != "<b>A&lt;B</b> R$ 1.234,56 https://example.com/delivery/abc123" || !strings.HasPrefix(got.GetPlain(), "A<B R$ 1.234,56") ||
		got.GetButton() == "" || int(got.GetLength()) != len(got.GetPlain()) {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = h.PreviewTemplate(ctx, &notifierv1.PreviewTemplateRequest{Kind: "in_review", Lang: "en"})
	if err != nil || !strings.Contains(got.GetText(), "{nome}") || !strings.Contains(got.GetPlain(), "Hello, Ana!") || got.GetButton() != "" {
		t.Errorf("the default: %v, %v", got, err)
	}
}

func TestTemplates_badInputIsNamed(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant := uuid.NewString()
	for want, r := range map[string]*notifierv1.PutTemplateRequest{
		"kind: one of delivery, access_revoked":                        {Kind: "goodbye"},
		"lang: pt-BR, en or empty":                                     {Kind: "delivery", Lang: "fr"},
		"bot_id: a UUID":                                               {Kind: "delivery", BotId: "44"},
		"text: unknown placeholder {preco}: expected one of {produto}": {Kind: "delivery", Text: "{link} {preco}"},
		"text: expected the placeholder {link}":                        {Kind: "delivery", Text: "oi"},
		"text: <b> is not closed":                                      {Kind: "delivery", Text: "<b>{link}"},
		"once it is filled in":                                         {Kind: "access_revoked", Text: strings.Repeat("{produto}", 30)},
	} {
		_, err := h.PutTemplate(as(t, merchant), r)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		preview := &notifierv1.PreviewTemplateRequest{Kind: r.GetKind(), Lang: r.GetLang(), Text: r.GetText()}
		if _, err := h.PreviewTemplate(as(t, merchant), preview); r.GetBotId() == "" && !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("preview: got %v, want %q", err, want)
		}
	}
	list, err := h.ListTemplates(as(t, merchant), &notifierv1.ListTemplatesRequest{})
	if err != nil || len(list.GetTemplates()) != 0 {
		t.Errorf("bad input left %v, %v", list, err)
	}
}

func TestTemplates_asTheWrongMerchant(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	mine, bot := uuid.NewString(), uuid.NewString()
	if _, err := h.PutBot(as(t, mine), &notifierv1.PutBotRequest{BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(ctx context.Context) error{
		"PutTemplate": func(ctx context.Context) error {
			_, err := h.PutTemplate(ctx, &notifierv1.PutTemplateRequest{MerchantId: mine, Kind: "delivery", Text: "{link}"})
			return err
		},
		"ListTemplates": func(ctx context.Context) error {
			_, err := h.ListTemplates(ctx, &notifierv1.ListTemplatesRequest{MerchantId: mine})
			return err
		},
		"PreviewTemplate": nil, // about nobody's things
	}
	if want := len(notifierv1.TemplatesService_ServiceDesc.Methods); len(calls) != want {
		t.Errorf("%d of %d RPCs are tried as the wrong merchant", len(calls), want)
	}
	stranger := as(t, uuid.NewString())
	for name, call := range calls {
		if call != nil && status.Code(call(stranger)) != codes.PermissionDenied {
			t.Errorf("%s as another merchant: %v", name, call(stranger))
		}
	}
	if _, err := h.PutTemplate(stranger, &notifierv1.PutTemplateRequest{BotId: bot, Kind: "delivery", Text: "{link}"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another merchant's bot: %v", err)
	}
}

func TestBots_replacedTokenIsToldAndFallbackTakesOver(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, bot, second := uuid.NewString(), uuid.NewString(), uuid.NewString()
	put := func(r *notifierv1.PutBotRequest) (*notifierv1.PutBotResponse, error) {
		return h.PutBot(as(t, merchant), r)
	}
	if _, err := put(&notifierv1.PutBotRequest{BotId: bot, Token: token, FallbackBotId: second}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a fallback without a token: %v", err)
	}
	if _, err := put(&notifierv1.PutBotRequest{BotId: bot, Token: token, FallbackBotId: bot}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("its own fallback: %v", err)
	}
	first, err := put(&notifierv1.PutBotRequest{BotId: bot, Token: token})
	again, err2 := put(&notifierv1.PutBotRequest{BotId: bot, Token: token})
	other, err3 := put(&notifierv1.PutBotRequest{BotId: bot, Token: "999" + token})
	if err != nil || err2 != nil || err3 != nil || first.GetTelegramBotId() != 123456 || first.GetReplacedTelegramBotId() != 0 ||
		again.GetReplacedTelegramBotId() != 0 || other.GetReplacedTelegramBotId() != 123456 {
		t.Errorf("put %v %v, again %v %v, another bot's %v %v", first, err, again, err2, other, err3)
	}
	if _, err := put(&notifierv1.PutBotRequest{BotId: second, Token: token}); err != nil {
		t.Fatal(err)
	}
	if _, err := put(&notifierv1.PutBotRequest{BotId: bot, Token: "999" + token, FallbackBotId: second}); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.refuse = func(path string) string {
		if strings.Contains(path, "999") {
			return `{"ok":false,"error_code":403,"description":"Forbidden: bot can't initiate conversation with a user"}`
		}
		return ""
	}
	h.mu.Unlock()
	if _, err := h.Notify(service(t), buyerMessage(merchant, bot)); err != nil {
		t.Fatal(err)
	}
	got, _ := follow(t, h, "", 1)
	if got[0].GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT || len(h.texts(t)) != 1 {
		t.Errorf("outcome %v, Telegram took %q", got, h.texts(t))
	}
	if got[0].GetCarrierBotId() != second || got[0].GetCarrierBecause() != "not_started" {
		t.Errorf("the outcome says that %q carried it because of %q", got[0].GetCarrierBotId(), got[0].GetCarrierBecause())
	}
}

func TestService_ownersMessageIsAboutNoSale(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	merchant, bot := uuid.NewString(), uuid.NewString()
	if _, err := h.PutBot(as(t, merchant), &notifierv1.PutBotRequest{BotId: bot, Token: token}); err != nil {
		t.Fatal(err)
	}
	r := &notifierv1.NotifyRequest{MerchantId: merchant, BotId: bot, Key: "alert:1",
		What: &notifierv1.NotifyRequest_OwnerMessage{OwnerMessage: &notifierv1.OwnerMessage{ChatId: -100, Title: "2 < 3", Body: "R$ 1,00"}}}
	for _, created := range []bool{true, false} {
		got, err := h.Notify(service(t), r)
		if err != nil || got.GetCreated() != created || got.GetNotification().GetKind() != "alert" || got.GetNotification().GetPaymentId() != "" {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	got, _ := follow(t, h, "", 1)
	if got[0].GetKind() != "alert" || got[0].GetPaymentId() != "" || got[0].GetState() != notifierv1.NotificationState_NOTIFICATION_STATE_SENT {
		t.Errorf("outcome %v", got)
	}
	if texts := h.texts(t); len(texts) != 1 || texts[0] != "<b>2 &lt; 3</b>\n\nR$ 1,00" || strings.Contains(h.sent[0], "inline_keyboard") {
		t.Errorf("Telegram got %q", h.sent)
	}
	r.GetOwnerMessage().ChatId, r.GetOwnerMessage().Title, r.GetOwnerMessage().Body = 0, "", strings.Repeat("x", 3501)
	_, err := h.Notify(service(t), r)
	for _, field := range []string{"owner_message.chat_id", "owner_message.title", "owner_message.body"} {
		if !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

package server

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	maxKey   = 100     // bytes
	maxText  = 4 << 10 // bytes of a free text
	maxTitle = 200
	maxBody  = 3500
)

// goodType is a letter and up to 49 of a-z, 0-9 and _.
func goodType(s string) bool {
	if s == "" || len(s) > 50 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// goodTrace is a W3C traceparent: a version, a trace, a span and flags.
func goodTrace(s string) bool {
	const form = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx"
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; form[i] == '-' != (c == '-') || c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// check collects what is wrong with one request of a batch.
type check struct {
	fields *rpcerr.Fields
	path   string
}

func (c check) require(ok bool, path, expected string) {
	if !ok { // the path is only put together for who reads it
		c.fields.Require(false, c.path+path, expected)
	}
}

// id reads a UUID, or notes the field.
func (c check) id(path, text string) uuid.UUID {
	v, err := uuid.Parse(text)
	c.require(err == nil && len(text) == 36 && v != uuid.Nil, path, "a UUID")
	return v
}

func (c check) text(path, v string) {
	if len(v) > maxText || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
		c.require(false, path, fmt.Sprintf("UTF-8 text of at most %d bytes", maxText))
	}
}

func (c check) money(path string, m *typev1.Money) {
	c.require(m.GetCurrency() == "" || m.GetCurrency() == money.BRL, path+".currency", "BRL or empty")
}

// intent checks a request and takes over what needs no sealing.
func (c check) intent(r *notifierv1.NotifyRequest) store.Intent {
	x := store.Intent{MerchantID: c.id("merchant_id", r.GetMerchantId()), BotID: c.id("bot_id", r.GetBotId()), Key: r.GetKey()}
	if r.GetOwnerMessage() == nil || r.GetPaymentId() != "" {
		x.PaymentID = c.id("payment_id", r.GetPaymentId())
	}
	if goodTrace(r.GetTraceparent()) { // a broken one must not cost a message
		x.Traceparent = r.GetTraceparent()
	}
	if len(x.Key) < 1 || len(x.Key) > maxKey || !utf8.ValidString(x.Key) || strings.ContainsRune(x.Key, 0) {
		c.require(false, "key", fmt.Sprintf("1 to %d bytes of UTF-8 text", maxKey))
	}
	switch r.GetWhat().(type) {
	case *notifierv1.NotifyRequest_BuyerMessage:
		m := r.GetBuyerMessage()
		x.Channel, x.ChatID, x.Kind = store.Telegram, m.GetChatId(), c.kind(x.Key)
		x.Optional = message.Optional(x.Kind)
		c.text("buyer_message.product_name", m.GetProductName())
		c.text("buyer_message.buyer_name", m.GetBuyerName())
		c.money("buyer_message.amount", m.GetAmount())
		c.text("buyer_message.bot_name", m.GetBotName())
		c.require(message.CheckLink(m.GetUrl()) || m.GetUrl() == "" && x.Optional, "buyer_message.url", "an http or https address of at most 500 bytes")
		c.require(goodLang(m.GetLang()), "buyer_message.lang", "pt-BR, en or empty")
	case *notifierv1.NotifyRequest_OwnerMessage:
		m := r.GetOwnerMessage()
		x.Channel, x.ChatID, x.Kind = store.Telegram, m.GetChatId(), c.kind(x.Key)
		c.require(m.GetChatId() != 0, "owner_message.chat_id", "a Telegram chat")
		c.require(m.GetTitle() != "" && len(m.GetTitle()) <= maxTitle, "owner_message.title", fmt.Sprintf("1 to %d bytes", maxTitle))
		c.require(len(m.GetBody()) <= maxBody, "owner_message.body", fmt.Sprintf("at most %d bytes", maxBody))
		c.text("owner_message.title", m.GetTitle())
		c.text("owner_message.body", m.GetBody())
	case *notifierv1.NotifyRequest_OwnerEvent:
		e := r.GetOwnerEvent()
		x.Channel, x.Kind = store.WebSocket, e.GetType()
		c.require(goodType(e.GetType()), "owner_event.type", "lower case letters, digits and underscores, such as payment_update")
		c.text("owner_event.status", e.GetStatus())
		c.text("owner_event.bot_external_id", e.GetBotExternalId())
		c.text("owner_event.payment_external_id", e.GetPaymentExternalId())
		c.text("owner_event.customer_name", e.GetCustomerName())
		c.text("owner_event.provider", e.GetProvider())
		c.text("owner_event.detail", e.GetDetail())
		c.money("owner_event.amount", e.GetAmount())
		c.require(e.GetAt() == nil || e.GetAt().IsValid(), "owner_event.at", "a valid time")
	default:
		c.require(false, "what", "buyer_message, owner_event or owner_message")
	}
	return x
}

// kind is what stands before a key's colon.
func (c check) kind(key string) string {
	kind, _, _ := strings.Cut(key, ":")
	c.require(kind != "" || key == "", "key", "a kind before the colon, such as delivery")
	return kind
}

// fill gives a checked intent its id and what goes out: a message sealed under that id, or an event with that id.
func (s *Server) fill(x *store.Intent, r *notifierv1.NotifyRequest) error {
	var err error
	if x.ID, err = uuid.NewV7(); err != nil {
		return fmt.Errorf("notification id: %w", err)
	}
	if m := r.GetBuyerMessage(); m != nil {
		if x.ChatID == 0 {
			return nil
		}
		x.Content, err = telegram.SealContent(s.Sealer, x.ID, telegram.Content{Kind: x.Kind, Bot: m.GetBotName(), Product: m.GetProductName(), Centavos: m.GetAmount().GetCentavos(),
			Link: m.GetUrl(), Buyer: m.GetBuyerName(), Lang: m.GetLang()})
		return err
	}
	if m := r.GetOwnerMessage(); m != nil {
		x.Content, err = telegram.SealContent(s.Sealer, x.ID, telegram.Content{Title: m.GetTitle(), Body: m.GetBody()})
		return err
	}
	e := r.GetOwnerEvent()
	event := websocket.Event{ID: x.ID, Type: e.GetType(), PaymentID: x.PaymentID, BotID: x.BotID, Status: e.GetStatus(),
		PaymentExternalID: e.GetPaymentExternalId(), BotExternalID: e.GetBotExternalId(), CustomerName: e.GetCustomerName(),
		Provider: e.GetProvider(), Detail: e.GetDetail(), At: time.Now(), Traceparent: x.Traceparent}
	if e.GetAmount() != nil {
		amount := money.Amount(e.GetAmount().GetCentavos())
		event.Amount = &amount
	}
	if e.GetAt() != nil {
		event.At = e.GetAt().AsTime()
	}
	x.Event, err = event.JSON()
	return err
}

package telegram

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/message"
)

// Content is what a message is made of when it is sent: a buyer's from a template, or, with a Title, an owner's as it is.
type Content struct {
	Kind     string `json:"k,omitempty"` // of the buyer's message; empty: a delivery
	Product  string `json:"p,omitempty"`
	Centavos int64  `json:"a,omitempty"`
	Link     string `json:"l,omitempty"`
	Buyer    string `json:"n,omitempty"`
	Bot      string `json:"b,omitempty"`
	Lang     string `json:"g,omitempty"` // empty: the bot's
	Title    string `json:"t,omitempty"`
	Body     string `json:"y,omitempty"`
}

func contentName(notification uuid.UUID) string { return "notifier/message/" + notification.String() }

// SealContent seals what one notification says, the link included, under the notification's id.
func SealContent(s *seal.Sealer, notification uuid.UUID, c Content) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("content of notification %s: %w", notification, err)
	}
	return s.Seal(plain, contentName(notification))
}

func openContent(s *seal.Sealer, notification uuid.UUID, sealed []byte) (c Content, err error) {
	plain, err := s.Open(sealed, contentName(notification))
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return Content{}, fmt.Errorf("content of notification %s: %w", notification, err)
	}
	return c, nil
}

// text is what is sent, in the bot's words.
func (b *bot) text(c Content) message.Text {
	if c.Title != "" {
		return message.Notice(c.Title, c.Body)
	}
	lang := c.Lang
	if lang == "" {
		lang = b.lang
	}
	return b.template(c.Kind, lang).Render(message.Values{Product: c.Product, Amount: money.Amount(c.Centavos), Link: c.Link, Buyer: c.Buyer,
		Bot: c.Bot, Lang: lang})
}

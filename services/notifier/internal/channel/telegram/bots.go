package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const maxBots = 10_000 // kept opened in memory

type botKey struct{ merchant, bot uuid.UUID }

// bot is one opened: its token is plain and stays in memory.
type bot struct {
	version     int64
	token, base string
	template    *message.Template
}

// bots opens each version of a bot once.
type bots struct {
	store  *store.Store
	sealer *seal.Sealer
	mu     sync.Mutex
	known  map[botKey]*bot
}

// get returns the bot as it was when m was claimed, or as it is now.
func (b *bots) get(ctx context.Context, m store.Message) (*bot, error) {
	key := botKey{m.MerchantID, m.BotID}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.known[key]; known != nil && known.version >= m.BotVersion {
		return known, nil
	}
	row, err := b.store.Bot(ctx, m.MerchantID, m.BotID)
	if err != nil {
		return nil, err
	}
	token, err := OpenToken(b.sealer, row)
	if err != nil {
		return nil, err
	}
	template, err := message.Parse(row.Template)
	if err != nil { // stored under older rules: the default text is better than none
		template = &message.Template{}
	}
	if b.known == nil || len(b.known) >= maxBots {
		b.known = map[botKey]*bot{}
	}
	opened := &bot{version: row.Version, token: token, base: row.BaseURL, template: template}
	b.known[key] = opened
	return opened, nil
}

func tokenName(merchant, bot uuid.UUID) string {
	return "notifier/bot/" + merchant.String() + "/" + bot.String()
}

// SealToken seals a bot's token so that only the sender opens it, and only as that bot's.
func SealToken(s *seal.Sealer, merchant, bot uuid.UUID, token string) ([]byte, error) {
	return s.Seal([]byte(token), tokenName(merchant, bot))
}

// OpenToken opens what SealToken made for that bot, or returns seal.ErrWrongKey (wrapped).
func OpenToken(s *seal.Sealer, b store.Bot) (string, error) {
	token, err := s.Open(b.Token, tokenName(b.MerchantID, b.BotID))
	if err != nil {
		return "", fmt.Errorf("token of bot %s: %w", b.BotID, err)
	}
	return string(token), nil
}

// Content is what a message is made of when it is sent.
type Content struct {
	Product  string `json:"p,omitempty"`
	Centavos int64  `json:"a,omitempty"`
	Link     string `json:"l"`
	Buyer    string `json:"n,omitempty"`
	Lang     string `json:"g,omitempty"`
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

func openContent(s *seal.Sealer, notification uuid.UUID, sealed []byte) (message.Values, error) {
	var c Content
	plain, err := s.Open(sealed, contentName(notification))
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return message.Values{}, fmt.Errorf("content of notification %s: %w", notification, err)
	}
	return message.Values{Product: c.Product, Amount: money.Amount(c.Centavos), Link: c.Link, Buyer: c.Buyer, Lang: c.Lang}, nil
}

package telegram

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/message"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const maxBots = 10_000 // kept opened in memory

type botKey struct{ merchant, bot uuid.UUID }

// bot is one opened: its token is plain and stays in memory.
type bot struct {
	version           int64
	token, base, lang string
	templates         map[textKey]*message.Template
}

// textKey names a text; one without a language is for all of them.
type textKey struct {
	kind message.Kind
	lang string
}

// template is the bot's own text, the merchant's, or the default one.
func (b *bot) template(kind, lang string) *message.Template {
	k := message.Kind(kind)
	if !message.Known(kind) {
		k = message.Delivery
	}
	if lang == "" {
		lang = message.Portuguese
	}
	for _, key := range []textKey{{k, lang}, {k, ""}} {
		if t := b.templates[key]; t != nil {
			return t
		}
	}
	t, _ := message.Parse(k, "") // the empty text is always good
	return t
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
	texts, err := b.store.Templates(ctx, m.MerchantID, &m.BotID)
	if err != nil {
		return nil, err
	}
	if b.known == nil || len(b.known) >= maxBots {
		b.known = map[botKey]*bot{}
	}
	opened := &bot{version: row.Version, token: token, base: row.BaseURL, lang: row.Lang, templates: parsed(row, texts)}
	b.known[key] = opened
	return opened, nil
}

// parsed are the texts that count for a bot: its own before its merchant's. One that was stored under other rules is left out.
func parsed(row store.Bot, texts []store.Template) map[textKey]*message.Template {
	out := map[textKey]*message.Template{}
	put := func(key textKey, text string) {
		if t, err := message.Parse(key.kind, text); err == nil && !t.Default() {
			out[key] = t
		}
	}
	for _, own := range []bool{false, true} { // the later one stands
		for _, t := range texts {
			if own == (t.BotID != uuid.Nil) {
				put(textKey{message.Kind(t.Kind), t.Lang}, t.Text)
			}
		}
	}
	if row.Template != "" { // of no language: it stands for every one that the bot has no text of its own for
		put(textKey{message.Delivery, ""}, row.Template)
		for _, t := range texts {
			if key := (textKey{message.Kind(t.Kind), t.Lang}); t.BotID == uuid.Nil && key.kind == message.Delivery && !hasOwn(texts, key) {
				delete(out, key)
			}
		}
	}
	return out
}

func hasOwn(texts []store.Template, key textKey) bool {
	return slices.ContainsFunc(texts, func(t store.Template) bool {
		return t.BotID != uuid.Nil && t.Kind == string(key.kind) && t.Lang == key.lang
	})
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

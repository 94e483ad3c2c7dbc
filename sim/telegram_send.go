package sim

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// sendMessage validates as the Bot API does, in its order, and records.
func (t *telegram) sendMessage(b *bot, p url.Values) ([]byte, *tgError) {
	id, err := strconv.ParseInt(p.Get("chat_id"), 10, 64)
	if err != nil {
		if p.Get("chat_id") == "" {
			return nil, badRequest("chat_id is empty")
		}
		return nil, badRequest("chat not found")
	}
	text := p.Get("text")
	if strings.TrimSpace(text) == "" {
		return nil, badRequest("message text is empty")
	}
	mode := p.Get("parse_mode")
	plain, links := text, []string(nil)
	var entities []entity
	switch strings.ToLower(mode) {
	case "html":
		var perr *tgError
		if plain, entities, perr = parseHTML(text); perr != nil {
			return nil, perr
		}
		for _, e := range entities {
			if e.url != "" {
				links = append(links, e.url)
			}
		}
	case "", "markdown", "markdownv2": // the two Markdowns are recorded unread
	default:
		return nil, badRequest("unsupported parse_mode")
	}
	if plain = strings.TrimSpace(plain); plain == "" {
		return nil, badRequest("message text is empty")
	}
	if units(plain) > 4096 {
		return nil, badRequest("message is too long")
	}
	buttons, merr := parseMarkup(p.Get("reply_markup"))
	if merr != nil {
		return nil, merr
	}
	links = append(append(links, buttons...), bareLinks(plain, links)...)

	now := t.w.now()
	c, cerr := t.reach(b, id)
	if cerr != nil {
		return nil, cerr
	}
	if lerr := t.limit(b, c, now); lerr != nil {
		return nil, lerr
	}
	c.mu.Lock()
	c.lastID++
	mid, kind := c.lastID, c.kind()
	c.mu.Unlock()
	m := Message{
		ID: mid, Bot: b.id, Chat: id, Text: text, Plain: plain, ParseMode: mode, Links: links, At: now.UTC(),
	}
	if mk := p.Get("reply_markup"); mk != "" {
		m.ReplyMarkup = json.RawMessage(mk)
	}
	t.log.add(m)
	t.results.add(tgMessages)
	t.w.buyers.received(m)
	return m.body(b, kind, entities), nil
}

func (m *Message) body(b *bot, kind ChatKind, entities []entity) []byte {
	e := enc{b: make([]byte, 0, 512+len(m.Plain))}
	e.obj("")
	e.num("message_id", m.ID)
	e.obj("from")
	e.num("id", b.id)
	e.boolean("is_bot", true)
	e.str("first_name", "Robô Simulado")
	e.end()
	e.obj("chat")
	e.num("id", m.Chat)
	e.str("type", string(kind))
	if kind == ChatPrivate {
		e.str("first_name", "Comprador")
	} else {
		e.str("title", "Grupo simulado")
	}
	e.end()
	e.num("date", m.At.Unix())
	e.str("text", m.Plain)
	if len(entities) > 0 {
		e.arr("entities")
		for _, n := range entities {
			e.obj("")
			e.num("offset", int64(n.offset))
			e.num("length", int64(n.length))
			e.str("type", n.kind)
			if n.url != "" {
				e.str("url", n.url)
			}
			e.end()
		}
		e.endArr()
	}
	e.end()
	return e.b
}

// limit measures one message against the bot's and the chat's bounds with
// the generic cell rate algorithm; over them and enforced, the whole bot is
// silenced for the time named.
func (t *telegram) limit(b *bot, c *chat, now time.Time) *tgError {
	t.mu.RLock()
	l := t.limits
	t.mu.RUnlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.blocked) && l.Enforce {
		t.results.add(tgLimited)
		return tooMany(b.blocked.Sub(now))
	}
	perBot := or(l.PerBot, 30)
	wait := gcra(&b.tat, now, time.Second/time.Duration(perBot), perBot)
	c.mu.Lock()
	var cw time.Duration
	if k := c.kind(); k == ChatGroup || k == ChatSupergroup {
		n := or(l.PerGroup, 20)
		cw = gcra(&c.tat, now, time.Minute/time.Duration(n), n)
	} else {
		n := or(l.PerChat, 1)
		cw = gcra(&c.tat, now, time.Second/time.Duration(n), 3*n)
	}
	c.mu.Unlock()
	if wait = max(wait, cw); wait <= 0 {
		return nil
	}
	t.results.add(tgOverLimit)
	if !l.Enforce {
		return nil
	}
	t.results.add(tgLimited)
	e := tooMany(wait)
	b.blocked = now.Add(time.Duration(e.retryAfter) * time.Second)
	return e
}

// gcra admits one more when it fits, else says how long to wait.
func gcra(tat *time.Time, now time.Time, interval time.Duration, burst int) time.Duration {
	at := *tat
	if at.Before(now) {
		at = now
	}
	if wait := at.Add(interval).Sub(now) - interval*time.Duration(burst); wait > 0 {
		return wait
	}
	*tat = at.Add(interval)
	return 0
}

func tooMany(wait time.Duration) *tgError {
	secs := max(1, int64(math.Ceil(wait.Seconds())))
	return &tgError{
		code: http.StatusTooManyRequests, retryAfter: secs,
		description: "Too Many Requests: retry after " + strconv.FormatInt(secs, 10),
	}
}

// units counts UTF-16 code units, as Telegram does.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// parseMarkup checks an inline keyboard and returns its http links.
func parseMarkup(s string) ([]string, *tgError) {
	if s == "" {
		return nil, nil
	}
	var mk struct {
		Inline [][]map[string]param `json:"inline_keyboard"`
	}
	if json.Unmarshal([]byte(s), &mk) != nil || s[0] != '{' {
		return nil, badRequest("can't parse reply keyboard markup JSON object")
	}
	var links []string
	for _, row := range mk.Inline {
		for _, button := range row {
			if text := button["text"]; !text.quoted || text.text == "" {
				return nil, badRequest("can't parse inline keyboard button: Field \"text\" must be of type String")
			}
			if len(button) < 2 {
				return nil, badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
			}
			if !button["url"].quoted {
				continue
			}
			link := button["url"].text
			u, err := url.Parse(link)
			if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tg" {
				return nil, badRequest("inline keyboard button URL '" + link + "' is invalid: Wrong HTTP URL")
			}
			links = append(links, link)
		}
	}
	return links, nil
}

// bareLinks finds http links written out in the text that known does not hold.
func bareLinks(text string, known []string) []string {
	var out []string
	for word := range strings.FieldsSeq(text) {
		i := strings.Index(word, "http")
		if i < 0 {
			continue
		}
		word = strings.TrimRight(word[i:], ".,;:!?)\"'»")
		if !strings.HasPrefix(word, "http://") && !strings.HasPrefix(word, "https://") {
			continue
		}
		seen := false
		for _, k := range known {
			seen = seen || k == word
		}
		if !seen {
			out = append(out, word)
		}
	}
	return out
}

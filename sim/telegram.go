package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bot is a Telegram bot that the world lets in.
type Bot struct {
	// Token is "<id>:<35 characters>". Username is made up when empty.
	Token    string `json:"token"`
	Username string `json:"username,omitempty"`
	// Revoked answers 401, as after the owner asked for a new token.
	Revoked bool `json:"revoked,omitempty"`
}

// TelegramLimits are Telegram's rough bounds (facts §4.2). They are measured
// always and enforced, with 429 and retry_after, only when Enforce is set.
type TelegramLimits struct {
	Enforce bool `json:"enforce"`
	// PerBot messages a second (30 when 0), PerChat a second (1 when 0, with
	// bursts of three let through), PerGroup a minute (20 when 0).
	PerBot   int `json:"per_bot,omitempty"`
	PerChat  int `json:"per_chat,omitempty"`
	PerGroup int `json:"per_group,omitempty"`
}

// Message is one that a chat received.
type Message struct {
	ID int64 `json:"id"`
	// Bot is the bot's numeric id, the part of its token before the colon.
	Bot  int64 `json:"bot"`
	Chat int64 `json:"chat"`
	// Text is as sent; Plain without its entities.
	Text        string          `json:"text"`
	Plain       string          `json:"plain"`
	ParseMode   string          `json:"parse_mode,omitempty"`
	ReplyMarkup json.RawMessage `json:"reply_markup,omitempty"`
	// Links are the http links in it: hrefs, buttons, then bare ones.
	Links []string  `json:"links,omitempty"`
	At    time.Time `json:"at"`
}

// Call is one successful or refused call that is not a message.
type Call struct {
	Bot    int64     `json:"bot"`
	Method string    `json:"method"`
	Chat   int64     `json:"chat"`
	User   int64     `json:"user,omitempty"`
	Code   int       `json:"code"`
	At     time.Time `json:"at"`
}

// TelegramCounters count calls and their ends.
type TelegramCounters struct {
	Messages int64 `json:"messages"`
	Refused  int64 `json:"refused"`
	// OverLimit are messages beyond the limits, whether enforced or not.
	OverLimit int64            `json:"over_limit"`
	Limited   int64            `json:"limited"`
	Faults    int64            `json:"faults"`
	Methods   map[string]int64 `json:"methods"`
}

const (
	tgMessages  Endpoint = "messages"
	tgRefused   Endpoint = "refused"
	tgOverLimit Endpoint = "over_limit"
	tgLimited   Endpoint = "limited"
	tgFaults    Endpoint = "faults"
)

// telegram is the Bot API: /telegram/bot<token>/<method>.
type telegram struct {
	w       *World
	mu      sync.RWMutex
	bots    map[string]*bot
	strict  bool
	limits  TelegramLimits
	chats   [shards]chatShard
	log     ring[Message]
	calls   ring[Call]
	results counts
	methods counts
}

type bot struct {
	Bot
	id int64
	mu sync.Mutex
	// tat is the theoretical arrival time of the next message that keeps to
	// the limit; blocked is until when a 429 shuts the whole bot up.
	tat, blocked time.Time
}

func newTelegram(w *World) *telegram {
	t := &telegram{w: w}
	t.reset()
	return t
}

func (t *telegram) reset() {
	t.mu.Lock()
	t.bots = make(map[string]*bot)
	t.strict = t.w.cfg.Strict
	t.limits = TelegramLimits{}
	t.log.max, t.calls.max = t.w.cfg.Keep, t.w.cfg.Keep
	t.mu.Unlock()
	for i := range t.chats {
		s := &t.chats[i]
		s.mu.Lock()
		s.m = make(map[int64]*chat)
		s.mu.Unlock()
	}
	t.log.reset()
	t.calls.reset()
	t.results.reset()
	t.methods.reset()
}

func (t *telegram) counters() TelegramCounters {
	return TelegramCounters{
		Messages: t.results.get(tgMessages), Refused: t.results.get(tgRefused),
		OverLimit: t.results.get(tgOverLimit), Limited: t.results.get(tgLimited),
		Faults: t.results.get(tgFaults), Methods: t.methods.others(),
	}
}

// AddBot lets a bot in. From the first bot on, unknown tokens get 401.
func (w *World) AddBot(b Bot) error {
	id, ok := botID(b.Token)
	if !ok {
		return errors.New("sim: a bot's token is <number>:<secret>")
	}
	w.tg.mu.Lock()
	defer w.tg.mu.Unlock()
	w.tg.bots[b.Token] = &bot{Bot: b, id: id}
	w.tg.strict = true
	return nil
}

// RevokeBot makes every later call with that token 401.
func (w *World) RevokeBot(token string) error {
	id, ok := botID(token)
	if !ok {
		return errors.New("sim: a bot's token is <number>:<secret>")
	}
	w.tg.mu.Lock()
	defer w.tg.mu.Unlock()
	w.tg.bots[token] = &bot{Bot: Bot{Token: token, Revoked: true}, id: id}
	return nil
}

// SetTelegramLimits replaces the limits.
func (w *World) SetTelegramLimits(l TelegramLimits) error {
	if l.PerBot < 0 || l.PerChat < 0 || l.PerGroup < 0 {
		return errors.New("sim: negative limit")
	}
	w.tg.mu.Lock()
	w.tg.limits = l
	w.tg.mu.Unlock()
	return nil
}

// TelegramMessages is Counters().Telegram.Messages alone, for who asks again and again.
func (w *World) TelegramMessages() int64 { return w.tg.results.get(tgMessages) }

// Messages returns the kept messages of one chat, or of all when chat is 0,
// oldest first.
func (w *World) Messages(chat int64) []Message {
	all := w.tg.log.all()
	if chat == 0 {
		return all
	}
	out := all[:0]
	for _, m := range all {
		if m.Chat == chat {
			out = append(out, m)
		}
	}
	return out
}

// Calls returns the kept calls other than sendMessage and getMe, oldest first.
func (w *World) Calls() []Call { return w.tg.calls.all() }

func botID(token string) (int64, bool) {
	n, secret, ok := strings.Cut(token, ":")
	id, err := strconv.ParseInt(n, 10, 64)
	return id, ok && err == nil && id > 0 && len(secret) >= 20 && !strings.ContainsAny(secret, "/ \t\r\n")
}

func (t *telegram) bot(token string) *bot {
	t.mu.RLock()
	b, strict := t.bots[token], t.strict
	t.mu.RUnlock()
	if b != nil || strict {
		return b
	}
	id, ok := botID(token)
	if !ok {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b = t.bots[token]; b == nil {
		b = &bot{Bot: Bot{Token: token}, id: id}
		t.bots[token] = b
	}
	return b
}

// tgError is an answer with ok false.
type tgError struct {
	code        int
	description string
	retryAfter  int64
	migrateTo   int64
}

func (e *tgError) Error() string { return fmt.Sprintf("%d %s", e.code, e.description) }

func badRequest(text string) *tgError {
	return &tgError{code: http.StatusBadRequest, description: "Bad Request: " + text}
}

// ServeHTTP answers one call. Method names are case-insensitive, and
// parameters may come in the query, as JSON, as a form or as multipart.
func (t *telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer t.w.bump()
	rest, ok := strings.CutPrefix(r.URL.Path, "/telegram/bot")
	token, method, slash := strings.Cut(rest, "/")
	id, formed := botID(token)
	if !ok || !slash || !formed {
		t.answer(w, &effect{}, nil, &tgError{code: http.StatusNotFound, description: "Not Found"})
		return
	}
	params, err := readParams(r)
	name := canonical(method)
	t.methods.add(Endpoint(name))
	fx := t.w.faults.onSubject(TargetTelegram, Endpoint(name), strconv.FormatInt(id, 10), params.Get("chat_id"))
	if fx.any {
		t.results.add(tgFaults)
		if fx.intercept(w, r, t.w.ctx, func(code int) []byte {
			e := &tgError{code: code, description: faultText(code)}
			e.retryAfter = int64(math.Ceil(fx.retryAfter.Seconds()))
			if e.retryAfter > 0 {
				e.description += ": retry after " + strconv.FormatInt(e.retryAfter, 10)
				fx.retryBody = false
			}
			return e.body()
		}) {
			return
		}
	}
	b := t.bot(token)
	switch {
	case b == nil || b.Revoked:
		t.answer(w, &fx, nil, &tgError{code: http.StatusUnauthorized, description: "Unauthorized"})
		return
	case err != nil:
		t.answer(w, &fx, nil, badRequest("can't parse the request"))
		return
	}
	result, terr := t.call(b, name, params)
	t.answer(w, &fx, result, terr)
}

func (t *telegram) call(b *bot, method string, p url.Values) ([]byte, *tgError) {
	switch method {
	case "getMe":
		return b.me(), nil
	case "sendMessage":
		return t.sendMessage(b, p)
	}
	var chatID int64
	if v := p.Get("chat_id"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, badRequest("chat not found")
		}
		chatID = n
	}
	user, _ := strconv.ParseInt(p.Get("user_id"), 10, 64)
	result, err := t.group(b, method, chatID, user, p)
	code := http.StatusOK
	if err != nil {
		code = err.code
	}
	t.calls.add(Call{Bot: b.id, Method: method, Chat: chatID, User: user, Code: code, At: t.w.now().UTC()})
	return result, err
}

func (b *bot) me() []byte {
	e := enc{}
	e.obj("")
	e.num("id", b.id)
	e.boolean("is_bot", true)
	e.str("first_name", "Robô Simulado")
	e.str("username", or(b.Username, "simulado_"+strconv.FormatInt(b.id, 10)+"_bot"))
	e.boolean("can_join_groups", true)
	e.boolean("can_read_all_group_messages", false)
	e.boolean("supports_inline_queries", false)
	e.end()
	return e.b
}

func (e *tgError) body() []byte {
	j := enc{}
	j.obj("")
	j.boolean("ok", false)
	j.num("error_code", int64(e.code))
	j.str("description", e.description)
	if e.retryAfter > 0 || e.migrateTo != 0 {
		j.obj("parameters")
		if e.retryAfter > 0 {
			j.num("retry_after", e.retryAfter)
		}
		if e.migrateTo != 0 {
			j.num("migrate_to_chat_id", e.migrateTo)
		}
		j.end()
	}
	j.end()
	return j.b
}

func (t *telegram) answer(w http.ResponseWriter, fx *effect, result []byte, err *tgError) {
	if err != nil {
		t.results.add(tgRefused)
		if err.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(err.retryAfter, 10))
		}
		fx.write(w, t.w.ctx, err.code, "application/json", "", err.body())
		return
	}
	body := make([]byte, 0, len(result)+24)
	body = append(body, `{"ok":true,"result":`...)
	body = append(append(body, result...), '}')
	fx.write(w, t.w.ctx, http.StatusOK, "application/json", fx.shape.Envelope, body)
}

func faultText(code int) string {
	switch code {
	case http.StatusBadRequest:
		return "Bad Request: chat not found"
	case http.StatusForbidden:
		return "Forbidden: bot was blocked by the user"
	}
	return http.StatusText(code)
}

func canonical(method string) string {
	for _, m := range []string{
		"getMe", "sendMessage", "createChatInviteLink", "revokeChatInviteLink", "getChatMember", "banChatMember", "unbanChatMember", "getChat",
	} {
		if strings.EqualFold(m, method) {
			return m
		}
	}
	return "unknown"
}

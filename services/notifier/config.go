package notifier

import (
	"cmp"
	"time"

	"github.com/baixapay/baixa/internal/config"
	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/notifier/internal/channel/telegram"
	"github.com/baixapay/baixa/services/notifier/internal/channel/websocket"
)

// Config is what an operator sets. Zero numbers and times mean the defaults, so the zero value with a DSN is a good one. The names
// in env tags are relative: embed it with an envprefix such as BAIXA_NOTIFIER_.
type Config struct {
	DSN      string `name:"dsn" help:"PostgreSQL, as an owner who may become role baixa_notifier: postgres://user:password@host:5432/database." env:"DSN"`
	MaxConns int32  `name:"max-conns" help:"Most open database connections." env:"MAX_CONNS" default:"8"`

	TelegramURL      string        `name:"telegram-url" help:"Telegram's Bot API, for bots that have no address of their own." env:"TELEGRAM_URL" default:"https://api.telegram.org"`
	TelegramPerBot   int           `name:"telegram-per-bot" help:"Most messages of one bot in any one second." env:"TELEGRAM_PER_BOT" default:"30"`
	TelegramChatWait time.Duration `name:"telegram-chat-wait" help:"Time between two messages to one chat; groups wait at least 3s. A negative one means none." env:"TELEGRAM_CHAT_WAIT" default:"1s"`
	TelegramInFlight int           `name:"telegram-in-flight" help:"Most messages without an answer, all bots together; one bot has at most an eighth of them." env:"TELEGRAM_IN_FLIGHT" default:"256"`
	TelegramTimeout  time.Duration `name:"telegram-timeout" help:"Time for Telegram to take one message; one that is not answered by then counts as maybe sent." env:"TELEGRAM_TIMEOUT" default:"15s"`
	TelegramMaxAge   time.Duration `name:"telegram-max-age" help:"Age at which a message that Telegram could not take is given up." env:"TELEGRAM_MAX_AGE" default:"72h"`
	TelegramRetry    time.Duration `name:"telegram-retry" help:"Longest first wait before a message is tried again; it doubles up to 5 minutes." env:"TELEGRAM_RETRY" default:"1s"`

	WebhookInFlight     int           `name:"webhook-in-flight" help:"Most webhooks without an answer, all endpoints together; endpoints that fail have at most half of them." env:"WEBHOOK_IN_FLIGHT" default:"256"`
	WebhookTimeout      time.Duration `name:"webhook-timeout" help:"Time for an endpoint to answer one webhook." env:"WEBHOOK_TIMEOUT" default:"20s"`
	WebhookDisableAfter time.Duration `name:"webhook-disable-after" help:"Time after which an endpoint that has only failed is disabled." env:"WEBHOOK_DISABLE_AFTER" default:"120h"`

	MaxSockets int           `name:"max-sockets" help:"Most open streams of this process." env:"MAX_SOCKETS" default:"10000"`
	SocketPing time.Duration `name:"socket-ping" help:"Time between two pings of a stream." env:"SOCKET_PING" default:"30s"`
}

const (
	telegramURL   = "https://api.telegram.org"
	retryLimit    = 5 * time.Minute
	forbiddenWait = time.Minute
	idle          = 500 * time.Millisecond
)

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.DSN == "" { // never shown otherwise: it holds a password
		r.Want(&c.DSN, false, "a PostgreSQL address")
	}
	r.Want(&c.MaxConns, c.MaxConns >= 0, "a positive number")
	r.Want(&c.TelegramURL, c.TelegramURL == "" || telegram.CheckBase(c.TelegramURL) == nil, "an https address, or http on loopback")
	r.Want(&c.TelegramPerBot, c.TelegramPerBot >= 0 && c.TelegramPerBot <= 1_000_000, "1 to 1000000")
	r.Want(&c.TelegramInFlight, c.TelegramInFlight >= 0 && c.TelegramInFlight <= 10_000, "1 to 10000")
	r.Want(&c.TelegramTimeout, c.TelegramTimeout == 0 || c.TelegramTimeout >= 100*time.Millisecond && c.TelegramTimeout <= 2*time.Minute, "100ms to 2m")
	r.Want(&c.TelegramMaxAge, c.TelegramMaxAge >= 0, "a positive duration")
	r.Want(&c.TelegramRetry, c.TelegramRetry >= 0 && c.TelegramRetry <= retryLimit, "a positive duration of at most 5m")
	r.Want(&c.WebhookInFlight, c.WebhookInFlight == 0 || c.WebhookInFlight >= 2 && c.WebhookInFlight <= 10_000, "2 to 10000")
	r.Want(&c.WebhookTimeout, c.WebhookTimeout == 0 || c.WebhookTimeout >= time.Second && c.WebhookTimeout <= time.Minute, "1s to 1m")
	r.Want(&c.WebhookDisableAfter, c.WebhookDisableAfter == 0 || c.WebhookDisableAfter >= time.Hour, "at least 1h")
	r.Want(&c.MaxSockets, c.MaxSockets >= 0, "a positive number")
	r.Want(&c.SocketPing, c.SocketPing >= 0, "a positive duration")
}

// Validate reports every wrong value, naming its field.
func (c *Config) Validate() error { return config.Check(c) }

func (c *Config) withDefaults() Config {
	d := *c
	d.TelegramURL = cmp.Or(c.TelegramURL, telegramURL)
	d.TelegramPerBot = cmp.Or(c.TelegramPerBot, 30)
	d.TelegramChatWait = max(0, cmp.Or(c.TelegramChatWait, time.Second))
	d.TelegramInFlight = cmp.Or(c.TelegramInFlight, 256)
	d.TelegramTimeout = cmp.Or(c.TelegramTimeout, 15*time.Second)
	d.TelegramMaxAge = cmp.Or(c.TelegramMaxAge, 72*time.Hour)
	d.TelegramRetry = cmp.Or(c.TelegramRetry, time.Second)
	d.WebhookInFlight = cmp.Or(c.WebhookInFlight, 256)
	d.WebhookTimeout = cmp.Or(c.WebhookTimeout, 20*time.Second)
	d.WebhookDisableAfter = cmp.Or(c.WebhookDisableAfter, 5*24*time.Hour)
	d.MaxSockets = cmp.Or(c.MaxSockets, websocket.DefaultMaxSockets)
	d.SocketPing = cmp.Or(c.SocketPing, websocket.DefaultPing)
	return d
}

func (c *Config) sender() telegram.Config {
	return telegram.Config{
		BaseURL: c.TelegramURL, PerBot: c.TelegramPerBot, ChatWait: c.TelegramChatWait, InFlight: c.TelegramInFlight,
		Timeout: c.TelegramTimeout, MaxAge: c.TelegramMaxAge, Idle: idle, ForbiddenWait: forbiddenWait,
		Retry: queue.Backoff{Base: c.TelegramRetry, Limit: retryLimit},
	}
}

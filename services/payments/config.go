package payments

import (
	"net/url"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/config"
	"github.com/baixapay/baixa/internal/visitor"
)

// How long webhooks are kept to be read again and wait for a sale, and clicks without a sale are kept, where nobody said otherwise.
const (
	DefaultKeepWebhooks = 30 * 24 * time.Hour
	DefaultParkFor      = 30 * 24 * time.Hour
	DefaultKeepClicks   = 90 * 24 * time.Hour
)

// Config is the payments service's settings. The zero value with a DSN is a good one. The names in env tags are relative: embed it
// with an envprefix such as BAIXA_PAYMENTS_.
type Config struct {
	DSN            string        `name:"dsn" env:"DSN" help:"PostgreSQL of this service, postgres://…; the service works in its schema as its role." placeholder:"DSN"`
	MaxConns       int32         `name:"max-conns" env:"MAX_CONNS" default:"12" help:"Most connections to PostgreSQL."`
	PublicURL      string        `name:"public-url" env:"PUBLIC_URL" help:"Where providers and buyers reach this service, https://…: webhooks are told to come there, and sales have links to their checkout pages. Empty: neither." placeholder:"URL"`
	TrustedProxies []string      `name:"trusted-proxies" env:"TRUSTED_PROXIES" help:"Addresses or networks of proxies whose forwarding headers are believed." placeholder:"CIDR"`
	WebhookHeaders []string      `name:"webhook-headers" env:"WEBHOOK_HEADERS" help:"Headers of webhooks to keep besides the usual ones. Those that accounts name for their secrets are kept without being named here." placeholder:"NAME"`
	KeepWebhooks   time.Duration `name:"keep-webhooks" env:"KEEP_WEBHOOKS" default:"720h" help:"How long webhooks' sealed bytes are kept to be read again; 0s is for ever."`
	ParkFor        time.Duration `name:"park-for" env:"PARK_FOR" default:"720h" help:"How long a webhook waits for a sale with its identifiers; 0s is for ever."`
	KeepClicks     time.Duration `name:"keep-clicks" env:"KEEP_CLICKS" default:"2160h" help:"How long clicks are kept that no sale was made with: they hold addresses and browsers; 0s is for ever."`
	Version        string        `kong:"-"` // of the binary, told by the API's description
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	if c.DSN == "" { // never shown otherwise: it holds a password
		r.Want(&c.DSN, false, "a PostgreSQL address such as postgres://user:password@host:5432/database")
	}
	r.Want(&c.MaxConns, c.MaxConns >= 0, "a positive number")
	CheckTimes(r, &c.KeepWebhooks, &c.ParkFor, &c.KeepClicks)
	r.Want(&c.PublicURL, c.PublicURL == "" || isHost(c.PublicURL), "https://host without a path")
	if _, err := visitor.ParseProxies(c.TrustedProxies); err != nil {
		r.Want(&c.TrustedProxies, false, "addresses or networks: "+err.Error())
	}
}

// CheckTimes notes what is wrong with how long webhooks are kept and wait and clicks are kept, fields of any configuration that has them.
func CheckTimes(r *config.Report, keep, park, clicks *time.Duration) {
	r.Want(keep, *keep == 0 || *keep >= 24*time.Hour, "0s or at least 24h: what is purged cannot be read again")
	r.Want(park, *park == 0 || *park >= time.Hour, "0s or at least 1h")
	r.Want(clicks, *clicks == 0 || *clicks >= 24*time.Hour, "0s or at least 24h: buyers pay days after a click")
}

// Validate reports every wrong value, naming its field.
func (c *Config) Validate() error { return config.Check(c) }

// isHost reports whether text is an http address of a host, without anything behind it.
func isHost(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && strings.Trim(u.Path, "/") == "" &&
		u.RawQuery == "" && u.Fragment == "" && u.User == nil
}

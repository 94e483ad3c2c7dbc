package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/page"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
)

// Config are the delivery service's settings. The names in env tags are relative: embed it with an envprefix such as
// BAIXA_DELIVERY_. A zero value of a setting with a default means the default, for callers that do not parse.
type Config struct {
	DSN      string `name:"dsn" env:"DSN" help:"PostgreSQL of this service: postgres://user:password@host:5432/database. Its user owns the schema; the service works as role baixa_delivery."`
	MaxConns int32  `name:"max-conns" env:"MAX_CONNS" default:"8" help:"Most open database connections."`

	PublicURL      string        `name:"public-url" env:"PUBLIC_URL" help:"Where buyers reach the pages, such as https://pay.example.com; links are this with /delivery/{token}."`
	TrustedProxies []string      `name:"trusted-proxies" env:"TRUSTED_PROXIES" help:"Networks whose X-Forwarded-For and CF-Connecting-IP are believed, such as 10.0.0.0/8. Others' are ignored."`
	Guesses        int           `name:"guesses" env:"GUESSES" default:"30" help:"Wrong tokens that one address may try at once."`
	GuessInterval  time.Duration `name:"guess-interval" env:"GUESS_INTERVAL" default:"2s" help:"Time in which an address may try one more wrong token."`

	LinkLifetime time.Duration `name:"link-lifetime" env:"LINK_LIFETIME" default:"0s" help:"How long new links work; 0s is for ever."`
	LinkOpens    int32         `name:"link-opens" env:"LINK_OPENS" default:"0" help:"How often new links may be opened; 0 is without limit."`
	TokenKey     int32         `name:"token-key" env:"TOKEN_KEY" default:"1" help:"Version of the key that new links are derived from; raise it by one to change the key. Old links keep working."`

	MetaURL     string        `name:"meta-url" env:"META_URL" default:"https://graph.facebook.com" help:"Address of Meta's Graph API."`
	MetaVersion string        `name:"meta-version" env:"META_VERSION" default:"v21.0" help:"Graph API version for pixels that name none."`
	MetaTimeout time.Duration `name:"meta-timeout" env:"META_TIMEOUT" default:"10s" help:"Limit of one request to Meta."`
	MetaBatch   int           `name:"meta-batch" env:"META_BATCH" default:"32" help:"Purchases sent at once by one of two workers, each in a request of its own."`
	PixelScript string        `name:"pixel-script" env:"PIXEL_SCRIPT" default:"https://connect.facebook.net/en_US/fbevents.js" help:"Program of Meta's pixel in the page."`
}

func (c Config) withDefaults() Config {
	c.Guesses = cmp.Or(c.Guesses, page.DefaultGuesses)
	c.GuessInterval = cmp.Or(c.GuessInterval, page.DefaultInterval)
	c.TokenKey = cmp.Or(c.TokenKey, 1)
	c.MetaURL = cmp.Or(c.MetaURL, purchase.DefaultBaseURL)
	c.MetaVersion = cmp.Or(c.MetaVersion, purchase.DefaultVersion)
	c.MetaTimeout = cmp.Or(c.MetaTimeout, 10*time.Second)
	c.MetaBatch = cmp.Or(c.MetaBatch, 32)
	c.PixelScript = cmp.Or(c.PixelScript, page.DefaultPixelScript)
	return c
}

// Validate reports everything that is wrong, each problem beginning with the field's name. It never repeats the DSN.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, field, text string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: expected %s", field, text))
		}
	}
	c = c.withDefaults()
	want(strings.TrimSpace(c.DSN) != "", "DSN", "postgres://user:password@host:5432/database")
	want(c.MaxConns >= 0, "MaxConns", "a positive number")
	want(webAddress(c.PublicURL), "PublicURL", "a form such as https://pay.example.com")
	_, err := visitor.ParseProxies(c.TrustedProxies)
	want(err == nil, "TrustedProxies", "networks such as 10.0.0.0/8")
	want(c.Guesses > 0, "Guesses", "a positive number")
	want(c.GuessInterval > 0, "GuessInterval", "a positive duration")
	want(c.LinkLifetime >= 0, "LinkLifetime", "a duration of 0 or more")
	want(c.LinkOpens >= 0, "LinkOpens", "0 or more")
	want(c.TokenKey >= 1 && c.TokenKey <= 1000, "TokenKey", "1 to 1000")
	want(purchase.CheckBaseURL(c.MetaURL) == nil, "MetaURL", "an https:// address, or http:// on loopback")
	want(purchase.ValidVersion(c.MetaVersion), "MetaVersion", "a form such as v21.0")
	want(c.MetaTimeout > 0 && c.MetaTimeout <= 20*time.Second, "MetaTimeout", "up to 20s")
	want(c.MetaBatch >= 1 && c.MetaBatch <= 500, "MetaBatch", "1 to 500")
	want(webAddress(c.PixelScript), "PixelScript", "an https:// address")
	return errors.Join(errs...)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

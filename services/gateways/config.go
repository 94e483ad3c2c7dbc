package gateways

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/server"
)

// Config are the gateways service's settings. The names in env tags are relative: embed it with an envprefix such as
// BAIXA_GATEWAYS_. A zero value of a setting with a default means the default, for callers that do not parse.
type Config struct {
	DSN      string `name:"dsn" env:"DSN" help:"PostgreSQL of this service: postgres://user:password@host:5432/database. Its user owns the schema; the service works as role baixa_gateways."`
	MaxConns int32  `name:"max-conns" env:"MAX_CONNS" default:"8" help:"Most open database connections."`

	Providers string `name:"providers" env:"PROVIDERS" help:"Folder of further providers, one YAML file each; see docs/adding-a-provider.md." placeholder:"FOLDER"`

	CallTimeout time.Duration `name:"call-timeout" env:"CALL_TIMEOUT" default:"10s" help:"Limit of one question to a provider; a caller's nearer deadline counts first."`
	HedgeAfter  time.Duration `name:"hedge-after" env:"HEDGE_AFTER" default:"1s" help:"When a question that is still not answered is asked once more beside itself, at providers whose reads are free."`
	Parallel    int           `name:"parallel" env:"PARALLEL" default:"32" help:"Calls of one account in flight at once, per replica."`
	Visible     time.Duration `name:"visible" env:"VISIBLE" default:"2m" help:"How long a provider may need to show a new charge: a charge whose creation was lost is asked for again only when it is still unknown there after this."`

	BreakerFailures int           `name:"breaker-failures" env:"BREAKER_FAILURES" default:"10" help:"Failures of a provider in a row, per account and replica, after which calls are held back."`
	BreakerFirst    time.Duration `name:"breaker-first" env:"BREAKER_FIRST" default:"1s" help:"How long calls are held back first; it doubles with every failed try."`
	BreakerLimit    time.Duration `name:"breaker-limit" env:"BREAKER_LIMIT" default:"30s" help:"The longest time between two tries of a failing provider."`
	Quiet           time.Duration `name:"quiet" env:"QUIET" default:"10s" help:"Silence after a 429 of a provider that does not say how long."`
}

func (c Config) withDefaults() Config {
	c.CallTimeout, c.Visible = cmp.Or(c.CallTimeout, server.DefaultCallTimeout), cmp.Or(c.Visible, server.DefaultVisible)
	c.Parallel, c.BreakerFailures = cmp.Or(c.Parallel, gate.DefaultParallel), cmp.Or(c.BreakerFailures, gate.DefaultFailures)
	c.BreakerFirst, c.BreakerLimit = cmp.Or(c.BreakerFirst, gate.DefaultBreakerFirst), cmp.Or(c.BreakerLimit, gate.DefaultBreakerLimit)
	c.HedgeAfter = cmp.Or(c.HedgeAfter, server.DefaultHedgeAfter)
	c.Quiet = cmp.Or(c.Quiet, gate.DefaultQuiet)
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
	want(c.CallTimeout > 0 && c.CallTimeout <= 30*time.Second, "CallTimeout", "up to 30s")
	want(c.HedgeAfter > 0, "HedgeAfter", "a positive duration")
	want(c.Parallel > 0 && c.Parallel <= 1000, "Parallel", "1 to 1000")
	want(c.Visible > 0, "Visible", "a positive duration")
	want(c.BreakerFailures > 0, "BreakerFailures", "a positive number")
	want(c.BreakerFirst > 0, "BreakerFirst", "a positive duration")
	want(c.BreakerLimit >= c.BreakerFirst, "BreakerLimit", "at least BreakerFirst")
	want(c.Quiet > 0, "Quiet", "a positive duration")
	return errors.Join(errs...)
}

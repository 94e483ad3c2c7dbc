// Package gate decides whether an account's provider may be asked now: its call budget, the silence it wants, its breaker, and
// the credentials it refused, all shared by every replica through the store.
//
// It refuses to make calls, to retry, and to know what is asked. What a call came to is told to it with Report.
package gate

import (
	"cmp"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// Defaults of Config.
const (
	DefaultParallel     = 32
	DefaultFailures     = 10
	DefaultBreakerFirst = time.Second
	DefaultBreakerLimit = 30 * time.Second
	DefaultQuiet        = 10 * time.Second
	DefaultProbeLease   = 15 * time.Second
	DefaultPausedFor    = time.Minute
	// leaseFor is how long calls granted by the store in advance may be used: for so long another replica's news may go unseen
	// by this one. maxLease bounds them.
	leaseFor = 200 * time.Millisecond
	maxLease = 4096
	// maxQuiet is the longest silence that a provider's Retry-After can impose.
	maxQuiet = 24 * time.Hour
)

// Config describes a Gate. Store and Book must be set; zero values of the others are defaults.
type Config struct {
	Store *store.Store
	Book  *account.Book
	// Parallel is how many calls of one account may be in flight in this replica.
	Parallel int
	// Failures is after how many transient errors in a row the breaker opens; BreakerFirst for how long it stays open first,
	// doubled with every failed probe up to BreakerLimit; ProbeLease how long a probe may take.
	Failures                               int
	BreakerFirst, BreakerLimit, ProbeLease time.Duration
	// Quiet is the silence after a 429 that does not say how long.
	Quiet time.Duration
	// Now is the clock; nil means time.Now. Budgets, silence and breakers run on the store's clock.
	Now func() time.Time
	// Log and Meter default to the process's own.
	Log   *slog.Logger
	Meter metric.MeterProvider
}

// DefaultCallsPerMinute is the budget where neither the account nor the provider's rule has one.
const DefaultCallsPerMinute = 300

// Gate is safe for concurrent use.
type Gate struct {
	c    Config
	told metrics

	mu     sync.Mutex
	of     map[account.Key]*local
	queue  []*wish // for the next statement
	asking int     // statements in flight
}

// local is what this replica alone knows of an account.
type local struct {
	slots      chan struct{}
	owed       int // see store.Question
	failures   int // transient ones in a row
	openUntil  time.Time
	quietUntil time.Time
	usage      store.Usage
	used       time.Time

	// Calls granted in advance, good until the lease ends; of size
	// ones; spent counts what was granted to callers since filled.
	tokens, size, spent int
	leased, filled      time.Time
	filling             bool
	need                Need // the last, for settling what is owed
}

// New checks c.
func New(c Config) (*Gate, error) {
	if c.Store == nil || c.Book == nil {
		return nil, errors.New("gate: a store and a book are needed")
	}
	if c.Parallel < 0 || c.Failures < 0 || min(c.BreakerFirst, c.BreakerLimit, c.ProbeLease, c.Quiet) < 0 {
		return nil, errors.New("gate: a limit is negative")
	}
	c.Parallel, c.Failures = cmp.Or(c.Parallel, DefaultParallel), cmp.Or(c.Failures, DefaultFailures)
	c.BreakerFirst, c.BreakerLimit = cmp.Or(c.BreakerFirst, DefaultBreakerFirst), cmp.Or(c.BreakerLimit, DefaultBreakerLimit)
	c.ProbeLease, c.Quiet = cmp.Or(c.ProbeLease, DefaultProbeLease), cmp.Or(c.Quiet, DefaultQuiet)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Meter == nil {
		c.Meter = otel.GetMeterProvider()
	}
	g := &Gate{c: c, of: map[account.Key]*local{}}
	return g, g.told.init(c.Meter)
}

// Why is the reason for which a call is not made.
type Why string

// The reasons.
const (
	Free    Why = ""
	Budget  Why = "budget"
	Quiet   Why = "quiet"
	Breaker Why = "breaker"
	Paused  Why = "paused"
)

// Need is how many calls are wanted with an account.
type Need struct {
	Account *account.Account
	Rule    provider.PollRule
	Calls   int
}

// Permit is how many of them may be made now. The others must wait for Wait, because of Why.
type Permit struct {
	Granted int
	Why     Why
	Wait    time.Duration
	// Probe says that the one call granted tests an open breaker.
	Probe bool
}

// local is called with mu held.
func (g *Gate) local(k account.Key, now time.Time) *local {
	l := g.of[k]
	if l == nil {
		l = &local{slots: make(chan struct{}, g.c.Parallel), usage: store.Usage{Key: k}}
		g.of[k] = l
	}
	l.used = now
	return l
}

func budget(n Need) store.Budget {
	return store.PerMinute(cmp.Or(n.Account.CallsPerMinute, cmp.Or(n.Rule.CallsPerMinute, DefaultCallsPerMinute)))
}

package sim

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Names of counters beside the endpoints' own.
const (
	countUnauthorized Endpoint = "unauthorized"
	countNotFound     Endpoint = "not_found"
	countInvalid      Endpoint = "invalid"
	countViolations   Endpoint = "violations"
	countBlocked      Endpoint = "blocked"
	countFaults       Endpoint = "faults"
	countSent         Endpoint = "webhooks_sent"
	countDelivered    Endpoint = "webhooks_delivered"
	countHookFailed   Endpoint = "webhooks_failed"
)

// counts are counters by name. The fixed ones of a provider cost one map read
// and one atomic addition.
type counts struct {
	mu sync.RWMutex
	m  map[Endpoint]*atomic.Int64
}

func (c *counts) reset() {
	m := make(map[Endpoint]*atomic.Int64)
	for _, n := range []Endpoint{
		EndpointCreate, EndpointStatus, EndpointList, EndpointRefund, EndpointAccount, EndpointToken, EndpointUnknown,
		countUnauthorized, countNotFound, countInvalid, countViolations, countBlocked, countFaults,
		countSent, countDelivered, countHookFailed,
	} {
		m[n] = new(atomic.Int64)
	}
	c.mu.Lock()
	c.m = m
	c.mu.Unlock()
}

func (c *counts) at(n Endpoint) *atomic.Int64 {
	c.mu.RLock()
	v := c.m[n]
	c.mu.RUnlock()
	if v != nil {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if v = c.m[n]; v == nil {
		v = new(atomic.Int64)
		if c.m == nil {
			c.m = make(map[Endpoint]*atomic.Int64)
		}
		c.m[n] = v
	}
	return v
}

func (c *counts) add(n Endpoint)       { c.at(n).Add(1) }
func (c *counts) get(n Endpoint) int64 { return c.at(n).Load() }

// others returns what is counted under names that a struct has no field for.
func (c *counts) others() map[string]int64 {
	c.mu.RLock()
	m := maps.Clone(c.m)
	c.mu.RUnlock()
	out := make(map[string]int64, len(m))
	for k, v := range m {
		if n := v.Load(); n != 0 {
			out[string(k)] = n
		}
	}
	return out
}

// Counters is everything counted since the start or the last Reset.
type Counters struct {
	Providers map[Provider]ProviderCounters `json:"providers"`
	Telegram  TelegramCounters              `json:"telegram"`
	Meta      MetaCounters                  `json:"meta"`
	Buyers    BuyerCounters                 `json:"buyers"`
}

// ProviderCounters counts requests by endpoint and how they ended. A request
// that met a fault is in its endpoint's count and in Faults.
type ProviderCounters struct {
	Status   int64 `json:"status"`
	Creates  int64 `json:"creates"`
	Lists    int64 `json:"lists"`
	Refunds  int64 `json:"refunds"`
	Accounts int64 `json:"accounts"`
	Tokens   int64 `json:"tokens"`
	Unknown  int64 `json:"unknown"`

	Unauthorized int64 `json:"unauthorized"`
	NotFound     int64 `json:"not_found"`
	Invalid      int64 `json:"invalid"`
	// Violations are looks that broke the PollRule; Blocked those refused for it.
	Violations int64 `json:"violations"`
	Blocked    int64 `json:"blocked"`
	Faults     int64 `json:"faults"`

	// WebhooksSent counts attempts, WebhooksDelivered those answered 2xx,
	// WebhooksFailed webhooks given up after their last attempt.
	WebhooksSent      int64 `json:"webhooks_sent"`
	WebhooksDelivered int64 `json:"webhooks_delivered"`
	WebhooksFailed    int64 `json:"webhooks_failed"`
}

// Calls is every request that reached the provider.
func (c ProviderCounters) Calls() int64 {
	return c.Status + c.Creates + c.Lists + c.Refunds + c.Accounts + c.Tokens + c.Unknown
}

// Counters returns the counts of this moment.
func (w *World) Counters() Counters {
	out := Counters{Providers: make(map[Provider]ProviderCounters, len(w.shops))}
	for p, s := range w.shops {
		c := &s.count
		out.Providers[p] = ProviderCounters{
			Status: c.get(EndpointStatus), Creates: c.get(EndpointCreate), Lists: c.get(EndpointList),
			Refunds: c.get(EndpointRefund), Accounts: c.get(EndpointAccount), Tokens: c.get(EndpointToken),
			Unknown: c.get(EndpointUnknown), Unauthorized: c.get(countUnauthorized),
			NotFound: c.get(countNotFound), Invalid: c.get(countInvalid),
			Violations: c.get(countViolations), Blocked: c.get(countBlocked), Faults: c.get(countFaults),
			WebhooksSent: c.get(countSent), WebhooksDelivered: c.get(countDelivered),
			WebhooksFailed: c.get(countHookFailed),
		}
	}
	out.Telegram = w.tg.counters()
	out.Meta = w.meta.counters()
	out.Buyers = w.buyers.counters()
	return out
}

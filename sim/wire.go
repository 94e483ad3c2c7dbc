package sim

import (
	"fmt"
	"strconv"
	"time"
)

// span is a duration in the control API: "1.5s", "250ms".
type span time.Duration

// MarshalText writes Go's notation.
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads Go's notation.
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %s: want something like \"1.5s\"", strconv.Quote(string(b)))
	}
	*s = span(d)
	return nil
}

// The types below are those of the same name with durations as text. An
// embedded field of the same JSON name would be hidden by the outer one; here
// the inner ones are left out of JSON altogether.

type webhooksJSON struct {
	Webhooks
	Delay   span `json:"delay,omitempty"`
	Backoff span `json:"backoff,omitempty"`
}

func (j webhooksJSON) webhooks() Webhooks {
	h := j.Webhooks
	h.Delay, h.Backoff = time.Duration(j.Delay), time.Duration(j.Backoff)
	return h
}

type chargeJSON struct {
	Charge
	Webhooks *webhooksJSON `json:"webhooks,omitempty"`
}

func (j chargeJSON) charge() Charge {
	c := j.Charge
	if j.Webhooks != nil {
		h := j.Webhooks.webhooks()
		c.Webhooks = &h
	}
	return c
}

func showCharge(c Charge) chargeJSON {
	j := chargeJSON{Charge: c}
	if h := c.Webhooks; h != nil {
		j.Webhooks = &webhooksJSON{Webhooks: *h, Delay: span(h.Delay), Backoff: span(h.Backoff)}
	}
	return j
}

type faultJSON struct {
	Fault
	Latency    span `json:"latency,omitempty"`
	RetryAfter span `json:"retry_after,omitempty"`
	Age        span `json:"age,omitempty"`
	For        span `json:"for,omitempty"`
}

func (j faultJSON) fault() Fault {
	f := j.Fault
	f.Latency, f.RetryAfter, f.Age = time.Duration(j.Latency), time.Duration(j.RetryAfter), time.Duration(j.Age)
	f.For = time.Duration(j.For)
	return f
}

func showFault(f Fault) faultJSON {
	return faultJSON{Fault: f, Latency: span(f.Latency), RetryAfter: span(f.RetryAfter), Age: span(f.Age), For: span(f.For)}
}

package sim

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The kinds. Unless said otherwise they may strike any endpoint of any target.
// On the webhook endpoint down, swallow and hang lose the webhook, slow delays
// it, and the kinds that answer an HTTP status do nothing.
const (
	// FaultDown closes the connection without an answer. (Go's HTTP client
	// repeats a GET by itself when a kept-alive connection dies so.)
	FaultDown FaultKind = "down"
	// FaultHang never answers; it ends when the caller gives up.
	FaultHang FaultKind = "hang"
	// FaultSlow answers rightly after Latency.
	FaultSlow FaultKind = "slow"
	// FaultSwallow does the work and closes the connection instead of answering.
	FaultSwallow FaultKind = "swallow"
	// FaultHTML answers a page with HTTPStatus (502 when 0).
	FaultHTML FaultKind = "html"
	// FaultTruncated cuts the right answer in the middle, FaultEmpty sends
	// none of it, FaultHuge sends Bytes (10 MB when 0) of valid JSON instead.
	FaultTruncated FaultKind = "truncated"
	FaultEmpty     FaultKind = "empty"
	FaultHuge      FaultKind = "huge"
	// FaultCode answers HTTPStatus (500 when 0) with the target's own error body.
	FaultCode FaultKind = "code"
	// FaultRateLimited answers 429. RetryAfter above 0 is announced in whole
	// seconds in the Retry-After header, or in the body with RetryInBody.
	FaultRateLimited FaultKind = "rate_limited"
	// FaultHidden answers 404 while the charge is younger than Age.
	FaultHidden FaultKind = "hidden"
	// FaultErrorBody answers 200 with {"status":"error"}.
	FaultErrorBody FaultKind = "error_body"
	// FaultAmount says AmountCentavos instead of the amount.
	FaultAmount FaultKind = "amount"
	// FaultSay says Word, or the word for Status, instead of the truth.
	FaultSay FaultKind = "say"
	// FaultFlap says the truth on odd looks at a charge and Status (Pending
	// when empty) on even ones.
	FaultFlap FaultKind = "flap"
	// FaultLie says pending on status and list, and paid in webhooks.
	FaultLie FaultKind = "lie"
	// FaultShape bends the answer as Shape says.
	FaultShape FaultKind = "shape"
	// FaultRefuse makes a create call answer success with a refused charge
	// that has no code.
	FaultRefuse FaultKind = "refuse"
)

// Fault is one switch. What is empty matches everything.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Target is a Provider, "telegram" or "meta".
	Target   string   `json:"target,omitempty"`
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// Account is an account's Name (for Telegram the bot's numeric id, for
	// Meta the pixel). Charge is any identifier of one charge (for Telegram a
	// chat id, for Meta nothing).
	Account string `json:"account,omitempty"`
	Charge  string `json:"charge,omitempty"`

	// Probability in (0,1]; 0 is always. Rolled per charge and look, so that
	// it repeats whatever the order in which callers arrive.
	Probability float64 `json:"probability,omitempty"`
	// Skip lets that many matching requests pass first; Count ends the fault
	// after striking that often, 0 never.
	Skip  int `json:"skip,omitempty"`
	Count int `json:"count,omitempty"`
	// From and Until bound it on the world's clock; zero is unbounded. For,
	// when not 0, sets Until that long after the fault is added (or after From).
	From  time.Time     `json:"from,omitzero"`
	Until time.Time     `json:"until,omitzero"`
	For   time.Duration `json:"-"`

	HTTPStatus     int           `json:"http_status,omitempty"`
	Latency        time.Duration `json:"-"`
	RetryAfter     time.Duration `json:"-"`
	RetryInBody    bool          `json:"retry_in_body,omitempty"`
	Age            time.Duration `json:"-"`
	AmountCentavos int64         `json:"amount_centavos,omitempty"`
	Status         Status        `json:"status,omitempty"`
	Word           string        `json:"word,omitempty"`
	Bytes          int           `json:"bytes,omitempty"`
	Shape          Shape         `json:"shape,omitzero"`
}

// FaultID removes a fault again.
type FaultID int64

func (f Fault) check(targets func(string) bool) error {
	if f.Target != "" && !targets(f.Target) {
		return fmt.Errorf("unknown target %q", f.Target)
	}
	if f.Probability < 0 || f.Probability > 1 {
		return errors.New("probability outside 0..1")
	}
	if f.Skip < 0 || f.Count < 0 || f.Bytes < 0 || f.Latency < 0 || f.RetryAfter < 0 || f.Age < 0 || f.For < 0 {
		return errors.New("negative number")
	}
	if f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599) {
		return fmt.Errorf("http status %d", f.HTTPStatus)
	}
	if f.Status != "" && !f.Status.known() {
		return fmt.Errorf("unknown status %q", f.Status)
	}
	switch f.Kind {
	case FaultSlow:
		if f.Latency == 0 {
			return errors.New("slow needs a latency")
		}
	case FaultSay:
		if f.Status == "" && f.Word == "" {
			return errors.New("say needs a status or a word")
		}
	case FaultAmount:
		if f.AmountCentavos == 0 {
			return errors.New("amount needs amount_centavos")
		}
	case FaultHidden:
		if f.Age == 0 {
			return errors.New("hidden needs an age")
		}
	case FaultShape:
		if f.Shape == (Shape{}) {
			return errors.New("shape needs a shape")
		}
	case FaultDown, FaultHang, FaultSwallow, FaultHTML, FaultTruncated, FaultEmpty, FaultHuge,
		FaultCode, FaultRateLimited, FaultErrorBody, FaultFlap, FaultLie, FaultRefuse:
	default:
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	return nil
}

// active is a fault in force.
type active struct {
	Fault
	id    FaultID
	seen  atomic.Int64
	fired atomic.Int64
}

// faults is read on every request: one atomic load when there are none.
type faults struct {
	seed uint64
	now  func() time.Time
	mu   sync.Mutex
	last FaultID
	list atomic.Pointer[[]*active]
}

func newFaults(seed int64, now func() time.Time) *faults {
	return &faults{seed: uint64(seed), now: now}
}

func (fs *faults) add(f Fault) FaultID {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	var next []*active
	if l := fs.list.Load(); l != nil {
		next = slices.Clone(*l)
	}
	next = append(next, &active{Fault: f, id: fs.last})
	fs.list.Store(&next)
	return fs.last
}

// remove drops the faults that match and returns how many.
func (fs *faults) remove(match func(*active) bool) int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	l := fs.list.Load()
	if l == nil {
		return 0
	}
	next := slices.DeleteFunc(slices.Clone(*l), match)
	n := len(*l) - len(next)
	if len(next) == 0 {
		fs.list.Store(nil)
	} else {
		fs.list.Store(&next)
	}
	return n
}

// on collects what strikes a request to a provider.
func (fs *faults) on(target string, ep Endpoint, account string, c *charge) effect {
	l := fs.list.Load()
	if l == nil {
		return effect{}
	}
	return fs.strike(*l, target, ep, account, "", c)
}

// onSubject is on for targets without charges; subject stands for one (a chat).
func (fs *faults) onSubject(target string, ep Endpoint, account, subject string) effect {
	l := fs.list.Load()
	if l == nil {
		return effect{}
	}
	return fs.strike(*l, target, ep, account, subject, nil)
}

func (fs *faults) strike(l []*active, target string, ep Endpoint, account, subject string, c *charge) effect {
	var fx effect
	var now time.Time
	for _, f := range l {
		if f.Target != "" && f.Target != target || f.Endpoint != "" && f.Endpoint != ep ||
			f.Account != "" && f.Account != account {
			continue
		}
		if f.Charge != "" && !concerns(f.Charge, subject, c) {
			continue
		}
		if f.Kind == FaultRefuse && ep != EndpointCreate {
			continue
		}
		if now.IsZero() {
			now = fs.now()
		}
		if !f.From.IsZero() && now.Before(f.From) || !f.Until.IsZero() && !now.Before(f.Until) {
			continue
		}
		if f.Kind == FaultHidden && (c == nil || now.Sub(c.copy().CreatedAt) >= f.Age) {
			continue
		}
		n := f.seen.Add(1)
		if n <= int64(f.Skip) || f.Probability > 0 && fs.roll(f, n, ep, subject, c) >= f.Probability {
			continue
		}
		if fired := f.fired.Add(1); f.Count > 0 && fired > int64(f.Count) {
			continue
		}
		fx.join(f, ep, c)
	}
	return fx
}

func concerns(id, subject string, c *charge) bool {
	if c == nil {
		return id == subject
	}
	d := c.copy()
	return strings.EqualFold(id, d.ID) || d.Hash != "" && strings.EqualFold(id, d.Hash) ||
		d.Reference != "" && strings.EqualFold(id, d.Reference)
}

// roll gives a number in [0,1) that depends on the seed, the fault, and, of a
// known charge, its id and how often it was looked at or told of, else on how
// many requests the fault has seen.
func (fs *faults) roll(f *active, n int64, ep Endpoint, subject string, c *charge) float64 {
	h := fs.seed ^ uint64(f.id)<<32
	switch {
	case c == nil:
		h ^= fnv(subject) ^ uint64(n)
	case ep == EndpointWebhook:
		h ^= fnv(c.copy().ID) ^ uint64(c.told.Load())<<8
	default:
		h ^= fnv(c.copy().ID) ^ uint64(c.looks.Load())<<8
	}
	return float64(mix(h)>>11) / (1 << 53)
}

// mix is SplitMix64's finaliser: neighbouring inputs give unrelated outputs.
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// AddFault switches f on and returns what switches it off.
func (w *World) AddFault(f Fault) (FaultID, error) {
	err := f.check(func(t string) bool {
		return t == TargetTelegram || t == TargetMeta || w.shops[Provider(t)] != nil
	})
	if err != nil {
		return 0, fmt.Errorf("sim: fault: %w", err)
	}
	if f.For > 0 {
		start := f.From
		if start.IsZero() {
			start = w.now()
		}
		f.Until = start.Add(f.For)
	}
	return w.faults.add(f), nil
}

// RemoveFault switches one fault off and reports whether it was on.
func (w *World) RemoveFault(id FaultID) bool {
	return w.faults.remove(func(f *active) bool { return f.id == id }) == 1
}

// ClearFaults switches off the faults of one target, or all when it is empty,
// and returns how many.
func (w *World) ClearFaults(target string) int {
	return w.faults.remove(func(f *active) bool { return target == "" || f.Target == target })
}

// FaultState is a fault in force with how often it matched and struck.
type FaultState struct {
	ID    FaultID `json:"id"`
	Fault Fault   `json:"fault"`
	Seen  int64   `json:"seen"`
	Fired int64   `json:"fired"`
}

// Faults lists the faults in force, oldest first.
func (w *World) Faults() []FaultState {
	l := w.faults.list.Load()
	if l == nil {
		return nil
	}
	out := make([]FaultState, 0, len(*l))
	for _, f := range *l {
		out = append(out, FaultState{ID: f.id, Fault: f.Fault, Seen: f.seen.Load(), Fired: fired(f)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// fired is how often f struck; the counter itself runs past Count.
func fired(f *active) int64 {
	n := f.fired.Load()
	if f.Count > 0 {
		n = min(n, int64(f.Count))
	}
	return n
}

// Targets of faults beside the providers.
const (
	TargetTelegram = "telegram"
	TargetMeta     = "meta"
)

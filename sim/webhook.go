package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// WebhookMode is when and how often a provider tells of a change.
type WebhookMode string

// The modes.
const (
	// WebhookPrompt (the default) tells at once; WebhookLate after Delay;
	// WebhookNever not at all.
	WebhookPrompt WebhookMode = "prompt"
	WebhookLate   WebhookMode = "late"
	WebhookNever  WebhookMode = "never"
	// WebhookDoubled sends Copies (2 when 0) at the same moment.
	WebhookDoubled WebhookMode = "doubled"
	// WebhookReordered sends the new status and, once that was answered, the
	// old one after it.
	WebhookReordered WebhookMode = "reordered"
	// WebhookForged is prompt, and besides claims "paid" when the charge
	// appears, though nobody has paid.
	WebhookForged WebhookMode = "forged"
	// WebhookEarly pays a charge while it is being created and tells of it
	// before the create call is answered; afterwards it is prompt.
	WebhookEarly WebhookMode = "early"
)

// Webhooks are a provider's or a charge's switches.
type Webhooks struct {
	Mode  WebhookMode   `json:"mode,omitempty"`
	Delay time.Duration `json:"-"`
	// Copies is for WebhookDoubled.
	Copies int `json:"copies,omitempty"`
	// Variant is a body that the provider is known to send; see Variants.
	Variant string `json:"variant,omitempty"`
	// Attempts in all for one webhook, the provider's own number when 0
	// (PushinPay 3, as documented; the others 1: nothing is documented), with
	// Backoff (5 s when 0) between them. Any 2xx ends them.
	Attempts int           `json:"attempts,omitempty"`
	Backoff  time.Duration `json:"-"`
	// Created also tells that a charge was created.
	Created bool `json:"created,omitempty"`
}

func (h Webhooks) check(s *shop) error {
	switch h.Mode {
	case "", WebhookPrompt, WebhookLate, WebhookNever, WebhookDoubled, WebhookReordered, WebhookForged, WebhookEarly:
	default:
		return fmt.Errorf("sim: unknown webhook mode %q", h.Mode)
	}
	if h.Copies < 0 || h.Attempts < 0 || h.Delay < 0 || h.Backoff < 0 {
		return errors.New("sim: negative webhook number")
	}
	if h.Variant != "" && !slices.Contains(s.variants, h.Variant) {
		return fmt.Errorf("sim: %s has no webhook variant %q; it has %q", s.provider, h.Variant, s.variants)
	}
	return nil
}

// Variants lists the webhook bodies that p was seen to send, the usual first.
func Variants(p Provider) []string {
	for _, d := range dialects() {
		if d.provider == p {
			return slices.Clone(d.variants)
		}
	}
	return nil
}

// hookEvent is one thing to tell.
type hookEvent struct {
	view
	variant string
	account *account
	at      time.Time
}

// Delivery is one attempt at a webhook.
type Delivery struct {
	Provider    Provider  `json:"provider"`
	Charge      string    `json:"charge"`
	Word        string    `json:"word"`
	URL         string    `json:"url"`
	ContentType string    `json:"content_type"`
	Body        string    `json:"body"`
	At          time.Time `json:"at"`
	Attempt     int       `json:"attempt"`
	// HTTPStatus is the receiver's answer; 0 with Err when there was none.
	HTTPStatus int    `json:"http_status"`
	Err        string `json:"err,omitempty"`
}

type hookJob struct {
	s        *shop
	charge   string
	word     string
	url      string
	ctype    string
	header   string
	secret   string
	body     []byte
	attempt  int
	attempts int
	backoff  time.Duration
	delay    time.Duration // before the first attempt
	next     *hookJob      // sent once this one is answered or given up
	done     chan struct{} // closed then; may be nil
}

// hooks sends webhooks from an unbounded queue with a bounded number of workers.
type hooks struct {
	w      *World
	client *http.Client
	mu     sync.Mutex
	ready  *sync.Cond
	queue  []*hookJob
	closed bool
	log    ring[Delivery]
}

func newHooks(w *World) *hooks {
	h := &hooks{w: w, client: newClient(w.cfg), log: ring[Delivery]{max: w.cfg.Keep}}
	h.ready = sync.NewCond(&h.mu)
	return h
}

// newClient follows no redirects and, unless allowed, reaches only loopback.
func newClient(cfg Config) *http.Client {
	d := &net.Dialer{Timeout: 5 * time.Second}
	if !cfg.AllowRemote {
		d.ControlContext = loopbackOnly
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         d.DialContext,
			MaxIdleConnsPerHost: cfg.WebhookWorkers,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errRemote = errors.New("sim: the address is not on this machine")

func (h *hooks) start() {
	for range h.w.cfg.WebhookWorkers {
		h.w.wg.Add(1)
		go func() {
			defer h.w.wg.Done()
			for {
				j := h.take()
				if j == nil {
					return
				}
				h.send(j)
			}
		}()
	}
}

func (h *hooks) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.ready.Broadcast()
}

func (h *hooks) put(j *hookJob) {
	if d := j.delay; d > 0 {
		j.delay = 0
		h.w.after(d, func() { h.put(j) })
		return
	}
	h.mu.Lock()
	h.queue = append(h.queue, j)
	h.mu.Unlock()
	h.ready.Signal()
}

func (h *hooks) take() *hookJob {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) == 0 && !h.closed {
		h.ready.Wait()
	}
	if h.closed {
		return nil
	}
	j := h.queue[0]
	h.queue[0] = nil
	h.queue = h.queue[1:]
	return j
}

// send makes one attempt and arranges what follows it.
func (h *hooks) send(j *hookJob) {
	j.attempt++
	j.s.count.add(countSent)
	status, err := h.post(j)
	d := Delivery{
		Provider: j.s.provider, Charge: j.charge, Word: j.word, URL: j.url, ContentType: j.ctype,
		Body: string(j.body), At: h.w.now(), Attempt: j.attempt, HTTPStatus: status,
	}
	if err != nil {
		d.Err = err.Error()
	}
	h.log.add(d)
	switch {
	case status >= 200 && status < 300:
		j.s.count.add(countDelivered)
	case j.attempt < j.attempts && h.w.ctx.Err() == nil:
		h.w.bump()
		h.w.after(j.backoff, func() { h.put(j) })
		return
	default:
		j.s.count.add(countHookFailed)
	}
	if j.done != nil {
		close(j.done)
	}
	if j.next != nil {
		h.put(j.next)
	}
	h.w.bump()
}

func (h *hooks) post(j *hookJob) (int, error) {
	ctx, cancel := context.WithTimeout(h.w.ctx, or(h.w.cfg.WebhookPatience, or(j.s.timeout, 10*time.Second)))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.url, bytes.NewReader(j.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", j.ctype)
	req.Header.Set("User-Agent", "simulador-"+string(j.s.provider)+"/1.0")
	if j.header != "" && j.secret != "" {
		req.Header.Set(j.header, j.secret)
	}
	resp, err := h.client.Transport.RoundTrip(req) // no redirect is followed
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, nil
}

// settings are the switches that hold for a charge.
func (s *shop) settings(c Charge) Webhooks {
	if c.Webhooks != nil {
		return *c.Webhooks
	}
	return *s.webhooks.Load()
}

// job writes one webhook about v; nil when nobody is to be told, or when the
// faults in force lose it (down, swallow or hang on the webhook endpoint).
func (s *shop) job(c *charge, v view, h Webhooks) *hookJob {
	if v.WebhookURL == "" {
		return nil
	}
	acct := s.accountNamed(v.Account)
	if acct == nil {
		acct = &s.nobody
	}
	e := enc{b: make([]byte, 0, 1024)}
	fx := s.w.faults.on(string(s.provider), EndpointWebhook, v.Account, c)
	c.told.Add(1)
	if fx.any {
		s.count.add(countFaults)
		if fx.down || fx.swallow || fx.hang {
			return nil
		}
		fx.bend(s, &v)
		e.shape = fx.shape
	}
	if word := s.hookWords[v.Status]; word != "" && v.word == s.word(v.Status) {
		v.word = word
	}
	ctype := s.hook(&e, hookEvent{view: v, variant: or(h.Variant, s.variants[0]), account: acct, at: s.w.now()})
	body := e.b
	if env := fx.shape.Envelope; env != "" && len(body) > 0 && body[0] == '{' {
		before, after := envelope(env)
		body = []byte(before + string(body) + after)
	}
	if fx.huge > 0 && len(body) > 1 && body[0] == '{' {
		body = []byte(`{"padding":"` + strings.Repeat("x", fx.huge) + `",` + string(body[1:]))
	}
	if fx.truncated {
		body = body[:len(body)/2]
	}
	if fx.empty {
		body = nil
	}
	return &hookJob{
		s: s, charge: v.ID, word: v.word, url: v.WebhookURL, ctype: ctype, body: body,
		header: or(s.hookHeader, acct.WebhookHeader), secret: acct.WebhookSecret,
		attempts: or(h.Attempts, or(s.attempts, 1)), backoff: or(h.Backoff, 5*time.Second),
		delay: fx.latency,
	}
}

// appeared tells of a new charge as the switches want. The returned channel,
// when not nil, closes once an early webhook was answered or given up.
func (s *shop) appeared(c *charge) <-chan struct{} {
	d := c.copy()
	h := s.settings(d)
	if h.Mode == WebhookEarly && d.Status == Pending {
		c.set(s.w, Paid)
		if j := s.job(c, s.view(c), h); j != nil {
			j.done = make(chan struct{})
			s.w.hooks.put(j)
			return j.done
		}
		return nil
	}
	if h.Created && h.Mode != WebhookNever {
		s.tell(c, h)
	}
	if h.Mode == WebhookForged && d.Status != Paid {
		v := s.view(c)
		v.Status, v.word, v.Word = Paid, s.word(Paid), ""
		v.PaidAt, v.EndToEnd = s.w.now().UTC(), s.w.endToEnd(s.w.now())
		if j := s.job(c, v, h); j != nil {
			s.w.hooks.put(j)
		}
	}
	return nil
}

// tell sends the present status as the switches want.
func (s *shop) tell(c *charge, h Webhooks) {
	if h.Mode == WebhookNever {
		return
	}
	j := s.job(c, s.view(c), h)
	if j == nil {
		return
	}
	switch h.Mode {
	case WebhookLate:
		s.w.after(h.Delay, func() { s.w.hooks.put(j) })
	case WebhookDoubled:
		for range or(h.Copies, 2) - 1 {
			twin := *j
			s.w.hooks.put(&twin)
		}
		s.w.hooks.put(j)
	case WebhookReordered:
		old := s.view(c)
		c.mu.Lock()
		old.Status, old.Word, old.word = c.was, "", s.word(c.was)
		c.mu.Unlock()
		j.next = s.job(c, old, h)
		s.w.hooks.put(j)
	default:
		s.w.hooks.put(j)
	}
}

// Deliveries returns the webhook attempts that are kept, oldest first; of one
// provider, or of all when p is empty.
func (w *World) Deliveries(p Provider) []Delivery {
	all := w.hooks.log.all()
	if p == "" {
		return all
	}
	return slices.DeleteFunc(all, func(d Delivery) bool { return d.Provider != p })
}

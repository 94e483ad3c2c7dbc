package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// route is one endpoint of a provider.
type route struct {
	endpoint Endpoint
	// find names the charge that is asked about; nil where there is none.
	find func(x *exchange) *charge
	// do writes the answer's object and returns its HTTP status and envelope.
	do func(x *exchange) (status int, envelope string)
	// ctype replaces application/json.
	ctype string
}

// exchange is one request to a provider and its answer.
type exchange struct {
	enc
	r       *http.Request
	s       *shop
	account *account
	body    []byte
	now     time.Time
	c       *charge
	v       view
	fx      effect
	// made is the charge that this call created; someone may come to pay it.
	made *charge
}

// view is what the provider says of a charge this time: the truth, or what
// the faults make of it.
type view struct {
	Charge
	word string
}

const maxBody = 1 << 20

var exchanges = sync.Pool{New: func() any { return &exchange{enc: enc{b: make([]byte, 0, 2048)}} }}

func (rt route) handler(s *shop) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchanges.Get().(*exchange)
		x.enc = enc{b: x.enc.b[:0]}
		x.r, x.s, x.body, x.c, x.account, x.fx = r, s, x.body[:0], nil, &s.nobody, effect{}
		x.made = nil
		x.now = s.w.now()
		defer func() { // also when a fault cuts the connection
			if x.made != nil {
				s.w.payers.come(s.w, s, x.made)
			}
			exchanges.Put(x)
			s.w.bump()
		}()
		rt.serve(x, w)
	})
}

func (rt route) serve(x *exchange, w http.ResponseWriter) {
	s := x.s
	s.count.add(rt.endpoint)
	if err := x.read(); err != nil {
		s.count.add(countInvalid)
		rt.answer(x, w, rt.refusal(x, http.StatusBadRequest, "unreadable body"), "")
		return
	}
	known := s.authenticate(s.credential(x))
	if known != nil {
		x.account = known
		if rt.find != nil {
			x.c = rt.find(x)
			if x.c != nil && !x.owns(x.c) {
				x.c = nil
			}
		}
	}
	x.fx = s.w.faults.on(string(s.provider), rt.endpoint, x.account.Name, x.c)
	block := 0
	if known != nil {
		block = s.tooSoon(x, rt.endpoint)
	}
	x.shape = x.fx.shape
	if x.fx.any {
		s.count.add(countFaults)
		if x.fx.intercept(w, x.r, s.w.ctx, func(code int) []byte {
			x.b = x.b[:0]
			s.refuse(x, code, "")
			return x.b
		}) {
			return
		}
	}
	if known == nil {
		s.count.add(countUnauthorized)
		rt.answer(x, w, rt.refusal(x, http.StatusUnauthorized, ""), "")
		return
	}
	if block != 0 {
		s.count.add(countBlocked)
		rt.answer(x, w, rt.refusal(x, block, ""), "")
		return
	}
	if x.c != nil {
		x.see(x.c)
	}
	status, env := rt.do(x)
	rt.answer(x, w, status, env)
}

// refusal writes an error body and returns its status.
func (rt route) refusal(x *exchange, code int, why string) int {
	x.b = x.b[:0]
	x.s.refuse(x, code, why)
	return code
}

func (rt route) answer(x *exchange, w http.ResponseWriter, status int, env string) {
	if status >= 400 {
		env = ""
		switch status {
		case http.StatusNotFound:
			x.s.count.add(countNotFound)
		case http.StatusBadRequest, http.StatusUnprocessableEntity:
			x.s.count.add(countInvalid)
		}
	} else if x.shape.Envelope != "" {
		env = x.shape.Envelope
	}
	ctype := rt.ctype
	if ctype == "" {
		ctype = "application/json"
	}
	x.fx.write(w, x.s.w.ctx, status, ctype, env, x.b)
}

func (x *exchange) read() error {
	if x.r.Method == http.MethodGet || x.r.ContentLength == 0 {
		return nil
	}
	lr := io.LimitReader(x.r.Body, maxBody)
	for {
		if len(x.body) == cap(x.body) {
			x.body = append(x.body, 0)[:len(x.body)]
		}
		n, err := lr.Read(x.body[len(x.body):cap(x.body)])
		x.body = x.body[:len(x.body)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// owns reports whether the caller's account may see c.
func (x *exchange) owns(c *charge) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data.Account == "" || c.data.Account == x.account.Name
}

// see sets the view from the truth and the faults in force.
func (x *exchange) see(c *charge) {
	x.v = x.s.view(c)
	x.fx.bend(x.s, &x.v)
}

// view is the truth about c in the provider's words.
func (s *shop) view(c *charge) view {
	v := view{Charge: c.copy()}
	v.word = v.Word
	if v.word == "" {
		v.word = s.word(v.Status)
	}
	return v
}

// fail writes an error in the provider's style and returns its status.
func (x *exchange) fail(code int, why string) (int, string) {
	x.b = x.b[:0]
	x.s.refuse(x, code, why)
	return code, ""
}

// create registers the charge that this call asks for and shows it. It
// returns false for an identifier that is taken.
func (x *exchange) create(c Charge) bool {
	c.Provider, c.Account = x.s.provider, x.account.Name
	if x.fx.refuse {
		c.Status = Failed
	}
	ch, err := x.s.add(c)
	if err != nil {
		return false
	}
	x.c = ch
	if c.Status == "" {
		settle(x.s.appeared(ch))
		x.made = ch
	}
	x.see(ch)
	return true
}

// code is the EMV text that a create answer shows, empty for a refused charge.
func (x *exchange) code() string {
	if x.fx.refuse || x.shape.Code == "absent" {
		return ""
	}
	return x.v.EMV
}

// decode reads the body as a JSON object into v.
func (x *exchange) decode(v any) bool { return json.Unmarshal(x.body, v) == nil }

// tooSoon counts looks against the provider's rule and returns the HTTP status
// that answers one too many, or 0.
func (s *shop) tooSoon(x *exchange, ep Endpoint) int {
	rule := s.rule.Load()
	if rule.PerMinute > 0 {
		a := x.account
		a.mu.Lock()
		if m := x.now.Unix() / 60; m != a.minute {
			a.minute, a.calls = m, 0
		}
		a.calls++
		over := a.calls > rule.PerMinute
		a.mu.Unlock()
		if over {
			s.count.add(countViolations)
			return rule.Block
		}
	}
	if x.c == nil {
		return 0
	}
	x.c.looks.Add(1)
	if ep != EndpointStatus {
		return 0
	}
	last := x.c.asked.Swap(x.now.UnixNano())
	if rule.MinInterval > 0 && last != 0 && x.now.Sub(time.Unix(0, last)) < rule.MinInterval-grace {
		s.count.add(countViolations)
		return rule.Block
	}
	return 0
}

// grace is forgiven between two looks: the network's jitter, not a policy.
const grace = 500 * time.Millisecond

// header names are canonical; bearer strips "Bearer ".
func bearer(r *http.Request) string {
	v, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return v
}

// queryValue reads one query parameter without building the whole map; it
// falls back to the map for anything escaped.
func queryValue(r *http.Request, name string) string {
	raw := r.URL.RawQuery
	if strings.ContainsAny(raw, "%+") {
		return r.URL.Query().Get(name)
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == name {
			return v
		}
	}
	return ""
}

// problems collects the fields that a create call got wrong, in order.
type problems struct{ field, text []string }

func (p *problems) add(bad bool, field, text string) {
	if bad {
		p.field, p.text = append(p.field, field), append(p.text, text)
	}
}

// laravel writes {"message":…,"errors":{field:[text]}}.
func (p *problems) laravel(e *enc) {
	e.b = e.b[:0]
	e.obj("")
	message := p.text[0]
	if n := len(p.field) - 1; n > 0 {
		message += " (and " + strconv.Itoa(n) + " more)"
	}
	e.str("message", message)
	e.obj("errors")
	for i, f := range p.field {
		e.arr(f)
		e.str("", p.text[i])
		e.endArr()
	}
	e.end()
	e.end()
}

package sim

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// effect is what all faults that strike one request do to it together.
type effect struct {
	any       bool
	latency   time.Duration
	down      bool
	hang      bool
	swallow   bool
	truncated bool
	empty     bool
	huge      int
	refuse    bool
	// code, when not 0, answers instead; html and errorBody say with what.
	code       int
	html       bool
	errorBody  bool
	retryAfter time.Duration
	retryBody  bool

	amount int64
	say    Status
	word   string
	shape  Shape
}

// join adds what f does on endpoint ep, for a charge if there is one.
func (fx *effect) join(f *active, ep Endpoint, c *charge) {
	fx.any = true
	switch f.Kind {
	case FaultDown:
		fx.down = true
	case FaultHang:
		fx.hang = true
	case FaultSlow:
		fx.latency += f.Latency
	case FaultSwallow:
		fx.swallow = true
	case FaultTruncated:
		fx.truncated = true
	case FaultEmpty:
		fx.empty = true
	case FaultHuge:
		fx.huge = or(f.Bytes, 10<<20)
	case FaultHTML:
		fx.code, fx.html = or(f.HTTPStatus, http.StatusBadGateway), true
	case FaultCode:
		fx.code = or(f.HTTPStatus, http.StatusInternalServerError)
	case FaultRateLimited:
		fx.code, fx.retryAfter, fx.retryBody = http.StatusTooManyRequests, f.RetryAfter, f.RetryInBody
	case FaultHidden:
		fx.code = http.StatusNotFound
	case FaultErrorBody:
		fx.code, fx.errorBody = http.StatusOK, true
	case FaultAmount:
		fx.amount = f.AmountCentavos
	case FaultSay:
		fx.say, fx.word = f.Status, f.Word
	case FaultFlap:
		if c != nil && c.looks.Load()%2 == 1 {
			fx.say, fx.word = or(f.Status, Pending), ""
		}
	case FaultLie:
		fx.say, fx.word = Pending, ""
		if ep == EndpointWebhook {
			fx.say = Paid
		}
	case FaultShape:
		fx.shape = Shape{
			Envelope: or(f.Shape.Envelope, fx.shape.Envelope),
			IDs:      or(f.Shape.IDs, fx.shape.IDs),
			Amount:   or(f.Shape.Amount, fx.shape.Amount),
			Code:     or(f.Shape.Code, fx.shape.Code),
		}
	case FaultRefuse:
		fx.refuse = true
	}
}

// or is a, or b when a is zero.
func or[T comparable](a, b T) T {
	var zero T
	if a == zero {
		return b
	}
	return a
}

// bend changes what is said of a charge.
func (fx *effect) bend(s *shop, v *view) {
	if !fx.any {
		return
	}
	if fx.amount != 0 {
		v.AmountCentavos = fx.amount
	}
	if fx.say != "" {
		v.Status, v.word = fx.say, s.word(fx.say)
	}
	if fx.word != "" {
		v.word = fx.word
	}
}

// intercept gives the answers that need no work done, and reports whether it
// did. own writes the target's error body for an HTTP status.
func (fx *effect) intercept(w http.ResponseWriter, r *http.Request, world context.Context, own func(code int) []byte) bool {
	if fx.latency > 0 {
		t := time.NewTimer(fx.latency)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-world.Done():
			panic(http.ErrAbortHandler)
		}
	}
	if fx.hang {
		select {
		case <-r.Context().Done():
		case <-world.Done():
		}
		panic(http.ErrAbortHandler)
	}
	if fx.down {
		panic(http.ErrAbortHandler)
	}
	if fx.code == 0 {
		return false
	}
	h := w.Header()
	switch {
	case fx.html:
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(fx.code)
		_, _ = w.Write([]byte("<!DOCTYPE html>\n<html><head><title>" + http.StatusText(fx.code) +
			"</title></head><body><center><h1>" + strconv.Itoa(fx.code) + " " + http.StatusText(fx.code) +
			"</h1></center><hr><p>status: paid</p></body></html>\n"))
	case fx.errorBody:
		h.Set("Content-Type", "application/json")
		w.WriteHeader(fx.code)
		_, _ = w.Write([]byte(`{"status":"error","message":"Erro interno, tente novamente"}`))
	default:
		h.Set("Content-Type", "application/json")
		secs := int64((fx.retryAfter + time.Second - 1) / time.Second)
		if secs > 0 && !fx.retryBody {
			h.Set("Retry-After", strconv.FormatInt(secs, 10))
		}
		body := own(fx.code)
		if secs > 0 && fx.retryBody {
			body = []byte(`{"message":"Too Many Attempts.","retry_after":` + strconv.FormatInt(secs, 10) + `}`)
		}
		w.WriteHeader(fx.code)
		_, _ = w.Write(body)
	}
	return true
}

// write sends the right answer, spoiled as the faults in force say.
func (fx *effect) write(w http.ResponseWriter, world context.Context, status int, ctype, env string, body []byte) {
	if fx.swallow {
		panic(http.ErrAbortHandler)
	}
	if env != "" && env != "plain" {
		before, after := envelope(env)
		wrapped := make([]byte, 0, len(before)+len(body)+len(after))
		wrapped = append(append(append(wrapped, before...), body...), after...)
		body = wrapped
	}
	h := w.Header()
	h.Set("Content-Type", ctype)
	switch {
	case fx.empty:
		body = nil
	case fx.truncated:
		body = body[:len(body)/2]
	case fx.huge > 0:
		w.WriteHeader(status)
		fx.inflate(w, world, body)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// inflate sends valid JSON of at least fx.huge bytes whose last keys are the
// right answer's, until the caller hangs up.
func (fx *effect) inflate(w http.ResponseWriter, world context.Context, body []byte) {
	block := bytes.Repeat([]byte("x"), 64<<10)
	if _, err := w.Write([]byte(`{"padding":"`)); err != nil {
		return
	}
	for left := fx.huge; left > 0; left -= len(block) {
		if world.Err() != nil {
			return
		}
		if _, err := w.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
	if len(body) > 2 && body[0] == '{' {
		_, _ = w.Write([]byte(`",`))
		_, _ = w.Write(body[1:])
		return
	}
	_, _ = w.Write([]byte(`"}`))
}

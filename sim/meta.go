package sim

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Pixel is a Meta pixel that the world lets in.
type Pixel struct {
	// ID is digits. Token is the Conversions API access token; empty lets any in.
	ID    string `json:"id"`
	Token string `json:"token,omitempty"`
	// Revoked answers error 190.
	Revoked bool `json:"revoked,omitempty"`
}

// Event is one that a pixel received.
type Event struct {
	Pixel string `json:"pixel"`
	Name  string `json:"name"`
	// ID is event_id or eventID, by which browser and server are matched.
	ID string `json:"id,omitempty"`
	// Source is "server" or "browser".
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
	At     time.Time `json:"at"`
	// Duplicate says that the same name and id came to the pixel before,
	// within 48 hours, whatever the source.
	Duplicate bool `json:"duplicate,omitempty"`

	Currency     string `json:"currency,omitempty"`
	Value        string `json:"value,omitempty"` // as written
	ActionSource string `json:"action_source,omitempty"`
	URL          string `json:"url,omitempty"`
	// UserData and CustomData are as sent.
	UserData   json.RawMessage `json:"user_data,omitempty"`
	CustomData json.RawMessage `json:"custom_data,omitempty"`
	Version    string          `json:"version,omitempty"`
	TestCode   string          `json:"test_code,omitempty"`
	// Warnings are what Meta's diagnostics would say of an accepted event.
	Warnings []string `json:"warnings,omitempty"`
}

// MetaCounters count events and requests.
type MetaCounters struct {
	Requests   int64 `json:"requests"`
	Server     int64 `json:"server"`
	Browser    int64 `json:"browser"`
	Duplicates int64 `json:"duplicates"`
	// Purchases are Purchase events left after deduplication.
	Purchases int64 `json:"purchases"`
	Rejected  int64 `json:"rejected"`
	Faults    int64 `json:"faults"`
}

const (
	metaRequests   Endpoint = "requests"
	metaServer     Endpoint = "server"
	metaBrowser    Endpoint = "browser"
	metaDuplicates Endpoint = "duplicates"
	metaPurchases  Endpoint = "purchases"
	metaRejected   Endpoint = "rejected"
	metaFaults     Endpoint = "faults"
)

type dedupKey struct{ pixel, name, id string }

// meta is the Graph API's events edge and the pixel's browser endpoint.
type meta struct {
	w      *World
	mu     sync.RWMutex
	pixels map[string]Pixel
	dedup  map[dedupKey]time.Time
	log    ring[Event]
	count  counts
}

func newMeta(w *World) *meta {
	m := &meta{w: w}
	m.reset()
	return m
}

func (m *meta) reset() {
	m.mu.Lock()
	m.pixels = make(map[string]Pixel)
	m.dedup = make(map[dedupKey]time.Time)
	m.log.max = m.w.cfg.Keep
	m.mu.Unlock()
	m.log.reset()
	m.count.reset()
}

func (m *meta) mount(mux *http.ServeMux) {
	mux.HandleFunc("POST /meta/{version}/{pixel}/events", m.events)
	mux.HandleFunc("/meta/tr", m.tr)
	mux.HandleFunc("/meta/tr/{$}", m.tr)
	mux.HandleFunc("GET /meta/fbevents.js", m.script)
	mux.HandleFunc("/meta/", func(w http.ResponseWriter, _ *http.Request) {
		m.fail(w, &effect{}, &metaError{status: 404, code: 2500, message: "Unknown path components"})
	})
}

func (m *meta) counters() MetaCounters {
	return MetaCounters{
		Requests: m.count.get(metaRequests), Server: m.count.get(metaServer), Browser: m.count.get(metaBrowser),
		Duplicates: m.count.get(metaDuplicates), Purchases: m.count.get(metaPurchases),
		Rejected: m.count.get(metaRejected), Faults: m.count.get(metaFaults),
	}
}

// AddPixel lets a pixel in or changes it. From the first on, unknown pixels
// are refused as in a strict world.
func (w *World) AddPixel(p Pixel) error {
	if !digits(p.ID) {
		return errors.New("sim: a pixel's id is digits")
	}
	w.meta.mu.Lock()
	defer w.meta.mu.Unlock()
	w.meta.pixels[p.ID] = p
	return nil
}

// Events returns the kept events of one pixel, or of all when pixel is empty,
// oldest first.
func (w *World) Events(pixel string) []Event {
	all := w.meta.log.all()
	if pixel == "" {
		return all
	}
	out := all[:0]
	for _, e := range all {
		if e.Pixel == pixel {
			out = append(out, e)
		}
	}
	return out
}

// metaError is a Graph API error.
type metaError struct {
	status, code, subcode int
	message, title, user  string
	transient             bool
}

func invalid(title, user string) *metaError {
	return &metaError{
		status: http.StatusBadRequest, code: 100, subcode: 2804003, message: "Invalid parameter", title: title, user: user,
	}
}

func (e *metaError) body(trace string) []byte {
	j := enc{}
	j.obj("")
	j.obj("error")
	j.str("message", e.message)
	kind := "OAuthException"
	if e.status >= 500 {
		kind = "FacebookApiException"
	}
	j.str("type", kind)
	j.num("code", int64(e.code))
	if e.subcode != 0 {
		j.num("error_subcode", int64(e.subcode))
	}
	j.boolean("is_transient", e.transient)
	if e.title != "" {
		j.str("error_user_title", e.title)
		j.str("error_user_msg", e.user)
	}
	j.str("fbtrace_id", trace)
	j.end()
	j.end()
	return j.b
}

func (m *meta) trace() string { return "A" + m.w.random(letters, 20) }

func (m *meta) fail(w http.ResponseWriter, fx *effect, e *metaError) {
	m.count.add(metaRejected)
	fx.write(w, m.w.ctx, e.status, "application/json", "", e.body(m.trace()))
}

// admit checks the token as the Graph API does, before it looks at the data.
func (m *meta) admit(pixel, token string) *metaError {
	m.mu.RLock()
	p, known := m.pixels[pixel]
	any := len(m.pixels) > 0 || m.w.cfg.Strict
	m.mu.RUnlock()
	switch {
	case token == "":
		return &metaError{
			status: http.StatusBadRequest, code: 104,
			message: "An access token is required to request this resource.",
		}
	case known && p.Revoked || known && p.Token != "" && p.Token != token:
		return &metaError{
			status: http.StatusBadRequest, code: 190, subcode: 460,
			message: "Error validating access token: The session has been invalidated.",
		}
	case !known && any || !digits(pixel):
		return &metaError{
			status: http.StatusBadRequest, code: 100, subcode: 33,
			message: "Unsupported post request. Object with ID '" + pixel + "' does not exist, cannot be loaded due to missing permissions, or does not support this operation.",
		}
	}
	return nil
}

func (m *meta) events(w http.ResponseWriter, r *http.Request) {
	defer m.w.bump()
	m.count.add(metaRequests)
	version, pixel := r.PathValue("version"), r.PathValue("pixel")
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	fx := m.w.faults.onSubject(TargetMeta, "events", pixel, "")
	if fx.any {
		m.count.add(metaFaults)
		if fx.intercept(w, r, m.w.ctx, func(code int) []byte { return graphFault(code).body(m.trace()) }) {
			return
		}
	}
	if err != nil {
		m.fail(w, &fx, invalid("Unreadable Body", "The request body could not be read."))
		return
	}
	if !versionName(version) {
		m.fail(w, &fx, &metaError{status: 400, code: 2500, message: "Unknown path components: /" + version})
		return
	}
	in, perr := readEvents(r, body)
	if perr != nil {
		m.fail(w, &fx, perr)
		return
	}
	if aerr := m.admit(pixel, in.token); aerr != nil {
		m.fail(w, &fx, aerr)
		return
	}
	now := m.w.now()
	events, verr := checkEvents(in.data, now)
	if verr != nil {
		m.fail(w, &fx, verr) // one bad event rejects the whole request
		return
	}
	for _, e := range events {
		e.Pixel, e.Version, e.TestCode = pixel, version, in.testCode
		m.record(e)
	}
	out := []byte(`{"events_received":` + strconv.Itoa(len(events)) + `,"messages":[],"fbtrace_id":"` + m.trace() + `"}`)
	fx.write(w, m.w.ctx, http.StatusOK, "application/json", fx.shape.Envelope, out)
}

// record keeps an event and finds out whether it came before.
func (m *meta) record(e Event) {
	e.At = m.w.now().UTC()
	if e.ID != "" {
		k := dedupKey{e.Pixel, e.Name, e.ID}
		m.mu.Lock()
		if first, seen := m.dedup[k]; seen && e.At.Sub(first) <= 48*time.Hour {
			e.Duplicate = true
		} else {
			m.dedup[k] = e.At
		}
		m.mu.Unlock()
	}
	m.count.add(Endpoint(e.Source))
	if e.Duplicate {
		m.count.add(metaDuplicates)
	} else if e.Name == "Purchase" {
		m.count.add(metaPurchases)
	}
	m.log.add(e)
}

type eventsIn struct {
	token, testCode string
	data            []json.RawMessage
}

// readEvents accepts JSON, and forms whose data is JSON, as the vendor does;
// the token may stand in the query or in the body.
func readEvents(r *http.Request, body []byte) (eventsIn, *metaError) {
	q := r.URL.Query()
	in := eventsIn{token: q.Get("access_token"), testCode: q.Get("test_event_code")}
	data := []byte(q.Get("data"))
	ctype, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case ctype == "application/x-www-form-urlencoded":
		f, err := url.ParseQuery(string(body))
		if err != nil {
			return in, invalid("Bad Form", "The form could not be read.")
		}
		in.token, in.testCode = or(f.Get("access_token"), in.token), or(f.Get("test_event_code"), in.testCode)
		data = []byte(or(f.Get("data"), string(data)))
	default:
		var b struct {
			Token string          `json:"access_token"`
			Test  string          `json:"test_event_code"`
			Data  json.RawMessage `json:"data"`
		}
		if json.Unmarshal(body, &b) != nil {
			return in, invalid("Invalid JSON", "The request body is not valid JSON.")
		}
		in.token, in.testCode = or(b.Token, in.token), or(b.Test, in.testCode)
		if len(b.Data) > 0 {
			data = b.Data
		}
	}
	if in.token == "" {
		in.token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if len(data) == 0 {
		return in, invalid("Missing Data", "The parameter data is required.")
	}
	if json.Unmarshal(data, &in.data) != nil {
		return in, invalid("Invalid Data", "The parameter data must be an array.")
	}
	return in, nil
}

// graphFault is how the Graph API words an HTTP error.
func graphFault(code int) *metaError {
	switch {
	case code == http.StatusUnauthorized:
		return &metaError{status: code, code: 190, message: "Invalid OAuth access token."}
	case code == http.StatusTooManyRequests:
		return &metaError{status: code, code: 80004, message: "There have been too many calls to this ad-account.", transient: true}
	case code >= 500:
		return &metaError{status: code, code: 2, message: "Service temporarily unavailable", transient: true}
	}
	return &metaError{status: code, code: 100, message: "Invalid parameter"}
}

func versionName(v string) bool {
	major, minor, ok := strings.Cut(strings.TrimPrefix(v, "v"), ".")
	return ok && v != "" && v[0] == 'v' && digits(major) && digits(minor)
}

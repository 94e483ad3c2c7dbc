// Package page serves what a buyer sees under the link: GET /delivery/{token}.
//
// It refuses to count machines as people (HEAD, link previews and prefetches get a page that is the same for every token and
// touches nothing), to tell wrong tokens apart, to let a third party's script in where no pixel is configured, and to hand the
// token to anybody: not in a Referer, a log or a span, and not to the pixel, before which the address loses it.
package page

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

// DefaultPixelScript is the program of Meta's pixel.
const DefaultPixelScript = "https://connect.facebook.net/en_US/fbevents.js"

// Defaults of Config.
const (
	DefaultGuesses  = 30              // wrong tokens at once from one address
	DefaultInterval = 2 * time.Second // for each further one
	DefaultTimeout  = 5 * time.Second // of the database
)

// purchaseWindow is how long after it was decided the browser reports the Purchase again: Meta swallows repetitions for 48 h.
const purchaseWindow = 24 * time.Hour

// Opener is what a page needs of the store; see store.Store.Open.
type Opener interface {
	Open(ctx context.Context, h token.Hash, v store.Visit) (store.Opened, error)
	Click(ctx context.Context, ticket token.Hash, device store.Device) (store.File, error)
}

// Config says what a Handler works with. Opener and PublicURL must be set.
type Config struct {
	Opener      Opener
	PublicURL   string                              // of the links, such as https://pay.example.com; decides cookies' path and whether they are Secure
	PixelScript string                              // empty means DefaultPixelScript
	Proxies     visitor.Proxies                     // who may name the visitor's address
	Guesses     int                                 // 0 means DefaultGuesses
	Interval    time.Duration                       // 0 means DefaultInterval
	Timeout     time.Duration                       // 0 means DefaultTimeout
	OpenSecret  func(store.FileKey) ([]byte, error) // the secret of a merchant's file key; nil when no key opens
	Queued      func()                              // called after a visit queued a Purchase; may be nil
	Now         func() time.Time
	Log         *slog.Logger // nil means slog.Default()
}

// Handler serves the pages. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	page    *template.Template
	limit   *visitor.Limiter
	base    *url.URL
	pixel   string // origin of the pixel's script
	tracer  trace.Tracer
	cookies cookies
}

// New checks c.
func New(c Config) (*Handler, error) {
	if c.Opener == nil {
		return nil, errors.New("delivery page: an opener is needed")
	}
	base, err := url.Parse(c.PublicURL)
	if err != nil || base.Hostname() == "" || (base.Scheme != "https" && base.Scheme != "http") || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("public URL %q: expected a form such as https://pay.example.com", c.PublicURL)
	}
	if c.PixelScript == "" {
		c.PixelScript = DefaultPixelScript
	}
	script, err := url.Parse(c.PixelScript)
	if err != nil || script.Hostname() == "" || (script.Scheme != "https" && script.Scheme != "http") || strings.ContainsAny(script.Host, "; ,'\"") {
		return nil, fmt.Errorf("pixel script %q: expected an https:// address", c.PixelScript)
	}
	if c.Guesses < 0 || c.Interval < 0 || c.Timeout < 0 {
		return nil, errors.New("delivery page: a limit is negative")
	}
	if c.Guesses == 0 {
		c.Guesses = DefaultGuesses
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	page, err := template.New("page").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("delivery page: %w", err)
	}
	return &Handler{
		cfg: c, page: page, limit: visitor.NewLimiter(c.Guesses, c.Interval, c.Now), base: base, pixel: script.Scheme + "://" + script.Host,
		tracer:  otel.Tracer("github.com/baixapay/baixa/services/delivery/page"),
		cookies: cookies{path: strings.TrimRight(base.EscapedPath(), "/") + "/delivery/", secure: base.Scheme == "https"},
	}, nil
}

// ServeHTTP answers /delivery/{token} and, for a browser whose address lost the token, /delivery/.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lang := visitor.LanguageOf(r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.plain(w, r, lang, pageMethod, http.StatusMethodNotAllowed)
	case visitor.IsPrefetch(r):
		// Refused, so that the browser asks again when its person comes.
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method != http.MethodPost && visitor.IsMachine(r):
		// The button of this page posts: whoever is taken for a machine by mistake gets in all the same.
		h.plain(w, r, lang, pagePreview, http.StatusOK)
	default:
		h.visit(w, r, lang)
	}
}

// asked is a secret that a visitor shows, once it is known to be one.
type asked struct {
	from   netip.Addr
	secret token.Token
	span   trace.Span
	ctx    context.Context
	done   context.CancelFunc
}

// admit reads the secret. ok is false when the visitor has been answered.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, lang visitor.Language, name, text string) (a asked, ok bool) {
	ctx, span := h.tracer.Start(r.Context(), name, trace.WithSpanKind(trace.SpanKindServer))
	a = asked{from: h.cfg.Proxies.Client(r), span: span}
	if wait := h.limit.Wait(a.from); wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
		h.refuse(w, r, lang, a, pageTooMany, http.StatusTooManyRequests)
		return a, false
	}
	var err error
	if a.secret, err = token.Parse(text); err != nil {
		h.limit.Count(a.from)
		h.refuse(w, r, lang, a, pageUnknown, http.StatusNotFound)
		return a, false
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	a.ctx, a.done = ctx, func() { cancel(); span.End() }
	return a, true
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, lang visitor.Language, a asked, k kind, status int) {
	a.span.SetAttributes(attribute.String("page", string(k)))
	if a.done == nil {
		defer a.span.End()
	}
	h.plain(w, r, lang, k, status)
}

// fail answers when the store did not find, or did not answer.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, lang visitor.Language, a asked, err error) {
	if errors.Is(err, store.ErrNotFound) {
		h.limit.Count(a.from)
		h.refuse(w, r, lang, a, pageUnknown, http.StatusNotFound)
		return
	}
	if r.Context().Err() == nil {
		h.cfg.Log.ErrorContext(a.ctx, "delivery page not available", slog.Any("error", err))
	}
	w.Header().Set("Retry-After", "5")
	h.refuse(w, r, lang, a, pageUnavailable, http.StatusServiceUnavailable)
}

// found notes on the span which sale it is.
func (a asked) found(traceparent, state string, p sale.PaymentID) {
	if link, ok := telemetry.LinkFrom(traceparent); ok {
		a.span.AddLink(link)
	}
	a.span.SetAttributes(attribute.String("page", state), attribute.String("payment_id", p.String()))
}

// visit is a person's who opens the page.
func (h *Handler) visit(w http.ResponseWriter, r *http.Request, lang visitor.Language) {
	text := r.PathValue("token")
	if text == "" {
		text = h.cookies.token(r)
	}
	a, ok := h.admit(w, r, lang, "delivery page", text)
	if !ok {
		return
	}
	defer a.done()
	device, hash := h.cookies.device(r)
	visit := store.Visit{Device: hash, UserAgent: clip(r.UserAgent()), FBP: cookie(r, "_fbp"), FBC: cookie(r, "_fbc"), Traceparent: telemetry.Carrier(a.ctx)}
	if a.from.IsValid() {
		visit.ClientIP = purchase.ClientIP(a.from.String())
	}
	o, err := h.cfg.Opener.Open(a.ctx, a.secret.Hash(), visit)
	if err != nil {
		h.fail(w, r, lang, a, err)
		return
	}
	a.found(o.Traceparent, string(o.State), o.Payment)
	if o.Queued && h.cfg.Queued != nil {
		h.cfg.Queued()
	}
	h.opened(w, r, lang, a.secret, device, &o)
}

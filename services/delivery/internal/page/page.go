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
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/delivery/internal/purchase"
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

// purchaseWindow is how long after the first visit the browser reports the Purchase again: Meta swallows repetitions for 48 h.
const purchaseWindow = 24 * time.Hour

// Opener is what a page needs of the store; see store.Store.Open.
type Opener interface {
	Open(ctx context.Context, h token.Hash, v store.Visit) (store.Opened, error)
}

// Config says what a Handler works with. Opener and PublicURL must be set.
type Config struct {
	Opener      Opener
	PublicURL   string        // of the links, such as https://pay.example.com; decides cookies' path and whether they are Secure
	PixelScript string        // empty means DefaultPixelScript
	Proxies     Proxies       // who may name the visitor's address
	Guesses     int           // 0 means DefaultGuesses
	Interval    time.Duration // 0 means DefaultInterval
	Timeout     time.Duration // 0 means DefaultTimeout
	Queued      func()        // called after a visit queued a Purchase; may be nil
	Now         func() time.Time
	Log         *slog.Logger // nil means slog.Default()
}

// Handler serves the pages. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	page    *template.Template
	limit   *limiter
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
		cfg: c, page: page, limit: newLimiter(c.Guesses, c.Interval, c.Now), base: base, pixel: script.Scheme + "://" + script.Host,
		tracer:  otel.Tracer("github.com/baixapay/baixa/services/delivery/page"),
		cookies: cookies{path: strings.TrimRight(base.EscapedPath(), "/") + "/delivery/", secure: base.Scheme == "https"},
	}, nil
}

// ServeHTTP answers /delivery/{token} and, for a browser whose address lost the token, /delivery/.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lang := pick(r.Header.Get("Accept-Language"))
	agent := r.UserAgent()
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		h.plain(w, r, lang, pageMethod, http.StatusMethodNotAllowed)
	case isPrefetch(r.Header):
		// Refused, so that the browser asks again when its person comes.
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.Method == http.MethodHead, r.Method == http.MethodGet && isMachine(agent):
		// The button of this page posts: whoever is taken for a machine by mistake gets in all the same.
		h.plain(w, r, lang, pagePreview, http.StatusOK)
	default:
		h.visit(w, r, lang)
	}
}

// visit is a person's.
func (h *Handler) visit(w http.ResponseWriter, r *http.Request, lang language) {
	ctx, span := h.tracer.Start(r.Context(), "delivery page", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	from := h.cfg.Proxies.Client(r)
	if wait := h.limit.wait(from); wait > 0 {
		span.SetAttributes(attribute.String("page", string(pageTooMany)))
		w.Header().Set("Retry-After", seconds(wait))
		h.plain(w, r, lang, pageTooMany, http.StatusTooManyRequests)
		return
	}
	text := r.PathValue("token")
	if text == "" {
		text = h.cookies.token(r)
	}
	t, err := token.Parse(text)
	if err != nil {
		h.limit.wrong(from)
		span.SetAttributes(attribute.String("page", string(pageUnknown)))
		h.plain(w, r, lang, pageUnknown, http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	visit := store.Visit{UserAgent: clip(r.UserAgent()), FBP: cookie(r, "_fbp"), FBC: cookie(r, "_fbc"), Traceparent: telemetry.Carrier(ctx)}
	if from.IsValid() {
		visit.ClientIP = purchase.ClientIP(from.String())
	}
	o, err := h.cfg.Opener.Open(ctx, t.Hash(), visit)
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.limit.wrong(from)
		span.SetAttributes(attribute.String("page", string(pageUnknown)))
		h.plain(w, r, lang, pageUnknown, http.StatusNotFound)
	case err != nil:
		if r.Context().Err() == nil {
			h.cfg.Log.ErrorContext(ctx, "delivery page not available", slog.Any("error", err))
		}
		span.SetAttributes(attribute.String("page", string(pageUnavailable)))
		w.Header().Set("Retry-After", "5")
		h.plain(w, r, lang, pageUnavailable, http.StatusServiceUnavailable)
	default:
		if link, ok := telemetry.LinkFrom(o.Traceparent); ok {
			span.AddLink(link)
		}
		span.SetAttributes(attribute.String("page", string(o.State)), attribute.String("payment_id", o.Payment.String()))
		if o.Queued && h.cfg.Queued != nil {
			h.cfg.Queued()
		}
		h.opened(w, r, lang, t, &o)
	}
}

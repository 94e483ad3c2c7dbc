// Package click captures clicks on ads: GET /go/{slug} keeps where a visitor comes from and forwards to the merchant's Telegram bot
// with a token by which the sale finds it again.
//
// It refuses to stand in the way of money: whatever is odd in a click is cut and noted, and when it cannot be kept the visitor is
// forwarded without a token. It refuses to invent: a token is given out only for a row that is committed, and a program's visit
// never becomes a person's.
package click

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/groupcommit"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	path = "/go/"
	// Cookie holds the token of the last click, for pages of the merchant's on the same host.
	Cookie = "baixa_click"

	cookieLife = 90 * 24 * time.Hour
	patience   = 1500 * time.Millisecond // the default of Config.Patience

	guesses    = 60 // unknown slugs at once from one address
	guessEvery = time.Second
	clicks     = 600 // clicks at once from one address that are kept: phones of one operator share few
	clickEvery = 100 * time.Millisecond
)

var (
	slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,62}[a-z0-9]$`)
	botForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{3,31}$`)
)

// Slug is a link's name as it is kept, and whether it is one: 3 to 64 small letters, digits, - and _.
func Slug(text string) (string, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	return text, slugForm.MatchString(text)
}

// NewSlug makes a name for a link that has none.
func NewSlug() string {
	var b [6]byte
	rand.Read(b[:]) // never fails: it stops the program instead
	return "c" + hex.EncodeToString(b[:])
}

// BotUsername is a bot's username at Telegram without its @, and whether it is one.
func BotUsername(text string) (string, bool) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "@")
	return text, botForm.MatchString(text)
}

// Token is a click's token as it is kept, and whether it is one: 32 hexadecimal digits.
func Token(text string) (string, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	raw, err := hex.DecodeString(text)
	return text, err == nil && len(raw) == 16
}

func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it stops the program instead
	return hex.EncodeToString(b[:])
}

// Store is what a Handler needs of the database; *store.Store is one.
type Store interface {
	FindClickLink(ctx context.Context, slug string) (store.ClickLink, error)
	NewestClickLinks(ctx context.Context, limit int) ([]store.ClickLink, error)
	InsertClicks(ctx context.Context, clicks []store.Click) error
}

// Config is what a Handler works with. Store is required.
type Config struct {
	Store Store
	// Client is the visitor's address. Nil means the peer's.
	Client func(*http.Request) netip.Addr
	// PublicURL is where visitors reach us, https://host. Empty: clicks do not say where they landed.
	PublicURL string
	// Telegram is where visitors are forwarded to. Empty: https://t.me
	Telegram string
	// Patience is what a visitor waits for the database before being forwarded without a token. 0 means 1.5 s.
	Patience time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Handler serves the links. It is safe for concurrent use. Run must run for clicks to be kept.
type Handler struct {
	Config
	links   *links
	writer  *groupcommit.Group[store.Click]
	guesses *visitor.Limiter
	clicks  *visitor.Limiter
	page    *template.Template
	tracer  trace.Tracer
}

// New checks the configuration.
func New(c Config) (*Handler, error) {
	if c.Store == nil {
		return nil, errors.New("click: Store is required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = visitor.Proxies{}.Client
	}
	if c.Telegram == "" {
		c.Telegram = "https://t.me"
	}
	if c.Patience == 0 {
		c.Patience = patience
	}
	page, err := template.New("page").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("click: %w", err)
	}
	return &Handler{Config: c, links: newLinks(c.Store, c.Now), writer: newWriter(c.Store, c.Patience), page: page,
		guesses: visitor.NewLimiter(guesses, guessEvery, c.Now), clicks: visitor.NewLimiter(clicks, clickEvery, c.Now),
		tracer: otel.Tracer("github.com/baixapay/baixa/services/payments/internal/click")}, nil
}

// Run keeps clicks until ctx is done; what was taken before that is written.
func (h *Handler) Run(ctx context.Context) error {
	var warm sync.WaitGroup
	warm.Go(func() { h.links.warm(ctx) }) // clicks do not wait for it
	defer warm.Wait()
	return h.writer.Run(ctx)
}

// ServeHTTP answers /go/{slug}: 302 to Telegram, 404 for what is no link, 503 when that is not known.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, span := h.tracer.Start(r.Context(), "click", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, r, http.StatusMethodNotAllowed)
		return
	}
	from := h.Client(r)
	if wait := h.guesses.Wait(from); wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		h.refuse(w, r, http.StatusTooManyRequests)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.Patience)
	defer cancel()
	slug, ok := Slug(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, path), "/"))
	err := store.ErrNotFound
	var link store.ClickLink
	if ok {
		link, err = h.links.find(ctx, slug)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.guesses.Count(from)
		h.refuse(w, r, http.StatusNotFound)
		return
	case err != nil:
		slog.ErrorContext(ctx, "click link not found out", slog.Any("error", err))
		w.Header().Set("Retry-After", "5")
		h.refuse(w, r, http.StatusServiceUnavailable)
		return
	}
	machine := visitor.IsMachine(r) || visitor.IsPrefetch(r)
	span.SetAttributes(attribute.String("baixa.slug", slug), attribute.Bool("baixa.machine", machine))
	h.forward(w, link, h.keep(ctx, r, link, from, machine))
}

// keep commits the click and returns its token; "" when there is none to give out.
func (h *Handler) keep(ctx context.Context, r *http.Request, link store.ClickLink, from netip.Addr, machine bool) string {
	if !h.clicks.Take(from) {
		slog.WarnContext(ctx, "clicks of one address over the limit; forwarded without a token", slog.String("slug", link.Slug))
		return ""
	}
	id, err := uuid.NewV7()
	if err != nil {
		return ""
	}
	c := store.Click{MerchantID: link.MerchantID, Token: newToken(), ID: id, Slug: link.Slug, ClickedAt: h.Now().UTC().Truncate(time.Millisecond), Machine: machine}
	capture(&c, r, link, from, h.landed(link.Slug))
	if err := h.writer.Put(ctx, c); err != nil {
		slog.WarnContext(ctx, "click not kept; forwarded without a token", slog.String("slug", link.Slug), slog.Any("error", err))
		return ""
	}
	if machine {
		return ""
	}
	return c.Token
}

// landed is the page that clicks of a link land on.
func (h *Handler) landed(slug string) string {
	if h.PublicURL == "" {
		return ""
	}
	return strings.TrimRight(h.PublicURL, "/") + path + slug
}

func (h *Handler) secure() bool { return strings.HasPrefix(h.PublicURL, "https://") }

func (h *Handler) forward(w http.ResponseWriter, link store.ClickLink, token string) {
	to := h.Telegram + "/" + link.BotUsername
	if token != "" {
		to += "?start=" + token
		http.SetCookie(w, &http.Cookie{Name: Cookie, Value: token, Path: "/", MaxAge: int(cookieLife.Seconds()), HttpOnly: true,
			Secure: h.secure(), SameSite: http.SameSiteLaxMode})
	}
	visitor.Secret(w.Header(), h.secure())
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

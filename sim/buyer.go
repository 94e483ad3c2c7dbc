package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Buyers are people with phones who open the delivery links that they receive.
type Buyers struct {
	// Open switches them on. Share of the messages is opened, 1 when 0.
	Open  bool    `json:"open"`
	Share float64 `json:"share,omitempty"`
	// A link is opened between Delay and Delay+Spread after it arrived.
	Delay  time.Duration `json:"-"`
	Spread time.Duration `json:"-"`
	// Workers is how many pages are open at once; 8 when 0.
	Workers int `json:"workers,omitempty"`
	// Preview makes Telegram's link preview fetch the page first.
	Preview bool `json:"preview,omitempty"`
}

// BuyerCounters count what buyers did.
type BuyerCounters struct {
	// Links found in messages, Opened pages answered 200, Refused pages
	// answered otherwise, Failed ones not answered at all.
	Links    int64 `json:"links"`
	Opened   int64 `json:"opened"`
	Refused  int64 `json:"refused"`
	Failed   int64 `json:"failed"`
	Previews int64 `json:"previews"`
	// Pixels are pages that called fbq; Events what they reported.
	Pixels int64 `json:"pixels"`
	Events int64 `json:"events"`
}

// Visit is one page that a buyer opened.
type Visit struct {
	Chat       int64     `json:"chat"`
	URL        string    `json:"url"`
	HTTPStatus int       `json:"http_status"`
	Err        string    `json:"err,omitempty"`
	At         time.Time `json:"at"`
}

const (
	phoneAgent   = "Mozilla/5.0 (Linux; Android 14; SM-A155M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36"
	previewAgent = "TelegramBot (like TwitterBot)"
)

const (
	buyerLinks    Endpoint = "links"
	buyerOpened   Endpoint = "opened"
	buyerRefused  Endpoint = "refused"
	buyerFailed   Endpoint = "failed"
	buyerPreviews Endpoint = "previews"
	buyerPixels   Endpoint = "pixels"
	buyerEvents   Endpoint = "events"
)

type buyers struct {
	w      *World
	client *http.Client
	mu     sync.RWMutex
	cfg    Buyers
	slots  chan struct{}
	count  counts
	visits ring[Visit]
}

func newBuyers(w *World) *buyers {
	b := &buyers{w: w, client: newClient(w.cfg)}
	b.client.Timeout = 15 * time.Second
	b.reset()
	return b
}

func (b *buyers) reset() {
	b.mu.Lock()
	b.cfg, b.slots = Buyers{}, make(chan struct{}, 8)
	b.visits.max = b.w.cfg.Keep
	b.mu.Unlock()
	b.count.reset()
	b.visits.reset()
}

func (b *buyers) counters() BuyerCounters {
	return BuyerCounters{
		Links: b.count.get(buyerLinks), Opened: b.count.get(buyerOpened), Refused: b.count.get(buyerRefused),
		Failed: b.count.get(buyerFailed), Previews: b.count.get(buyerPreviews),
		Pixels: b.count.get(buyerPixels), Events: b.count.get(buyerEvents),
	}
}

// SetBuyers sets what happens to messages that arrive from now on.
func (w *World) SetBuyers(c Buyers) error {
	if c.Share < 0 || c.Share > 1 || c.Delay < 0 || c.Spread < 0 || c.Workers < 0 {
		return errors.New("sim: buyers: share outside 0..1 or a negative number")
	}
	w.buyers.mu.Lock()
	defer w.buyers.mu.Unlock()
	w.buyers.cfg, w.buyers.slots = c, make(chan struct{}, or(c.Workers, 8))
	return nil
}

// Visits returns the kept pages that buyers opened, oldest first.
func (w *World) Visits() []Visit { return w.buyers.visits.all() }

// received looks for the first delivery link of a message and has it opened.
func (b *buyers) received(m Message) {
	b.mu.RLock()
	cfg, slots := b.cfg, b.slots
	b.mu.RUnlock()
	if !cfg.Open && !cfg.Preview {
		return
	}
	link := ""
	for _, l := range m.Links {
		if u, err := url.Parse(l); err == nil && strings.Contains(u.Path, "/delivery/") && u.Host != "" {
			link = l
			break
		}
	}
	if link == "" {
		return
	}
	b.count.add(buyerLinks)
	opens := cfg.Open && (cfg.Share == 0 || b.w.chance() < cfg.Share)
	delay := cfg.Delay
	if cfg.Spread > 0 {
		delay += time.Duration(b.w.chance() * float64(cfg.Spread))
	}
	b.w.after(delay, func() {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-b.w.ctx.Done():
			return
		}
		if cfg.Preview {
			b.count.add(buyerPreviews)
			_, _, _ = b.get(link, previewAgent, nil)
		}
		if opens {
			b.open(m.Chat, link)
		}
		b.w.bump()
	})
}

// open loads a page as a phone would and lets its pixel speak.
func (b *buyers) open(chat int64, link string) {
	jar, _ := cookiejar.New(nil) // never fails without options
	page, status, err := b.get(link, phoneAgent, jar)
	v := Visit{Chat: chat, URL: link, HTTPStatus: status, At: b.w.now().UTC()}
	switch {
	case err != nil:
		v.Err = err.Error()
		b.count.add(buyerFailed)
	case status != http.StatusOK:
		b.count.add(buyerRefused)
	default:
		b.count.add(buyerOpened)
	}
	b.visits.add(v)
	if err != nil || status != http.StatusOK {
		return
	}
	reports := pixelReports(page)
	if len(reports) > 0 {
		b.count.add(buyerPixels)
	}
	for _, q := range reports {
		q.Set("dl", link)
		b.cookies(jar, link, q)
		b.w.meta.browser(q)
		b.count.add(buyerEvents)
	}
}

// cookies gives the pixel its two cookies: the page's, or a fresh fbp.
func (b *buyers) cookies(jar http.CookieJar, link string, q url.Values) {
	u, err := url.Parse(link)
	if err != nil {
		return
	}
	for _, c := range jar.Cookies(u) {
		if c.Name == "_fbp" || c.Name == "_fbc" {
			q.Set(c.Name[1:], c.Value)
		}
	}
	if q.Get("fbp") == "" {
		ms := strconv.FormatInt(b.w.now().UnixMilli(), 10)
		q.Set("fbp", "fb.1."+ms+"."+b.w.random("123456789", 10))
	}
}

func (b *buyers) get(link, agent string, jar http.CookieJar) (string, int, error) {
	ctx, cancel := context.WithTimeout(b.w.ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	req.Header.Set("Accept-Language", "pt-BR,pt;q=0.9")
	resp, err := b.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", resp.StatusCode, err
	}
	if jar != nil {
		jar.SetCookies(req.URL, resp.Cookies())
	}
	return string(page), resp.StatusCode, nil
}

// Package browser opens pages in a real Chromium, as a buyer's phone does, and notices what a person would not see: errors in the
// console, refusals by the page's content security policy, requests to other hosts.
//
// It refuses to know what a page is about. Chromium is started once a test binary, when the first page is opened, and ended by
// Close; without one the test fails and says how to get it.
package browser

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Limit is how long one step in a page may take on a machine that is busy with other tests.
const Limit = 3 * time.Minute

var chromium struct {
	once   sync.Once
	ctx    context.Context
	cancel func()
	err    error
}

// start starts Chromium. $CHROMIUM names its program where it is not in a usual place.
func start() (context.Context, error) {
	chromium.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.DisableGPU,
			chromedp.WSURLReadTimeout(Limit),
			chromedp.Flag("disable-quic", true),
			chromedp.Flag("disable-component-update", true),
			chromedp.Flag("disable-domain-reliability", true),
			chromedp.Flag("no-pings", true),
			// Nothing but loopback is reached, whatever a page asks for.
			chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]"),
		)
		if os.Geteuid() == 0 {
			options = append(options, chromedp.NoSandbox)
		}
		if path := os.Getenv("CHROMIUM"); path != "" {
			options = append(options, chromedp.ExecPath(path))
		}
		allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, endBrowser := chromedp.NewContext(allocator)
		chromium.ctx, chromium.cancel = ctx, func() { endBrowser(); endAllocator() }
		if err := chromedp.Do(ctx); err != nil {
			chromium.err = fmt.Errorf("start Chromium (install it, or name its program in CHROMIUM): %w", err)
		}
	})
	return chromium.ctx, chromium.err
}

// Close ends Chromium. For TestMain; calling it without a page having been opened does nothing.
func Close() {
	if chromium.cancel != nil {
		chromium.cancel()
	}
}

// Options are what a visitor's browser is like. The zero value is a phone in Portuguese, in light colours, with JavaScript.
type Options struct {
	// Width and Height are CSS pixels; 0 means 390 × 844.
	Width, Height int64
	// Lang is sent as Accept-Language. Empty means "pt-BR".
	Lang string
	// UserAgent replaces Chromium's own.
	UserAgent string
	// Dark prefers dark colours.
	Dark bool
	// NoScript switches JavaScript off.
	NoScript bool
}

// New opens an empty page in a browser profile of its own: no cookies, no cache. It is closed when the test ends.
func New(t testing.TB, o Options) *Page {
	t.Helper()
	parent, err := start()
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.notice))
	t.Cleanup(cancel)
	p.ctx = ctx
	// The first step of a context must not have a deadline: it would end with the page.
	if err := chromedp.Do(ctx, setup(o)); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	return p
}

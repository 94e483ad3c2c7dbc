package e2e

import (
	"flag"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/baixapay/baixa/e2e/browser"
)

// screenshots is where pictures of pages are written for the documentation: go test ./e2e -run TestCheckout -screenshots docs/images
var screenshots = flag.String("screenshots", "", "folder for screenshots of the pages that are tested")

var taken sync.Map

// shot takes a picture, once under each name.
func shot(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	if _, before := taken.LoadOrStore(name, true); !before {
		browser.Run(p, chromedp.Evaluate[bool](stillness, chromedp.EvalAwaitPromise))
		p.Screenshot(filepath.Join(*screenshots, name))
	}
}

// stillness is when whatever fades in is there.
const stillness = `Promise.all(document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity).map(a => a.finished)).then(() => true)`

var nonces = regexp.MustCompile(`nonce="[\w-]+"`)

package checkout

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	beat        = 20 * time.Second // between signs of life
	writeWithin = 10 * time.Second // a page that does not take what it is sent is let go
)

// stream answers /pay/{key}/events as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): "change"
// with the version as its id each time that the page must be read again. The page says which version it shows, in `since` or in
// Last-Event-ID when it comes again, so what happened in between is told at once. What is sent holds nothing of the sale.
//
// 503 with Retry-After when too many wait; the page then asks for itself now and then.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, lang visitor.Language, key string) {
	var sale store.Checkout
	var ok bool
	apart(func() { sale, ok = h.find(r.Context(), w, r, lang, key) })
	if !ok {
		return
	}
	waiting, err := h.hub.join(store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}, h.Client(r))
	if err != nil {
		w.Header().Set("Retry-After", "10")
		h.plain(w, r, lang, pageTooMany, http.StatusServiceUnavailable)
		return
	}
	defer h.hub.leave(waiting)
	since := r.Header.Get("Last-Event-ID")
	if since == "" {
		since = r.URL.Query().Get("since")
	}
	line := http.NewResponseController(w)
	_ = line.SetReadDeadline(time.Time{}) // the server's own is for requests that are read; this one is
	visitor.Secret(w.Header(), h.Secure)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx and its like
	w.WriteHeader(http.StatusOK)
	send := func(text string) bool {
		_ = line.SetWriteDeadline(time.Now().Add(writeWithin))
		_, err := w.Write([]byte(text))
		return err == nil && line.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	h.follow(r.Context(), waiting, key, since, send)
}

// follow tells of changes until the page goes away, the stream has lived long enough or the process stops. The page opens the next
// stream by itself.
func (h *Handler) follow(ctx context.Context, waiting *watcher, key, since string, send func(string) bool) {
	life := time.NewTimer(h.Life - h.Life/10 + rand.N(h.Life/5+1)) // streams that began together do not end together
	defer life.Stop()
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for {
		// Read after joining, and again after each wake-up: nothing is missed in between.
		read, cancel := context.WithTimeout(ctx, timeout)
		var sale store.Checkout
		var err error
		apart(func() { sale, err = h.Store.Checkout(read, key) })
		cancel()
		if err != nil {
			return // the page comes again
		}
		h.hub.shows(waiting, &sale)
		if now := versionOf(&sale); now != since {
			since = now
			if !send("event: change\nid: " + now + "\ndata: " + now + "\n\n") {
				return
			}
		}
		for woken := false; !woken; {
			select {
			case <-waiting.wake:
				woken = true
			case <-alive.C:
				if !send(": \n\n") {
					return
				}
			case <-life.C:
				return
			case <-h.hub.done:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// apart does what calls deeply on a stack of its own, and waits for it: a stack that has grown stays as large while its page waits, which
// for thousands of pages was half of the memory.
func apart(do func()) {
	failed := make(chan any, 1)
	go func() {
		defer func() { failed <- recover() }()
		do()
	}()
	if v := <-failed; v != nil {
		panic(v)
	}
}

func versionOf(s *store.Checkout) string {
	return version(store.Shown{State: s.State, HasCode: s.Charge.CopyPaste != "", QRExpiresAt: s.QRExpiresAt})
}

package checkout

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	checkBatch  = 1000 // sales in one statement
	renewEvery  = 30 * time.Second
	reconnect   = 250 * time.Millisecond // first pause; doubles
	slowestTry  = 5 * time.Second
	closeWithin = 2 * time.Second
)

// errFull means that no more pages may wait: here, of this address, or of this sale.
var errFull = errors.New("too many pages wait")

// watcher is one page that waits. Its channel holds one wake-up at most.
type watcher struct {
	key     store.Key
	from    netip.Addr
	wake    chan struct{}
	version string // what its page shows
	waits   bool   // whether money may still come for its sale
}

// hub wakes the pages of this process: one connection listens for all of them, and one statement per thousand looks at all of them
// now and then, for what was notified while nobody listened and for what the ledger had no reason to notify.
type hub struct {
	c    Config
	done chan struct{} // closed when the process stops

	mu     sync.Mutex
	all    int
	bySale map[store.Key]map[*watcher]struct{}
	byAddr map[netip.Addr]int
}

func newHub(c Config) *hub {
	return &hub{c: c, done: make(chan struct{}), bySale: map[store.Key]map[*watcher]struct{}{}, byAddr: map[netip.Addr]int{}}
}

// join adds a page. Its caller reads the sale afterwards, so that nothing is missed in between, and calls leave.
func (h *hub) join(key store.Key, from netip.Addr) (*watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all >= h.c.Streams || h.byAddr[from] >= h.c.PerAddress || len(h.bySale[key]) >= h.c.PerSale {
		return nil, errFull
	}
	w := &watcher{key: key, from: from, wake: make(chan struct{}, 1)}
	if h.bySale[key] == nil {
		h.bySale[key] = map[*watcher]struct{}{}
	}
	h.bySale[key][w] = struct{}{}
	h.byAddr[from]++
	h.all++
	return w, nil
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.bySale[w.key], w)
	if len(h.bySale[w.key]) == 0 {
		delete(h.bySale, w.key)
	}
	if h.byAddr[w.from]--; h.byAddr[w.from] == 0 {
		delete(h.byAddr, w.from)
	}
	h.all--
}

// shows notes what a page shows, for the next look at all of them.
func (h *hub) shows(w *watcher, s *store.Checkout) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.version, w.waits = versionOf(s), waits(s.State)
}

func (h *hub) wake(key store.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.bySale[key] {
		ring(w)
	}
}

func ring(w *watcher) {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// keys are the sales before which somebody waits; waiting are those of them for which money may still come.
func (h *hub) keys() (all, waiting []store.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, group := range h.bySale {
		all = append(all, key)
		for w := range group {
			if w.waits {
				waiting = append(waiting, key)
				break
			}
		}
	}
	return all, waiting
}

// run listens and looks until ctx is done.
func (h *hub) run(ctx context.Context) error {
	defer close(h.done)
	var parts sync.WaitGroup
	parts.Go(func() { h.listenAlways(ctx) })
	defer parts.Wait()
	tick := time.NewTicker(h.c.Check)
	defer tick.Stop()
	renewed := h.c.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		all, _ := h.keys()
		h.look(ctx, all)
		if now := h.c.Now(); now.Sub(renewed) >= renewEvery {
			renewed = now
			_, waiting := h.keys() // with those who came while the others were compared
			h.renew(ctx, waiting, now)
		}
	}
}

// look wakes the pages that show what is not true any more.
func (h *hub) look(ctx context.Context, keys []store.Key) {
	for len(keys) > 0 {
		part := keys[:min(checkBatch, len(keys))]
		keys = keys[len(part):]
		read, cancel := context.WithTimeout(ctx, timeout)
		states, err := h.c.Store.CheckoutStates(read, part)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				slog.WarnContext(ctx, "open checkout pages not compared", slog.Any("error", err))
			}
			return // a connection or the next tick makes it good
		}
		h.mu.Lock()
		for _, s := range states {
			now := version(s)
			for w := range h.bySale[s.Key] {
				if w.version != now {
					ring(w)
				}
			}
		}
		h.mu.Unlock()
	}
}

// renew believes the buyers of open pages to wait for some more time.
func (h *hub) renew(ctx context.Context, keys []store.Key, now time.Time) {
	for len(keys) > 0 {
		part := keys[:min(checkBatch, len(keys))]
		keys = keys[len(part):]
		write, cancel := context.WithTimeout(ctx, timeout)
		err := h.c.Store.KeepBuyers(write, part, now.Add(presence))
		cancel()
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "waiting buyers not renewed", slog.Any("error", err))
		}
	}
}

// listenAlways listens over lost connections.
func (h *hub) listenAlways(ctx context.Context) {
	pause := reconnect
	for ctx.Err() == nil {
		began := h.c.Now()
		err := h.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if h.c.Now().Sub(began) > slowestTry {
			pause = reconnect
		}
		slog.WarnContext(ctx, "checkout listener lost its connection", slog.Duration("retry_in", pause), slog.Any("error", err))
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, slowestTry)
	}
}

// listen holds one connection until it breaks. What was notified while nobody listened is found by looking at all.
func (h *hub) listen(ctx context.Context) error {
	cfg := h.c.Store.Pool().Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] += " checkout"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		_ = conn.Close(end)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+store.CheckoutChannel); err != nil {
		return err
	}
	all, _ := h.keys()
	h.look(ctx, all)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if key, ok := parseNotice(n.Payload); ok {
			h.wake(key)
		}
	}
}

// parseNotice reads "merchant payment".
func parseNotice(payload string) (key store.Key, ok bool) {
	left, right, _ := strings.Cut(payload, " ")
	m, err1 := payment.ParseMerchantID(left)
	id, err2 := payment.ParseID(right)
	return store.Key{MerchantID: m, PaymentID: id}, err1 == nil && err2 == nil
}

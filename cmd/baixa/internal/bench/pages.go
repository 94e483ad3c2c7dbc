package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/baixapay/baixa/sim"
)

const (
	pageSales   = 500
	pagesOfSale = 10  // as many as one sale may have open
	ofAddress   = 200 // as many as one address may have open
	pageWatch   = 30 * time.Second
	pagePaid    = 100 // sales that are paid while all pages are open
	// pageRule is the time between two looks at one sale that the provider of this benchmark wants, and that the shipped policy keeps.
	pageProvider, pageRule = sim.Atomopay, 5 * time.Second
	buyersPhone            = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36"
)

func pages() Bench {
	return Bench{
		Name: "pages", Help: "5,000 open payment pages of 500 sales, no webhooks: memory of `baixa up` a page, looks at the provider, and how long a page takes to turn after the payment",
		Unit: "KB", Baseline: "the bound of the goal, 64 KB a page, as for sockets",
		Goals:  []Goal{{Of: Value, AtMost: 64}, {Of: "looks_of_allowed", AtMost: 1}, {Of: "turn_p99_ms", AtMost: 10_000}},
		Rounds: 1,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: pageProvider, merchants: 1, bots: 8, outside: true})
			if err != nil {
				return nil, err
			}
			if err := s.World.SetPollRule(pageProvider, sim.PollRule{MinInterval: pageRule}); err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return e.pages(ctx, s) }, nil
		},
	}
}

// pages opens them, watches what they cost for a while, and lets some of the sales be paid.
func (e *Env) pages(ctx context.Context, s *System) (Numbers, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	w, err := s.wave(ctx, pageSales, true)
	if err != nil {
		return nil, err
	}
	keys, err := w.pageKeys(ctx)
	if err != nil {
		return nil, err
	}
	before := residentOf(e.pid)
	if before == 0 {
		return nil, errors.New("this system does not tell how large a process is")
	}
	began := time.Now()
	turned := make(chan turn, pageSales*pagesOfSale)
	reading, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	if err := s.openPages(reading, &readers, keys, turned); err != nil {
		return nil, err
	}
	opening := time.Since(began)
	e.Say("pages: %d open after %s", pageSales*pagesOfSale, opening.Round(time.Millisecond))
	open := residentOf(e.pid)
	calls := w.Calls()
	watch := time.NewTimer(pageWatch)
	defer watch.Stop()
	select {
	case <-watch.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	looks := w.Calls() - calls
	allowed := int64(pageSales) * int64(pageWatch/pageRule+1)
	turns, err := w.turns(ctx, turned)
	if err != nil {
		return nil, err
	}
	busy := residentOf(e.pid)
	if n := s.World.Counters().Providers[pageProvider].Violations; n > 0 {
		return nil, fmt.Errorf("the provider was asked %d times against its rule of %v", n, pageRule)
	}
	slices.Sort(turns)
	return Numbers{Value: float64(max(open, busy)-before) / 1000 / (pageSales * pagesOfSale), Baseline: 64, "resident_mb": float64(busy) / 1e6,
		"resident_before_mb": float64(before) / 1e6, "looks_a_sale_and_minute": float64(looks) / pageSales / pageWatch.Minutes(),
		"looks_of_allowed": float64(looks) / float64(allowed), "turn_p50_ms": turns[len(turns)/2], "turn_p99_ms": turns[len(turns)*99/100],
		"opened_per_second": pageSales * pagesOfSale / opening.Seconds(), "pages": pageSales * pagesOfSale}, nil
}

// turn is a page that shows the payment.
type turn struct {
	sale int
	at   time.Time
}

// turns pays some sales, which tell nobody, and returns how long each of their pages took to show it, in milliseconds.
func (w *Wave) turns(ctx context.Context, turned <-chan turn) ([]float64, error) {
	paid := map[int]time.Time{}
	for i := range pagePaid {
		paid[i] = time.Now()
		if err := w.Pay(i); err != nil {
			return nil, err
		}
	}
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	var out []float64
	for len(out) < pagePaid*pagesOfSale {
		select {
		case t := <-turned:
			at, ok := paid[t.sale]
			if !ok {
				return nil, fmt.Errorf("the page of a sale that is not paid says that it is")
			}
			out = append(out, float64(t.at.Sub(at).Microseconds())/1000)
		case <-limit.C:
			return nil, fmt.Errorf("%d of %d pages turned", len(out), pagePaid*pagesOfSale)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, nil
}

// pageKeys are those of the wave's sales, in its order.
func (w *Wave) pageKeys(ctx context.Context) ([]string, error) {
	keys := make([]string, len(w.Chats))
	for i, chat := range w.Chats {
		if err := w.s.Pool.QueryRow(ctx, `SELECT page_key FROM payments.payments WHERE telegram_id = $1`, chat).Scan(&keys[i]); err != nil {
			return nil, fmt.Errorf("read the key of a page: %w", err)
		}
	}
	return keys, nil
}

// openPages visits each sale's page and opens its streams, from as many addresses as that takes; readers end with ctx.
func (s *System) openPages(ctx context.Context, readers *sync.WaitGroup, keys []string, turned chan<- turn) error {
	var clients []*http.Client
	for i := range (len(keys)*pagesOfSale + ofAddress - 1) / ofAddress {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i))}}
		clients = append(clients, &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}})
	}
	var g errgroup.Group
	g.SetLimit(dialsAtOnce)
	for sale, key := range keys {
		client := clients[sale*pagesOfSale/ofAddress]
		g.Go(func() error {
			page, err := s.visit(ctx, client, "/pay/"+key)
			if err != nil {
				return err
			}
			if err := page.Body.Close(); err != nil {
				return err
			}
			for range pagesOfSale {
				stream, err := s.visit(ctx, client, "/pay/"+key+"/events")
				if err != nil {
					return err
				}
				readers.Go(func() { follow(ctx, stream, sale, turned) })
			}
			return nil
		})
	}
	return g.Wait()
}

func (s *System) visit(ctx context.Context, client *http.Client, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, fmt.Errorf("open a page: %w", err)
	}
	req.Header.Set("User-Agent", buyersPhone)
	resp, err := client.Do(req)
	if err != nil {
		return nil, errors.New("open a page: the connection failed") // the error has its key
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("open a page: %s", resp.Status)
	}
	return resp, nil
}

// follow reads a stream until it ends and tells when it says that the sale is paid.
func follow(ctx context.Context, stream *http.Response, sale int, turned chan<- turn) {
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(make([]byte, 512), 4096)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) != "id: paid" {
			continue
		}
		select {
		case turned <- turn{sale, time.Now()}:
		case <-ctx.Done():
		}
		return
	}
}

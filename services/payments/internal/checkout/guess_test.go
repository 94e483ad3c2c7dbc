package checkout

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/auth"
)

// serve asks the handler itself, as a person from some address.
func (s *shop) serve(key string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/pay/"+key, nil)
	r.Header.Set("User-Agent", person)
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w
}

// Ten thousand guesses of one address: a few are answered, all alike, the others do not reach the database, and neither does a right one.
func TestPage_tenThousandGuesses(t *testing.T) {
	s := open(t, nil)
	sale := s.sale(nil)
	s.awaitListener() // which asks once, too
	before := s.queries.n.Load()
	pages, codes := map[string]bool{}, map[int]int{}
	for i := range 10_000 {
		key := auth.Random()
		if i%2 == 1 { // all but right
			key = sale.PageKey[:len(sale.PageKey)-3] + fmt.Sprintf("%03x", i%4096)
		}
		w := s.serve(key)
		codes[w.Code]++
		if w.Code == http.StatusNotFound {
			pages[stripped(w.Body.String())] = true
		}
	}
	if codes[404] != guesses || codes[429] != 10_000-guesses || len(pages) != 1 {
		t.Errorf("answers %v and %d pages, want %d times the same", codes, len(pages), guesses)
	}
	if n := s.queries.n.Load() - before; n > guesses {
		t.Errorf("the database was asked %d times", n)
	}
	if w := s.serve(sale.PageKey); w.Code != http.StatusTooManyRequests {
		t.Errorf("a right guess among wrong ones tells: %d", w.Code)
	}
}

// How long an answer takes does not tell whether a wrong key is nearly right: of guesses that are made in turns neither kind is the slower
// one more often than chance has it.
func TestPage_noOracleByTiming(t *testing.T) {
	const pairs = 1000
	var visitors atomic.Uint32 // each guess comes from another address
	s := open(t, func(c *Config) {
		c.Client = func(*http.Request) netip.Addr {
			n := visitors.Add(1)
			return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		}
	})
	for range 200 { // neighbours in the index
		s.sale(nil)
	}
	sale := s.sale(nil)
	took := func(key string) time.Duration {
		began := time.Now()
		if w := s.serve(key); w.Code != http.StatusNotFound {
			t.Fatalf("a wrong key is answered %d", w.Code)
		}
		return time.Since(began)
	}
	last := byte('A')
	if sale.PageKey[len(sale.PageKey)-1] == last {
		last = 'E'
	}
	near := sale.PageKey[:len(sale.PageKey)-1] + string(last)
	slower := 0
	for i := range pairs + 20 {
		var far, close time.Duration
		if i%2 == 0 { // who goes first pays for a cold cache
			far, close = took(auth.Random()), took(near)
		} else {
			close, far = took(near), took(auth.Random())
		}
		if i >= 20 && close > far {
			slower++
		}
	}
	t.Logf("the nearly right key was the slower one %d times of %d", slower, pairs)
	if slower < pairs*2/5 || slower > pairs*3/5 { // six standard deviations of a coin
		t.Errorf("the nearly right key was the slower one %d times of %d", slower, pairs)
	}
}

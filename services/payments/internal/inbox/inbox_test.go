package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestPut_keepsEveryByte(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	var woken atomic.Int64
	b := open(t, s, func(c *Config) { c.Wake = func() { woken.Add(1) } })
	bodies := map[string]string{
		"one space more than JSON needs": `{"id": 1,  "status" :"paid"}`,
		"a form":                         "id=0F%2F1&value=2990&status=paid&&x",
		"not UTF-8":                      "\xff\xfe\x80{",
		"zero bytes":                     "a\x00b\x00",
		"HTML":                           "<html><body>502</body></html>",
		"a mebibyte":                     strings.Repeat("0123456789abcdef", MaxBody/16),
		"one byte":                       "\n",
	}
	for name, body := range bodies {
		r, err := b.Put(within(t), Webhook{Provider: "atomopay", Body: []byte(body)})
		if err != nil || r.Duplicate || r.ID == uuid.Nil {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
	}
	var got []string
	for _, w := range claim(t, s) {
		if len(w.Body) > 64 && bytes.Contains(w.Body, []byte("0123456789abcdef")) {
			t.Error("a body lies unsealed in its row")
		}
		body, err := b.Open(w)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(body))
	}
	want := make([]string, 0, len(bodies))
	for _, body := range bodies {
		want = append(want, body)
	}
	sorted := cmp.Transformer("sort", func(in []string) map[string]int {
		out := map[string]int{}
		for _, one := range in {
			out[one]++
		}
		return out
	})
	if d := cmp.Diff(want, got, sorted); d != "" {
		t.Errorf("bodies (-posted +opened):\n%.2000s", d)
	}
	if woken.Load() == 0 {
		t.Error("nobody was woken")
	}
}

func TestPut_keepsListedHeadersAndSealsSecrets(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := open(t, s, func(c *Config) { c.Headers = []string{" X-Loja-Segredo "} })
	_, err := b.Put(within(t), Webhook{Provider: "pushinpay", Body: []byte("{}"), ContentType: "application/json\r\n", RemoteAddr: "203.0.113.9",
		Headers: map[string]string{
			"user-agent": strings.Repeat("ú", 1000), "x-pushinpay-token": "plain-secret-1", "x-loja-segredo": "plain-secret-2",
			"cookie": "session=1", "x-request-id": "sealed:AAAA", "traceparent": "00-forged",
		}})
	if err != nil {
		t.Fatal(err)
	}
	var stored string
	if err := s.Pool().QueryRow(within(t), `SELECT headers::text FROM webhooks`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, "plain-secret") {
		t.Errorf("a secret lies open in the row: %s", stored)
	}
	w := claim(t, s)[0]
	if _, err := b.Open(w); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"user-agent": strings.Repeat("ú", 512), "x-pushinpay-token": "plain-secret-1", "x-loja-segredo": "plain-secret-2"}
	if d := cmp.Diff(want, w.Headers); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	if w.ContentType != "application/json" || w.RemoteAddr != "203.0.113.9" {
		t.Errorf("content type %q, address %q", w.ContentType, w.RemoteAddr)
	}
}

// A copy is answered with the commit of the first and writes no row; that it came is counted later.
func TestPut_copyIsAnsweredWithTheFirst(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := closed(t, s, nil)
	const copies = 3
	w := Webhook{Provider: "atomopay", Body: []byte(`{"id":"1"}`)}
	type answer struct {
		r   Receipt
		err error
	}
	answers := make(chan answer, copies)
	for range copies {
		go func() {
			r, err := b.Put(within(t), w)
			answers <- answer{r, err}
		}()
	}
	boarded(t, b, copies-1)
	if n := b.group.Waiting(); n != 1 {
		t.Errorf("%d wait for a writer, want the first alone", n)
	}
	stop := start(t, b)
	firsts, ids := 0, map[uuid.UUID]bool{}
	for range copies {
		a := <-answers
		if a.err != nil {
			t.Error(a.err)
		}
		if ids[a.r.ID] = true; !a.r.Duplicate {
			firsts++
		}
	}
	if firsts != 1 || len(ids) != 1 {
		t.Errorf("%d are told to be the first, ids %v", firsts, ids)
	}
	stop()
	if n := copiesOf(t, s); n != copies {
		t.Errorf("%d copies are counted, want %d", n, copies)
	}
	if len(b.flights.of)+len(b.flights.counts) != 0 {
		t.Errorf("%d and %d are kept", len(b.flights.of), len(b.flights.counts))
	}
}

// boarded waits until copies of the only webhook wait for it.
func boarded(t *testing.T, b *Inbox, copies int) {
	t.Helper()
	for n := -1; n < copies && !t.Failed(); runtime.Gosched() {
		b.flights.mu.Lock()
		for _, f := range b.flights.of {
			n = f.copies.N
		}
		b.flights.mu.Unlock()
	}
}

// What becomes of the first is not what becomes of its copy: one whose caller went away says nothing of the other.
func TestPut_copyOutlivesTheFirstsCaller(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := closed(t, s, nil)
	w := Webhook{Provider: "atomopay", Body: []byte(`{"id":"1"}`)}
	ctx, leave := context.WithCancel(within(t))
	gone, stays := make(chan error, 1), make(chan error, 1)
	go func() { _, err := b.Put(ctx, w); gone <- err }()
	boarded(t, b, 0)
	go func() { _, err := b.Put(within(t), w); stays <- err }()
	boarded(t, b, 1)
	leave()
	if err := <-gone; !errors.Is(err, ErrNotStored) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	start(t, b)
	if err := <-stays; err != nil || rows(t, s) != 1 {
		t.Errorf("who stayed: %v, %d rows", err, rows(t, s))
	}
}

// A commit that failed is nobody's answer but the first's: the copy tries for itself, and fails or not by its own commit.
func TestPut_copyOfOneThatFailed(t *testing.T) {
	server := pgtest.Server(t, store.Schema)
	s := store.New(server.Pool(t, store.Schema))
	b := closed(t, s, nil)
	w := Webhook{Provider: "atomopay", Body: []byte(`{"id":"1"}`)}
	answers := make(chan error, 2)
	for range 2 {
		go func() { _, err := b.Put(within(t), w); answers <- err }()
	}
	boarded(t, b, 1)
	server.Stop(t)
	start(t, b)
	for range 2 {
		if err := <-answers; !errors.Is(err, ErrNotStored) {
			t.Errorf("with the database away: %v", err)
		}
	}
	server.Start(t)
	if r, err := b.Put(within(t), w); err != nil || r.Duplicate || rows(t, s) != 1 {
		t.Errorf("with it back: %+v, %v, %d rows", r, err, rows(t, s))
	}
}

func TestPut_copiesTogetherAreStoredOnce(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	// Two inboxes are two replicas on one database: copies meet in a batch, in two statements of one and across both.
	one := open(t, s, nil)
	other := open(t, s, func(c *Config) { c.Seal = one.cfg.Seal })
	const sales, copies = 100, 8
	var firsts atomic.Int64
	var ids [sales]sync.Map
	var all sync.WaitGroup
	gate := make(chan struct{})
	ctx := within(t)
	for sale := range sales {
		for n := range copies {
			b := one
			if n%2 == 1 {
				b = other
			}
			all.Go(func() {
				<-gate
				r, err := b.Put(ctx, Webhook{Provider: "paradise", AccountKey: "k", Body: fmt.Appendf(nil, `{"sale":%d}`, sale)})
				if err != nil {
					t.Error(err)
					return
				}
				ids[sale].Store(r.ID, true)
				if !r.Duplicate {
					firsts.Add(1)
				}
			})
		}
	}
	close(gate)
	all.Wait()
	if n := rows(t, s); n != sales || firsts.Load() != sales {
		t.Errorf("%d rows and %d receipts that are no duplicates, want %d of both", n, firsts.Load(), sales)
	}
	for sale := range sales {
		n := 0
		ids[sale].Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("sale %d has receipts with %d ids", sale, n)
		}
	}
	for _, w := range claim(t, s) { // whichever copy won, each side can open it
		if _, err := other.Open(w); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDigest_tellsEveryPartApart(t *testing.T) {
	seen := map[string]string{}
	for _, c := range [][4]string{{"a", "b", "c", "d"}, {"ab", "", "c", "d"}, {"a", "bc", "", "d"}, {"a", "b", "", "cd"}, {"", "ab", "c", "d"}, {"a", "b", "cd", ""}} {
		digest := string(Digest(c[0], c[1], c[2], []byte(c[3])))
		if before, twice := seen[digest]; twice {
			t.Errorf("%q and %q are the same webhook", before, c)
		}
		seen[digest] = fmt.Sprint(c)
	}
}

func TestPut_refusesWhatCannotBeTaken(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := open(t, s, nil)
	good := Webhook{Provider: "atomopay", Body: []byte("{}")}
	for name, c := range map[string]struct {
		field  string
		change func(*Webhook)
	}{
		"no provider":         {"provider", func(w *Webhook) { w.Provider = "" }},
		"empty body":          {"body", func(w *Webhook) { w.Body = nil }},
		"body too large":      {"body", func(w *Webhook) { w.Body = make([]byte, MaxBody+1) }},
		"account key, zero":   {"account_key", func(w *Webhook) { w.AccountKey = "a\x00" }},
		"account key, length": {"account_key", func(w *Webhook) { w.AccountKey = strings.Repeat("k", 201) }},
		"sale key, not UTF-8": {"sale_key", func(w *Webhook) { w.SaleKey = "\xff" }},
		"sale key, newline":   {"sale_key", func(w *Webhook) { w.SaleKey = "a\nb" }},
	} {
		w := good
		c.change(&w)
		_, err := b.Put(within(t), w)
		var field *FieldError
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: got %v, want %s refused", name, err, c.field)
		}
		if errors.Is(err, ErrNotStored) {
			t.Errorf("%s: reads as if sending again could help", name)
		}
	}
	if n := rows(t, s); n != 0 {
		t.Errorf("%d rows of what was refused", n)
	}
}

func TestOpen_noticesWhatWasChanged(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := open(t, s, nil)
	for _, body := range []string{`{"n":1}`, `{"n":2}`} {
		if _, err := b.Put(within(t), Webhook{Provider: "paradise", AccountKey: "k", Body: []byte(body), Headers: map[string]string{"x-signature": body}}); err != nil {
			t.Fatal(err)
		}
	}
	hooks := claim(t, s)
	other := open(t, s, nil) // with another keyset
	for name, c := range map[string]struct {
		with   *Inbox
		want   error
		change func(w *store.Webhook)
	}{
		"another keyset":            {other, seal.ErrWrongKey, func(*store.Webhook) {}},
		"another provider":          {b, ErrAltered, func(w *store.Webhook) { w.Provider = "atomopay" }},
		"another account":           {b, ErrAltered, func(w *store.Webhook) { w.AccountKey = "other" }},
		"another sale":              {b, ErrAltered, func(w *store.Webhook) { w.SaleKey = "other" }},
		"another row's body":        {b, seal.ErrWrongKey, func(w *store.Webhook) { w.Body = hooks[1].Body }},
		"another row's secret":      {b, seal.ErrWrongKey, func(w *store.Webhook) { w.Headers = map[string]string{"x-signature": hooks[1].Headers["x-signature"]} }},
		"a secret under other name": {b, seal.ErrWrongKey, func(w *store.Webhook) { w.Headers = map[string]string{"authorization": w.Headers["x-signature"]} }},
		"a secret that is no text":  {b, seal.ErrWrongKey, func(w *store.Webhook) { w.Headers = map[string]string{"x-signature": sealedPrefix + "%%"} }},
	} {
		w := hooks[0]
		c.change(&w)
		if body, err := c.with.Open(w); !errors.Is(err, c.want) || body != nil {
			t.Errorf("%s: got %q, %v, want %v", name, body, err, c.want)
		}
	}
}

func TestNew_refusesNonsense(t *testing.T) {
	s := store.New(nil)
	for name, c := range map[string]Config{
		"no store":   {Seal: newSealer(t)},
		"no sealer":  {Store: s},
		"negative":   {Store: s, Seal: newSealer(t), Writers: -1},
		"no room":    {Store: s, Seal: newSealer(t), QueueBytes: 10},
		"bad header": {Store: s, Seal: newSealer(t), Headers: []string{"x y"}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What an account names later is kept from then on, sealed; our own header and what is none are not.
func TestLearn_keepsFurtherHeaders(t *testing.T) {
	s := store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema))
	b := open(t, s, func(*Config) {})
	before := b.Headers()
	b.Learn([]string{"x-signature", "x y", "", "traceparent"})
	if got := b.Headers(); &got[0] != &before[0] {
		t.Error("nothing was learned and the list is another")
	}
	b.Learn([]string{" X-Loja-Outra "})
	if !slices.Contains(b.Headers(), "x-loja-outra") || len(b.Headers()) != len(before)+1 {
		t.Errorf("kept are %v", b.Headers())
	}
	if _, err := b.Put(within(t), Webhook{Provider: "paradise", Body: []byte("{}"), Headers: map[string]string{"x-loja-outra": "segredo"}}); err != nil {
		t.Fatal(err)
	}
	w := claim(t, s)[0]
	if v := w.Headers["x-loja-outra"]; !strings.HasPrefix(v, sealedPrefix) {
		t.Errorf("stored as %q, want it sealed", v)
	}
	if _, err := b.Open(w); err != nil || w.Headers["x-loja-outra"] != "segredo" {
		t.Errorf("opened as %q, %v", w.Headers["x-loja-outra"], err)
	}
}

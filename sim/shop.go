package sim

import (
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Endpoint names what is being asked, the same word for every provider.
type Endpoint string

// The endpoints of a provider. Telegram's are its method names, Meta's are
// "events" and "tr".
const (
	EndpointCreate  Endpoint = "create"
	EndpointStatus  Endpoint = "status"
	EndpointList    Endpoint = "list"
	EndpointRefund  Endpoint = "refund"
	EndpointAccount Endpoint = "account"
	EndpointToken   Endpoint = "token"
	EndpointWebhook Endpoint = "webhook"
)

// dialect is all that distinguishes one provider from another.
type dialect struct {
	provider Provider
	base     string
	words    map[Status][]string
	// hookWords replaces words in webhooks where a provider uses others there.
	hookWords map[Status]string
	// credential reads what the caller presents.
	credential func(x *exchange) (key, secret string)
	// refuse writes the body of an error answer.
	refuse func(x *exchange, code int, why string)
	// mint fills in the identifiers that a new charge lacks.
	mint   func(s *shop, c *Charge)
	routes func(s *shop, on func(pattern string, rt route))
	// hook writes one webhook body into e and returns its content type; an
	// unknown variant is an error. variants lists what it knows, the usual first.
	hook     func(e *enc, ev hookEvent) string
	variants []string
	// hookHeader carries an account's WebhookSecret where the name is fixed.
	hookHeader string
	// attempts and timeout are for one webhook; 1 and 10 s when zero.
	attempts int
	timeout  time.Duration
}

// dialects builds the table of providers, the seed's three first.
func dialects() []*dialect {
	return []*dialect{
		atomopay(), paradise(), pushinpay(), syncpay(), wiinpay(), umbrellapag(),
		orionpay(), babylon(), bolt(), aguia(), sigilopay(),
	}
}

const shards = 64

// shop is one provider at work: accounts, charges and switches.
type shop struct {
	*dialect
	w        *World
	rule     atomic.Pointer[PollRule]
	webhooks atomic.Pointer[Webhooks]
	accounts atomic.Pointer[map[string]*account] // by key NUL secret
	byID     index
	byHash   index
	byRef    index // account NUL reference
	count    counts
	// nobody stands for every caller while no account was added.
	nobody account
	seq    atomic.Int64
}

type account struct {
	Account
	mu     sync.Mutex
	minute int64
	calls  int
}

type index struct {
	seed   maphash.Seed
	shards [shards]struct {
		sync.RWMutex
		m map[string]*charge
	}
}

func (ix *index) reset() {
	for i := range ix.shards {
		s := &ix.shards[i]
		s.Lock()
		s.m = make(map[string]*charge)
		s.Unlock()
	}
}

// fold makes identifiers comparable whatever their case; it does not allocate
// for what is lower case already.
func fold(k string) string { return strings.ToLower(k) }

func (ix *index) get(k string) *charge {
	if k == "" {
		return nil
	}
	k = fold(k)
	s := &ix.shards[maphash.String(ix.seed, k)%shards]
	s.RLock()
	defer s.RUnlock()
	return s.m[k]
}

// put reports false, and changes nothing, when the key is taken.
func (ix *index) put(k string, c *charge) bool {
	k = fold(k)
	s := &ix.shards[maphash.String(ix.seed, k)%shards]
	s.Lock()
	defer s.Unlock()
	if s.m[k] != nil {
		return false
	}
	s.m[k] = c
	return true
}

func (ix *index) drop(k string) {
	k = fold(k)
	s := &ix.shards[maphash.String(ix.seed, k)%shards]
	s.Lock()
	defer s.Unlock()
	delete(s.m, k)
}

func (ix *index) each(f func(*charge)) {
	for i := range ix.shards {
		s := &ix.shards[i]
		s.RLock()
		all := make([]*charge, 0, len(s.m))
		for _, c := range s.m {
			all = append(all, c)
		}
		s.RUnlock()
		for _, c := range all {
			f(c)
		}
	}
}

// charge is a Charge under its lock, with what the provider remembers of it.
type charge struct {
	mu   sync.Mutex
	data Charge
	// was is the status before the last change, for webhooks out of order.
	was   Status
	looks atomic.Uint32
	told  atomic.Uint32 // webhooks written about it
	asked atomic.Int64  // unix nanoseconds of the last status query
}

func (c *charge) copy() Charge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

func newShop(w *World, d *dialect) *shop {
	s := &shop{dialect: d, w: w}
	for _, ix := range []*index{&s.byID, &s.byHash, &s.byRef} {
		ix.seed = maphash.MakeSeed()
	}
	s.reset()
	return s
}

func (s *shop) reset() {
	s.byID.reset()
	s.byHash.reset()
	s.byRef.reset()
	s.count.reset()
	s.seq.Store(0)
	s.accounts.Store(&map[string]*account{})
	s.webhooks.Store(&Webhooks{})
	rule := s.w.cfg.PollRules[s.provider]
	s.rule.Store(&rule)
}

func (s *shop) mount(mux *http.ServeMux) {
	prefix := "/" + string(s.provider) + s.base
	s.routes(s, func(pattern string, rt route) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+prefix+path, rt.handler(s))
	})
	mux.HandleFunc("/"+string(s.provider)+"/", func(w http.ResponseWriter, r *http.Request) {
		s.count.add(EndpointUnknown)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>Not Found</title></head><body><h1>404</h1></body></html>"))
	})
}

// EndpointUnknown counts requests to paths that the provider does not have.
const EndpointUnknown Endpoint = "unknown"

// add registers c, filling in what is absent. taken names the identifier that
// is in use already.
func (s *shop) add(c Charge) (*charge, error) {
	if c.AmountCentavos <= 0 {
		return nil, fmt.Errorf("sim: charge of %d centavos", c.AmountCentavos)
	}
	if c.Status == "" {
		c.Status = Pending
	}
	if !c.Status.known() {
		return nil, fmt.Errorf("sim: unknown status %q", c.Status)
	}
	if c.Webhooks != nil {
		if err := c.Webhooks.check(s); err != nil {
			return nil, err
		}
		own := *c.Webhooks
		c.Webhooks = &own
	}
	if c.Account != "" && s.accountNamed(c.Account) == nil {
		return nil, fmt.Errorf("sim: %s has no account %q", s.provider, c.Account)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = s.w.now().UTC()
	}
	if c.PaidAt.IsZero() && settled(c.Status) {
		c.PaidAt = c.CreatedAt
	}
	s.mint(s, &c)
	if c.EMV == "" {
		c.EMV = s.w.code(s.provider, c)
	}
	if c.EndToEnd == "" && settled(c.Status) {
		c.EndToEnd = s.w.endToEnd(c.PaidAt)
	}
	ch := &charge{data: c, was: Pending}
	if !s.byID.put(c.ID, ch) {
		return nil, fmt.Errorf("sim: %s already has id %q", s.provider, c.ID)
	}
	if c.Hash != "" && !s.byHash.put(c.Hash, ch) {
		s.byID.drop(c.ID)
		return nil, fmt.Errorf("sim: %s already has hash %q", s.provider, c.Hash)
	}
	if c.Reference != "" && !s.byRef.put(c.Account+"\x00"+c.Reference, ch) {
		s.byID.drop(c.ID)
		s.byHash.drop(c.Hash)
		return nil, fmt.Errorf("sim: %s already has reference %q", s.provider, c.Reference)
	}
	return ch, nil
}

func settled(st Status) bool {
	return st == Paid || st == Refunded || st == ChargedBack || st == Disputed
}

// id finds a charge as the provider's API does: in the very case it gave out.
func (s *shop) id(v string) *charge {
	c := s.byID.get(v)
	if c == nil || c.data.ID != v { // identifiers never change: no lock
		return nil
	}
	return c
}

// hash is id for the second identifier.
func (s *shop) hash(v string) *charge {
	c := s.byHash.get(v)
	if c == nil || c.data.Hash != v {
		return nil
	}
	return c
}

// external is reference in the very case that the merchant used.
func (s *shop) external(account, v string) *charge {
	c := s.reference(account, v)
	if c == nil || c.data.Reference != v {
		return nil
	}
	return c
}

// reference finds a charge by the merchant's own id, the account's first.
func (s *shop) reference(account, ref string) *charge {
	if ref == "" {
		return nil
	}
	if c := s.byRef.get(account + "\x00" + ref); c != nil {
		return c
	}
	if account != "" {
		return s.byRef.get("\x00" + ref)
	}
	return nil
}

// any finds a charge by whichever identifier, for the control API.
func (s *shop) any(id string) *charge {
	if c := s.byID.get(id); c != nil {
		return c
	}
	if c := s.byHash.get(id); c != nil {
		return c
	}
	if c := s.reference("", id); c != nil {
		return c
	}
	for _, a := range *s.accounts.Load() {
		if c := s.reference(a.Name, id); c != nil {
			return c
		}
	}
	return nil
}

func (s *shop) accountNamed(name string) *account {
	for _, a := range *s.accounts.Load() {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// authenticate returns nil for a credential that the provider refuses.
func (s *shop) authenticate(key, secret string) *account {
	if key == "" {
		return nil
	}
	all := *s.accounts.Load()
	if len(all) == 0 && !s.w.cfg.Strict {
		return &s.nobody
	}
	a := all[key+"\x00"+secret]
	if a == nil || a.Inactive {
		return nil
	}
	return a
}

// putAccount adds or replaces the account of that name.
func (s *shop) putAccount(a Account) {
	if a.Producer == "" {
		a.Producer = "prod" + strconv.FormatUint(mix(fnv(a.Name)), 36)
	}
	for {
		old := s.accounts.Load()
		next := maps.Clone(*old)
		maps.DeleteFunc(next, func(_ string, b *account) bool { return b.Name == a.Name })
		next[a.Key+"\x00"+a.Secret] = &account{Account: a}
		if s.accounts.CompareAndSwap(old, &next) {
			return
		}
	}
}

// number makes the next integer id, spread but never repeated.
func (s *shop) number(base int64) int64 {
	n := s.seq.Add(1)
	return base + n*7 + int64(mix(uint64(s.w.cfg.Seed)^uint64(n))%7)
}

func (s *shop) word(st Status) string {
	if ws := s.words[st]; len(ws) > 0 {
		return ws[0]
	}
	return string(st)
}

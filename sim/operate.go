package sim

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotFound is returned for a charge, chat or pixel that the world does not know.
var ErrNotFound = errors.New("sim: not found")

func (w *World) shop(p Provider) (*shop, error) {
	s := w.shops[p]
	if s == nil {
		return nil, fmt.Errorf("sim: unknown provider %q", p)
	}
	return s, nil
}

func (w *World) find(p Provider, id string) (*shop, *charge, error) {
	s, err := w.shop(p)
	if err != nil {
		return nil, nil, err
	}
	c := s.any(id)
	if c == nil {
		return nil, nil, fmt.Errorf("%w: charge %q at %s", ErrNotFound, id, p)
	}
	return s, c, nil
}

// AddAccount lets a credential in, replacing the account of the same name.
// From the first account on, a provider refuses credentials it was not told of.
func (w *World) AddAccount(a Account) error {
	s, err := w.shop(a.Provider)
	if err != nil {
		return err
	}
	if a.Name == "" || a.Key == "" {
		return errors.New("sim: an account needs a name and a key")
	}
	if other := (*s.accounts.Load())[a.Key+"\x00"+a.Secret]; other != nil && other.Name != a.Name {
		return fmt.Errorf("sim: account %q already has that key", other.Name)
	}
	s.putAccount(a)
	return nil
}

// AddCharge puts a charge at its provider as if it had been created there,
// and returns it with what was made up. Identifiers in use are an error. A
// charge that is added as paid or otherwise final sends no webhook.
func (w *World) AddCharge(c Charge) (Charge, error) {
	s, err := w.shop(c.Provider)
	if err != nil {
		return Charge{}, err
	}
	ch, err := s.add(c)
	if err != nil {
		return Charge{}, err
	}
	if c.Status == "" || c.Status == Pending {
		s.appeared(ch)
		w.payers.come(w, s, ch)
	}
	return ch.copy(), nil
}

// Charge looks one up by any of its identifiers.
func (w *World) Charge(p Provider, id string) (Charge, error) {
	_, c, err := w.find(p, id)
	if err != nil {
		return Charge{}, err
	}
	return c.copy(), nil
}

// Charges lists a provider's charges in no particular order.
func (w *World) Charges(p Provider) []Charge {
	s := w.shops[p]
	if s == nil {
		return nil
	}
	var out []Charge
	s.byID.each(func(c *charge) { out = append(out, c.copy()) })
	return out
}

// Forget drops a provider's charges that appeared before a moment and returns
// how many: for long runs that would otherwise fill the memory.
func (w *World) Forget(p Provider, before time.Time) int {
	s := w.shops[p]
	if s == nil {
		return 0
	}
	n := 0
	s.byID.each(func(c *charge) {
		d := c.copy()
		if !d.CreatedAt.Before(before) {
			return
		}
		s.byID.drop(d.ID)
		if d.Hash != "" {
			s.byHash.drop(d.Hash)
		}
		if d.Reference != "" {
			s.byRef.drop(d.Account + "\x00" + d.Reference)
		}
		n++
	})
	return n
}

// Looks is how often a charge's status was asked for or listed by its id.
func (w *World) Looks(p Provider, id string) (int, error) {
	_, c, err := w.find(p, id)
	if err != nil {
		return 0, err
	}
	return int(c.looks.Load()), nil
}

// set changes the status; a first payment gets its time and end-to-end id.
func (c *charge) set(w *World, st Status) {
	now := w.now().UTC()
	e2e := ""
	if st == Paid {
		e2e = w.endToEnd(now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.was = c.data.Status
	c.data.Status, c.data.Word = st, ""
	if st == Paid && c.data.PaidAt.IsZero() {
		c.data.PaidAt, c.data.EndToEnd = now, e2e
	}
}

// SetStatus changes a charge and tells its webhook. It asks no questions:
// paying what has expired or was refunded is how real money behaves.
func (w *World) SetStatus(p Provider, id string, st Status) error {
	if !st.known() {
		return fmt.Errorf("sim: unknown status %q", st)
	}
	s, c, err := w.find(p, id)
	if err != nil {
		return err
	}
	c.set(w, st)
	s.tell(c, s.settings(c.copy()))
	w.bump()
	return nil
}

// Pay pays a charge, by any of its identifiers, and tells its webhook.
func (w *World) Pay(p Provider, id string) error { return w.SetStatus(p, id, Paid) }

// PayAgain pays a charge that may be paid already once more, as a buyer does who scans the code twice: the provider names the new transfer's
// time and end-to-end id from now on. It tells the webhook.
func (w *World) PayAgain(p Provider, id string) error {
	s, c, err := w.find(p, id)
	if err != nil {
		return err
	}
	now := w.now().UTC()
	e2e := w.endToEnd(now)
	c.mu.Lock()
	c.was = c.data.Status
	c.data.Status, c.data.Word, c.data.PaidAt, c.data.EndToEnd = Paid, "", now, e2e
	c.mu.Unlock()
	s.tell(c, s.settings(c.copy()))
	w.bump()
	return nil
}

// Refund gives the money back and tells the webhook.
func (w *World) Refund(p Provider, id string) error { return w.SetStatus(p, id, Refunded) }

// Expire lets the code run out and tells the webhook.
func (w *World) Expire(p Provider, id string) error { return w.SetStatus(p, id, Expired) }

// Cancel cancels the charge and tells the webhook.
func (w *World) Cancel(p Provider, id string) error { return w.SetStatus(p, id, Cancelled) }

// Fail refuses the charge and tells the webhook.
func (w *World) Fail(p Provider, id string) error { return w.SetStatus(p, id, Failed) }

// Chargeback takes the money back and tells the webhook.
func (w *World) Chargeback(p Provider, id string) error { return w.SetStatus(p, id, ChargedBack) }

// Dispute opens a dispute (MED) and tells the webhook.
func (w *World) Dispute(p Provider, id string) error { return w.SetStatus(p, id, Disputed) }

// SetWord makes the provider say word for this charge until its status next
// changes. It tells no webhook.
func (w *World) SetWord(p Provider, id, word string) error {
	_, c, err := w.find(p, id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.data.Word = word
	c.mu.Unlock()
	return nil
}

// SetAmount changes what the provider says was charged. It tells no webhook.
func (w *World) SetAmount(p Provider, id string, centavos int64) error {
	_, c, err := w.find(p, id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.data.AmountCentavos = centavos
	c.mu.Unlock()
	return nil
}

// PayPending pays every pending charge of p, telling their webhooks, and
// returns how many.
func (w *World) PayPending(p Provider) int {
	s := w.shops[p]
	if s == nil {
		return 0
	}
	n := 0
	s.byID.each(func(c *charge) {
		if c.copy().Status == Pending {
			c.set(w, Paid)
			s.tell(c, s.settings(c.copy()))
			n++
		}
	})
	return n
}

// SetWebhooks sets a provider's switches, for charges without their own.
func (w *World) SetWebhooks(p Provider, h Webhooks) error {
	s, err := w.shop(p)
	if err != nil {
		return err
	}
	if err := h.check(s); err != nil {
		return err
	}
	s.webhooks.Store(&h)
	return nil
}

// SendWebhook sends one now, whatever the switches say. Status, when not
// empty, is claimed instead of the truth; variant, when not empty, is the body.
func (w *World) SendWebhook(p Provider, id string, claim Status, variant string) error {
	s, c, err := w.find(p, id)
	if err != nil {
		return err
	}
	h := s.settings(c.copy())
	h.Variant = or(variant, h.Variant)
	if err := h.check(s); err != nil {
		return err
	}
	v := s.view(c)
	if claim != "" {
		if !claim.known() {
			return fmt.Errorf("sim: unknown status %q", claim)
		}
		v.Status, v.Word, v.word = claim, "", s.word(claim)
	}
	if v.WebhookURL == "" {
		return fmt.Errorf("sim: charge %q has no webhook URL", id)
	}
	if j := s.job(c, v, h); j != nil {
		w.hooks.put(j)
	}
	return nil
}

// SetPollRule replaces a provider's rule.
func (w *World) SetPollRule(p Provider, r PollRule) error {
	s, err := w.shop(p)
	if err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("sim: poll rule of %s: %w", p, err)
	}
	s.rule.Store(&r)
	return nil
}

func (r PollRule) check() error {
	if r.MinInterval < 0 || r.PerMinute < 0 {
		return errors.New("negative number")
	}
	if r.Block != 0 && (r.Block < 400 || r.Block > 599) {
		return fmt.Errorf("block with HTTP status %d", r.Block)
	}
	return nil
}

// Reset forgets charges, accounts, faults, chats, messages, events and counts,
// and goes back to the configuration that New was given. Webhooks that are
// queued are still sent.
func (w *World) Reset() {
	w.faults.remove(func(*active) bool { return true })
	for _, s := range w.shops {
		s.reset()
	}
	w.hooks.log.reset()
	w.tg.reset()
	w.meta.reset()
	w.buyers.reset()
	w.payers.set(Payers{})
	w.bump()
}

// settle waits for an early webhook, but no longer than a provider would
// keep its caller waiting.
func settle(done <-chan struct{}) {
	if done == nil {
		return
	}
	t := time.NewTimer(3 * time.Second)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

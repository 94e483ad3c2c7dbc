package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// book is what one transaction is going to write.
type book struct {
	l        *Ledger
	now      time.Time
	pages    map[store.Key]*page
	events   []store.Event
	effects  []store.Effect
	stats    map[line]payment.Tally
	set      []store.Look
	drop     []store.Key
	release  []store.Key
	findable []store.Sale // sales whose identifiers became known: parked webhooks may wait for them
	work     Work
	lends    bool // effects may go to this process's own hand
	// unreadable are the sales that are set aside; they have no page.
	unreadable map[store.Key]store.Unreadable
}

// page is one sale in the book.
type page struct {
	sale      store.Sale
	look      store.Look
	scheduled bool // whether look is a stored row
	ended     bool // a look ended with one of the entries
	asked     bool // the schedule may have changed
	charged   bool // the charge or its code's end may have changed
	changed   bool // what the buyer's page shows may have changed
	posted    bool // a webhook asks for a look
	wanted    bool // a person or a decision does
	// doubts are the lost answers of its charge that the history tells of; nil: not read.
	doubts map[string]bool
}

// line is the key of one sum.
type line struct {
	merchant payment.MerchantID
	bot      payment.BotID
	provider string
	campaign string
	day      time.Time
	metric   payment.Metric
}

func newBook(l *Ledger, n int) *book {
	return &book{l: l, now: moment(l.now()), pages: make(map[store.Key]*page, n), events: make([]store.Event, 0, n), stats: map[line]payment.Tally{},
		unreadable: map[store.Key]store.Unreadable{}}
}

// enter decides one entry and notes everything that follows from it.
func (b *book) enter(e Entry) {
	p := b.pages[e.Key]
	if p == nil || p.knows(e) { // set aside, or nothing new
		return
	}
	e, drop := p.flood(e)
	if drop {
		return
	}
	for _, before := range p.implied(e) {
		b.enter(before)
	}
	policy, _ := b.l.policy(p.sale.MerchantID, p.sale.AccountID, p.sale.Provider)
	p.note(e)
	if e.Charge != nil {
		b.findable = append(b.findable, p.sale)
	}
	b.decide(p, e, policy)
	if e.Look != nil && p.sale.State == payment.Pending && !b.now.Before(p.sale.ExpiresAt(policy)) {
		b.decide(p, Entry{Key: e.Key, TraceID: e.TraceID,
			Event: payment.Event{Kind: payment.ExpiryReached, At: b.now, Source: payment.SourceClock}}, policy)
	}
}

func (b *book) decide(p *page, e Entry, policy payment.Policy) {
	s := &p.sale
	d := payment.Decide(s.Payment, e.Event, policy)
	from := s.State
	s.Payment = d.Apply(s.Payment)
	if e.Event.Kind == payment.ExpiryReached && !d.Changed && len(d.Effects) == 0 {
		return // our clock had nothing to say
	}
	s.EventCount++
	details := e.Details
	if d.Why.Key != "" && d.Why.Key != payment.WhyNote {
		details = make(map[string]string, len(e.Details)+len(d.Why.Args)+1)
		maps.Copy(details, e.Details)
		details["why"] = string(d.Why.Key)
		for name, value := range d.Why.Args {
			details["why_"+name] = value
		}
	}
	b.events = append(b.events, store.Event{MerchantID: s.MerchantID, PaymentID: s.ID, Number: s.EventCount, At: e.Event.At.UTC(),
		Kind: e.Event.Kind, Source: e.Event.Source, From: from.String(), To: s.State.String(), Details: details, TraceID: e.TraceID,
		Decision: evidence(d)})
	b.count(s, d.Stats)
	p.asked = p.asked || from != s.State
	p.changed = p.changed || from != s.State
	for _, effect := range d.Effects {
		b.order(p, effect)
	}
	b.announce(p, e.Event.Kind, details)
	if e.Event.Kind == payment.ResendOrdered && e.Resend != nil {
		b.enqueue(s, ResendName(e.Resend.Key), KindResend, *e.Resend)
	}
	if e.Event.Kind == payment.TokenIssued && s.State != payment.Paid && !s.DeliveredElsewhere {
		// The money went back while the link was being made; whoever closed links for that found none.
		b.enqueue(s, "revoke:"+strconv.Itoa(s.EventCount), KindRevoke, TokenOrder{Reason: closing(s.State)})
	}
}

// order turns a decision's effect into work.
func (b *book) order(p *page, e payment.Effect) {
	s := &p.sale
	number := strconv.Itoa(s.EventCount)
	switch e.Kind {
	case payment.Deliver:
		b.enqueue(s, "deliver", KindDeliver, nil)
	case payment.RevokeToken:
		if !s.DeliveredElsewhere {
			b.enqueue(s, "revoke:"+number, KindRevoke, TokenOrder{Reason: closing(s.State)})
		}
	case payment.RestoreToken:
		if !s.DeliveredElsewhere {
			b.enqueue(s, "restore:"+number, KindRestore, nil)
			if s.Message == "" { // the money went back before the buyer was told: the one delivery is still to be finished
				b.enqueue(s, "deliver:"+number, KindDeliver, nil)
			}
		}
	case payment.NotifyOwner:
		b.enqueue(s, OwnerKey(s.EventCount), KindOwner, OwnerNews{Type: "payment_update", Status: s.State.String(), Detail: string(e.Notice), At: b.now})
	case payment.PollAgain:
		at := e.At
		p.look.WantAt, p.asked, p.wanted = &at, true, true
	case payment.StopPolling: // the schedule knows the new state
	}
}

// announce tells the owner of what the leaves reported.
func (b *book) announce(p *page, kind payment.Kind, details map[string]string) {
	if kind == payment.GroupLinkReady { // the page must show it; a delivery that is still to be made asks by itself
		b.enqueue(&p.sale, "group:"+strconv.Itoa(p.sale.EventCount), KindGroup, nil)
		return
	}
	if news, ok := newsOf(kind, p.sale.Group != nil, details["reason"]); ok {
		news.At = b.now
		b.enqueue(&p.sale, OwnerKey(p.sale.EventCount), KindOwner, news)
	}
}

// AnnouncedKinds lists the kinds of which the owner is told whatever was decided; AccessMissing is told of sales without a group only.
func AnnouncedKinds() (out []payment.Kind) {
	for _, m := range payment.Vocabulary() {
		if Announced(m.Kind, false) {
			out = append(out, m.Kind)
		}
	}
	return out
}

// Announced reports whether the owner is told of an event of a kind whatever was decided; group says whether the sale gives a group.
func Announced(kind payment.Kind, group bool) bool {
	_, ok := newsOf(kind, group, "")
	return ok
}

// newsOf is what the owner is told of an event that decides nothing.
func newsOf(kind payment.Kind, group bool, reason string) (OwnerNews, bool) {
	switch kind {
	case payment.MessageSent:
		return OwnerNews{Type: "delivery_sent", Status: "delivered"}, true
	case payment.Opened:
		return OwnerNews{Type: "delivery_opened", Status: "opened"}, true
	case payment.PurchaseSent:
		return OwnerNews{Type: "purchase_sent", Status: "sent"}, true
	case payment.GroupJoined, payment.GroupExtended, payment.GroupEnded, payment.GroupRemoved, payment.GroupCancelled, payment.GroupRestored:
		return OwnerNews{Type: "access_update", Status: strings.TrimPrefix(string(kind), "group_"), Detail: reason}, true
	case payment.AccessMissing:
		if group { // a page before its invite: GroupLate is the alert, when it stays like that
			return OwnerNews{}, false
		}
		return OwnerNews{Type: "alert", Status: string(kind), Detail: reason}, true
	case payment.MessageFailed, payment.MessageUnsure, payment.PurchaseFailed, payment.TokenFailed, payment.GroupFailed, payment.GroupLate,
		payment.PixelPaused, payment.PixelMissing:
		return OwnerNews{Type: "alert", Status: string(kind), Detail: reason}, true
	}
	return OwnerNews{}, false
}

func (b *book) enqueue(s *store.Sale, name, kind string, payload any) {
	e := store.Effect{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Name: name, Kind: kind, DueAt: b.now}
	if payload != nil {
		e.Payload = encoded(payload)
	}
	b.effects = append(b.effects, e)
}

// call wakes whoever claims a kind.
func (b *book) call(kind string) {
	switch kind {
	case KindDeliver:
		b.work.Deliver = true
	case KindOwner:
		b.work.Owner = true
	case KindRevoke, KindRestore, KindResend, KindGroup:
		b.work.Token = true
	}
}

// lend leases the effects that this process can carry out at once to it.
func (b *book) lend() {
	defer b.ride()
	for i := range b.effects {
		e := &b.effects[i]
		if b.lends {
			if until, ok := b.l.hand.Until(e.Kind, b.now); ok {
				e.Lease = moment(until)
				continue
			}
		}
		b.call(e.Kind)
	}
}

// ride puts news that are ordered together with a delivery onto it, where this process carries out both: one row instead of two. A delivery that
// waits for its group carries none.
func (b *book) ride() {
	rest := b.effects[:0]
	for _, e := range b.effects {
		if last := len(rest) - 1; last >= 0 && e.Kind == KindOwner && !e.Lease.IsZero() && rest[last].Kind == KindDeliver && !rest[last].Lease.IsZero() &&
			rest[last].Key == e.Key && len(rest[last].Payload) == 0 && b.pages[e.Key].sale.Group == nil {
			rest[last].Payload = encoded(carrying{Tells: e.Name, News: e.Payload})
			continue
		}
		rest = append(rest, e)
	}
	b.effects = rest
}

// handOver gives what was lent, once it is committed, with the sales as they are now.
func (b *book) handOver() {
	var lent []store.Effect
	for _, e := range b.effects {
		if p := b.pages[e.Key]; !e.Lease.IsZero() && p != nil {
			p.sale.UpdatedAt = b.now
			e.Sale = &p.sale
			lent = append(lent, e)
		}
	}
	if len(lent) > 0 {
		b.l.hand.Take(lent)
	}
}

// evidence is what the history keeps of a decision that did something: the table's input and the entries that were booked. The rest
// of the history changed nothing.
func evidence(d payment.Decision) *store.Decision {
	if !d.Changed && len(d.Effects) == 0 {
		return nil
	}
	return &store.Decision{Input: d.Input.String(), Delivered: d.DeliveredEver, Booked: booked(d.Stats)}
}

func booked(deltas []payment.StatDelta) []store.Booked {
	var out []store.Booked
	for _, d := range deltas {
		out = append(out, store.Booked{Metric: d.Metric.String(), Count: d.Count, Amount: d.Amount, Day: Day(d.At).Format(time.DateOnly)})
	}
	return out
}

// count books a decision's entries into the sums of the day.
func (b *book) count(s *store.Sale, deltas []payment.StatDelta) {
	for _, d := range deltas {
		k := line{s.MerchantID, s.BotID, s.Provider, s.Campaign, Day(d.At), d.Metric}
		t := b.stats[k]
		t.Count += d.Count
		t.Amount += d.Amount
		b.stats[k] = t
	}
}

func (b *book) lines() []store.Line {
	out := make([]store.Line, 0, len(b.stats))
	for k, t := range b.stats {
		if t == (payment.Tally{}) {
			continue
		}
		out = append(out, store.Line{MerchantID: k.merchant, BotID: k.bot, Provider: k.provider, Campaign: k.campaign, Day: k.day,
			Metric: k.metric.String(), Count: t.Count, Amount: t.Amount})
	}
	return out
}

// sales are the rows to save, in the order in which they were locked: those of which the charge may have changed, and the others.
func (b *book) sales() (charged, others []*store.Sale) {
	others = make([]*store.Sale, 0, len(b.pages))
	for _, p := range b.pages {
		p.sale.UpdatedAt = b.now
		if p.charged {
			charged = append(charged, &p.sale)
		} else {
			others = append(others, &p.sale)
		}
	}
	for _, list := range [][]*store.Sale{charged, others} {
		slices.SortFunc(list, func(x, y *store.Sale) int {
			return cmp.Or(bytes.Compare(x.MerchantID[:], y.MerchantID[:]), bytes.Compare(x.ID[:], y.ID[:]))
		})
	}
	return charged, others
}

// schedule computes when every sale is looked at next, once for all of its entries.
func (b *book) schedule() {
	for k, p := range b.pages {
		if p.ended && p.scheduled {
			b.release = append(b.release, k)
		}
		if p.ended {
			b.l.jumps.made(p.sale.AccountID)
		}
		if !p.asked {
			continue
		}
		_, policy := b.l.policy(p.sale.MerchantID, p.sale.AccountID, p.sale.Provider)
		next, lane := b.next(p, policy)
		if next.ClockBack && p.sale.LastPollAt != nil {
			now := b.now
			p.sale.LastPollAt = &now
		}
		if next.Final {
			if p.scheduled {
				b.drop = append(b.drop, k)
				if p.ended { // its lease goes with it
					b.release = b.release[:len(b.release)-1]
				}
			}
			continue
		}
		p.look.MerchantID, p.look.PaymentID, p.look.AccountID = p.sale.MerchantID, p.sale.ID, p.sale.AccountID
		p.look.Provider, p.look.CreatedAt = p.sale.Provider, p.sale.CreatedAt
		p.look.DueAt, p.look.Reason = next.At, string(next.Why)
		p.look.Lane = lane
		b.set = append(b.set, p.look)
		b.work.Looks = b.work.Looks || !next.At.After(b.now)
	}
}

func (p *page) input(now time.Time) payment.ScheduleInput {
	s := &p.sale
	return payment.ScheduleInput{State: s.State, StateSince: s.StateSince, CreatedAt: s.CreatedAt, QRExpiresAt: s.QRExpiresAt,
		PaidAt: s.PaidAt, LastPollAt: s.LastPollAt, LastPollOutcome: payment.Outcome(s.LastOutcome), RetryAfter: p.look.RetryAfter,
		ErrorsInARow: p.look.Unanswered, BuyerPresentUntil: p.look.BuyerUntil, HintAt: p.look.HintAt, WantAt: p.look.WantAt,
		Now: now, Seed: payment.Seed(s.ID)}
}

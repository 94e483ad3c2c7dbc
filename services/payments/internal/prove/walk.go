package prove

import (
	"encoding/json"
	"fmt"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// walk goes through one sale's history and keeps what it leads to.
type walk struct {
	number   int
	state    string
	known    bool // the first event kept its decision, so every other must have
	replayed payment.Replayed
	came     payment.State // as the sale came to us
	booked   map[entryKey]payment.Tally
	issued   int  // links
	refused  bool // a link or a message was refused for good
	closed   bool // the link is closed
	queued   bool // a message was handed over
	faults   []fault
}

type entryKey struct {
	metric payment.Metric
	day    string
}

type fault struct{ kind, text string }

func newWalk() *walk { return &walk{booked: map[entryKey]payment.Tally{}} }

func (w *walk) fault(kind, format string, args ...any) {
	w.faults = append(w.faults, fault{kind, fmt.Sprintf(format, args...)})
}

// step takes one more event.
func (w *walk) step(e store.ProvenEvent) {
	if e.Number != w.number+1 {
		w.fault("history_gap", "event %d follows event %d", e.Number, w.number)
	}
	first := w.number == 0
	w.number = e.Number
	if e.From != w.state {
		w.fault("history_broken", "event %d (%s) comes from %q, and the one before it ended in %q", e.Number, e.Kind, e.From, w.state)
	}
	w.state = e.To
	decision, ok := w.decision(e)
	switch {
	case !ok:
	case first:
		w.open(e, decision)
	default:
		w.replay(e, decision)
	}
	w.follow(e)
}

func (w *walk) decision(e store.ProvenEvent) (*store.Decision, bool) {
	if e.Decision == "" {
		return nil, true
	}
	var d store.Decision
	if err := json.Unmarshal([]byte(e.Decision), &d); err != nil {
		w.fault("decision_unreadable", "event %d (%s) keeps a decision that cannot be read", e.Number, e.Kind)
		return nil, false
	}
	for _, b := range d.Booked {
		m, err := payment.ParseMetric(b.Metric)
		if err != nil {
			w.fault("decision_unreadable", "event %d (%s) booked %q, which is no metric", e.Number, e.Kind, b.Metric)
			return nil, false
		}
		k := entryKey{m, b.Day}
		t := w.booked[k]
		t.Count += b.Count
		t.Amount += b.Amount
		w.booked[k] = t
	}
	return &d, true
}

// open is the first event: how the sale came to us.
func (w *walk) open(e store.ProvenEvent, d *store.Decision) {
	switch e.Kind {
	case payment.Created, payment.Registered, payment.Imported:
	default:
		w.fault("history_broken", "the history begins with %s, which is no beginning", e.Kind)
	}
	state, err := payment.ParseState(e.To)
	if err != nil {
		w.fault("history_broken", "event %d leads to %q, which is no state", e.Number, e.To)
	}
	w.came, w.known = state, d != nil
	w.replayed = payment.Replayed{State: state, Delivered: d != nil && d.Delivered}
}

// replay lets the state table say where the event leads.
func (w *walk) replay(e store.ProvenEvent, d *store.Decision) {
	if !w.known { // written before decisions were kept
		if e.From != e.To && !e.Kind.Decides() {
			w.fault("not_by_table", "event %d (%s) moved the sale from %s to %s, and such an event moves nothing", e.Number, e.Kind, e.From, e.To)
		}
		if state, err := payment.ParseState(e.To); err == nil {
			w.replayed.State = state
			w.replayed.Delivered = w.replayed.Delivered || state == payment.Paid
		}
		return
	}
	in := payment.InNothing
	if d != nil {
		var err error
		if in, err = payment.ParseInput(d.Input); err != nil {
			w.fault("decision_unreadable", "event %d (%s) was decided as %q, which is no input of the state table", e.Number, e.Kind, d.Input)
			return
		}
	}
	if in != payment.InNothing && !e.Kind.Decides() {
		w.fault("not_by_table", "event %d (%s) was decided as %s, and such an event decides nothing", e.Number, e.Kind, in)
	}
	if word := contradiction(e.Status, in); word != "" {
		w.fault("not_by_table", "event %d read %q at the provider and was decided as %s", e.Number, e.Status, in)
	}
	before := w.replayed
	next, ok := w.replayed.Replay(in)
	if !ok || next.State.String() != e.To {
		w.fault("not_by_table", "event %d (%s): the state table leads from %s by %s to %s, the history says %s", e.Number, e.Kind, before.State, in, next.State, e.To)
		if state, err := payment.ParseState(e.To); err == nil {
			next.State = state // what follows is judged from where the history says it is
		}
	}
	if d != nil && d.Delivered != next.Delivered {
		w.fault("delivery_not_by_table", "event %d (%s) says that a delivery was ordered by then: %t, the state table says %t", e.Number, e.Kind, d.Delivered, next.Delivered)
	}
	w.replayed = next
}

// contradiction is non-empty when a reading's status cannot have become the input.
func contradiction(status string, in payment.Input) string {
	word, err := payment.ParseStatus(status)
	if status == "" || err != nil {
		return ""
	}
	switch in {
	case payment.InPaid, payment.InPaidUnproven, payment.InPaidDoubtful, payment.InPaidExtra, payment.InAmountCorrected:
		if word != payment.StatusPaid {
			return status
		}
	case payment.InNothing, payment.InExtraReturned, payment.InExpiryReached, payment.InExpiryUnseen:
	default:
		if word == payment.StatusPaid {
			return status
		}
	}
	return ""
}

// follow keeps the way to the buyer.
func (w *walk) follow(e store.ProvenEvent) {
	switch e.Kind {
	case payment.TokenIssued:
		w.issued++
		w.closed = false
		if !w.replayed.Delivered {
			w.fault("delivered_unpaid", "event %d issued a link, and no delivery was ordered", e.Number)
		}
	case payment.TokenRevoked:
		w.closed = true
	case payment.TokenRestored:
		w.closed = false
	case payment.TokenFailed, payment.MessageFailed:
		w.refused = true
	case payment.MessageQueued:
		w.queued = true
	}
}

package explain

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// slow is how long a look may take before it is worth a word.
const slow = 2 * time.Second

// timeline is the history in its own order, with what the other services know beside it put where it happened.
func (t *teller) timeline() []Line {
	var lines []Line
	var last store.Event // the event of the last line, when that was a look
	claim := ""          // what the last webhook claimed, until a look answers it
	for _, e := range t.Events {
		look := e.Kind == payment.Reported || e.Kind == payment.PollFailed
		disproof := ""
		switch {
		case e.Kind == payment.HintReceived:
			claim = e.Details["claimed"]
		case e.Kind == payment.Reported && claim != "":
			if claim == payment.StatusPaid.String() && e.Details["status"] == payment.StatusPending.String() && e.From == e.To {
				disproof = t.of(payment.HintDisproved, wording.Values{"claimed": claim})
			}
			claim = ""
		}
		if n := len(lines); look && disproof == "" && n > 0 && same(last, e) {
			l := &lines[n-1]
			l.Times, l.Until = l.Times+1, e.At
			l.Text = sentences(t.text(last, true), t.repeated(l))
			continue
		}
		text := t.text(e, false)
		if disproof != "" {
			text = sentences(t.told(e, false), disproof)
		}
		lines = append(lines, Line{At: e.At, Service: serviceOf(e.Kind), Kind: e.Kind, Times: 1, Until: e.At, TraceID: e.TraceID, Text: text})
		last = store.Event{}
		if look && disproof == "" {
			last = e
		}
	}
	return merge(lines, t.beside())
}

// repeated says how often a line happened.
func (t *teller) repeated(l *Line) string {
	return t.say("(O mesmo {times} vezes seguidas, a última em {at:time}.)", "(The same {times} times in a row, the last at {at:time}.)",
		wording.Values{"times": strconv.Itoa(l.Times)}, at(&l.Until))
}

// text is what an event says: what happened, why that was decided, and how the state moved.
func (t *teller) text(e store.Event, folded bool) string {
	return sentences(t.told(e, folded), t.why(e), t.moved(e))
}

// told is what happened, without its consequences.
func (t *teller) told(e store.Event, folded bool) string {
	v := t.details(e)
	if ms, err := strconv.Atoi(e.Details["elapsed_ms"]); err == nil && !folded && time.Duration(ms)*time.Millisecond >= slow {
		v["slow"] = (time.Duration(ms) * time.Millisecond).String()
	}
	text := t.of(e.Kind, v)
	switch payment.Outcome(e.Details["outcome"]) {
	case payment.OutcomeContract, payment.OutcomeInvalidRequest:
		if excerpt := wording.Plain(e.Details["excerpt"]); excerpt != "" {
			text = sentences(text, t.say("O começo da resposta: “{excerpt}”.", "The answer begins: “{excerpt}”.", wording.Values{"excerpt": excerpt}))
		}
	}
	return text
}

// details are an event's details as values. What belongs to another sentence is renamed, so that no sentence shows it by mistake.
func (t *teller) details(e store.Event) wording.Values {
	v := wording.Values{}
	for name, value := range e.Details {
		if !strings.HasPrefix(name, "why") && name != "provider" {
			v[name] = value
		}
	}
	if e.Kind == payment.HintReceived {
		v["claimed_centavos"] = v["amount_centavos"]
	}
	if n := t.Delivery.GetPurchase().GetAttempts(); e.Kind == payment.PurchaseSent && n > 1 {
		v["tries"] = wording.Count(n)
	}
	t.carrier(v)
	return v
}

// carrier names the bot that took a message over, where the values have its id.
func (t *teller) carrier(v wording.Values) {
	if name := t.Bots[v["carrier"]]; name != "" {
		v["carrier"] = name
	}
}

// of is a kind's sentence; a kind that a newer version wrote is named as it is.
func (t *teller) of(k payment.Kind, v wording.Values) string {
	s, ok := kinds[k]
	if !ok {
		return t.say("Aconteceu: {kind}.", "It happened: {kind}.", wording.Values{"kind": string(k)})
	}
	return s.Say(t.l, t.base.With(v))
}

// why is the explanation of an event's decision, empty when there is none.
func (t *teller) why(e store.Event) string {
	s, ok := whys[payment.WhyKey(e.Details["why"])]
	if !ok {
		return ""
	}
	v := wording.Values{}
	for name, value := range e.Details {
		if arg, ok := strings.CutPrefix(name, "why_"); ok {
			v[arg] = value
		}
	}
	return s.Say(t.l, t.base.With(v))
}

func (t *teller) moved(e store.Event) string {
	if e.From == e.To || e.From == "" || e.To == "" {
		return ""
	}
	return t.say("Situação: {from:state} → {to:state}.", "State: {from:state} → {to:state}.", wording.Values{"from": e.From, "to": e.To})
}

// same reports whether two looks had the same answer and the same consequences.
func same(a, b store.Event) bool {
	if a.Kind != b.Kind || a.Kind == "" || a.From != a.To || b.From != b.To || a.To != b.To {
		return false
	}
	return maps.Equal(identity(a.Details), identity(b.Details))
}

// identity is what makes two looks the same: not how long they took nor why they were made.
func identity(details map[string]string) map[string]string {
	out := maps.Clone(details)
	for _, name := range []string{"elapsed_ms", "because", "why_waited", "why_from", "why_until"} {
		delete(out, name)
	}
	return out
}

// beside are lines of what the other services know and the history does not, or not yet.
func (t *teller) beside() []Line {
	var out []Line
	line := func(at time.Time, k payment.Kind, v wording.Values) {
		out = append(out, Line{At: at, Service: serviceOf(k), Kind: k, Times: 1, Until: at, Text: t.of(k, v)})
	}
	for _, n := range t.Notifications {
		v := wording.Values{"news": n.GetKind(), "reason": n.GetReason(), "carrier": n.GetCarrierBotId(), "carrier_because": n.GetCarrierBecause()}
		t.carrier(v)
		when := n.GetCreatedAt().AsTime()
		if n.GetSentAt() != nil {
			when = n.GetSentAt().AsTime()
		}
		if n.GetChannel() == notifierv1.Channel_CHANNEL_TELEGRAM && n.GetKind() != "delivery" {
			if s, ok := notices[n.GetState()]; ok {
				v["message"] = n.GetKind()
				out = append(out, Line{At: when, Service: "notifier", Kind: payment.Kind(n.GetKind()), Times: 1, Until: when, Text: s.Say(t.l, t.base.With(v))})
			}
			continue
		}
		switch n.GetState() {
		case notifierv1.NotificationState_NOTIFICATION_STATE_SENT:
			if n.GetChannel() == notifierv1.Channel_CHANNEL_WEBSOCKET {
				line(when, payment.OwnerNotified, v)
			} else if !t.happened(payment.MessageSent) {
				line(when, payment.MessageSent, v)
			}
		case notifierv1.NotificationState_NOTIFICATION_STATE_UNDELIVERABLE:
			if n.GetChannel() == notifierv1.Channel_CHANNEL_WEBSOCKET {
				line(when, payment.OwnerFailed, v)
			} else if !t.happened(payment.MessageFailed) {
				line(when, payment.MessageFailed, v)
			}
		case notifierv1.NotificationState_NOTIFICATION_STATE_MAYBE_SENT:
			if n.GetChannel() == notifierv1.Channel_CHANNEL_TELEGRAM && !t.happened(payment.MessageUnsure) {
				line(when, payment.MessageUnsure, v)
			}
		}
	}
	d := t.Delivery
	if d.GetFirstOpenedAt() != nil && !t.happened(payment.Opened) {
		line(d.GetFirstOpenedAt().AsTime(), payment.Opened, nil)
	}
	if d.GetPurchase().GetState() == deliveryv1.PurchaseState_PURCHASE_STATE_SENT && d.GetPurchase().GetSentAt() != nil && !t.happened(payment.PurchaseSent) {
		line(d.GetPurchase().GetSentAt().AsTime(), payment.PurchaseSent, nil)
	}
	if d.GetOpens() > 1 && d.GetLastOpenedAt() != nil {
		when := d.GetLastOpenedAt().AsTime()
		out = append(out, Line{At: when, Service: "delivery", Kind: payment.Opened, Times: 1, Until: when,
			Text: t.say("A página de entrega foi aberta mais uma vez: {n} vezes ao todo.", "The delivery page was opened once more: {n} times in all.",
				wording.Values{"n": wording.Count(d.GetOpens())})})
	}
	slices.SortStableFunc(out, func(a, b Line) int { return a.At.Compare(b.At) })
	return out
}

// happened reports whether the history knows of a kind.
func (t *teller) happened(k payment.Kind) bool {
	return slices.ContainsFunc(t.Events, func(e store.Event) bool { return e.Kind == k })
}

// merge puts more, which are in order of time, into lines, whose own order is kept: it is the order of cause and effect.
func merge(lines, more []Line) []Line {
	out := make([]Line, 0, len(lines)+len(more))
	for _, l := range lines {
		for len(more) > 0 && more[0].At.Before(l.At) {
			out, more = append(out, more[0]), more[1:]
		}
		out = append(out, l)
	}
	return append(out, more...)
}

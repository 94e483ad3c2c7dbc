package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// hand takes the effects of some kinds.
type hand struct {
	kinds []string
	taken []store.Effect
}

func (h *hand) Until(kind string, now time.Time) (time.Time, bool) {
	for _, k := range h.kinds {
		if k == kind {
			return now.Add(10 * time.Second), true
		}
	}
	return time.Time{}, false
}

func (h *hand) Take(effects []store.Effect) { h.taken = append(h.taken, effects...) }

func TestApply_newsRideWithTheirDeliveryWhereBothAreCarriedOutHere(t *testing.T) {
	for name, c := range map[string]struct {
		kinds   []string
		group   bool
		ordered map[string]string // what each effect carries
	}{
		"both":              {[]string{KindDeliver, KindOwner}, false, map[string]string{"deliver": "owner:2"}},
		"neither":           {nil, false, map[string]string{"deliver": "", "owner:2": ""}},
		"the news only":     {[]string{KindOwner}, false, map[string]string{"deliver": "", "owner:2": ""}},
		"the delivery only": {[]string{KindDeliver}, false, map[string]string{"deliver": "", "owner:2": ""}},
		"a group's":         {[]string{KindDeliver, KindOwner}, true, map[string]string{"deliver": "", "owner:2": ""}},
	} {
		b := newBench(t)
		h := &hand{kinds: c.kinds}
		b.ledger.hand = h
		s := b.sale(1)
		if c.group {
			s.Group = &store.Group{ChatID: -1001, Unit: "days", Value: 30}
		}
		s = b.record(s)[0].Sale
		b.apply(b.reported(s, payment.StatusPaid, 1990))
		got := map[string]string{}
		open, err := b.store.OpenEffects(t.Context(), key(s))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range open {
			order := ParseDeliver(e.Payload)
			if got[e.Name] = order.Tells; order.Tells != "" && (order.News.Status != "paid" || order.News.Detail != "paid" || !order.News.At.Equal(b.now)) {
				t.Errorf("%s: carries %+v", name, order.News)
			}
		}
		if d := cmp.Diff(c.ordered, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, e := range h.taken {
			if order := ParseDeliver(e.Payload); e.Kind == KindDeliver && order.Tells != c.ordered["deliver"] {
				t.Errorf("%s: handed over with %q", name, order.Tells)
			}
		}
	}
}

func TestParseDeliver_newsOrNone(t *testing.T) {
	for _, raw := range []string{``, `{}`, `[]`, `{"news":{"type":"payment_update"}}`} {
		if o := ParseDeliver([]byte(raw)); o.News != nil || o.Tells != "" {
			t.Errorf("%q: %+v", raw, o)
		}
	}
}

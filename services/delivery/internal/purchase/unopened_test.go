package purchase_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/delivery/internal/purchase"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// unopened issues a link that was paid some time ago and that nobody opens.
func (r *rig) unopened(ago time.Duration, tracking sale.Tracking) sale.Key {
	r.t.Helper()
	p := sale.PaymentID(uuid.Must(uuid.NewV7()))
	is := store.Issue{
		Key: sale.Key{Merchant: merchant, Payment: p}, Bot: bot, TokenVersion: 1, ProductName: "Curso de violão", Amount: 1990,
		AccessURL: "https://t.me/+invented", PaidAt: time.Now().UTC().Add(-ago), Tracking: tracking, ExternalID: purchase.HashExternalID("buyer-1"),
	}
	copy(is.TokenHash[:], p[:])
	if _, err := r.IssueBatch(r.ctx, []store.Issue{is}); err != nil {
		r.t.Fatal(err)
	}
	return is.Key
}

func (r *rig) runUnopened() {
	ctx, stop := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() {
		done <- purchase.Unopened{Queue: r.Store, Queued: r.wake.Wake, Poll: 5 * time.Millisecond}.Run(ctx)
	}()
	r.t.Cleanup(func() {
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("unopened: %v", err)
		}
	})
}

func TestUnopened_isSentWithTheClicksBrowserOrAsAChat(t *testing.T) {
	r := newRig(t)
	r.graph.lenient = true // of the two events one is no website's
	r.putPixel()
	if _, err := r.PutPolicy(r.ctx, store.Policy{Merchant: merchant, PurchaseUnopened: 600}); err != nil {
		t.Fatal(err)
	}
	clicked := r.unopened(time.Hour, sale.Tracking{ClientIP: "198.51.100.1", ClientUserAgent: "Click/1"})
	unknown := r.unopened(time.Hour, sale.Tracking{})
	old := r.unopened(8*24*time.Hour, sale.Tracking{ClientUserAgent: "Click/1"})
	fresh := r.unopened(0, sale.Tracking{})
	r.run()
	r.runUnopened()
	r.untilState(clicked, store.Sent)
	r.untilState(unknown, store.Sent)
	if p := r.untilState(old, store.Failed); p.Reason != "older than 7 days, which Meta rejects" || p.Attempts != 0 {
		t.Errorf("an old one: %+v; want it given up with the reason, unasked", p)
	}
	for _, got := range r.graph.requests() {
		e := got.Data[0]
		user := e["user_data"].(map[string]any)
		switch e["event_id"] {
		case "purchase_" + clicked.Payment.String():
			if e["action_source"] != "website" || user["client_user_agent"] != "Click/1" || user["client_ip_address"] != "198.51.100.1" {
				t.Errorf("with a click: %v", e)
			}
		case "purchase_" + unknown.Payment.String():
			if e["action_source"] != "chat" || e["event_source_url"] != nil || user["client_user_agent"] != nil {
				t.Errorf("without a click: %v", e)
			}
		default:
			t.Errorf("sent as well: %v", e)
		}
	}
	if d, err := r.ByPayment(r.ctx, &fresh.Merchant, fresh.Payment); err != nil || d.Purchase.State != store.WaitingOpen {
		t.Errorf("one that was paid just now: %+v, %v", d.Purchase, err)
	}
}

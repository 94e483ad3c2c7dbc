package work

import (
	"context"
	"fmt"
	"sync"
	"time"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The news that a sale was paid ride with its delivery: one effect for both, and one call that records the owner's event and the buyer's message. The
// owner waits for no link: news go alone when the links take longer than newsWait or cannot be made, and are not told again by the next attempt.

const (
	newsWait     = 500 * time.Millisecond
	deliverBatch = 250 // deliveries at once: the notifier takes 500 messages and events
)

// rider is news on its way with a delivery.
type rider struct {
	tidings
	delivery store.Effect // that carries it
	told     bool         // or refused: nothing is left to tell
	worth    bool         // an alert, if the owner wants it
	alerts   []store.Alert
}

// ridersOf are the news that deliveries carry.
func ridersOf(effects []store.Effect, sales map[store.Key]*store.Sale) (out []*rider) {
	for _, e := range effects {
		order, sale := ledger.ParseDeliver(e.Payload), sales[e.Key]
		if order.News == nil || sale == nil {
			continue
		}
		news := e
		news.Name, news.Kind, news.Payload = order.Tells, ledger.KindOwner, order.Alone()
		out = append(out, &rider{delivery: e, tidings: tidings{news, *order.News, sale, request(news, *order.News, sale)}})
	}
	return out
}

// said is one part of a call to notifier: a buyer's message or an owner's event.
type said struct {
	message *handover
	news    *rider
}

// say lets notifier record messages and events in one call.
func (w *Worker) say(ctx context.Context, all []said) error {
	req := &notifierv1.BatchNotifyRequest{}
	for _, l := range all {
		if l.news != nil {
			req.Requests = append(req.Requests, l.news.request)
		} else {
			req.Requests = append(req.Requests, w.message(ctx, l.message))
		}
	}
	resp, err := w.Notifier.BatchNotify(ctx, req)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if len(resp.GetResponses()) != len(all) {
		return fmt.Errorf("notify: %d told, %d answers", len(all), len(resp.GetResponses()))
	}
	for i, l := range all {
		if l.message != nil {
			l.message.note = resp.GetResponses()[i]
		}
	}
	return nil
}

// announce sends buyers their messages, and tells what was not told. It returns the deliveries whose messages are recorded, and those that are refused.
func (w *Worker) announce(ctx context.Context, linked []*handover, riders []*rider) (sent, unsayable []*handover, err error) {
	var all []said
	for _, r := range riders {
		if !r.told {
			all = append(all, said{news: r})
		}
	}
	for _, h := range linked {
		all = append(all, said{message: h})
	}
	done, refused, err := inBatches(ctx, all, w.say)
	for _, l := range done {
		if l.news != nil {
			l.news.told, l.news.worth = true, true
		} else {
			sent = append(sent, l.message)
		}
	}
	for _, l := range refused {
		if l.news != nil {
			l.news.told = true
		} else {
			unsayable = append(unsayable, l.message)
		}
	}
	return sent, unsayable, err
}

// tellInTime tells news alone after newsWait, unless the returned function is called before; that function waits for what was begun.
func (w *Worker) tellInTime(ctx context.Context, riders []*rider) (stop func()) {
	if len(riders) == 0 {
		return func() {}
	}
	var begun sync.WaitGroup
	begun.Add(1)
	timer := time.AfterFunc(newsWait, func() {
		defer begun.Done()
		_, _, _ = w.announce(ctx, nil, riders) // what was not told is told by who calls stop
	})
	return func() {
		if timer.Stop() {
			begun.Done()
		}
		begun.Wait()
	}
}

// weigh finds out which of the told news are worth an alert.
func (w *Worker) weigh(ctx context.Context, riders []*rider) error {
	var told []tidings
	for _, r := range riders {
		if r.worth {
			told = append(told, r.tidings)
		}
	}
	if len(told) == 0 {
		return nil
	}
	alerts, err := w.alerts(ctx, told)
	if err != nil {
		return err
	}
	for _, r := range riders {
		for _, a := range alerts {
			if a.Subject == subject(r.effect) {
				r.alerts = append(r.alerts, a)
			}
		}
	}
	return nil
}

// passengers are the news of a batch by the deliveries that carry them, until their delivery is written.
type passengers struct {
	of     map[string]*rider
	alerts []store.Alert // of the news that left
}

func newPassengers(riders []*rider) *passengers {
	p := &passengers{of: make(map[string]*rider, len(riders))}
	for _, r := range riders {
		p.of[nameOf(r.delivery)] = r
	}
	return p
}

// told reports whether nothing of a delivery's news is left to tell.
func (p *passengers) told(delivery store.Effect) bool {
	r := p.of[nameOf(delivery)]
	return r == nil || r.told
}

func (p *passengers) alertsOf(delivery store.Effect) []store.Alert {
	if r := p.of[nameOf(delivery)]; r != nil {
		return r.alerts
	}
	return nil
}

func (p *passengers) drop(delivery store.Effect) { delete(p.of, nameOf(delivery)) }

// leave ends the news of a delivery that ends. What was not told becomes an effect of its own.
func (p *passengers) leave(delivery store.Effect, now time.Time) []store.Effect {
	r := p.of[nameOf(delivery)]
	if r == nil {
		return nil
	}
	p.drop(delivery)
	if p.alerts = append(p.alerts, r.alerts...); r.told {
		return nil
	}
	r.effect.DueAt, r.effect.Lease = now, time.Time{}
	return []store.Effect{r.effect}
}

// off are the deliveries that go on without their news, which were told.
func (p *passengers) off() (deliveries []store.Effect) {
	for _, r := range p.of {
		if r.told {
			deliveries, p.alerts = append(deliveries, r.delivery), append(p.alerts, r.alerts...)
		}
	}
	return deliveries
}

package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/sim"
)

// Wave is a number of pending sales of one moment, each with a charge at the provider and a buyer of its own.
type Wave struct {
	Created time.Time
	Charges []sim.Charge
	Chats   []int64

	s     *System
	ids   map[int64]bool // chats
	calls int64          // status calls before it
	told  int64          // messages before it
	began time.Time      // by the database's clock
}

// wave registers n pending sales. Webhooks go out when a charge is paid, unless silent.
func (s *System) wave(ctx context.Context, n int, silent bool) (*Wave, error) {
	w := &Wave{Created: time.Now().UTC().Truncate(time.Microsecond), s: s, ids: make(map[int64]bool, n)}
	if err := s.Pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&w.began); err != nil {
		return nil, fmt.Errorf("read the clock: %w", err)
	}
	counters := s.World.Counters()
	w.calls, w.told = counters.Providers[s.provider].Status, counters.Telegram.Messages
	requests := make([]*paymentsv1.RegisterPaymentRequest, n)
	for i := range n {
		s.made++
		seller := s.Sellers[i%len(s.Sellers)]
		chat := 7_000_000_000 + s.made
		if err := s.World.AddChat(sim.Chat{ID: chat}); err != nil {
			return nil, err
		}
		c := sim.Charge{Provider: s.provider, AmountCentavos: 1990 + int64(i%50)*100, CreatedAt: w.Created, Reference: "ref-" + strconv.FormatInt(s.made, 10),
			EMV: "000201" + rand.Text(), WebhookURL: s.WebhookURL(seller)}
		if silent {
			c.Webhooks = &sim.Webhooks{Mode: sim.WebhookNever}
		}
		c, err := s.World.AddCharge(c)
		if err != nil {
			return nil, err
		}
		w.Charges, w.Chats = append(w.Charges, c), append(w.Chats, chat)
		w.ids[chat] = true
		requests[i] = &paymentsv1.RegisterPaymentRequest{MerchantId: seller.Merchant, BotId: seller.Bot, AccountId: seller.Account,
			Amount: &typev1.Money{Centavos: c.AmountCentavos, Currency: "BRL"}, Charge: &paymentsv1.Charge{Id: c.ID, Hash: c.Hash},
			Buyer: &paymentsv1.Buyer{TelegramId: chat, Name: "Comprador"}, Product: &paymentsv1.Product{Name: "Curso", AccessUrl: "https://acesso.example/curso"},
			ExternalId: "bench-" + strconv.FormatInt(s.made, 10), CreatedAt: timestamppb.New(w.Created)}
	}
	// Each call has sales of few merchants, as a platform's would.
	slices.SortStableFunc(requests, func(a, b *paymentsv1.RegisterPaymentRequest) int {
		if a.GetMerchantId() < b.GetMerchantId() {
			return -1
		}
		return 1
	})
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for chunk := range slices.Chunk(requests, 500) {
		g.Go(func() error {
			resp, err := s.Client.Payments.BatchRegisterPayments(ctx, &paymentsv1.BatchRegisterPaymentsRequest{Requests: chunk})
			if err != nil {
				return fmt.Errorf("register sales: %w", err)
			}
			for _, r := range resp.GetResults() {
				if !r.GetCreated() {
					return fmt.Errorf("a sale was not registered: %s", r.GetError())
				}
			}
			return nil
		})
	}
	return w, g.Wait()
}

// Pay pays one charge, which tells its webhook.
func (w *Wave) Pay(i int) error { return w.s.World.Pay(w.s.provider, w.Charges[i].ID) }

// PayAll pays every charge.
func (w *Wave) PayAll() error {
	for i := range w.Charges {
		if err := w.Pay(i); err != nil {
			return err
		}
	}
	return nil
}

// Messages is how many messages came since the wave began.
func (w *Wave) Messages() int64 { return w.s.World.TelegramMessages() - w.told }

// Calls is how many times the provider was asked since the wave began.
func (w *Wave) Calls() int64 { return w.s.World.Counters().Providers[w.s.provider].Status - w.calls }

// Messaged waits until every buyer has been sent something.
func (w *Wave) Messaged(ctx context.Context) error {
	return w.s.Wait(ctx, "messages to buyers", func(context.Context) (int64, bool, error) {
		n := w.Messages()
		return n, n >= int64(len(w.Charges)), nil
	})
}

// News of sales; on a machine that stood still for seconds owners are told that webhooks are silent, too.
const countNews = `SELECT count(*) FROM notifier.notifications WHERE channel = 2 AND created_at >= $1 AND kind <> 'alert'`

// newsOfSale is how many events the owner gets of a sale that is paid and whose message was sent.
const newsOfSale = 2

// countEvery is how often events are counted: counting reads all of them, on the processors that are measured.
const countEvery = 50 * time.Millisecond

// Told waits until every owner has the events of every sale, the last of which follows the message's outcome.
func (w *Wave) Told(ctx context.Context) error {
	var n int64
	var counted time.Time
	return w.s.Wait(ctx, "events to owners", func(ctx context.Context) (_ int64, ok bool, err error) {
		if time.Since(counted) < countEvery {
			return n, false, nil
		}
		counted = time.Now()
		err = w.s.Pool.QueryRow(ctx, countNews, w.began).Scan(&n)
		return n, n >= newsOfSale*int64(len(w.Charges)), err
	})
}

const judge = `
SELECT count(*), count(*) FILTER (WHERE state = 'paid' AND message = 'sent' AND token_issued_at IS NOT NULL),
    (SELECT count(*) FROM payments.payment_events e JOIN payments.payments p ON p.merchant_id = e.merchant_id AND p.id = e.payment_id
     WHERE p.created_at = $1 AND e.kind = 'token_issued'),
    (SELECT count(*) FROM delivery.deliveries d JOIN payments.payments p ON p.merchant_id = d.merchant_id AND p.id = d.payment_id
     WHERE p.created_at = $1),
    (SELECT count(*) FROM payments.effects)
FROM payments.payments WHERE created_at = $1`

// Right proves that what was measured is right: every sale paid, every buyer one message, one link a sale, every owner told once, no
// work left over.
func (w *Wave) Right(ctx context.Context) error {
	// The owners' last effects are being ended when the last event is there.
	var sales, settled, issued, links, left int64
	err := w.s.Wait(ctx, "the last steps", func(ctx context.Context) (int64, bool, error) {
		err := w.s.Pool.QueryRow(ctx, judge, w.Created).Scan(&sales, &settled, &issued, &links, &left)
		return left, left == 0 && settled == int64(len(w.Charges)), err
	})
	if err != nil {
		return err
	}
	var news int64
	if err := w.s.Pool.QueryRow(ctx, countNews, w.began).Scan(&news); err != nil {
		return fmt.Errorf("count owners' events: %w", err)
	}
	n := int64(len(w.Charges))
	var errs []error
	for what, got := range map[string][2]int64{"sales": {sales, n}, "sales settled": {settled, n}, "links in histories": {issued, n},
		"links": {links, n}, "messages": {w.Messages(), n}, "owners' events": {news, newsOfSale * n}} {
		if got[0] != got[1] {
			errs = append(errs, fmt.Errorf("%d %s, want %d", got[0], what, got[1]))
		}
	}
	per := map[int64]int{}
	for _, m := range w.s.World.Messages(0) {
		if w.ids[m.Chat] {
			per[m.Chat]++
		}
	}
	for chat := range w.ids {
		if per[chat] != 1 {
			errs = append(errs, fmt.Errorf("a buyer got %d messages", per[chat]))
			break
		}
	}
	return errors.Join(errs...)
}

// arrivals is when each buyer's message came.
func (w *Wave) arrivals() map[int64]time.Time {
	out := make(map[int64]time.Time, len(w.ids))
	for _, m := range w.s.World.Messages(0) {
		if w.ids[m.Chat] {
			out[m.Chat] = m.At
		}
	}
	return out
}

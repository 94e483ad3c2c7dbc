package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/pg"
)

const (
	openSockets  = 5000
	socketEvents = 20 // each to all of them
	dialsAtOnce  = 32
)

func sockets() Bench {
	return Bench{
		Name: "sockets", Help: "5,000 open sockets of one merchant's screens: memory of `baixa up` a socket, and how long an event takes to the last of them",
		Unit: "KB", Baseline: "the bound of the goal, 64 KB a socket",
		Goals: []Goal{{Of: Value, AtMost: 64}, {Of: "fanout_last_ms", AtMost: 1000}}, Rounds: 1,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			s, err := e.system(ctx, market{provider: flowProvider, merchants: 1, bots: 1, outside: true})
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return e.sockets(ctx, s) }, nil
		},
	}
}

// sockets opens them, measures the process, and sends events to all of them. Each must arrive everywhere, once.
func (e *Env) sockets(ctx context.Context, s *System) (Numbers, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	before := residentOf(e.pid)
	if before == 0 {
		return nil, errors.New("this system does not tell how large a process is")
	}
	began := time.Now()
	conns, err := s.dial(ctx, openSockets)
	defer func() {
		for _, c := range conns {
			_ = c.CloseNow()
		}
	}()
	if err != nil {
		return nil, err
	}
	opening := time.Since(began)
	e.Say("sockets: %d open after %s", len(conns), opening.Round(time.Millisecond))
	open := residentOf(e.pid)
	arrived := make(chan arrival, openSockets)
	var readers sync.WaitGroup
	defer readers.Wait()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	for _, c := range conns {
		readers.Go(func() { listen(reading, c, arrived) })
	}
	var last, middle []float64
	doubled := 0
	for range socketEvents {
		times, twice, err := s.fanOut(ctx, arrived, len(conns))
		if err != nil {
			return nil, err
		}
		doubled += twice
		last, middle = append(last, times[len(times)-1]), append(middle, times[len(times)/2])
	}
	if doubled > 0 {
		return nil, fmt.Errorf("%d events arrived twice", doubled)
	}
	slices.Sort(last)
	slices.Sort(middle)
	busy := residentOf(e.pid)
	return Numbers{Value: float64(max(open, busy)-before) / 1000 / openSockets, Baseline: 64, "resident_mb": float64(busy) / 1e6,
		"resident_before_mb": float64(before) / 1e6, "fanout_last_ms": last[len(last)/2], "fanout_last_max_ms": last[len(last)-1],
		"fanout_median_ms": middle[len(middle)/2], "opened_per_second": openSockets / opening.Seconds(), "sockets": float64(len(conns))}, nil
}

// arrival is an event at one socket.
type arrival struct {
	id string
	at time.Time
}

// listen reads until the connection ends and tells what came.
func listen(ctx context.Context, c *websocket.Conn, arrived chan<- arrival) {
	for {
		_, body, err := c.Read(ctx)
		if err != nil {
			return
		}
		at := time.Now()
		_, rest, _ := strings.Cut(string(body), `"id":"`)
		id, _, ok := strings.Cut(rest, `"`)
		if !ok {
			continue
		}
		select {
		case arrived <- arrival{id, at}:
		case <-ctx.Done():
			return
		}
	}
}

// dial opens n sockets and reads each one's greeting.
func (s *System) dial(ctx context.Context, n int) ([]*websocket.Conn, error) {
	var (
		mu    sync.Mutex
		conns []*websocket.Conn
		first error
		group sync.WaitGroup
		slots = make(chan struct{}, dialsAtOnce)
	)
	for range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			c, err := s.socket(ctx)
			mu.Lock()
			defer mu.Unlock()
			first = cmp.Or(first, err)
			if c != nil {
				conns = append(conns, c)
			}
		})
	}
	group.Wait()
	return conns, first
}

func (s *System) socket(ctx context.Context) (*websocket.Conn, error) {
	ticket, err := s.Client.Notifier.CreateStreamTicket(ctx, &notifierv1.CreateStreamTicketRequest{MerchantId: s.Sellers[0].Merchant})
	if err != nil {
		return nil, fmt.Errorf("get a ticket: %w", err)
	}
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+"/ws?ticket="+ticket.GetTicket(), nil)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		return c, fmt.Errorf("read the greeting: %w", err)
	}
	return c, nil
}

// insertOwnerEvent writes what notifier writes, without a sale behind it.
const insertOwnerEvent = `
INSERT INTO notifier.notifications (merchant_id, id, payment_id, bot_id, key, kind, channel, state, sent_at, event)
VALUES ($1::uuid, $2::uuid, $2::uuid, $3::uuid, 'bench', 'payment_update', 2, 2, now(), $4::json)`

const wakeSockets = `SELECT pg_notify('notifier_events', pg_current_xact_id()::text || ' ')`

// fanOut writes one event and waits until it has arrived at all sockets; times are in milliseconds from before the commit, sorted.
func (s *System) fanOut(ctx context.Context, arrived <-chan arrival, n int) (times []float64, twice int, err error) {
	id := uuid.NewString()
	event := fmt.Sprintf(`{"id":%q,"type":"payment_update","status":"paid","amount":19.90,"amount_centavos":1990,"customer_name":"Ana","baixa_payment_id":%q}`, id, id)
	began := time.Now()
	err = pg.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, insertOwnerEvent, s.Sellers[0].Merchant, id, s.Sellers[0].Bot, event); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, wakeSockets)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("write an event: %w", err)
	}
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for len(times) < n {
		select {
		case a := <-arrived:
			if a.id != id {
				twice++ // of an earlier event, which all had
				continue
			}
			times = append(times, float64(a.at.Sub(began).Microseconds())/1000)
		case <-limit.C:
			return nil, 0, fmt.Errorf("an event arrived at %d of %d sockets", len(times), n)
		}
	}
	slices.Sort(times)
	return times, twice, nil
}

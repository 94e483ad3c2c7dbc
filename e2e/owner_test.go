package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/baixapay/baixa/e2e/deployment"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// frame is an event as an owner's screen gets it.
type frame struct {
	Cursor         string
	ID             string
	Type           string
	Status         string
	Amount         json.Number
	PaymentID      json.RawMessage `json:"payment_id"`
	BotID          json.RawMessage `json:"bot_id"`
	BaixaPaymentID string          `json:"baixa_payment_id"`
	CustomerName   string          `json:"customer_name"`
}

// owner is the merchant's screen. It goes on from its last cursor when its socket breaks and it is told to.
type owner struct {
	shop *shop
	done chan struct{}

	mu     sync.Mutex
	conn   *websocket.Conn
	cursor string
	seen   map[string]frame // by id
	copies int
}

// watch opens the shop's socket and returns when the server has greeted it. It is closed with the test.
func (s *shop) watch(t *testing.T) *owner {
	t.Helper()
	o := &owner{shop: s, seen: map[string]frame{}}
	o.connect(t)
	t.Cleanup(func() {
		_ = o.conn.CloseNow() // the reader ends
		<-o.done
	})
	return o
}

// connect opens a socket with a new ticket, from the last cursor on.
func (o *owner) connect(t *testing.T) {
	t.Helper()
	ticket := &notifierv1.CreateStreamTicketResponse{}
	o.shop.api.Must("POST", "/v1/stream/tickets", &notifierv1.CreateStreamTicketRequest{}, ticket)
	o.shop.d.Canary(ticket.GetTicket())
	ctx, cancel := context.WithTimeout(t.Context(), deployment.Within)
	defer cancel()
	url := o.shop.d.SocketURL() + "/ws?ticket=" + ticket.GetTicket()
	if o.cursor != "" {
		url += "&cursor=" + o.cursor
	}
	conn, _, err := websocket.Dial(ctx, url, nil)
	must(t, err)
	_, raw, err := conn.Read(ctx)
	var hello frame
	if err != nil || json.Unmarshal(raw, &hello) != nil || hello.Type != "hello" || hello.Cursor == "" {
		t.Fatalf("the socket's first frame: %q, %v", raw, err)
	}
	o.mu.Lock()
	o.conn, o.done = conn, make(chan struct{})
	if o.cursor == "" { // a socket that breaks before its first event goes on from here
		o.cursor = hello.Cursor
	}
	o.mu.Unlock()
	go o.read(context.WithoutCancel(ctx), conn, o.done)
}

func (o *owner) read(ctx context.Context, conn *websocket.Conn, done chan struct{}) {
	defer close(done)
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var f frame
		if json.Unmarshal(raw, &f) != nil || f.ID == "" {
			continue
		}
		o.mu.Lock()
		if _, known := o.seen[f.ID]; known {
			o.copies++
		}
		o.seen[f.ID], o.cursor = f, f.Cursor
		o.mu.Unlock()
	}
}

// events are those of one sale of a type.
func (o *owner) events(sale, kind string) (out []frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.seen {
		if f.BaixaPaymentID == sale && f.Type == kind {
			out = append(out, f)
		}
	}
	return out
}

// awaitOnce waits for an event of a sale and fails when there are several.
func (o *owner) awaitOnce(t *testing.T, within time.Duration, sale, kind string) frame {
	t.Helper()
	deployment.Eventually(t, within, fmt.Sprintf("the owner hears %s of %s", kind, sale),
		func() bool { return len(o.events(sale, kind)) > 0 }, func() string {
			o.mu.Lock()
			defer o.mu.Unlock()
			var all []string
			for _, f := range o.seen {
				all = append(all, f.Cursor+" "+f.Type+" "+f.BaixaPaymentID)
			}
			return strings.Join(all, "; ")
		})
	list := o.events(sale, kind)
	if len(list) != 1 {
		t.Errorf("the owner heard %s of %s %d times", kind, sale, len(list))
	}
	return list[0]
}

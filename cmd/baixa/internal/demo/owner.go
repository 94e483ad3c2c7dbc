package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// owner is the merchant's screen: a real socket that counts what arrives, each event once.
type owner struct {
	socket *websocket.Conn
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	events map[string]string // type by id
	copies int
}

func listen(ctx context.Context, c *client.Client, merchant, url string) (*owner, error) {
	t, err := c.Notifier.CreateStreamTicket(ctx, &notifierv1.CreateStreamTicketRequest{MerchantId: merchant})
	if err != nil {
		return nil, fmt.Errorf("ask for a stream ticket: %w", err)
	}
	socket, _, err := websocket.Dial(ctx, strings.Replace(url, "http", "ws", 1)+"/ws?ticket="+t.GetTicket(), nil)
	if err != nil {
		return nil, fmt.Errorf("open the owner's socket: %w", err)
	}
	read, cancel := context.WithCancel(context.WithoutCancel(ctx))
	o := &owner{socket: socket, cancel: cancel, done: make(chan struct{}), events: map[string]string{}}
	go o.read(read)
	return o, nil
}

func (o *owner) read(ctx context.Context) {
	defer close(o.done)
	for {
		_, raw, err := o.socket.Read(ctx)
		if err != nil {
			return
		}
		var e struct{ ID, Type string }
		if json.Unmarshal(raw, &e) != nil || e.ID == "" {
			continue // a greeting
		}
		o.mu.Lock()
		if _, known := o.events[e.ID]; known {
			o.copies++
		}
		o.events[e.ID] = e.Type
		o.mu.Unlock()
	}
}

// count is how many events arrived, each counted once.
func (o *owner) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.events)
}

func (o *owner) close() {
	o.cancel()
	_ = o.socket.CloseNow() // the system is going away
	<-o.done
}

package websocket

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// sse opens GET /events and returns a function that reads the next field of the stream.
func (r *replica) sse(t *testing.T, ticket, last string) (field func() string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", r.URL+"/events?ticket="+ticket, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%+v, %v", resp, err)
	}
	lines := bufio.NewScanner(resp.Body)
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	return func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return "end"
	}, cancel
}

func TestEvents_sameLogAsServerSentEvents(t *testing.T) {
	r := newReplica(t, pgtest.New(t, store.Schema), Config{})
	merchant, bot := uuid.New(), uuid.New()
	field, stop := r.sse(t, r.ticket(t, merchant), "")
	if id, data := field(), field(); !strings.HasPrefix(id, "id: ") || !strings.Contains(data, `"hello"`) {
		t.Fatalf("got %q, %q", id, data)
	}
	r.write(t, intent(merchant, bot, "first"))
	id := field()
	if data := field(); !strings.Contains(data, `"status":"first"`) || !strings.Contains(data, `"cursor":"`+strings.TrimPrefix(id, "id: ")+`"`) {
		t.Fatalf("got %q after %q", data, id)
	}
	stop()
	r.hub.open.Wait()
	r.write(t, intent(merchant, bot, "second"))
	field, _ = r.sse(t, r.ticket(t, merchant), strings.TrimPrefix(id, "id: "))
	field()
	if data := field(); !strings.Contains(data, `"hello"`) {
		t.Fatalf("got %q", data)
	}
	field()
	if data := field(); !strings.Contains(data, `"status":"second"`) {
		t.Fatalf("resumed with %q", data)
	}
	go r.hub.Close()
	if got := field(); !strings.HasPrefix(got, ": server is stopping") {
		t.Errorf("at the stop: %q", got)
	}
	if got := field(); got != "end" {
		t.Errorf("after the stop: %q", got)
	}
}

var (
	moment = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	place  = eventlog.Cursor{XID: 12, Seq: 34}
)

func TestEvent_wireForm(t *testing.T) {
	amount := money.Amount(123456)
	payment, bot, id := uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002"), uuid.MustParse("00000000-0000-4000-8000-000000000003")
	for name, c := range map[string]struct {
		e    Event
		want string
	}{
		"as the origin's payment_update": {
			Event{ID: id, Type: "payment_update", PaymentID: payment, BotID: bot, Status: "paid", Amount: &amount, PaymentExternalID: "812", BotExternalID: "44",
				CustomerName: "Zé \"da\" <Silva>", Provider: "atomopay", At: moment, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			`{"cursor":"12-34","id":"00000000-0000-4000-8000-000000000003","type":"payment_update","trace_id":"0af7651916cd43dd8448eb211c80319c",` +
				`"at":"2026-01-02T03:04:05Z","payment_id":812,"bot_id":44,"status":"paid","amount":1234.56,"amount_centavos":123456,` +
				`"customer_name":"Zé \"da\" \u003cSilva\u003e","provider":"atomopay",` +
				`"baixa_payment_id":"00000000-0000-4000-8000-000000000001","baixa_bot_id":"00000000-0000-4000-8000-000000000002"}`,
		},
		"without the origin's ids": {
			Event{ID: id, Type: "delivery_sent", PaymentID: payment, BotID: bot, Status: "delivered", PaymentExternalID: "BOT44_x", At: moment, Traceparent: "nonsense"},
			`{"cursor":"12-34","id":"00000000-0000-4000-8000-000000000003","type":"delivery_sent","at":"2026-01-02T03:04:05Z","payment_id":"BOT44_x",` +
				`"bot_id":"00000000-0000-4000-8000-000000000002","status":"delivered","delivery_method":"telegram",` +
				`"baixa_payment_id":"00000000-0000-4000-8000-000000000001","baixa_bot_id":"00000000-0000-4000-8000-000000000002"}`,
		},
		"numbers that are not the origin's stay text": {
			Event{ID: id, Type: "alert", PaymentID: payment, BotID: bot, PaymentExternalID: "007", BotExternalID: "99999999999999999999", At: moment},
			`{"cursor":"12-34","id":"00000000-0000-4000-8000-000000000003","type":"alert","at":"2026-01-02T03:04:05Z","payment_id":"007","bot_id":"99999999999999999999",` +
				`"baixa_payment_id":"00000000-0000-4000-8000-000000000001","baixa_bot_id":"00000000-0000-4000-8000-000000000002"}`,
		},
	} {
		body, err := c.e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		got := newFrame(store.Event{Cursor: place, BotID: bot, JSON: body})
		if diff := cmp.Diff(c.want, string(got.body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestClient_isServedToEveryOrigin(t *testing.T) {
	r := newReplica(t, pgtest.New(t, store.Schema), Config{})
	resp, err := http.Get(r.URL + ClientPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/javascript; charset=utf-8" ||
		resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(string(body), "export class Live") {
		t.Errorf("HTTP %d, %v, %v", resp.StatusCode, resp.Header, err)
	}
	if lines := strings.Count(string(body), "\n"); lines > 60 {
		t.Errorf("%d lines: the client is one that anybody reads", lines)
	}
}

package door

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/inbox"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func TestReceiveWebhook_storesUnderTheCanonicalName(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	for wire, c := range map[string]struct {
		conn *grpc.ClientConn
		addr string // what is stored of the address that the caller claims
	}{"memory": {h.memory, "203.0.113.5"}, "tcp": {h.tcp, "127.0.0.1"}} {
		client := paymentsv1.NewWebhookServiceClient(c.conn)
		req := &paymentsv1.ReceiveWebhookRequest{Provider: "pushynpay", AccountKey: "acc", SaleKey: wire, Body: []byte("id=A&status=paid"), RemoteAddr: "203.0.113.5"}
		first, err := client.ReceiveWebhook(within(t), req)
		if err != nil || first.GetDuplicate() || first.GetReceiptId() == "" {
			t.Fatalf("%s: %v, %v", wire, first, err)
		}
		req.Provider = "pushinpay" // the alias and the name are one provider: a copy
		again, err := client.ReceiveWebhook(within(t), req)
		if err != nil || !again.GetDuplicate() || again.GetReceiptId() != first.GetReceiptId() {
			t.Errorf("%s, a copy: %v, %v", wire, again, err)
		}
		now := time.Now()
		hooks, err := h.store.ClaimWebhooks(within(t), now, now.Add(time.Hour), 10)
		if err != nil || len(hooks) != 1 || hooks[0].Provider != "pushinpay" || hooks[0].RemoteAddr != c.addr {
			t.Errorf("%s: stored %+v, %v, want one of pushinpay from %s", wire, hooks, err, c.addr)
		}
	}
}

func TestReceiveWebhook_saysWhatIsWrong(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	for name, c := range map[string]struct {
		req  *paymentsv1.ReceiveWebhookRequest
		code codes.Code
		text string
	}{
		"empty body":       {&paymentsv1.ReceiveWebhookRequest{Provider: "atomopay"}, codes.InvalidArgument, "body"},
		"body above 1 MiB": {&paymentsv1.ReceiveWebhookRequest{Provider: "atomopay", Body: make([]byte, inbox.MaxBody+1)}, codes.InvalidArgument, "body"},
		"no provider":      {&paymentsv1.ReceiveWebhookRequest{Body: []byte("{}")}, codes.InvalidArgument, "provider"},
		"no name at all":   {&paymentsv1.ReceiveWebhookRequest{Provider: "<script>", Body: []byte("{}")}, codes.InvalidArgument, "provider"},
		"unknown provider": {&paymentsv1.ReceiveWebhookRequest{Provider: "fakepay", Body: []byte("{}")}, codes.NotFound, "atomopay, pushinpay"},
		"account key too long": {&paymentsv1.ReceiveWebhookRequest{Provider: "atomopay", AccountKey: strings.Repeat("k", 300), Body: []byte("{}")},
			codes.InvalidArgument, "account_key"},
	} {
		_, err := paymentsv1.NewWebhookServiceClient(h.tcp).ReceiveWebhook(within(t), c.req)
		if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Message(), c.text) {
			t.Errorf("%s: got %v, want %s with %q", name, err, c.code, c.text)
		}
	}
}

func TestReceiveWebhook_databaseAway(t *testing.T) {
	server := pgtest.Server(t, store.Schema)
	h := build(t, store.New(server.Pool(t, store.Schema)))
	client := paymentsv1.NewWebhookServiceClient(h.tcp)
	req := &paymentsv1.ReceiveWebhookRequest{Provider: "atomopay", Body: []byte("{}")}
	server.Stop(t)
	if _, err := client.ReceiveWebhook(within(t), req); status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "connect") {
		t.Errorf("database away: %v", err)
	}
	server.Start(t)
	if resp, err := client.ReceiveWebhook(within(t), req); err != nil || resp.GetDuplicate() {
		t.Errorf("database back: %v, %v", resp, err)
	}
}

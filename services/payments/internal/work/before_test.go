package work

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// before reads webhooks as a flood's are.
func (b *bench) before() *Before {
	return &Before{Gateways: b.gateways.Gateways(), Provider: b.Provider, Limit: time.Minute, Now: b.clock}
}

// posted is a webhook as the inbox has it before it is stored.
func (b *bench) posted(provider, body string) store.Webhook {
	b.sales++
	return store.Webhook{ID: uuid.New(), Provider: provider, Digest: []byte(provider + body + fmt.Sprint(b.sales)), Body: []byte("sealed"), ReceivedAt: b.clock(),
		Opened: []byte(body)}
}

// flood stores a webhook as the inbox does while storing presses, and hands it over where it is still to be read.
func (b *bench) flood(r *Before, body string) {
	b.t.Helper()
	h := b.posted("atomopay", body)
	if said := r.Read(b.t.Context(), []store.Webhook{h}); said != nil {
		h.Said = said[0]
	}
	h.Lease, _ = b.Wakers.Hooks.Until(b.clock(), int64(len(body)))
	stored, err := b.Store.InsertWebhooks(b.t.Context(), []store.Webhook{h})
	if err != nil {
		b.t.Fatal(err)
	}
	if h.Body = nil; stored[string(h.Digest)].Unread {
		b.Wakers.Hooks.Take([]store.Webhook{h})
	}
}

func TestBefore_whatNeedsNoReadingIsStoredAsWhatItIs(t *testing.T) {
	b := newBench(t)
	b.handing()
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	r := b.before()
	b.flood(r, `{"hash":"h1","status":"paid","amount":1990}`)
	if n := b.handedReads(); n != 0 {
		t.Errorf("%d read again", n)
	}
	if state, reason, due := b.hook(); state != "parked" || reason == "" || due != nil {
		t.Errorf("webhook: %s %q %v", state, reason, due)
	}
	s := b.draft(b.account, "atomopay")
	s.CreatedAt, s.Charge.Hash = b.clock(), "h1"
	b.OpenBody = func(store.Webhook) ([]byte, error) { return []byte(`{"hash":"h1","status":"paid","amount":1990}`), nil }
	s = b.record(s)
	b.settle()
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 {
		t.Errorf("its sale: %s, %d hints", got.State, got.Hints)
	}
}

func TestBefore_aSalesWebhookIsNotReadTwice(t *testing.T) {
	b := newBench(t)
	b.handing()
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	b.flood(b.before(), `{"hash":"`+s.Charge.Hash+`","status":"PAID","amount":1990}`)
	b.gateways.Fail(gatewaystest.BatchParseWebhooks, codes.Unavailable)
	if n := b.handedReads(); n != 1 || b.get(s).State != payment.Paid {
		t.Fatalf("%d read, the sale is %s", n, b.get(s).State)
	}
	if state, reason, due := b.hook(); state != "matched" || reason != "" || due != nil {
		t.Errorf("webhook: %s %q %v", state, reason, due)
	}
	events, err := b.Store.Events(t.Context(), b.merchant, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == payment.HintReceived && e.Details["claimed"] == "paid" && e.Details["amount_centavos"] == "1990" && e.Details["provider_status"] == "PAID" {
			return
		}
	}
	t.Errorf("the history does not tell what the webhook said: %+v", events)
}

// Of what was handed over and never begun, the row is there, and is read as any other.
func TestBefore_aDeadReplicasAreReadFromTheTable(t *testing.T) {
	b := newBench(t)
	b.handing()
	s := b.young()
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	body := `{"hash":"` + s.Charge.Hash + `","status":"paid","amount":1990}`
	b.flood(b.before(), body)
	other := newReplica(b)
	other.OpenBody = func(store.Webhook) ([]byte, error) { return []byte(body), nil }
	b.pass(hookLease + time.Second)
	rows, err := other.claimHooks(t.Context(), 100)
	if len(rows) != 1 || err != nil {
		t.Fatalf("%d, %v", len(rows), err)
	}
	if err := other.readAndLook(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	other.slow.Wait()
	if got := b.get(s); got.State != payment.Paid {
		t.Errorf("the sale is %s", got.State)
	}
}

func TestBefore_whatIsLeftToReading(t *testing.T) {
	b := newBench(t)
	two := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Hints: []*gatewaysv1.Hint{
		{Ref: &gatewaysv1.ChargeRef{Hash: "one"}}, {Ref: &gatewaysv1.ChargeRef{Hash: "two"}}}}
	b.gateways.ScriptWebhook("two", two)
	b.gateways.ScriptWebhook("unknown", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT})
	b.gateways.ScriptWebhook("none", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS})
	b.gateways.ScriptWebhook("refused", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_CREDENTIAL, Reason: "no secret"})
	large := `{"id":"` + strings.Repeat("x", beforeBytes) + `"}`
	hooks := []store.Webhook{b.posted("atomopay", "two"), b.posted("atomopay", "unknown"), b.posted("atomopay", "none"), b.posted("atomopay", large),
		b.posted("pushynpay", `{"id":"alias"}`), b.posted("atomopay", "refused"), b.posted("atomopay", "nonsense"), b.posted("atomopay", `{"test":true}`), b.posted("atomopay", `{"id":"1"}`)}
	var got []string
	for _, s := range b.before().Read(t.Context(), hooks) {
		if s == nil {
			got = append(got, "")
		} else {
			got = append(got, s.Verdict.State)
		}
	}
	if want := fmt.Sprint([]string{"", "", "", "", "", "refused", "not_understood", "ignored", "parked"}); fmt.Sprint(got) != want {
		t.Errorf("said %v, want %s", got, want)
	}
}

// While the gateways are away, storing does not wait for them, each time anew.
func TestBefore_gatewaysAway(t *testing.T) {
	b := newBench(t)
	r := b.before()
	hooks := []store.Webhook{b.posted("atomopay", `{"id":"1"}`)}
	b.gateways.Fail(gatewaystest.BatchParseWebhooks, codes.Internal)
	if said := r.Read(t.Context(), hooks); said != nil {
		t.Fatalf("said %v", said)
	}
	b.gateways.Fail(gatewaystest.BatchParseWebhooks, codes.OK)
	if said := r.Read(t.Context(), hooks); said != nil {
		t.Error("asked again at once")
	}
	b.pass(beforeAgain)
	if said := r.Read(t.Context(), hooks); len(said) != 1 || said[0] == nil {
		t.Errorf("they are back: %v", said)
	}
	b.gateways.Fail(gatewaystest.BatchParseWebhooks, codes.Internal)
	r.Read(t.Context(), hooks)
	b.gateways.Fail(gatewaystest.BatchParseWebhooks, codes.OK)
	b.pass(-time.Hour) // a clock that goes back does not keep them away
	if said := r.Read(t.Context(), hooks); len(said) != 1 {
		t.Errorf("said %v", said)
	}
}

// Senders are not kept waiting by gateways that do not answer.
func TestBefore_gatewaysHang(t *testing.T) {
	b := newBench(t)
	release := b.gateways.Hold(gatewaystest.BatchParseWebhooks)
	defer release()
	r := b.before()
	r.Limit = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if said := r.Read(ctx, []store.Webhook{b.posted("atomopay", `{"id":"1"}`)}); said != nil || ctx.Err() != nil {
		t.Errorf("said %v, %v", said, ctx.Err())
	}
}

package work

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

type gatewaysResult = gatewaysv1.PollResult

const disputed = gatewaysv1.ChargeStatus_CHARGE_STATUS_DISPUTED

// hint says "look now" as a person's button does.
func (b *bench) hint(s store.Sale) {
	b.t.Helper()
	_, err := b.Ledger.Apply(b.t.Context(), []ledger.Entry{{Key: store.Key{MerchantID: s.MerchantID, PaymentID: s.ID}, Hint: true,
		Event: payment.Event{Kind: payment.RecheckRequested, At: b.clock(), Source: payment.SourceManual}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read() {
	b.t.Helper()
	if n, err := b.reads(); n == 0 || err != nil {
		b.t.Fatalf("%d webhooks read, %v", n, err)
	}
}

func TestWebhook_trueHintSettlesAtOnce(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script("h1", gatewaystest.Pending(), gatewaystest.Paid(1990))
	if _, err := b.looks(); err != nil {
		t.Fatal(err)
	}
	b.pass(10 * time.Second) // long before its next look
	if n, _ := b.looks(); n != 0 {
		t.Fatal("it is due without the hint")
	}
	b.post("atomopay", `{"hash":"h1","status":"paid","amount":1990}`)
	b.settle()
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 || got.Message != "queued" {
		t.Errorf("sale: %s, %d hints, %+v", got.State, got.Hints, got.Fulfilment)
	}
	if state, reason, due := b.hook(); state != "matched" || reason != "" || due != nil {
		t.Errorf("webhook: %s %q %v", state, reason, due)
	}
	events, _ := b.Store.Events(t.Context(), b.merchant, s.ID)
	if d := events[2].Details; events[2].Kind != payment.HintReceived || d["claimed"] != "paid" || d["amount_centavos"] != "1990" || d["received_at"] == "" {
		t.Errorf("history: %+v", events[2])
	}
}

func TestWebhook_forgedHintMovesNothing(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script("h1", gatewaystest.Pending())
	b.post("atomopay", `{"hash":"h1","status":"paid","amount":1990}`)
	b.settle()
	if got := b.get(s); got.State != payment.Pending || got.Polls != 1 {
		t.Errorf("sale: %s, %d polls", got.State, got.Polls)
	}
	if buyer, owner := b.messages(s); buyer != 0 || len(owner) != 0 {
		t.Errorf("told: %d %v", buyer, owner)
	}
}

func TestWebhook_claimOfPendingAsksForNoLook(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script("h1", gatewaystest.Pending())
	b.settle()
	b.pass(10 * time.Second)
	b.post("atomopay", `{"hash":"h1","status":"pending"}`)
	b.read()
	if n, _ := b.looks(); n != 0 {
		t.Error("a webhook that says nothing new spends a look")
	}
	if got := b.get(s); got.Hints != 1 {
		t.Errorf("%d hints", got.Hints)
	}
}

func TestWebhook_parkedUntilTheSaleAppears(t *testing.T) {
	b := newBench(t)
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	b.post("atomopay", `{"hash":"h1","status":"paid"}`)
	b.read()
	state, reason, due := b.hook()
	if state != "parked" || reason == "" || due != nil {
		t.Fatalf("webhook: %s %q %v", state, reason, due)
	}
	s := b.draft(b.account, "atomopay")
	s.CreatedAt, s.Charge.Hash = b.clock(), "h1" // its own first look is some seconds away
	s = b.record(s)
	b.settle()
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 {
		t.Errorf("sale: %s, %d hints", got.State, got.Hints)
	}
	if state, _, _ := b.hook(); state != "matched" {
		t.Errorf("webhook: %s", state)
	}
}

// Of a webhook that names several charges the row keeps the first alone: only reading it again finds the others' sales.
func TestWebhook_severalChargesAreReadAgainByAgeWhateverCameBetween(t *testing.T) {
	b := newBench(t)
	b.gateways.ScriptWebhook("both", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Hints: []*gatewaysv1.Hint{
		{Ref: &gatewaysv1.ChargeRef{Hash: "nobody"}}, {Ref: &gatewaysv1.ChargeRef{Hash: "noone"}}}})
	b.post("atomopay", "both")
	b.gateways.FailNext(gatewaystest.BatchParseWebhooks, 8, codes.Unavailable)
	for range 8 {
		if n, err := b.reads(); n != 1 || err == nil {
			t.Fatal(n, err)
		}
		if state, reason, _ := b.hook(); state != "new" || reason != "the gateways are away" {
			t.Errorf("webhook: %s %q", state, reason)
		}
		b.pass(awayFor)
	}
	received := b.clock().Add(-8 * awayFor)
	for _, age := range []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour} {
		b.read()
		_, _, due := b.hook()
		if due == nil || !due.Equal(received.Add(age)) {
			t.Fatalf("due at %v, want at the age of %s", due, age)
		}
		b.pass(due.Sub(b.clock()))
	}
	b.read()
	if state, _, due := b.hook(); state != "parked" || due != nil {
		t.Errorf("after a day: %s, due %v; it waits for its sale alone", state, due)
	}
}

// A sale that is being made while its webhook is read sees no parked webhook, and the reader sees no sale.
func TestWebhook_missedItsSale(t *testing.T) {
	b := newBench(t)
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	b.post("atomopay", `{"hash":"h1","status":"paid"}`)
	b.read()
	ref := func(hash string) {
		t.Helper()
		if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE webhooks SET ref_hash = $1`, hash); err != nil {
			t.Fatal(err)
		}
	}
	ref("unseen")
	s := b.draft(b.account, "atomopay")
	s.CreatedAt, s.Charge.Hash = b.clock(), "h1"
	s = b.record(s)
	ref("h1")
	missed := func(age, pass time.Duration, want string) {
		t.Helper()
		b.pass(pass)
		if err := b.sweep(t.Context(), age); err != nil {
			t.Fatal(err)
		}
		if state, _, _ := b.hook(); state != want {
			t.Fatalf("after %s more: %s, want %s", pass, state, want)
		}
	}
	missed(parked[0], parked[0]-time.Second, "parked")
	missed(parked[0], 2*time.Second, "new")
	b.settle()
	if got := b.get(s); got.State != payment.Paid || got.Hints != 1 {
		t.Errorf("sale: %s, %d hints", got.State, got.Hints)
	}
	if state, _, _ := b.hook(); state != "matched" {
		t.Errorf("webhook: %s", state)
	}
}

func TestWebhook_sameIdentifiersAtSeveralMerchantsNameNobody(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	theirs := b.draft(b.account, "atomopay")
	theirs.MerchantID, theirs.BotID, theirs.AccountID, theirs.Charge = payment.MerchantID(uuid.New()), payment.BotID(uuid.New()), payment.AccountID(uuid.New()), s.Charge
	if _, _, err := b.Store.CreateMerchant(t.Context(), store.Merchant{ID: theirs.MerchantID, Name: "Outra"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Store.PutBot(t.Context(), store.Bot{MerchantID: theirs.MerchantID, ID: theirs.BotID, ExternalID: "35"}); err != nil {
		t.Fatal(err)
	}
	theirs = b.record(theirs)
	b.post("atomopay", `{"hash":"h1","status":"paid"}`)
	b.read()
	if state, reason, _ := b.hook(); state != "parked" || !strings.Contains(reason, "several merchants") {
		t.Errorf("webhook: %s %q", state, reason)
	}
	if b.get(s).Hints+b.get(theirs).Hints != 0 {
		t.Error("one of them was hinted")
	}
}

func TestWebhook_accountInTheAddressNarrowsToIt(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	other := b.newAccount("atomopay")
	twin := b.draft(other, "atomopay")
	twin.Charge = s.Charge
	twin = b.record(twin)
	b.gateways.ScriptWebhook("x", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, AccountId: other.String(), MerchantId: b.merchant.String(),
		Hints: []*gatewaysv1.Hint{{Ref: &gatewaysv1.ChargeRef{Hash: "h1"}, Claimed: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID}}})
	b.post("atomopay", "x")
	b.read()
	if b.get(s).Hints != 0 || b.get(twin).Hints != 1 {
		t.Errorf("hints: %d and %d, want only the account's own", b.get(s).Hints, b.get(twin).Hints)
	}
}

func TestWebhook_whatIsNoHintIsToldApart(t *testing.T) {
	for body, want := range map[string]string{`{"test":true}`: "ignored", `<html>`: "not_understood", `{"status":"paid"}`: "not_understood", "secret": "refused"} {
		b := newBench(t)
		b.gateways.ScriptWebhook("secret", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_CREDENTIAL, Reason: "the secret does not match"})
		b.post("atomopay", body)
		b.read()
		if state, reason, due := b.hook(); state != want || reason == "" || due != nil {
			t.Errorf("%s: %s %q %v", body, state, reason, due)
		}
	}
}

func TestWebhook_aliasStoredWhileTheGatewaysWereAway(t *testing.T) {
	b := newBench(t)
	account := b.newAccount("pushinpay")
	s := b.record(b.draft(account, "pushinpay"))
	b.gateways.Script("h1", gatewaystest.Paid(1990))
	b.post("pushynpay", `{"id":"1001","status":"paid"}`)
	b.gateways.FailNext(gatewaystest.BatchParseWebhooks, 1, codes.Unavailable)
	if _, err := b.reads(); err == nil {
		t.Fatal("no error")
	}
	b.pass(awayFor)
	b.settle()
	if got := b.get(s); got.Hints != 1 || got.State != payment.Paid {
		t.Errorf("%d hints, %s", got.Hints, got.State)
	}
}

func TestWebhook_damagedOrForgedOnesStopNobody(t *testing.T) {
	b := newBench(t)
	s := b.sale()
	b.gateways.Script("h1", gatewaystest.Pending())
	open := b.OpenBody
	b.OpenBody = func(h store.Webhook) ([]byte, error) {
		if string(h.Body) == "damaged" {
			return nil, fmt.Errorf("another keyset")
		}
		return open(h)
	}
	zero, _ := json.Marshal(map[string]string{"hash": "h\x00x", "status": "pa\x00id"})
	long, _ := json.Marshal(map[string]string{"hash": strings.Repeat("h", 100_000), "id": "1001", "status": strings.Repeat("é", 5000)})
	many := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Reason: "\x00"}
	for i := range 5000 {
		many.Hints = append(many.Hints, &gatewaysv1.Hint{Ref: &gatewaysv1.ChargeRef{Hash: fmt.Sprint("x", i)}})
	}
	many.Hints = append(many.Hints, &gatewaysv1.Hint{Ref: &gatewaysv1.ChargeRef{Hash: "h1"}})
	b.gateways.ScriptWebhook("many", many)
	for _, body := range []string{"damaged", string(zero), string(long), "many", `{"hash":"h1","status":"paid"}`} {
		b.post("atomopay", body)
	}
	b.read()
	states := map[string]int{}
	rows, err := b.Store.Pool().Query(t.Context(), `SELECT state FROM webhooks`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			t.Fatal(err)
		}
		states[state]++
	}
	if states["matched"] != 2 || states["parked"] != 2 || states["not_understood"] != 1 {
		t.Errorf("webhooks: %v", states)
	}
	if got := b.get(s); got.Hints != 2 {
		t.Errorf("%d hints, want that of the id and the true one", got.Hints)
	}
}

func TestWebhook_manyHintsOfOneBody(t *testing.T) {
	b := newBench(t)
	x, y := b.sale(), b.sale()
	b.gateways.ScriptWebhook("both", &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Hints: []*gatewaysv1.Hint{
		{Ref: &gatewaysv1.ChargeRef{Hash: "h1"}}, {Ref: &gatewaysv1.ChargeRef{Hash: "nobody"}}, {Ref: &gatewaysv1.ChargeRef{Hash: "h2"}}}})
	b.post("atomopay", "both")
	b.read()
	if b.get(x).Hints != 1 || b.get(y).Hints != 1 {
		t.Errorf("%d and %d hints", b.get(x).Hints, b.get(y).Hints)
	}
	if state, reason, _ := b.hook(); state != "matched" || reason != "" {
		t.Errorf("webhook: %s %q", state, reason)
	}
}

// postTo stores a webhook that came to a sale's own address.
func (b *bench) postTo(s store.Sale, body string) {
	b.t.Helper()
	b.sales++
	_, err := b.Store.InsertWebhooks(b.t.Context(), []store.Webhook{{ID: uuid.New(), Provider: s.Provider, SaleKey: s.SaleKey, Digest: []byte(fmt.Sprint(b.sales)),
		Body: []byte(body), ReceivedAt: b.clock()}})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestWebhook_atTheSalesOwnAddressNamesALostCharge(t *testing.T) {
	b := newBench(t)
	lost, also := b.draft(b.account, "atomopay"), b.draft(b.account, "atomopay")
	lost.Charge, also.Charge = store.Charge{Reference: "r1"}, store.Charge{Reference: "r2"}
	lost, also = b.record(lost), b.record(also)
	known := b.sale()
	b.gateways.Script("hx", gatewaystest.Paid(1990))
	b.gateways.Script("hy", gatewaystest.Paid(1990))
	b.postTo(lost, `{"hash":"hx","id":"9","status":"paid"}`)
	b.postTo(also, `{"hash":"hy","id":"9","status":"paid"}`)           // the same id for another sale
	b.postTo(also, `{"hash":"`+known.Charge.Hash+`","status":"paid"}`) // and another sale's charge
	b.postTo(also, `{"id":"a\u0000b","status":"paid"}`)
	b.settle()
	// Webhooks of one moment have no order: the id goes to the sale whose webhook is read first, and to no other.
	named, other, hash := lost, also, "hx"
	if b.get(also).Charge.ID == "9" {
		named, other, hash = also, lost, "hy"
	}
	if got := b.get(named); got.State != payment.Paid || got.Charge.Hash != hash || got.Charge.ID != "9" {
		t.Errorf("sale: %s %+v", got.State, got.Charge)
	}
	if got := b.get(other); got.Charge != other.Charge || got.State != payment.Pending {
		t.Errorf("the other took what is not its own: %s %+v", got.State, got.Charge)
	}
}

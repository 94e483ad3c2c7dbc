package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
)

func order(a *gatewaysv1.Account, reference string) *gatewaysv1.CreateChargeRequest {
	return &gatewaysv1.CreateChargeRequest{MerchantId: a.GetMerchantId(), AccountId: a.GetId(), Reference: reference, Amount: brl(1990), Description: "Curso",
		Customer:       &gatewaysv1.Customer{Name: "Ana Lima", Email: "ana@example.test", Phone: "11900000000", Document: "00000000191"},
		WebhookBaseUrl: "https://pay.example.test", SaleKey: "sk1", Tracking: &typev1.Tracking{UtmSource: "fb", ClientIp: "203.0.113.9"}}
}

// charged is how Átomo answers to a creation.
func charged(id int, centavos int) string {
	return fmt.Sprintf(`{"id":%d,"hash":"h%d","payment_status":"waiting_payment","amount":%d,"producer":{"hash":"prod-1"},"pix":{"pix_qr_code":%q},"expires_at":"2026-05-01T12:15:00Z"}`,
		id, id, centavos, pix)
}

func (r replica) charge(t *testing.T, req *gatewaysv1.CreateChargeRequest) *gatewaysv1.CreateChargeResponse {
	t.Helper()
	resp, err := r.gateways.CreateCharge(t.Context(), req)
	if err != nil {
		t.Fatalf("create charge: %v", err)
	}
	return resp
}

func TestCreateCharge_asksOnceAndRemembers(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(says(201, charged(77, 1990)))
	got := w.charge(t, order(a, "ref-1"))
	if got.GetExpiresAt() == nil {
		t.Error("no expiry")
	}
	first := proto.CloneOf(got)
	got.ExpiresAt = nil
	equal(t, "charge", &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 201, CopyPaste: pix,
		Ref: &gatewaysv1.ChargeRef{Id: "77", Hash: "h77", Reference: "ref-1"}}, got)
	var sent map[string]any
	if err := json.Unmarshal([]byte(w.lastBody()), &sent); err != nil {
		t.Fatal(err)
	}
	if want := "https://pay.example.test/webhook/payment/atomopay/" + a.GetAccountKey() + "/sk1"; sent["postback_url"] != want {
		t.Errorf("webhook address %v, want %s", sent["postback_url"], want)
	}
	w.on(says(500, ``))
	again := order(a, "ref-1")
	again.WebhookBaseUrl, again.Tracking = "https://other.example.test", nil
	equal(t, "the same charge again", first, w.charge(t, again))
	equal(t, "at another replica", first, w.serve().charge(t, again))
	for name, change := range map[string]func(*gatewaysv1.CreateChargeRequest){
		"amount":      func(r *gatewaysv1.CreateChargeRequest) { r.Amount = brl(1991) },
		"description": func(r *gatewaysv1.CreateChargeRequest) { r.Description = "Outro" },
		"buyer":       func(r *gatewaysv1.CreateChargeRequest) { r.Customer.Document = "00000000272" },
	} {
		other := order(a, "ref-1")
		change(other)
		_, err := w.gateways.CreateCharge(t.Context(), other)
		wantCode(t, "another "+name, err, codes.AlreadyExists, "reference")
	}
	if n := w.count(); n != 1 {
		t.Errorf("the provider was asked %d times, want 1", n)
	}
}

func TestCreateCharge_namesEveryWrongField(t *testing.T) {
	w := newWorld(t)
	a, p := w.account("atomopay"), w.account("paradise")
	_, err := w.gateways.CreateCharge(t.Context(), &gatewaysv1.CreateChargeRequest{MerchantId: ana, AccountId: a.GetId(), Reference: "no spaces please",
		Amount: &typev1.Money{Centavos: 49, Currency: "USD"}, WebhookBaseUrl: "http://pay.example.test", SaleKey: "a/b"})
	wantCode(t, "everything wrong", err, codes.InvalidArgument, "reference:", "amount:", "amount.currency:", "description:", "webhook_base_url:", "sale_key:")
	bare := order(p, "ref-1")
	bare.Customer = nil
	_, err = w.gateways.CreateCharge(t.Context(), bare)
	wantCode(t, "no buyer where one is demanded", err, codes.InvalidArgument, "customer.name:", "customer.email:", "customer.document:", "customer.phone:")
	much := order(a, "ref-1")
	much.Amount = brl(100_000_001)
	_, err = w.gateways.CreateCharge(t.Context(), much)
	wantCode(t, "above the maximum", err, codes.InvalidArgument, "amount: at most")
	foreign := order(a, "ref-1")
	foreign.MerchantId = beto
	_, err = w.gateways.CreateCharge(t.Context(), foreign)
	wantCode(t, "another merchant's account", err, codes.NotFound)
	if n := w.count(); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestCreateCharge_concurrentCallsMakeOne(t *testing.T) {
	w := newWorld(t)
	replicas := []replica{w.replica, w.serve(), w.serve()}
	a := w.account("atomopay")
	release := make(chan struct{})
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		says(201, charged(77, 1990))(rw, r)
	})
	const callers = 12
	answers := make(chan *gatewaysv1.CreateChargeResponse, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			resp, err := replicas[i%3].gateways.CreateCharge(t.Context(), order(a, "ref-1"))
			if err != nil {
				t.Error(err)
			}
			answers <- resp
		})
	}
	w.wait(t, 1)
	close(release)
	wg.Wait()
	for range callers {
		if got := <-answers; got.GetRef().GetHash() != "h77" {
			t.Errorf("answer %v", got)
		}
	}
	if n := w.count(); n != 1 {
		t.Errorf("%d charges were asked for, want 1", n)
	}
}

func TestCreateCharge_refusalsAreKept(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	for name, answer := range map[string]http.HandlerFunc{
		"2xx-refused":  says(201, `{"id":77,"hash":"h77","payment_status":"refused","pix":null,"status_reason":"limit of the shop"}`),
		"422":          says(422, `{"message":"limit of the shop"}`),
		"other-amount": says(201, charged(76, 9900)),
	} {
		w.on(answer)
		before := w.count()
		got := w.charge(t, order(a, name))
		if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST || got.GetReason() == "" || got.GetRef() != nil || got.GetCopyPaste() != "" {
			t.Errorf("%s: %v", name, got)
		}
		w.on(says(201, charged(77, 1990)))
		equal(t, name+" repeated", got, w.charge(t, order(a, name)))
		if n := w.count() - before; n != 1 {
			t.Errorf("%s: asked %d times, want 1", name, n)
		}
	}
}

func TestCreateCharge_nothingArrivedMayBeRepeated(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.Quiet = time.Millisecond })
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   gatewaysv1.Outcome
	}{
		"too-often":   {says(429, `{}`), gatewaysv1.Outcome_OUTCOME_RATE_LIMITED},
		"credentials": {says(401, `{}`), gatewaysv1.Outcome_OUTCOME_CREDENTIAL},
		"unknown":     {says(404, `{"message":"offer not found"}`), gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST},
		"a-wall":      {says(403, `<html>who are you</html>`), gatewaysv1.Outcome_OUTCOME_TRANSIENT},
	} {
		a := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = name })
		w.on(c.answer)
		if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != c.want || got.GetReason() == "" {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
		w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = name }) // resumed where it was paused
		w.on(says(201, charged(77, 1990)))
		for deadline := time.Now().Add(never); ; {
			got := w.charge(t, order(a, "ref-1"))
			if got.GetOutcome() == gatewaysv1.Outcome_OUTCOME_STATUS {
				break
			}
			if got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED || time.Now().After(deadline) {
				t.Errorf("%s repeated: %v", name, got)
				break
			}
		}
	}
}

func TestCreateCharge_unreachableProviderMayBeRepeated(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.BaseUrl = "http://127.0.0.1:1" })
	if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || got.GetHttpStatus() != 0 {
		t.Errorf("nobody listens: %v", got)
	}
	w.account("atomopay")
	w.on(says(201, charged(77, 1990)))
	if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_STATUS {
		t.Errorf("repeated: %v, no request had been sent", got)
	}
}

// The caller goes away while the provider makes the charge: the next call finds it.
func TestCreateCharge_outlivesItsCaller(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	release := make(chan struct{})
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		<-release
		says(201, charged(77, 1990))(rw, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := w.gateways.CreateCharge(ctx, order(a, "ref-1"))
		gone <- err
	}()
	w.wait(t, 1)
	cancel()
	if err := <-gone; status.Code(err) != codes.Canceled {
		t.Fatalf("gone: %v", err)
	}
	close(release)
	if got := w.charge(t, order(a, "ref-1")); got.GetRef().GetHash() != "h77" {
		t.Errorf("afterwards: %v", got)
	}
	if n := w.count(); n != 1 {
		t.Errorf("asked %d times, want 1", n)
	}
}

// A replica died between its commit and the provider's answer.
func TestCreateCharge_afterACrash(t *testing.T) {
	w := newWorld(t)
	atomo, paradise := w.account("atomopay"), w.account("paradise")
	admin := w.db.Admin(t)
	w.on(says(504, ``))
	for _, a := range []*gatewaysv1.Account{atomo, paradise} {
		w.charge(t, order(a, "ref-1"))
	}
	crash := func(lease string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), `UPDATE gateways.charges SET state = 'requested', lease_until = now() + $1::interval`, lease); err != nil {
			t.Fatal(err)
		}
	}
	crash("1 hour")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := w.gateways.CreateCharge(ctx, order(atomo, "ref-1"))
	wantCode(t, "while it is leased", err, codes.DeadlineExceeded)
	crash("-1 second")
	p := &paradiseShop{visible: true, created: 1}
	w.on(p.serve)
	_, err = w.gateways.CreateCharge(t.Context(), order(atomo, "ref-1"))
	wantCode(t, "atomopay", err, codes.FailedPrecondition)
	if got := w.charge(t, order(paradise, "ref-1")); got.GetRef().GetId() != "501" || p.created != 1 {
		t.Errorf("paradise: %v after %d requests", got, p.created)
	}
}

func TestCreateCharge_keepsNothingOfTheBuyer(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(says(201, charged(77, 1990)))
	w.charge(t, order(a, "ref-1"))
	w.on(says(500, ``))
	w.charge(t, order(a, "ref-2"))
	var rows string
	if err := w.db.Admin(t).QueryRow(t.Context(), `SELECT string_agg(c::text, ' ') FROM gateways.charges c`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"Ana Lima", "ana@example.test", "11900000000", "00000000191", "203.0.113.9"} {
		if strings.Contains(rows, private) {
			t.Errorf("%q is stored", private)
		}
	}
}

func TestCreateCharge_pausedAndSilentAccounts(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay")
	w.on(says(401, ``))
	w.look(t, a, hash("h1"))
	if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_CREDENTIAL || !strings.Contains(got.GetReason(), "paused") {
		t.Errorf("paused: %v", got)
	}
	b := w.account("atomopay", func(r *gatewaysv1.PutAccountRequest) { r.Label = "b" })
	w.on(says(429, ``, "Retry-After", "60"))
	w.look(t, b, hash("h1"))
	if got := w.charge(t, order(b, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_RATE_LIMITED {
		t.Errorf("silent: %v", got)
	}
	if n := w.count(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

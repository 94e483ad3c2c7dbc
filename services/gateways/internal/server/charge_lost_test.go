package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// lost are the ways in which a charge may exist of which we know nothing.
var lost = map[string]http.HandlerFunc{
	"hung-up":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"5xx":        says(502, `bad gateway`),
	"cut":        says(201, `{"id":77,"hash":"h7`),
	"no-names":   says(201, `{"payment_status":"waiting_payment","amount":1990}`),
	"wrong-code": says(201, strings.Replace(charged(77, 1990), "1D3D", "1D3E", 1)),
}

func TestCreateCharge_isNeverRiskedTwice(t *testing.T) {
	w := newWorld(t)
	a := w.account("atomopay") // cannot be asked by reference
	for name, answer := range lost {
		w.on(answer)
		if got := w.charge(t, order(a, name)); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || got.GetReason() == "" {
			t.Errorf("%s: %v", name, got)
		}
		w.on(says(201, charged(78, 1990)))
		before := w.count()
		for range 2 {
			_, err := w.gateways.CreateCharge(t.Context(), order(a, name))
			wantCode(t, name+" repeated", err, codes.FailedPrecondition, "reference")
		}
		if n := w.count(); n != before {
			t.Errorf("%s: the provider was asked %d times more", name, n-before)
		}
	}
}

// paradiseShop keeps charges by reference; create is what creation answers.
type paradiseShop struct {
	mu      sync.Mutex
	visible bool
	created int
	create  http.HandlerFunc
}

func (p *paradiseShop) serve(rw http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodPost {
		p.created++
		p.create(rw, r)
		return
	}
	if !p.visible || p.created == 0 {
		says(200, `[]`)(rw, r)
		return
	}
	says(200, fmt.Sprintf(`[{"id":501,"external_id":%q,"status":"pending","amount":1990,"qr_code":%q}]`, r.URL.Query().Get("external_id"), pix))(rw, r)
}

func (p *paradiseShop) set(visible bool, create http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visible, p.create = visible, create
}

func TestCreateCharge_looksUpWhatWasLost(t *testing.T) {
	w := newWorld(t)
	a := w.account("paradise")
	p := &paradiseShop{create: says(504, ``)}
	w.on(p.serve)
	if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT {
		t.Fatalf("lost: %v", got)
	}
	if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || !strings.Contains(got.GetReason(), "does not show") {
		t.Errorf("not visible yet: %v", got)
	}
	p.set(true, nil)
	if _, err := w.db.Admin(t).Exec(t.Context(), `UPDATE gateways.charges SET updated_at = updated_at - interval '1 minute'`); err != nil { // time passes
		t.Fatal(err)
	}
	want := &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, CopyPaste: pix,
		Ref: &gatewaysv1.ChargeRef{Id: "501", Reference: "ref-1"}}
	equal(t, "found", want, w.charge(t, order(a, "ref-1")))
	equal(t, "repeated", want, w.charge(t, order(a, "ref-1")))
	if p.created != 1 {
		t.Errorf("%d charges asked for, want 1", p.created)
	}
}

// Whoever asks for such a charge in a tight loop spends neither the account's budget nor the provider's patience.
func TestCreateCharge_aLoopForALostOneLeavesTheBudgetAlone(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.visible = time.Hour })
	a := w.account("paradise")
	p := &paradiseShop{create: says(504, ``)}
	w.on(p.serve)
	w.charge(t, order(a, "ref-1"))
	admin := w.db.Admin(t)
	if _, err := admin.Exec(t.Context(), `UPDATE gateways.charges SET unsure_since = unsure_since - interval '30 minutes', updated_at = updated_at - interval '1 minute'`); err != nil {
		t.Fatal(err)
	}
	before, began := w.count(), time.Now()
	for range 200 {
		if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT || !strings.Contains(got.GetReason(), "ask again in ") {
			t.Fatalf("asked for again: %v", got)
		}
	}
	if n, most := w.count()-before, 1+int(time.Since(began)/(10*time.Second)); n < 1 || n > most {
		t.Errorf("the provider was asked %d times, want 1 to %d", n, most)
	}
	var owed int64
	if err := admin.QueryRow(t.Context(), `SELECT COALESCE(max(owed), 0) FROM gateways.budgets`).Scan(&owed); err != nil || owed > 3 {
		t.Errorf("the budget owes %d calls, %v", owed, err)
	}
}

func TestCreateCharge_asksAgainWhenItSurelyIsNotThere(t *testing.T) {
	w := newWorld(t, func(s *tuning) { s.visible = time.Hour })
	a := w.account("paradise")
	p := &paradiseShop{create: says(504, ``)}
	w.on(p.serve)
	charge := func(when string, want gatewaysv1.Outcome, asked int) {
		t.Helper()
		if got := w.charge(t, order(a, "ref-1")); got.GetOutcome() != want || p.count() != asked {
			t.Errorf("%s: %v after %d requests, want %s after %d", when, got, p.count(), want, asked)
		}
	}
	admin := w.db.Admin(t)
	hour := func() {
		t.Helper()
		if _, err := admin.Exec(t.Context(), `UPDATE gateways.charges SET unsure_since = unsure_since - interval '1 hour'`); err != nil {
			t.Fatal(err)
		}
	}
	charge("lost", gatewaysv1.Outcome_OUTCOME_TRANSIENT, 1)
	charge("at once after it", gatewaysv1.Outcome_OUTCOME_TRANSIENT, 1)
	hour() // the provider has had its time to show the first; the second is lost too
	charge("when the first surely is not there", gatewaysv1.Outcome_OUTCOME_TRANSIENT, 2)
	charge("at once after the second, which has its own time", gatewaysv1.Outcome_OUTCOME_TRANSIENT, 2)
	hour()
	p.set(false, says(200, fmt.Sprintf(`{"status":"success","transaction_id":501,"id":"ref-1","qr_code":%q,"amount":1990}`, pix)))
	charge("when the second surely is not there", gatewaysv1.Outcome_OUTCOME_STATUS, 3)
	charge("repeated", gatewaysv1.Outcome_OUTCOME_STATUS, 3)
}

func (p *paradiseShop) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.created
}

func TestCreateCharge_refusesAnotherChargeUnderTheReference(t *testing.T) {
	w := newWorld(t)
	a := w.account("paradise")
	p := &paradiseShop{create: says(504, ``)}
	w.on(p.serve)
	other := order(a, "ref-1")
	other.Amount = brl(777)
	w.charge(t, other)
	p.set(true, nil) // shows R$ 19,90
	_, err := w.gateways.CreateCharge(t.Context(), other)
	wantCode(t, "another amount", err, codes.FailedPrecondition, "amount")
}

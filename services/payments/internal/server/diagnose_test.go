package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

func (s *shop) diagnose(ctx context.Context) *paymentsv1.DiagnoseResponse {
	s.t.Helper()
	r, err := s.server.Diagnose(ctx, &paymentsv1.DiagnoseRequest{Lang: "en"})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func found(r *paymentsv1.DiagnoseResponse) (out []string) {
	for _, f := range r.GetFindings() {
		out = append(out, f.GetCode())
	}
	slices.Sort(out)
	return out
}

func schedule(r *paymentsv1.DiagnoseResponse, name string) *paymentsv1.ScheduleLine {
	for _, line := range r.GetSchedules() {
		if line.GetName() == name {
			return line
		}
	}
	return nil
}

// posts stores a webhook as the inbox and its reader leave it.
func (s *shop) posts(provider, state string, merchant *payment.MerchantID, received time.Time, due *time.Time, attempts int) {
	s.sql(`INSERT INTO webhooks (id, provider, digest, body, received_at, state, due_at, attempts, merchant_id) VALUES ($1, $2, $3, '', $4, $5, $6, $7, $8)`,
		uuid.New(), provider, []byte(uuid.NewString()), received, state, due, attempts, merchant)
}

// runs notes that every kind of work ran just now.
func (s *shop) runs() {
	for _, name := range []string{"poll", "webhooks", "deliver", "owner", "token"} {
		if err := s.store.NoteRun(s.t.Context(), name, s.now, 1, 0); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestDiagnose_emptyIsHealthy(t *testing.T) {
	s := newShop(t)
	for _, ctx := range []context.Context{s.operator(), s.of(0)} {
		if r := s.diagnose(ctx); !r.GetHealthy() || len(r.GetFindings()) != 0 || len(r.GetSchedules()) == 0 || len(r.GetAccounts()) == 0 {
			t.Errorf("%v", r)
		}
	}
}

func TestDiagnose_deliveredNotDeliveredAndWaiting(t *testing.T) {
	s := newShop(t)
	good, noLink, noMessage, pending := s.sells(0, nil), s.sells(0, nil), s.sells(0, nil), s.sells(0, nil)
	s.sells(1, nil)
	s.now = s.now.Add(10 * time.Second)
	for _, sale := range []store.Sale{good, noLink, noMessage} {
		s.says(sale, payment.StatusPaid, 1990)
	}
	s.says(pending, payment.StatusPending, 0)
	s.note(good, payment.TokenIssued, nil)
	s.note(good, payment.MessageSent, nil)
	s.note(noMessage, payment.TokenIssued, nil)
	s.sql(`DELETE FROM effects WHERE payment_id = $1 OR kind = 'owner'`, good.ID)
	s.runs()
	if got := found(s.diagnose(s.operator())); !cmp.Equal(got, []string{"webhooks_never"}) {
		t.Errorf("ten seconds after the money: %v", got)
	}
	s.now = s.now.Add(3 * time.Minute)
	s.runs()
	r := s.diagnose(s.of(0))
	if diff := cmp.Diff([]string{"looks_overdue", "paid_not_delivered", "token_not_messaged", "webhooks_never"}, found(r)); diff != "" {
		t.Error(diff)
	}
	if r.GetHealthy() {
		t.Error("paid sales without a delivery are healthy")
	}
	for _, f := range r.GetFindings() {
		sample := map[string]store.Sale{"paid_not_delivered": noLink, "token_not_messaged": noMessage}[f.GetCode()]
		if f.GetCode() == "paid_not_delivered" || f.GetCode() == "token_not_messaged" {
			if !strings.Contains(f.GetText(), "1 sale (R$ 19,90)") || !strings.Contains(f.GetAction(), sample.ID.String()) {
				t.Errorf("%s: %s / %s", f.GetCode(), f.GetText(), f.GetAction())
			}
		}
	}
	want := &paymentsv1.ProviderLine{Provider: "atomopay", Total: 4, Paid: 3, Pending: 1, WithToken: 2, Messaged: 1, Polls: 4}
	got := r.GetProviders()[0]
	if len(r.GetProviders()) != 1 || got.String() != want.String() {
		t.Errorf("provider %v, want %v", got, want)
	}
	if n := len(r.GetLastSales()); n != 4 {
		t.Errorf("%d last sales of the merchant", n)
	}
	if n := len(s.diagnose(s.operator()).GetLastSales()); n != 5 {
		t.Errorf("%d last sales of all", n)
	}
	if line := r.GetLastSales()[0]; line.GetCreatedAt() == nil || line.GetAmount().GetCentavos() != 1990 || line.GetProvider() != "atomopay" {
		t.Errorf("last sale: %v", line)
	}
}

func TestDiagnose_oldDeliveryStillTriedIsFound(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.says(sale, payment.StatusPaid, 1990)
	s.sql(`UPDATE effects SET attempts = 5, last_error = 'Unavailable', created_at = $1`, s.now)
	s.now = s.now.Add(72 * time.Hour)
	s.runs()
	r := s.diagnose(s.operator())
	if diff := cmp.Diff([]string{"effects_failing", "effects_failing", "paid_not_delivered"}, found(r)); diff != "" {
		t.Error(diff)
	}
	for _, f := range r.GetFindings() {
		if f.GetCode() == "effects_failing" && !strings.Contains(f.GetText(), "Unavailable") {
			t.Errorf("the error is not told: %s", f.GetText())
		}
	}
}

func TestDiagnose_review(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.says(sale, payment.StatusPaid, 500)
	s.sql(`DELETE FROM effects`)
	s.sql(`DELETE FROM looks`)
	s.now = s.now.Add(90 * 24 * time.Hour)
	r := s.diagnose(s.of(0))
	if len(r.GetFindings()) != 1 || r.GetFindings()[0].GetCode() != "in_review" || !strings.Contains(r.GetFindings()[0].GetText(), "1 sale waiting for a decision; R$ 5,00") {
		t.Errorf("%v", r.GetFindings())
	}
	if r := s.diagnose(s.of(1)); len(r.GetFindings()) != 0 {
		t.Errorf("another merchant: %v", r.GetFindings())
	}
}

func TestDiagnose_webhooks(t *testing.T) {
	s := newShop(t)
	sale := s.sells(0, nil)
	s.says(sale, payment.StatusPaid, 0)
	s.note(sale, payment.MessageSent, nil)
	s.sql(`DELETE FROM effects`)
	s.runs()
	soon, late := s.now.Add(time.Hour), s.now.Add(-time.Minute)
	s.posts("atomopay", "matched", &s.merchant[0], s.now.Add(-time.Hour), nil, 1)
	s.posts("atomopay", "parked", nil, s.now.Add(-time.Hour), &soon, 2)
	s.posts("atomopay", "not_understood", nil, s.now.Add(-48*time.Hour), nil, 1)
	if diff := cmp.Diff([]string{"webhooks_parked"}, found(s.diagnose(s.operator()))); diff != "" {
		t.Error(diff)
	}
	s.posts("paradise", "new", nil, late, &late, 0)    // nobody reads it
	s.posts("paradise", "new", nil, s.now, &soon, 3)   // could not be read
	s.posts("paradise", "new", nil, s.now, &s.now, 0)  // has just come
	s.posts("paradise", "refused", nil, s.now, nil, 1) // forged
	r := s.diagnose(s.operator())
	if diff := cmp.Diff([]string{"inbox_unread", "webhooks_parked", "webhooks_refused"}, found(r)); diff != "" {
		t.Error(diff)
	}
	inbox := schedule(r, "inbox")
	if inbox.GetDue() != 2 || inbox.GetWaiting() != 2 || inbox.GetFailing() != 1 || !inbox.GetNextRunAt().AsTime().Equal(late) {
		t.Errorf("inbox: %v", inbox)
	}
	if p := r.GetProviders()[1]; p.GetProvider() != "paradise" || p.GetWebhooks() != 4 || !p.GetLastWebhookAt().AsTime().Equal(s.now) {
		t.Errorf("paradise: %v", p)
	}
	mine := s.diagnose(s.of(0))
	if p := mine.GetProviders()[0]; len(found(mine)) != 0 || p.GetWebhooks() != 1 {
		t.Errorf("the merchant sees %v, %v", found(mine), p)
	}
	s.sql(`UPDATE webhooks SET received_at = received_at - interval '30 hours' WHERE provider = 'atomopay'`)
	if got := found(s.diagnose(s.operator())); !slices.Contains(got, "webhooks_stopped") {
		t.Errorf("silence for a day: %v", got)
	}
}

func TestDiagnose_looks(t *testing.T) {
	s := newShop(t)
	var sales []store.Sale
	for range 4 {
		sales = append(sales, s.sells(0, func(x *store.Sale) { x.Provider = "paradise" }))
	}
	s.accounts.list[0].Provider = "paradise"
	for range 3 {
		s.now = s.now.Add(time.Minute)
		for _, sale := range sales[:3] {
			s.fails(sale, payment.OutcomeTransient)
		}
	}
	s.says(sales[3], payment.StatusPending, 0)
	s.runs()
	r := s.diagnose(s.operator())
	if diff := cmp.Diff([]string{"provider_unanswered"}, found(r)); diff != "" || r.GetHealthy() {
		t.Error("three of four without an answer:", diff)
	}
	if line := schedule(r, "poll paradise"); line.GetCadence() != "300s" || line.GetFailing() != 3 || line.GetWaiting() != 4 || line.GetNextRunAt() == nil {
		t.Errorf("schedule: %v", line)
	}
	if p := r.GetProviders()[0]; p.GetUnanswered() != 3 || p.GetPolls() != 10 {
		t.Errorf("provider: %v", p)
	}
	s.now = s.now.Add(8 * time.Minute) // due for long, yet within twice the cadence of Paradise
	if got := found(s.diagnose(s.operator())); slices.Contains(got, "looks_overdue") {
		t.Errorf("within twice the cadence: %v", got)
	}
	s.now = s.now.Add(10 * time.Minute)
	got := found(s.diagnose(s.operator()))
	if !slices.Contains(got, "looks_overdue") || !slices.Contains(got, "work_stopped") {
		t.Errorf("nobody looks: %v", got)
	}
	s.sql(`UPDATE looks SET leased_until = $1`, s.now.Add(time.Minute))
	if got := found(s.diagnose(s.operator())); slices.Contains(got, "looks_overdue") {
		t.Errorf("somebody is looking: %v", got)
	}
}

func TestDiagnose_oldSaleJustImportedIsNotLate(t *testing.T) {
	s := newShop(t)
	s.sells(0, func(x *store.Sale) { x.CreatedAt = s.now.Add(-48 * time.Hour) })
	s.runs()
	s.now = s.now.Add(time.Minute)
	if r := s.diagnose(s.operator()); len(found(r)) != 0 || schedule(r, "poll atomopay").GetDue() != 1 {
		t.Errorf("a minute after the import: %v", r)
	}
	s.now = s.now.Add(2 * time.Minute)
	s.runs()
	if got := found(s.diagnose(s.operator())); !cmp.Equal(got, []string{"looks_overdue"}) {
		t.Errorf("three minutes after the import: %v", got)
	}
}

func TestDiagnose_leavesAndAccounts(t *testing.T) {
	s := newShop(t)
	s.notifier.health.RefusedBotIds = []string{s.bot[1].String()}
	s.accounts.list[1].State = gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED
	r := s.diagnose(s.operator())
	if diff := cmp.Diff([]string{"bot_refused", "credential_refused"}, found(r)); diff != "" || r.GetHealthy() {
		t.Error(diff)
	}
	if mine := s.diagnose(s.of(0)); len(mine.GetAccounts()) != 1 || mine.GetAccounts()[0].GetState() != "active" {
		t.Errorf("the merchant sees %v", mine.GetAccounts())
	}
	s.delivery.err, s.notifier.err, s.accounts.err = status.Error(codes.Unavailable, "down"), errors.New("odd"), status.Error(codes.DeadlineExceeded, "slow")
	if diff := cmp.Diff([]string{"service_away", "service_away", "service_away"}, found(s.diagnose(s.operator()))); diff != "" {
		t.Error(diff)
	}
}

func TestDiagnose_refused(t *testing.T) {
	s := newShop(t)
	for name, c := range map[string]struct {
		ctx  context.Context
		r    *paymentsv1.DiagnoseRequest
		want codes.Code
	}{
		"nobody":           {t.Context(), &paymentsv1.DiagnoseRequest{}, codes.Unauthenticated},
		"another merchant": {s.of(0), &paymentsv1.DiagnoseRequest{MerchantId: s.merchant[1].String()}, codes.PermissionDenied},
		"language":         {s.of(0), &paymentsv1.DiagnoseRequest{Lang: "fr"}, codes.InvalidArgument},
		"merchant":         {s.operator(), &paymentsv1.DiagnoseRequest{MerchantId: "x"}, codes.InvalidArgument},
	} {
		if _, err := s.server.Diagnose(c.ctx, c.r); status.Code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

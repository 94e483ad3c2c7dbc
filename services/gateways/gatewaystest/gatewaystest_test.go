package gatewaystest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

const merchant = "01920000-0000-7000-8000-000000000001"

func ask(account, hash string) *gatewaysv1.GetPaymentStatusRequest {
	return &gatewaysv1.GetPaymentStatusRequest{MerchantId: merchant, AccountId: account, Ref: &gatewaysv1.ChargeRef{Hash: hash}}
}

func TestFake_answersWhatIsScripted(t *testing.T) {
	f := gatewaystest.New(t, gatewaystest.Config{})
	account := f.AddAccount(gatewaystest.Account{MerchantID: merchant})
	f.Script("H-1", gatewaystest.Pending(), gatewaystest.Paid(1990))
	var got []gatewaysv1.ChargeStatus
	for range 3 {
		resp, err := f.Gateways().GetPaymentStatus(t.Context(), ask(account.ID, "h-1"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, resp.GetResult().GetReading().GetStatus())
	}
	want := []gatewaysv1.ChargeStatus{gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING, gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := f.Looks("h-1"); n != 3 {
		t.Errorf("looks %d, want 3", n)
	}
	f.WaitCalls(t, gatewaystest.GetPaymentStatus, 3)
	resp, err := f.Gateways().BatchGetPaymentStatus(t.Context(), &gatewaysv1.BatchGetPaymentStatusRequest{Requests: []*gatewaysv1.GetPaymentStatusRequest{
		ask(account.ID, "h-1"), ask(account.ID, "h-2"), ask("nobody", "h-1")}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []gatewaysv1.Outcome{gatewaysv1.Outcome_OUTCOME_STATUS, gatewaysv1.Outcome_OUTCOME_NOT_FOUND, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST} {
		if got := resp.GetResults()[i].GetOutcome(); got != want {
			t.Errorf("result %d is %s, want %s", i, got, want)
		}
	}
}

func TestFake_failsAndLosesAsTold(t *testing.T) {
	f := gatewaystest.New(t, gatewaystest.Config{})
	account := f.AddAccount(gatewaystest.Account{MerchantID: merchant})
	req := &gatewaysv1.CreateChargeRequest{MerchantId: merchant, AccountId: account.ID, Reference: "r1", Description: "x", Amount: &typev1.Money{Centavos: 1990}}
	f.FailNext(gatewaystest.CreateCharge, 1, codes.Internal)
	f.LoseNext(gatewaystest.CreateCharge, 1)
	for _, want := range []codes.Code{codes.Internal, codes.Unavailable, codes.OK} {
		resp, err := f.Gateways().CreateCharge(t.Context(), req)
		if status.Code(err) != want {
			t.Fatalf("code %s, want %s", status.Code(err), want)
		}
		if want == codes.OK && resp.GetRef().GetHash() != "h-r1" {
			t.Errorf("the repeated call gave %v", resp)
		}
	}
	req.Description = "y"
	if _, err := f.Gateways().CreateCharge(t.Context(), req); status.Code(err) != codes.AlreadyExists {
		t.Errorf("another charge under the same reference: %v", err)
	}
	if n := len(f.Calls(gatewaystest.CreateCharge)); n != 4 {
		t.Errorf("%d calls recorded, want 4", n)
	}
}

func TestFake_holdsUntilReleased(t *testing.T) {
	f := gatewaystest.New(t, gatewaystest.Config{})
	account := f.AddAccount(gatewaystest.Account{MerchantID: merchant})
	release := f.Hold(gatewaystest.GetPaymentStatus)
	done := make(chan error, 1)
	go func() {
		_, err := f.Gateways().GetPaymentStatus(context.Background(), ask(account.ID, "h-1"))
		done <- err
	}()
	f.WaitCalls(t, gatewaystest.GetPaymentStatus, 1)
	if n := f.Looks("h-1"); n != 0 {
		t.Errorf("%d looks while held", n)
	}
	release()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(90 * time.Second):
		t.Fatal("still held after the release")
	}
}

func TestFake_keepsMerchantsApart(t *testing.T) {
	f := gatewaystest.New(t, gatewaystest.Config{})
	account := f.AddAccount(gatewaystest.Account{MerchantID: merchant})
	ctx := auth.With(t.Context(), auth.Principal{MerchantID: "01920000-0000-7000-8000-000000000002"})
	if _, err := f.Gateways().GetPaymentStatus(ctx, ask(account.ID, "h-1")); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another merchant looks: %v", err)
	}
	list, err := f.Accounts().ListAccounts(ctx, &gatewaysv1.ListAccountsRequest{})
	if err != nil || len(list.GetAccounts()) != 0 {
		t.Errorf("another merchant sees %v, %v", list, err)
	}
}

func TestFake_readsWebhooks(t *testing.T) {
	f := gatewaystest.New(t, gatewaystest.Config{})
	account := f.AddAccount(gatewaystest.Account{MerchantID: merchant, RoutingHashes: []string{"prod-1"}})
	resp, err := f.Gateways().ParseWebhook(t.Context(), &gatewaysv1.ParseWebhookRequest{Provider: "atomopay",
		Body: []byte(`{"hash":"h-1","status":"paid","amount":1990,"producer":"prod-1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, AccountId: account.ID, MerchantId: merchant,
		Hints: []*gatewaysv1.Hint{{Ref: &gatewaysv1.ChargeRef{Hash: "h-1"}, Claimed: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, ProviderStatus: "paid",
			Amount: &typev1.Money{Centavos: 1990, Currency: "BRL"}}}}
	if diff := cmp.Diff(want, resp, protocmp.Transform()); diff != "" {
		t.Errorf("webhook (-want +got):\n%s", diff)
	}
}

func TestListTransactions_isPagedAndBounded(t *testing.T) {
	fake := gatewaystest.New(t, gatewaystest.Config{})
	a := fake.AddAccount(gatewaystest.Account{MerchantID: merchant, Provider: "bolt"})
	other := fake.AddAccount(gatewaystest.Account{MerchantID: merchant})
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	at := func(id string, hour int) *gatewaysv1.Reading {
		return &gatewaysv1.Reading{Status: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, Ref: &gatewaysv1.ChargeRef{Id: id}, CreatedAt: timestamppb.New(day.Add(time.Duration(hour) * time.Hour))}
	}
	fake.ScriptTransactions(a.ID, []*gatewaysv1.Reading{at("a", 1), at("tomorrow", 24)}, []*gatewaysv1.Reading{at("b", 2)})
	ask := &gatewaysv1.ListTransactionsRequest{MerchantId: merchant, AccountId: a.ID, CreatedFrom: timestamppb.New(day), CreatedTo: timestamppb.New(day.AddDate(0, 0, 1))}
	var ids []string
	for more := true; more; more = ask.PageToken != "" {
		page, err := fake.Gateways().ListTransactions(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.GetTransactions() {
			ids = append(ids, r.GetRef().GetId())
		}
		ask.PageToken = page.GetNextPageToken()
	}
	if strings.Join(ids, " ") != "a b" {
		t.Errorf("listed %v, want a and b", ids)
	}
	fake.FailTransactions(a.ID, gatewaystest.Transient())
	if page, err := fake.Gateways().ListTransactions(t.Context(), ask); err != nil || page.GetOutcome() != gatewaysv1.Outcome_OUTCOME_TRANSIENT {
		t.Errorf("an ill provider: %v, %v", page, err)
	}
	ask.AccountId = other.ID
	if _, err := fake.Gateways().ListTransactions(t.Context(), ask); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a provider without a listing: %v", err)
	}
}

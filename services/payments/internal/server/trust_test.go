package server

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestListTrust_fromTheAccountsOwnHistory(t *testing.T) {
	d := newDesk(t)
	for n := range 25 {
		d.reads(d.one, d.registered(d.one, n), payment.StatusPaid, 1990)
	}
	d.registered(d.two, 1)
	if _, err := d.Store.Pool().Exec(t.Context(), `
		INSERT INTO arrivals (merchant_id, payment_id, account_id, provider, found_at, paid_at, hint_at, hints)
		SELECT merchant_id, id, account_id, provider, $1, $1, $1::timestamptz + interval '3 seconds', 2 FROM payments WHERE state = 'paid'`, d.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.Pool().Exec(t.Context(), `INSERT INTO habits (merchant_id, account_id, provider, silent_since, judged_at)
		SELECT DISTINCT merchant_id, account_id, provider, $1::timestamptz, $1 FROM arrivals`, d.Now()); err != nil {
		t.Fatal(err)
	}
	for who, c := range map[string]seller{"the merchant": d.one, "an operator": {ctx: d.operator()}} {
		r, err := d.ListTrust(c.ctx, &paymentsv1.ListTrustRequest{})
		if err != nil || len(r.GetAccounts()) != 1 {
			t.Fatalf("%s: %v, %v", who, r, err)
		}
		a := r.GetAccounts()[0]
		if a.GetAccountId() != d.one.account || a.GetScore() != 100 || a.GetSales() != 25 || a.GetHinted() != 25 || a.GetDuplicates() != 25 ||
			a.GetDelayP95().AsDuration() != 3*time.Second || a.GetSilentSince() == nil {
			t.Errorf("%s: %v", who, a)
		}
	}
	if r, err := d.ListTrust(d.two.ctx, &paymentsv1.ListTrustRequest{}); err != nil || len(r.GetAccounts()) != 0 {
		t.Errorf("another merchant: %v, %v", r, err)
	}
	if r, err := d.ListTrust(d.one.ctx, &paymentsv1.ListTrustRequest{Provider: "paradise"}); err != nil || len(r.GetAccounts()) != 0 {
		t.Errorf("another provider: %v, %v", r, err)
	}
	_, err := d.ListTrust(d.one.ctx, &paymentsv1.ListTrustRequest{AccountId: "1", Provider: "\x00"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "provider account_id" {
		t.Errorf("%v names %q", code, fields)
	}
	diagnosis, err := d.Diagnose(d.one.ctx, &paymentsv1.DiagnoseRequest{Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range diagnosis.GetFindings() {
		found = found || f.GetCode() == "webhooks_silent"
	}
	if !found || len(diagnosis.GetAccounts()) == 0 || diagnosis.GetAccounts()[0].GetTrust().GetScore() != 100 {
		t.Errorf("the diagnosis does not tell: %v %v", diagnosis.GetFindings(), diagnosis.GetAccounts())
	}
}

package server

import (
	"regexp"
	"testing"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
)

// Every sale has a page of its own, whose key is 256 random bits and is not the one that the provider is told.
func TestPayment_hasAPage(t *testing.T) {
	d := newDesk(t)
	made, err := d.CreatePayment(d.one.ctx, d.one.create("a"))
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^https://baixa\.example/pay/[\w-]{43}$`)
	urls := map[string]bool{}
	for _, id := range []string{made.GetPayment().GetId(), d.registered(d.one, 1), d.registered(d.one, 2)} {
		got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: id})
		if err != nil {
			t.Fatal(err)
		}
		if url := got.GetPayment().GetPayUrl(); !form.MatchString(url) || urls[url] {
			t.Errorf("pay_url %q", url)
		} else {
			urls[url] = true
		}
	}
	if !urls[made.GetPayment().GetPayUrl()] {
		t.Errorf("CreatePayment answered %q", made.GetPayment().GetPayUrl())
	}
	for _, call := range d.gateways.Calls(gatewaystest.CreateCharge) {
		if key := call.(*gatewaysv1.CreateChargeRequest).GetSaleKey(); len(key) != 43 || urls["https://baixa.example/pay/"+key] {
			t.Errorf("the provider was told %q", key)
		}
	}
	d.PublicURL = ""
	if got, err := d.GetPayment(d.one.ctx, &paymentsv1.GetPaymentRequest{PaymentId: made.GetPayment().GetId()}); err != nil || got.GetPayment().GetPayUrl() != "" {
		t.Errorf("without a public URL: %q, %v", got.GetPayment().GetPayUrl(), err)
	}
}

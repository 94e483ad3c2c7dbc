package server

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func valueOf(p *paymentsv1.GetPolicyResponse, name string) (value, origin string) {
	for _, f := range p.GetFields() {
		if f.GetName() == name {
			return f.GetValue(), f.GetOrigin()
		}
	}
	return "", ""
}

func TestPolicy_nearerGoesFirst(t *testing.T) {
	d := newDesk(t)
	change := func(r *paymentsv1.ChangePolicyRequest) *paymentsv1.GetPolicyResponse {
		t.Helper()
		out, err := d.ChangePolicy(d.operator(), r)
		if err != nil {
			t.Fatal(err)
		}
		return out.GetPolicy()
	}
	expect := func(p *paymentsv1.GetPolicyResponse, name, value, origin string) {
		t.Helper()
		if v, o := valueOf(p, name); v != value || o != origin {
			t.Errorf("%s is %q from %s, want %q from %s", name, v, o, value, origin)
		}
	}
	change(&paymentsv1.ChangePolicyRequest{Provider: "atomopay", Set: map[string]string{"grace": "20m", "late": "hold", "horizon": "10d"}})
	change(&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"grace": "1800s", "late": "ask"}})
	p := change(&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, AccountId: d.one.account, Set: map[string]string{"grace": "45m"}})
	expect(p, "grace", "45m", "account")
	expect(p, "late", "ask", "merchant")
	expect(p, "horizon", "10d", "provider")
	expect(p, "blind_grace", "2d", "default")
	m, _ := payment.ParseMerchantID(d.one.id)
	a, _ := payment.ParseAccountID(d.one.account)
	if rules, polls := d.Policies.Policy(m, a, "atomopay"); payment.Span(rules.Grace) != "45m" || rules.Late != payment.LateAsk || payment.Span(polls.Horizon) != "10d" {
		t.Errorf("decisions use %+v and %+v", rules, polls)
	}
	p = change(&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, AccountId: d.one.account, Unset: []string{"grace"}})
	expect(p, "grace", "30m", "merchant")
	theirs, err := d.GetPolicy(d.two.ctx, &paymentsv1.GetPolicyRequest{AccountId: d.two.account})
	if err != nil {
		t.Fatal(err)
	}
	expect(theirs, "grace", "20m", "provider")
	for _, f := range p.GetFields() {
		if f.GetMeaning() == "" || f.GetValue() == "" && f.GetName() != "late_looks" || f.GetOrigin() != "default" && (f.GetSetBy() == "" || f.GetSetAt() == nil) {
			t.Errorf("field %v", f)
		}
	}
}

func TestPolicy_whatMakesNoSenseIsRefusedByName(t *testing.T) {
	d := newDesk(t)
	pushin := d.gateways.AddAccount(gatewaystest.Account{MerchantID: d.one.id, Provider: "pushinpay"}).ID
	for name, c := range map[string]struct {
		r     *paymentsv1.ChangePolicyRequest
		field string
		says  string
	}{
		"unknown":          {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"speed": "1"}}, "set.speed", "min_interval"},
		"nothing":          {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id}, "set", "at least one"},
		"no time":          {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"grace": "soon"}}, "set.grace", "30s"},
		"negative":         {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"grace": "-1s"}}, "set.grace", "outside"},
		"late":             {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"late": "drop"}}, "set.late", "deliver, hold, ask"},
		"not a number":     {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"open_growth": "NaN"}}, "set.open_growth", "outside"},
		"provider's rule":  {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, AccountId: pushin, Set: map[string]string{"min_interval": "10s"}}, "set.min_interval", "rule of pushinpay"},
		"rule of one":      {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"min_interval": "10s"}}, "set.min_interval", "rule of pushinpay"},
		"operator's rule":  {&paymentsv1.ChangePolicyRequest{Provider: "pushinpay", Set: map[string]string{"min_interval": "10s"}}, "set.min_interval", "rule of pushinpay"},
		"not together":     {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"rare_min": "2d", "rare_max": "1d"}}, "set.rare_max", "outside"},
		"set and unset":    {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Set: map[string]string{"late": "ask"}, Unset: []string{"late"}}, "unset", "at once"},
		"provider as well": {&paymentsv1.ChangePolicyRequest{MerchantId: d.one.id, Provider: "atomopay", Set: map[string]string{"late": "ask"}}, "provider", "empty"},
	} {
		_, err := d.ChangePolicy(d.operator(), c.r)
		code, fields := said(err)
		if code != codes.InvalidArgument || !strings.Contains(fields, c.field) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v names %q: %v", name, code, fields, err)
		}
	}
	if p, err := d.GetPolicy(d.one.ctx, &paymentsv1.GetPolicyRequest{}); err != nil || strings.Contains(p.String(), `origin:"merchant"`) {
		t.Errorf("something was set: %v %v", p, err)
	}
	_, err := d.ChangePolicy(d.one.ctx, &paymentsv1.ChangePolicyRequest{Provider: "atomopay", Set: map[string]string{"late": "ask"}})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "provider" {
		t.Errorf("a merchant changed a provider's settings: %v %q", code, fields)
	}
	_, err = d.ChangePolicy(d.one.ctx, &paymentsv1.ChangePolicyRequest{AccountId: d.two.account, Set: map[string]string{"late": "ask"}})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("somebody else's account: %v", err)
	}
}

// A merchant's value holds for accounts that are added later, and never breaks their provider's rule.
func TestPolicy_ruleLiftsWhatAMerchantSetBefore(t *testing.T) {
	d := newDesk(t)
	if _, err := d.ChangePolicy(d.one.ctx, &paymentsv1.ChangePolicyRequest{Set: map[string]string{"min_interval": "10s", "dense_every": "20s", "young_every": "30s"}}); err != nil {
		t.Fatal(err)
	}
	pushin := d.gateways.AddAccount(gatewaystest.Account{MerchantID: d.one.id, Provider: "pushinpay"}).ID
	p, err := d.GetPolicy(d.one.ctx, &paymentsv1.GetPolicyRequest{AccountId: pushin})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"min_interval", "dense_every", "young_every"} {
		if v, o := valueOf(p, name); v != "1m" || o != "provider_rule" {
			t.Errorf("%s is %q from %s", name, v, o)
		}
	}
	if len(p.GetIgnored()) > 0 {
		t.Errorf("ignored: %v", p.GetIgnored())
	}
}

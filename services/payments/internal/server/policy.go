package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/policy"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// GetPolicy returns every setting and where it comes from.
func (s *Server) GetPolicy(ctx context.Context, r *paymentsv1.GetPolicyRequest) (*paymentsv1.GetPolicyResponse, error) {
	place, provider, _, err := s.place(ctx, r.GetMerchantId(), r.GetAccountId(), r.GetProvider())
	if err != nil {
		return nil, err
	}
	if err := s.Policies.Refresh(ctx); err != nil {
		return nil, err
	}
	return s.policyAt(place, provider), nil
}

// place finds what a request is about: the place, the provider that goes with it, and the providers of the merchant's accounts.
func (s *Server) place(ctx context.Context, merchant, account, provider string) (store.Place, string, map[payment.AccountID]string, error) {
	var p store.Place
	provider = strings.ToLower(strings.TrimSpace(provider))
	m, err := scope(ctx, merchant)
	if err != nil {
		return p, "", nil, err
	}
	var f rpcerr.Fields
	checkText(&f, "provider", provider, 40)
	if account != "" {
		var err error
		p.AccountID, err = payment.ParseAccountID(account)
		f.Require(err == nil, "account_id", "a UUID as PutAccount returns it")
		f.Require(m != nil, "merchant_id", "the merchant whose account it is")
	}
	if provider != "" && s.Provider != nil {
		name, ok := s.Provider(provider)
		f.Require(ok, "provider", "the name of a provider, such as atomopay")
		provider = name
	}
	if err := f.Err(); err != nil || m == nil {
		return p, provider, nil, err
	}
	p.MerchantID = *m
	found, err := s.Store.Merchants(ctx, m)
	if err != nil {
		return p, "", nil, err
	}
	if len(found) == 0 {
		return p, "", nil, rpcerr.NotFound("merchant")
	}
	of, err := s.accounts.list(ctx, *m)
	if err != nil {
		return p, "", nil, err
	}
	if account != "" {
		own, ok := of[p.AccountID]
		switch {
		case !ok:
			return p, "", nil, rpcerr.NotFound("account_id: account")
		case provider != "" && provider != own:
			return p, "", nil, rpcerr.Invalid("provider", "empty, or the account's own: "+own)
		}
		provider = own
	}
	return p, provider, of, nil
}

func (s *Server) policyAt(p store.Place, provider string) *paymentsv1.GetPolicyResponse {
	out := &paymentsv1.GetPolicyResponse{Provider: provider}
	if p.MerchantID != (payment.MerchantID{}) {
		out.MerchantId = p.MerchantID.String()
	}
	if p.AccountID != (payment.AccountID{}) {
		out.AccountId = p.AccountID.String()
	}
	r, plain := s.Policies.Of(p.MerchantID, p.AccountID, provider), payment.DefaultSettings(provider)
	for _, f := range payment.SettingNames() {
		field := &paymentsv1.PolicyField{Name: f.Name, Value: f.Value(r.Settings), DefaultValue: f.Value(plain), Meaning: f.Meaning,
			Origin: string(payment.FromDefault)}
		if o, ok := r.Origins[f.Name]; ok {
			field.Origin = string(o)
			at := map[payment.Origin]store.Place{payment.FromProvider: {Provider: provider}, payment.FromMerchant: {MerchantID: p.MerchantID},
				payment.FromRule: {MerchantID: p.MerchantID}, payment.FromAccount: {MerchantID: p.MerchantID, AccountID: p.AccountID}}[o]
			if row, ok := s.Policies.Row(at, f.Name); ok {
				field.SetBy, field.SetAt = row.SetBy, timestamppb.New(row.SetAt)
			}
		}
		out.Fields = append(out.Fields, field)
	}
	for _, o := range r.Ignored {
		out.Ignored = append(out.Ignored, string(o))
	}
	return out
}

// ChangePolicy sets and unsets settings at one place, all or none.
func (s *Server) ChangePolicy(ctx context.Context, r *paymentsv1.ChangePolicyRequest) (*paymentsv1.ChangePolicyResponse, error) {
	place, provider, accounts, err := s.place(ctx, r.GetMerchantId(), r.GetAccountId(), r.GetProvider())
	if err != nil {
		return nil, err
	}
	var f rpcerr.Fields
	whole := place.MerchantID == payment.MerchantID{}
	f.Require(!whole || provider != "", "provider", "a provider's name, or merchant_id for a merchant's own policy")
	f.Require(whole || r.GetProvider() == "", "provider", "empty beside a merchant: a merchant's settings hold for all its accounts, account_id for one")
	f.Require(len(r.GetSet())+len(r.GetUnset()) > 0, "set", "at least one setting to set or unset")
	values := map[string]*string{}
	for name, text := range r.GetSet() {
		setting, ok := payment.FindSetting(name)
		f.Require(ok, "set."+clean(name, 60), "one of "+strings.Join(settingNames(), ", "))
		if ok {
			var scratch payment.Settings
			if err := setting.Set(&scratch, text); err != nil {
				refuse(&f, "set.", err)
				continue
			}
			canonical := setting.Value(scratch)
			values[name] = &canonical
		}
	}
	for _, name := range r.GetUnset() {
		_, ok := payment.FindSetting(name)
		f.Require(ok, "unset", "any of "+strings.Join(settingNames(), ", "))
		_, both := r.GetSet()[name]
		f.Require(!both, "unset", clean(name, 60)+" is set and unset at once")
		values[name] = nil
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if whole {
		place.Provider = provider
	}
	now := moment(s.Now())
	_, err = s.Store.ChangePolicy(ctx, store.PolicyChange{Place: place, Values: values, By: caller(ctx), At: now, From: now.Add(policy.Staleness),
		Gone: touches(values, "horizon", "final_tries", "watch_disputed_for", "watch_paid_for"), Paid: touches(values, "watch_paid_for"),
		Check: func(rows []store.PolicyRow) error { return checkPolicy(rows, place, provider, accounts) }})
	if err != nil {
		return nil, err
	}
	if err := s.Policies.Refresh(ctx); err != nil {
		return nil, err
	}
	return &paymentsv1.ChangePolicyResponse{Policy: s.policyAt(place, provider)}, nil
}

// moment is an instant as PostgreSQL keeps it.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func touches(values map[string]*string, names ...string) bool {
	for _, name := range names {
		if _, ok := values[name]; ok {
			return true
		}
	}
	return false
}

func settingNames() []string {
	var out []string
	for _, f := range payment.SettingNames() {
		out = append(out, f.Name)
	}
	return out
}

// checkPolicy refuses settings that make no sense or break a provider's rule, wherever they would apply.
func checkPolicy(rows []store.PolicyRow, place store.Place, provider string, accounts map[payment.AccountID]string) error {
	places := map[store.Place]map[string]store.PolicyRow{}
	for _, r := range rows {
		if places[r.Place] == nil {
			places[r.Place] = map[string]store.PolicyRow{}
		}
		places[r.Place][r.Field] = r
	}
	find := func(p store.Place) map[string]store.PolicyRow { return places[p] }
	var f rpcerr.Fields
	check := func(provider string, a payment.AccountID, prefix string) {
		layers := policy.Layers(find, place.MerchantID, a, provider)
		if len(layers) == 0 {
			return
		}
		last := len(layers) - 1
		refuse(&f, prefix, payment.CheckLayer(provider, layers[last], layers[:last]...))
	}
	switch {
	case place.MerchantID == payment.MerchantID{}, place.AccountID != payment.AccountID{}:
		check(provider, place.AccountID, "set.")
		return f.Err()
	}
	names := map[string]bool{}
	for _, name := range accounts {
		names[name] = true
	}
	if len(names) == 0 {
		names[""] = true
	}
	for name := range names {
		check(name, payment.AccountID{}, "set.")
	}
	if err := f.Err(); err != nil {
		return err
	}
	for id, name := range accounts {
		if len(places[store.Place{MerchantID: place.MerchantID, AccountID: id}]) > 0 {
			check(name, id, "account "+id.String()+": ")
		}
	}
	return f.Err()
}

// refuse turns the domain's errors into fields.
func refuse(f *rpcerr.Fields, prefix string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			refuse(f, prefix, e)
		}
		return
	}
	var field *payment.FieldError
	if !errors.As(err, &field) {
		f.Require(false, strings.TrimSuffix(prefix, "."), fmt.Sprint(err))
		return
	}
	path := prefix + clean(field.Field, 60)
	if !slices.ContainsFunc(*f, func(x rpcerr.Field) bool { return x.Path == path }) {
		f.Require(false, path, clean(field.Problem, 300))
	}
}

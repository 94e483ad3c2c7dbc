package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

var (
	referenceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
	saleKeyForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{0,100}$`)
)

// chargeRequest checks the request against the contract and the provider's own limits, naming every wrong field.
func chargeRequest(a *account.Account, c provider.Capabilities, r *gatewaysv1.CreateChargeRequest) (provider.ChargeRequest, error) {
	out := provider.ChargeRequest{Reference: r.GetReference(), Amount: money.Amount(r.GetAmount().GetCentavos()), Description: r.GetDescription(),
		Customer: provider.Customer{Name: r.GetCustomer().GetName(), Email: r.GetCustomer().GetEmail(), Phone: r.GetCustomer().GetPhone(),
			Document: r.GetCustomer().GetDocument()},
		Tracking: trackingFields(r.GetTracking()), ClientIP: r.GetTracking().GetClientIp()}
	var bad rpcerr.Fields
	bad.Require(c.Create, "account_id", "an account of a provider that makes charges through its API")
	bad.Require(referenceForm.MatchString(r.GetReference()), "reference", "1 to 50 of A-Z a-z 0-9 _ -")
	bad.Require(out.Amount > 0, "amount", "above zero")
	if out.Amount > 0 {
		bad.Require(out.Amount >= c.MinAmount, "amount", fmt.Sprintf("at least %s at %s", c.MinAmount, c.Name))
		bad.Require(c.MaxAmount == 0 || out.Amount <= c.MaxAmount, "amount", fmt.Sprintf("at most %s at %s", c.MaxAmount, c.Name))
	}
	currency := r.GetAmount().GetCurrency()
	bad.Require(currency == "" || currency == money.BRL, "amount.currency", "BRL: PIX has no other currency")
	bad.Require(r.GetDescription() != "" && len(r.GetDescription()) <= 500, "description", "what is sold, 1 to 500 bytes")
	bad.Require(saleKeyForm.MatchString(r.GetSaleKey()), "sale_key", "at most 100 of A-Z a-z 0-9 _ -")
	for _, name := range c.CustomerFields {
		given := map[string]string{"name": out.Customer.Name, "email": out.Customer.Email, "phone": out.Customer.Phone, "document": out.Customer.Document}
		bad.Require(given[name] != "", "customer."+name, fmt.Sprintf("the buyer's own; %s demands it", c.Name))
	}
	for name, value := range map[string]string{"name": out.Customer.Name, "email": out.Customer.Email, "phone": out.Customer.Phone, "document": out.Customer.Document} {
		bad.Require(len(value) <= 200, "customer."+name, "at most 200 bytes")
	}
	if base := r.GetWebhookBaseUrl(); base != "" {
		bad.Require(provider.CheckBaseURL(base) == nil, "webhook_base_url", "https://host, or http:// on loopback, without query")
		out.WebhookURL = provider.WebhookURL(base, a.Provider, a.WebhookKey, r.GetSaleKey())
	}
	if err := bad.Err(); err != nil {
		return provider.ChargeRequest{}, err
	}
	if err := out.Check(c); err != nil { // what the capabilities demand beyond the fields above
		return provider.ChargeRequest{}, rpcerr.Invalid("request", reason(err))
	}
	return out, nil
}

func trackingFields(t *typev1.Tracking) map[string]string {
	out := map[string]string{}
	for name, value := range map[string]string{"utm_source": t.GetUtmSource(), "utm_medium": t.GetUtmMedium(), "utm_campaign": t.GetUtmCampaign(),
		"utm_term": t.GetUtmTerm(), "utm_content": t.GetUtmContent(), "src": t.GetSrc(), "sck": t.GetSck()} {
		if value != "" {
			out[name] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// fingerprint stands for the content of a request. Where our own webhooks are reached and where a click came from are no part
// of it: a repetition with other ones asks for the same charge.
func fingerprint(r *gatewaysv1.CreateChargeRequest) []byte {
	content, err := json.Marshal([]any{r.GetAmount().GetCentavos(), r.GetDescription(), r.GetSaleKey(), r.GetCustomer().GetName(),
		r.GetCustomer().GetEmail(), r.GetCustomer().GetPhone(), r.GetCustomer().GetDocument()})
	if err != nil { // numbers and strings always marshal
		content = nil
	}
	sum := sha256.Sum256(content)
	return sum[:]
}

func contentName(k store.ChargeKey) string {
	return "charge/" + k.Account.String() + "/" + k.Reference
}

// attempt claims the charge for one attempt, or returns the answer of one that was made before. While another attempt is under
// way it waits for it, as long as the caller does.
func (s *Server) attempt(ctx context.Context, k store.ChargeKey, content []byte) (attempt, *gatewaysv1.CreateChargeResponse, error) {
	sealed, err := s.c.Sealer.Seal(content, contentName(k))
	if err != nil {
		return attempt{}, nil, err
	}
	lease := 2*s.c.CallTimeout + 5*time.Second // looking up, creating, writing
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 300*time.Millisecond) {
		mine, err := s.c.Store.RequestCharge(ctx, k, sealed, lease)
		if err != nil || mine {
			return attempt{key: k, number: 1}, nil, err
		}
		c, err := s.c.Store.Charge(ctx, k)
		if err != nil {
			return attempt{}, nil, err
		}
		before, err := s.c.Sealer.Open(c.Content, contentName(k))
		switch {
		case err != nil:
			return attempt{}, nil, fmt.Errorf("charge of account %s: %w", k.Account, err)
		case !bytes.Equal(before, content):
			return attempt{}, nil, rpcerr.Exists("reference: used before with other content")
		case c.State == store.Created:
			return attempt{}, charged(c.Result, gatewaysv1.Outcome_OUTCOME_STATUS), nil
		case c.State == store.Refused:
			return attempt{}, charged(c.Result, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST), nil
		case !c.Leased:
			if wait := s.soon(c); wait > 0 {
				return attempt{}, s.notShown(wait, c.Result.HTTPStatus), nil
			}
			mine, err := s.c.Store.RetakeCharge(ctx, c, lease)
			if err != nil || mine {
				return attempt{key: k, number: c.Attempts + 1, mayExist: c.State != store.Open, since: c.UnsureFor}, nil, err
			}
		}
		if err := pause(ctx, wait); err != nil {
			return attempt{}, nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

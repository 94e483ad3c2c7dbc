package wiinpay

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// minSplit is the least that a split may be, in centavos.
const minSplit = 11

// GetStatus asks GET /payment/list/{id}.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		request := provider.Request{Op: provider.OpStatus, Path: "/payment/list/{id}", Args: []string{ref.Get(kind)}}
		if _, err := a.prepare(account, &request); err != nil {
			return provider.Reading{}, err
		}
		response, err := a.client.Do(ctx, request)
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks for a charge that does not exist.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	request := provider.Request{Op: provider.OpVerify, Path: "/payment/list/{none}", Args: []string{provider.NoCharge}}
	if _, err := a.prepare(account, &request); err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, request)
}

type split struct {
	Value  json.Number `json:"value"`
	UserID string      `json:"user_id"`
}

type metadata struct {
	PaymentID string `json:"payment_id"`
}

type creation struct {
	APIKey      string      `json:"api_key"`
	Value       json.Number `json:"value"`
	Name        string      `json:"name"`
	Email       string      `json:"email"`
	Description string      `json:"description"`
	WebhookURL  string      `json:"webhook_url,omitempty"`
	Metadata    metadata    `json:"metadata"`
	Split       *split      `json:"split,omitempty"`
}

// CreateCharge asks POST /payment/create, with the key in the body.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	call := provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/payment/create"}
	key, err := a.prepare(account, &call)
	if err != nil {
		return provider.Charge{}, err
	}
	unit := a.capabilities.Unit
	body := creation{APIKey: key.Reveal(), Value: unit.Number(request.Amount), Name: request.Customer.Name, Email: request.Customer.Email,
		Description: request.Title(), WebhookURL: request.WebhookURL, Metadata: metadata{PaymentID: request.Reference}}
	for _, s := range request.Splits {
		reason := ""
		switch {
		case len(request.Splits) > 1:
			reason = "one split receiver is possible here"
		case s.Amount < minSplit:
			reason = "a split must be more than R$ 0,10 here"
		case s.AccountID == owner(key):
			reason = "split receiver is the account itself"
		}
		if reason != "" {
			return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate, Reason: reason}
		}
		body.Split = &split{Value: unit.Number(s.Amount), UserID: s.AccountID}
	}
	call.Header, call.Body = nil, body
	response, err := a.client.Do(ctx, call)
	if err != nil {
		return provider.Charge{}, err
	}
	return a.answer.ReadCharge(response, request)
}

// owner is the user that a key was made for, by the key's own words; "" when it does not say. Nothing is trusted to
// it: it only spares a call that would be refused.
func owner(key provider.Secret) string {
	parts := strings.Split(key.Reveal(), ".")
	if len(parts) != 3 {
		return ""
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	doc, err := document.Parse(claims)
	if err != nil {
		return ""
	}
	return doc.Get("userId").Text()
}

func (a *Adapter) prepare(account provider.Account, request *provider.Request) (provider.Secret, error) {
	key, err := account.Require(request.Op, Name, credentialKey)
	if err != nil {
		return provider.Secret{}, err
	}
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"Authorization": "Bearer " + key[0].Reveal()}
	return key[0], nil
}

package syncpay

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /api/partner/v1/transaction/{identifier}.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/api/partner/v1/transaction/{identifier}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount fetches a new token and asks with it for a charge that does not exist.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	keys, err := account.Require(provider.OpVerify, Name, credentialID, credentialSecret)
	if err != nil {
		return provider.AccountInfo{}, err
	}
	token, _, err := a.fetch(account, keys[0], keys[1])(ctx)
	if err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, a.bearing(account, token, provider.Request{Path: "/api/partner/v1/transaction/{none}", Args: []string{provider.NoCharge}}))
}

type client struct {
	Name  string `json:"name"`
	CPF   string `json:"cpf"`
	Email string `json:"email"`
	Phone string `json:"phone"`
}

type split struct {
	Percentage int    `json:"percentage"`
	UserID     string `json:"user_id"`
}

type creation struct {
	Amount      json.Number `json:"amount"`
	Description string      `json:"description"`
	WebhookURL  string      `json:"webhook_url,omitempty"`
	Client      client      `json:"client"`
	Split       []split     `json:"split,omitempty"`
}

// CreateCharge asks POST /api/partner/v1/cash-in. SyncPay keeps no reference of ours.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	wrong := func(reason string) (provider.Charge, error) {
		return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate, Reason: reason}
	}
	body := creation{Amount: a.capabilities.Unit.Number(request.Amount), Description: request.Title(), WebhookURL: request.WebhookURL,
		Client: client{Name: request.Customer.Name, Email: request.Customer.Email, CPF: provider.Digits(request.Customer.Document),
			Phone: provider.LocalPhone(request.Customer.Phone)}}
	switch phone := len(body.Client.Phone); {
	case provider.DocumentType(body.Client.CPF) != "cpf":
		return wrong("the buyer's document must be a CPF of 11 digits here")
	case phone != 10 && phone != 11:
		return wrong("the buyer's phone must have 10 or 11 digits here")
	case len(request.Splits) > 3:
		return wrong("at most three splits here")
	}
	for _, s := range request.Splits {
		share := provider.Percent(s.Amount, request.Amount)
		if share < 1 {
			return wrong("a split must be at least one percent here")
		}
		body.Split = append(body.Split, split{Percentage: share, UserID: s.AccountID})
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/api/partner/v1/cash-in", Body: body})
	if err != nil {
		return provider.Charge{}, err
	}
	return a.answer.ReadCharge(response, request)
}

// do performs a call with the account's token. A token that the provider ended before its time is replaced once: a
// 401 proves that nothing was done.
func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	keys, err := account.Require(request.Op, Name, credentialID, credentialSecret)
	if err != nil {
		return nil, err
	}
	key := keyOf(account, keys[0], keys[1])
	for second := false; ; second = true {
		token, fresh, err := a.tokens.get(ctx, key, a.fetch(account, keys[0], keys[1]))
		if err != nil {
			return nil, err
		}
		response, err := a.client.Do(ctx, a.bearing(account, token, request))
		if provider.KindOf(err) != provider.KindCredential {
			return response, err
		}
		if a.tokens.drop(key, token); fresh || second {
			return nil, err
		}
	}
}

func (a *Adapter) bearing(account provider.Account, token provider.Secret, request provider.Request) provider.Request {
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"Authorization": "Bearer " + token.Reveal()}
	request.Secrets = []provider.Secret{token}
	return request
}

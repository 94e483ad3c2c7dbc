package pushinpay

import (
	"context"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /transactions/{id}. Callers must keep the poll rule: once a minute for one sale.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/transactions/{id}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks for the account that the token belongs to.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpVerify, Path: "/accounts/find"})
	if err != nil {
		return provider.AccountInfo{}, err
	}
	if _, err := response.Document(); err != nil {
		return provider.AccountInfo{}, err
	}
	return provider.AccountInfo{Endpoint: response.Endpoint, HTTPStatus: response.HTTPStatus}, nil
}

type split struct {
	Value     int64  `json:"value"`
	AccountID string `json:"account_id"`
}

type creation struct {
	Value      int64   `json:"value"`
	WebhookURL string  `json:"webhook_url,omitempty"`
	Splits     []split `json:"split_rules"`
}

// CreateCharge asks POST /pix/cashIn. PushinPay takes neither customer nor reference; splits take at most half.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	body := creation{Value: int64(request.Amount), WebhookURL: request.WebhookURL, Splits: []split{}}
	var parts int64
	for _, s := range request.Splits {
		parts += int64(s.Amount)
		body.Splits = append(body.Splits, split{Value: int64(s.Amount), AccountID: s.AccountID})
	}
	if parts*2 > body.Value {
		return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate,
			Reason: "splits exceed half of the amount"}
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/pix/cashIn", Body: body})
	if err != nil {
		return provider.Charge{}, err
	}
	return a.answer.ReadCharge(response, request)
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	token, err := account.Require(request.Op, Name, credentialToken)
	if err != nil {
		return nil, err
	}
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"Authorization": "Bearer " + token[0].Reveal()}
	return a.client.Do(ctx, request)
}

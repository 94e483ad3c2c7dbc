package sigilopay

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /gateway/transactions?id=. Callers must keep the poll rule: every five minutes for one sale.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	shape, _, err := a.shape(provider.OpStatus, account)
	if err != nil {
		return provider.Reading{}, err
	}
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/gateway/transactions?id={id}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return shape.Read(response, kind, ref)
	})
}

// VerifyAccount asks for a charge that does not exist.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	request := provider.Request{Op: provider.OpVerify, Path: "/gateway/transactions?id={none}", Args: []string{provider.NoCharge}}
	if err := a.prepare(account, &request); err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, request)
}

type client struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	Document string `json:"document"`
}

type product struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Price    json.Number `json:"price"`
	Quantity int         `json:"quantity"`
}

type creation struct {
	Identifier  string      `json:"identifier"`
	Amount      json.Number `json:"amount"`
	Client      client      `json:"client"`
	Products    []product   `json:"products"`
	CallbackURL string      `json:"callbackUrl,omitempty"`
}

// CreateCharge asks POST /gateway/pix/receive in the account's unit.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	shape, unit, err := a.shape(provider.OpCreate, account)
	if err != nil {
		return provider.Charge{}, err
	}
	amount := unit.Number(request.Amount)
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/gateway/pix/receive", Body: creation{
		Identifier: request.Reference, Amount: amount, CallbackURL: request.WebhookURL,
		Client: client{Name: request.Customer.Name, Email: request.Customer.Email,
			Phone: "+55" + provider.LocalPhone(request.Customer.Phone), Document: provider.Digits(request.Customer.Document)},
		Products: []product{{ID: request.Reference, Name: request.Title(), Price: amount, Quantity: 1}},
	}})
	if err != nil {
		return provider.Charge{}, err
	}
	shape.ID = []string{"transactionId", "id"}
	return shape.ReadCharge(response, request)
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	if err := a.prepare(account, &request); err != nil {
		return nil, err
	}
	return a.client.Do(ctx, request)
}

func (a *Adapter) prepare(account provider.Account, request *provider.Request) error {
	keys, err := account.Require(request.Op, Name, credentialPublic, credentialSecret)
	if err != nil {
		return err
	}
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"X-Public-Key": keys[0].Reveal(), "X-Secret-Key": keys[1].Reveal()}
	return nil
}

package bolt

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /transactions/{id}.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/transactions/{id}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks for a list of one.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpVerify, Path: "/transactions?page=1&limit=1"})
	if err != nil {
		return provider.AccountInfo{}, err
	}
	return response.Verified()
}

type customer struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	Document string `json:"document"`
}

type item struct {
	Title       string `json:"title"`
	UnitPrice   int64  `json:"unitPrice"`
	Quantity    int    `json:"quantity"`
	ExternalRef string `json:"externalRef"`
}

type pix struct {
	ExpiresInDays int `json:"expiresInDays"`
}

type creation struct {
	Amount        int64    `json:"amount"`
	PaymentMethod string   `json:"paymentMethod"`
	Description   string   `json:"description,omitempty"`
	Customer      customer `json:"customer"`
	Items         []item   `json:"items"`
	Pix           pix      `json:"pix"`
	PostbackURL   string   `json:"postbackUrl,omitempty"`
}

// CreateCharge asks POST /transactions. Our reference travels with the item.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/transactions", Body: creation{
		Amount: int64(request.Amount), PaymentMethod: "PIX", Description: request.Description,
		Customer: customer{Name: request.Customer.Name, Email: request.Customer.Email,
			Phone: provider.LocalPhone(request.Customer.Phone), Document: provider.Digits(request.Customer.Document)},
		Items:       []item{{Title: request.Title(), UnitPrice: int64(request.Amount), Quantity: 1, ExternalRef: request.Reference}},
		Pix:         pix{ExpiresInDays: provider.WholeDays(request.ExpiresIn, 1, 7)},
		PostbackURL: request.WebhookURL,
	}})
	if err != nil {
		return provider.Charge{}, err
	}
	return a.answer.ReadCharge(response, request)
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	secrets, err := account.Require(request.Op, Name, credentialKey, credentialCompany)
	if err != nil {
		return nil, err
	}
	pair := base64.StdEncoding.EncodeToString([]byte(secrets[0].Reveal() + ":" + secrets[1].Reveal()))
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"Authorization": "Basic " + pair}
	request.Secrets = []provider.Secret{provider.NewSecret(pair)}
	return a.client.Do(ctx, request)
}

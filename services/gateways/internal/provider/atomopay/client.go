package atomopay

import (
	"context"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /transactions/{hash}, by hash and then by id.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/transactions/{hash}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks for the first page of products.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpVerify, Path: "/products?page=1&per_page=1"})
	if err != nil {
		return provider.AccountInfo{}, err
	}
	if _, err := response.Document(); err != nil {
		return provider.AccountInfo{}, err
	}
	return provider.AccountInfo{Endpoint: response.Endpoint, HTTPStatus: response.HTTPStatus}, nil
}

type cartItem struct {
	ProductHash   string `json:"product_hash"`
	Title         string `json:"title"`
	Price         int64  `json:"price"`
	Quantity      int    `json:"quantity"`
	OperationType int    `json:"operation_type"`
	Tangible      bool   `json:"tangible"`
}

type customer struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone_number,omitempty"`
	Document string `json:"document,omitempty"`
}

type creation struct {
	Amount        int64             `json:"amount"`
	PaymentMethod string            `json:"payment_method"`
	OfferHash     string            `json:"offer_hash"`
	Cart          []cartItem        `json:"cart"`
	Customer      customer          `json:"customer"`
	Installments  int               `json:"installments"`
	Origin        string            `json:"transaction_origin"`
	PostbackURL   string            `json:"postback_url,omitempty"`
	Tracking      map[string]string `json:"tracking,omitempty"`
	Reference     string            `json:"reference"`
}

// CreateCharge asks POST /transactions. The account needs the settings offer_hash and product_hash.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	offer, product := account.Setting(settingOfferHash), account.Setting(settingProductHash)
	if offer == "" || product == "" {
		return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate,
			Reason: "account has no offer_hash or no product_hash"}
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/transactions", Body: creation{
		Amount: int64(request.Amount), PaymentMethod: "pix", OfferHash: offer, Installments: 1, Origin: "api",
		Cart: []cartItem{{ProductHash: product, Title: request.Title(), Price: int64(request.Amount), Quantity: 1, OperationType: 1}},
		Customer: customer{Name: request.Customer.Name, Email: request.Customer.Email,
			Phone: provider.Digits(request.Customer.Phone), Document: provider.Digits(request.Customer.Document)},
		PostbackURL: request.WebhookURL, Tracking: request.Tracking, Reference: request.Reference,
	}})
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
	request.SecretQuery = map[string]provider.Secret{"api_token": token[0]}
	return a.client.Do(ctx, request)
}

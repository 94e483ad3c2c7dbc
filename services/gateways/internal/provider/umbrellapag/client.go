package umbrellapag

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /user/transactions/{id}. A word listed in Capabilities.Unsafe needs a second look.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/user/transactions/{id}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		reading, err := a.answer.Read(response, kind, ref)
		unpack(&reading.Identifiers)
		return reading, err
	})
}

// VerifyAccount asks for a charge that does not exist.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	request := provider.Request{Op: provider.OpVerify, Path: "/user/transactions/{none}", Args: []string{provider.NoCharge}}
	if err := a.prepare(account, &request); err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, request)
}

type identity struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"`
}

type customer struct {
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Document identity `json:"document"`
	Phone    string   `json:"phone"`
}

type item struct {
	Title     string `json:"title"`
	UnitPrice int64  `json:"unitPrice"`
	Quantity  int    `json:"quantity"`
	Tangible  bool   `json:"tangible"`
}

type pix struct {
	ExpiresInDays int `json:"expiresInDays"`
}

type creation struct {
	Amount        int64    `json:"amount"`
	Currency      string   `json:"currency"`
	PaymentMethod string   `json:"paymentMethod"`
	Installments  int      `json:"installments"`
	Traceable     bool     `json:"traceable"`
	PostbackURL   string   `json:"postbackUrl,omitempty"`
	Metadata      string   `json:"metadata"`
	IP            string   `json:"ip,omitempty"`
	Customer      customer `json:"customer"`
	Items         []item   `json:"items"`
	Pix           pix      `json:"pix"`
}

// CreateCharge asks POST /user/transactions. Address and shipping are not sent: nobody told them.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	metadata, err := json.Marshal(map[string]string{"reference": request.Reference})
	if err != nil {
		return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate, Reason: "reference cannot be written as json"}
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/user/transactions", Body: creation{
		Amount: int64(request.Amount), Currency: "BRL", PaymentMethod: "pix", Installments: 1, Traceable: true,
		PostbackURL: request.WebhookURL, Metadata: string(metadata), IP: request.ClientIP,
		Customer: customer{Name: request.Customer.Name, Email: request.Customer.Email, Phone: "+55" + provider.LocalPhone(request.Customer.Phone),
			Document: identity{Number: provider.Digits(request.Customer.Document), Type: strings.ToUpper(provider.DocumentType(request.Customer.Document))}},
		Items: []item{{Title: request.Title(), UnitPrice: int64(request.Amount), Quantity: 1}},
		Pix:   pix{ExpiresInDays: provider.WholeDays(request.ExpiresIn, 1, 30)},
	}})
	if err != nil {
		return provider.Charge{}, err
	}
	charge, err := a.answer.ReadCharge(response, request)
	if unpack(&charge.Identifiers); err == nil && charge.Identifiers.Reference == "" {
		charge.Identifiers.Reference = request.Reference
	}
	return charge, err
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	if err := a.prepare(account, &request); err != nil {
		return nil, err
	}
	return a.client.Do(ctx, request)
}

func (a *Adapter) prepare(account provider.Account, request *provider.Request) error {
	key, err := account.Require(request.Op, Name, credentialKey)
	if err != nil {
		return err
	}
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"X-Api-Key": key[0].Reveal(), "User-Agent": userAgent}
	return nil
}

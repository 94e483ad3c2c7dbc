package orionpay

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// GetStatus asks GET /api/v1/pix/status/{id}, by transactionId and then by the creation's id.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: "/api/v1/pix/status/{id}", Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks for a charge that does not exist.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	request := provider.Request{Op: provider.OpVerify, Path: "/api/v1/pix/status/{none}", Args: []string{provider.NoCharge}}
	if err := a.prepare(account, &request); err != nil {
		return provider.AccountInfo{}, err
	}
	return a.client.Probe(ctx, request)
}

type creation struct {
	Amount      json.Number `json:"amount"`
	Name        string      `json:"name"`
	Email       string      `json:"email"`
	Description string      `json:"description,omitempty"`
	CPF         string      `json:"cpf,omitempty"`
	Phone       string      `json:"phone,omitempty"`
}

// CreateCharge asks POST /api/v1/pix/personal. Neither our reference nor a webhook's address can be sent.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/api/v1/pix/personal", Body: creation{
		Amount: a.capabilities.Unit.Number(request.Amount), Name: request.Customer.Name, Email: request.Customer.Email,
		Description: request.Description, CPF: dotted(request.Customer.Document), Phone: provider.LocalPhone(request.Customer.Phone),
	}})
	if err != nil {
		return provider.Charge{}, err
	}
	charge, err := a.answer.ReadCharge(response, request)
	if ref := &charge.Identifiers; ref.Hash == ref.ID {
		ref.Hash = "" // one name told twice need not be asked by twice
	}
	return charge, err
}

// dotted is a CPF as the provider's example writes it, 000.000.001-91; "" for anything that is none.
func dotted(document string) string {
	d := provider.Digits(document)
	if len(d) != 11 {
		return ""
	}
	return d[:3] + "." + d[3:6] + "." + d[6:9] + "-" + d[9:]
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
	request.Header = map[string]string{"X-Api-Key": key[0].Reveal()}
	return nil
}

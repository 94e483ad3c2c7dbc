package paradise

import (
	"context"
	"net/http"
	"strconv"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// asks are the status calls by the identifier that they take.
var asks = map[provider.IDKind]string{
	provider.ByID:        "/query.php?action=get_transaction&id={id}",
	provider.ByReference: "/query.php?action=list_transactions&external_id={reference}",
	provider.ByHash:      "/check_status.php?hash={hash}",
}

// GetStatus asks query.php by internal id, then by our reference, and the old check_status.php by hash at last.
func (a *Adapter) GetStatus(ctx context.Context, account provider.Account, ref provider.Ref) (provider.Reading, error) {
	return provider.TryEach(ctx, a.capabilities, ref, func(ctx context.Context, kind provider.IDKind, ref provider.Ref) (provider.Reading, error) {
		response, err := a.do(ctx, account, provider.Request{Op: provider.OpStatus, Path: asks[kind], Args: []string{ref.Get(kind)}})
		if err != nil {
			return provider.Reading{}, err
		}
		return a.answer.Read(response, kind, ref)
	})
}

// VerifyAccount asks who the seller is.
func (a *Adapter) VerifyAccount(ctx context.Context, account provider.Account) (provider.AccountInfo, error) {
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpVerify, Path: "/seller.php"})
	if err != nil {
		return provider.AccountInfo{}, err
	}
	doc, err := response.Document()
	if err != nil {
		return provider.AccountInfo{}, err
	}
	if provider.Fold(doc.Get("status").Text()) == "error" {
		return provider.AccountInfo{}, response.Fail(provider.KindTransient, "success code with an error inside")
	}
	return provider.AccountInfo{Endpoint: response.Endpoint, HTTPStatus: response.HTTPStatus}, nil
}

type customer struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Document string `json:"document"`
	Phone    string `json:"phone"`
}

type split struct {
	RecipientID int64 `json:"recipientId"`
	Amount      int64 `json:"amount"`
}

type creation struct {
	Amount      int64             `json:"amount"`
	Description string            `json:"description"`
	Reference   string            `json:"reference"`
	Customer    customer          `json:"customer"`
	ProductHash string            `json:"productHash,omitempty"`
	Source      string            `json:"source,omitempty"`
	PostbackURL string            `json:"postback_url,omitempty"`
	Tracking    map[string]string `json:"tracking,omitempty"`
	Splits      []split           `json:"splits,omitempty"`
}

// CreateCharge asks POST /transaction.php. Keep both names of the answer: queries and refunds want the internal id,
// webhooks bring the reference too.
func (a *Adapter) CreateCharge(ctx context.Context, account provider.Account, request provider.ChargeRequest) (provider.Charge, error) {
	if err := request.Check(a.capabilities); err != nil {
		return provider.Charge{}, err
	}
	body := creation{
		Amount: int64(request.Amount), Description: request.Title(), Reference: request.Reference,
		Customer: customer{Name: request.Customer.Name, Email: request.Customer.Email,
			Document: provider.Digits(request.Customer.Document), Phone: provider.Digits(request.Customer.Phone)},
		ProductHash: account.Setting(settingProductHash), PostbackURL: request.WebhookURL, Tracking: request.Tracking,
	}
	if body.ProductHash == "" {
		body.Source = "api_externa"
	}
	for _, s := range request.Splits {
		id, err := strconv.ParseInt(s.AccountID, 10, 64)
		if err != nil {
			return provider.Charge{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpCreate,
				Reason: "split receivers are numbers here"}
		}
		body.Splits = append(body.Splits, split{RecipientID: id, Amount: int64(s.Amount)})
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpCreate, Method: http.MethodPost, Path: "/transaction.php", Body: body})
	if err != nil {
		return provider.Charge{}, err
	}
	charge, err := a.creation.ReadCharge(response, request)
	if err == nil && charge.Identifiers.ID == request.Reference {
		return provider.Charge{}, response.Fail(provider.KindContract, "charge without an identifier")
	}
	return charge, err
}

func (a *Adapter) do(ctx context.Context, account provider.Account, request provider.Request) (*provider.Response, error) {
	key, err := account.Require(request.Op, Name, credentialKey)
	if err != nil {
		return nil, err
	}
	request.Provider, request.Account, request.DefaultBase = Name, account, a.capabilities.BaseURL
	request.Header = map[string]string{"X-API-Key": key[0].Reveal()}
	return a.client.Do(ctx, request)
}

package gatewaystest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpcerr"
)

const maxBatch = 500

type chargeKey struct{ account, reference string }

type charge struct {
	request  *gatewaysv1.CreateChargeRequest
	response *gatewaysv1.CreateChargeResponse
}

type gatewaysServer struct {
	gatewaysv1.UnimplementedGatewaysServiceServer
	f *Fake
}

func (s *gatewaysServer) GetPaymentStatus(ctx context.Context, r *gatewaysv1.GetPaymentStatusRequest) (*gatewaysv1.GetPaymentStatusResponse, error) {
	if !named(r.GetRef()) {
		return nil, rpcerr.Invalid("ref", "at least one identifier")
	}
	result, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	return &gatewaysv1.GetPaymentStatusResponse{Result: result}, nil
}

func (s *gatewaysServer) BatchGetPaymentStatus(ctx context.Context, r *gatewaysv1.BatchGetPaymentStatusRequest) (*gatewaysv1.BatchGetPaymentStatusResponse, error) {
	if n := len(r.GetRequests()); n == 0 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", "1 to 500 questions")
	}
	out := &gatewaysv1.BatchGetPaymentStatusResponse{}
	for _, one := range r.GetRequests() {
		result, err := s.look(ctx, one)
		if err != nil || !named(one.GetRef()) {
			result = &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, Excerpt: "no such account or no identifier"}
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

func named(r *gatewaysv1.ChargeRef) bool {
	return r.GetHash() != "" || r.GetId() != "" || r.GetReference() != ""
}

func (s *gatewaysServer) look(ctx context.Context, r *gatewaysv1.GetPaymentStatusRequest) (*gatewaysv1.PollResult, error) {
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	a, err := s.f.owned(merchant, r.GetAccountId())
	if err != nil {
		return nil, err
	}
	result := NotFound()
	for _, id := range []string{r.GetRef().GetHash(), r.GetRef().GetId(), r.GetRef().GetReference()} {
		id = strings.ToLower(id)
		if id == "" {
			continue
		}
		s.f.looks[id]++
		if script := s.f.scripts[id]; len(script) > 0 && result.GetOutcome() == gatewaysv1.Outcome_OUTCOME_NOT_FOUND {
			result = script[0]
			if len(script) > 1 {
				s.f.scripts[id] = script[1:]
			}
		}
	}
	s.f.record()
	if a.State == gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED {
		return Paused(), nil
	}
	result = proto.CloneOf(result)
	if result.GetReading() != nil && result.GetReading().GetRef() == nil {
		result.Reading.Ref = proto.CloneOf(r.GetRef())
	}
	return result, nil
}

func (s *gatewaysServer) CreateCharge(ctx context.Context, r *gatewaysv1.CreateChargeRequest) (*gatewaysv1.CreateChargeResponse, error) {
	merchant, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	var bad rpcerr.Fields
	bad.Require(r.GetReference() != "" && len(r.GetReference()) <= 50, "reference", "1 to 50 bytes")
	bad.Require(r.GetAmount().GetCentavos() > 0, "amount", "above zero")
	bad.Require(r.GetDescription() != "", "description", "what is sold")
	if err := bad.Err(); err != nil {
		return nil, err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if _, err := s.f.owned(merchant, r.GetAccountId()); err != nil {
		return nil, err
	}
	key := chargeKey{r.GetAccountId(), r.GetReference()}
	if old, ok := s.f.charges[key]; ok {
		if !proto.Equal(old.request, r) {
			return nil, rpcerr.Exists("reference: used before for another charge")
		}
		return proto.CloneOf(old.response), nil
	}
	resp := &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 201,
		Ref:       &gatewaysv1.ChargeRef{Id: "id-" + r.GetReference(), Hash: "h-" + r.GetReference(), Reference: r.GetReference()},
		CopyPaste: "00020126330014br.gov.bcb.pix0111fake-charge5204000053039865802BR5904LOJA6006BRASIL62070503***63041D3D",
		ExpiresAt: timestamppb.New(time.Now().UTC().Add(15 * time.Minute))}
	if len(s.f.refusals) > 0 {
		resp = &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, HttpStatus: 200, Reason: s.f.refusals[0]}
		s.f.refusals = s.f.refusals[1:]
	} else {
		for _, id := range []string{resp.Ref.Id, resp.Ref.Hash, resp.Ref.Reference} {
			if id = strings.ToLower(id); s.f.scripts[id] == nil {
				s.f.scripts[id] = []*gatewaysv1.PollResult{Pending()}
			}
		}
	}
	s.f.charges[key] = charge{proto.CloneOf(r), resp}
	return proto.CloneOf(resp), nil
}

func (s *gatewaysServer) ParseWebhook(ctx context.Context, r *gatewaysv1.ParseWebhookRequest) (*gatewaysv1.ParseWebhookResponse, error) {
	merchant, err := auth.From(ctx).Scope("")
	if err != nil {
		return nil, err
	}
	return s.f.parse(merchant, r), nil
}

func (s *gatewaysServer) BatchParseWebhooks(ctx context.Context, r *gatewaysv1.BatchParseWebhooksRequest) (*gatewaysv1.BatchParseWebhooksResponse, error) {
	merchant, err := auth.From(ctx).Scope("")
	if err != nil {
		return nil, err
	}
	if n := len(r.GetRequests()); n == 0 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", "1 to 500 webhooks")
	}
	out := &gatewaysv1.BatchParseWebhooksResponse{}
	for _, one := range r.GetRequests() {
		out.Results = append(out.Results, s.f.parse(merchant, one))
	}
	return out, nil
}

// parse finds accounts of one merchant only, of any when merchant is empty.
func (f *Fake) parse(merchant string, r *gatewaysv1.ParseWebhookRequest) *gatewaysv1.ParseWebhookResponse {
	f.mu.Lock()
	defer f.mu.Unlock()
	if scripted, ok := f.webhooks[string(r.GetBody())]; ok {
		return proto.CloneOf(scripted)
	}
	var body struct {
		Test                                  bool
		ID, Hash, Reference, Status, Producer string
		Amount                                *int64
	}
	if err := json.Unmarshal(r.GetBody(), &body); err != nil {
		return &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_CONTRACT, Reason: "not understood"}
	}
	if body.Test {
		return &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, Reason: "a test event"}
	}
	hint := &gatewaysv1.Hint{Ref: &gatewaysv1.ChargeRef{Id: body.ID, Hash: body.Hash, Reference: body.Reference},
		Claimed: gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN, ProviderStatus: body.Status}
	if !named(hint.Ref) {
		return &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_CONTRACT, Reason: "webhook names no charge"}
	}
	if v, ok := gatewaysv1.ChargeStatus_value["CHARGE_STATUS_"+strings.ToUpper(body.Status)]; ok {
		hint.Claimed = gatewaysv1.ChargeStatus(v)
	}
	if body.Amount != nil {
		hint.Amount = &typev1.Money{Centavos: *body.Amount, Currency: "BRL"}
	}
	resp := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, Hints: []*gatewaysv1.Hint{hint}}
	for _, a := range f.accounts {
		routed := false
		for _, hash := range a.routing {
			routed = routed || hash != "" && hash == body.Producer
		}
		mine := merchant == "" || a.MerchantId == merchant
		if mine && (a.AccountKey == r.GetAccountKey() || r.GetAccountKey() == "" && routed) {
			resp.AccountId, resp.MerchantId = a.Id, a.MerchantId
		}
	}
	return resp
}

// ListProviders tells of the three providers of the origin system with their real cadences, of one that lists, and of a refused one.
func (s *gatewaysServer) ListProviders(context.Context, *gatewaysv1.ListProvidersRequest) (*gatewaysv1.ListProvidersResponse, error) {
	return &gatewaysv1.ListProvidersResponse{Providers: append(providers(),
		&gatewaysv1.Provider{Name: "supremuspay", RefusedBecause: "its API is plain http on a bare address"})}, nil
}

func providers() []*gatewaysv1.Provider {
	one := func(name, title string, cadence, least time.Duration, perMinute int32, identifiers ...string) *gatewaysv1.Provider {
		return &gatewaysv1.Provider{Name: name, Title: title, Identifiers: identifiers, AmountUnit: "centavos", WebhookTrust: "none", Cadence: durationpb.New(cadence),
			MinIntervalPerSale: durationpb.New(least), CallsPerMinute: perMinute, FinalStatuses: []string{"refunded", "charged_back"}, Confidence: "high",
			Notes: []string{fmt.Sprintf("a fake of %s", name)}}
	}
	pushinpay := one("pushinpay", "PushinPay", time.Minute, time.Minute, 120, "id")
	pushinpay.Aliases = []string{"pushynpay"}
	bolt := one("bolt", "Bolt Pagamentos", time.Minute, 10*time.Second, 60, "id")
	bolt.CanList = true
	return []*gatewaysv1.Provider{
		one("atomopay", "Átomo Pay", time.Minute, 10*time.Second, 1000, "hash", "id"),
		bolt,
		one("paradise", "Paradise", 5*time.Minute, 10*time.Second, 300, "id", "reference", "hash"),
		pushinpay,
	}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// maxBody is the largest webhook that is read.
const maxBody = 1 << 20

// parsed is one webhook on its way.
type parsed struct {
	request *gatewaysv1.ParseWebhookRequest
	adapter provider.Adapter
	webhook provider.Webhook
	hints   []provider.Hint
	result  *gatewaysv1.ParseWebhookResponse // set as soon as it is final
	account *account.Account
}

// ParseWebhook implements GatewaysService.
func (s gateways) ParseWebhook(ctx context.Context, r *gatewaysv1.ParseWebhookRequest) (*gatewaysv1.ParseWebhookResponse, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := s.c.Registry.Lookup(r.GetProvider()); err != nil {
		return nil, rpcerr.Invalid("provider", text(err.Error(), 300))
	}
	if len(r.GetBody()) > maxBody {
		return nil, rpcerr.Invalid("body", "at most 1 MiB")
	}
	results, err := s.parse(ctx, m, []*gatewaysv1.ParseWebhookRequest{r})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// BatchParseWebhooks implements GatewaysService. What would be an error of ParseWebhook is INVALID_REQUEST of its own item here:
// anybody can post to a webhook address, and one bad post must not hold up the others.
func (s gateways) BatchParseWebhooks(ctx context.Context, r *gatewaysv1.BatchParseWebhooksRequest) (*gatewaysv1.BatchParseWebhooksResponse, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	if n := len(r.GetRequests()); n == 0 || n > maxBatch {
		return nil, rpcerr.Invalid("requests", fmt.Sprintf("1 to %d webhooks", maxBatch))
	}
	results, err := s.parse(ctx, m, r.GetRequests())
	if err != nil {
		return nil, err
	}
	return &gatewaysv1.BatchParseWebhooksResponse{Results: results}, nil
}

// parse reads webhooks and finds their accounts, those of one merchant only unless m is zero.
func (s *Server) parse(ctx context.Context, m account.MerchantID, in []*gatewaysv1.ParseWebhookRequest) ([]*gatewaysv1.ParseWebhookResponse, error) {
	all := make([]*parsed, len(in))
	for i, r := range in {
		all[i] = &parsed{request: r}
		s.read(ctx, all[i])
	}
	if err := s.route(ctx, m, all); err != nil {
		return nil, err
	}
	out := make([]*gatewaysv1.ParseWebhookResponse, len(all))
	for i, p := range all {
		if p.result == nil {
			p.result = claims(p)
		}
		if p.account != nil {
			p.result.AccountId, p.result.MerchantId = p.account.Account.String(), p.account.Merchant.String()
		}
		out[i] = p.result
	}
	return out, nil
}

func unread(o gatewaysv1.Outcome, why string) *gatewaysv1.ParseWebhookResponse {
	return &gatewaysv1.ParseWebhookResponse{Outcome: o, Reason: why}
}

// read maps the body, whatever its header says it is.
func (s *Server) read(ctx context.Context, p *parsed) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, provider.Name(text(p.request.GetProvider(), 40)), v)
			p.result = unread(gatewaysv1.Outcome_OUTCOME_CONTRACT, "the adapter failed on this body")
		}
	}()
	adapter, err := s.c.Registry.Lookup(p.request.GetProvider())
	if err != nil {
		p.result = unread(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, "no such provider")
		return
	}
	p.adapter = adapter
	if len(p.request.GetBody()) > maxBody {
		p.result = unread(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, "body above 1 MiB")
		return
	}
	p.webhook = provider.Webhook{Body: p.request.GetBody(), ContentType: p.request.GetContentType(), Headers: make(http.Header, len(p.request.GetHeaders()))}
	for name, value := range p.request.GetHeaders() {
		p.webhook.Headers.Set(name, value)
	}
	p.hints, err = adapter.ParseWebhook(p.webhook)
	switch {
	case err != nil && provider.KindOf(err) == provider.KindInvalidRequest:
		p.result = unread(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, webhookReason(err))
	case err != nil:
		p.result = unread(gatewaysv1.Outcome_OUTCOME_CONTRACT, webhookReason(err))
	case len(p.hints) == 0:
		p.result = unread(gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST, "a test event: it names no charge")
	}
}

// webhookReason leaves the excerpt out: the contract promises nothing of the body.
func webhookReason(err error) string {
	var e *provider.Error
	if errors.As(err, &e) && e.Reason != "" {
		return text(e.Reason, 200)
	}
	return "not understood"
}

// route finds the accounts: by the key in the URL, else by words in the body that belong to exactly one account. Then the
// account's own secret is asked for.
func (s *Server) route(ctx context.Context, m account.MerchantID, all []*parsed) error {
	var webhookKeys []string
	for _, p := range all {
		if w := p.request.GetAccountKey(); p.adapter != nil && w != "" {
			webhookKeys = append(webhookKeys, w)
		}
	}
	byKey := map[string]account.Key{}
	var err error
	if len(webhookKeys) > 0 {
		if byKey, err = s.c.Book.ByWebhookKey(ctx, webhookKeys); err != nil {
			return err
		}
	}
	of := make(map[*parsed]account.Key, len(all))
	var words []store.Word
	for _, p := range all {
		if k, ok := byKey[p.request.GetAccountKey()]; ok && p.adapter != nil {
			of[p] = k
		} else {
			words = append(words, routingWords(p)...)
		}
	}
	byWord := map[store.Word]account.Key{}
	if len(words) > 0 {
		if byWord, err = s.c.Store.ByRoute(ctx, words); err != nil {
			return err
		}
	}
	var ks []account.Key
	for _, p := range all {
		for _, w := range routingWords(p) {
			if k, ok := byWord[w]; ok {
				if _, known := of[p]; !known {
					of[p] = k
				}
			}
		}
		if k, ok := of[p]; ok && (m.IsZero() || k.Merchant == m) && !slices.Contains(ks, k) {
			ks = append(ks, k)
		}
	}
	if len(ks) == 0 {
		return nil
	}
	found, err := s.c.Book.Get(ctx, ks)
	if err != nil {
		return err
	}
	for p, k := range of {
		if a := found[k]; a != nil && a.Provider == p.adapter.Name() {
			p.account = a
			s.trust(p)
		}
	}
	return nil
}

// routingWords are the words by which a webhook finds its account, the most telling first.
func routingWords(p *parsed) []store.Word {
	var out []store.Word
	for _, h := range p.hints {
		for _, hash := range routingHashes(h.Routing) {
			out = append(out, store.Word{Provider: p.adapter.Name(), Hash: hash})
		}
	}
	return out
}

// routingHashes are those fit to be stored.
func routingHashes(r provider.Routing) []string {
	var out []string
	for _, hash := range []string{r.ProducerHash, r.OfferHash, r.ProductHash} {
		if hash != "" && len(hash) <= maxRoute && !slices.Contains(out, hash) {
			out = append(out, text(hash, maxRoute))
		}
	}
	return out
}

// trust asks for the secret that the merchant configured at the provider, if any.
func (s *Server) trust(p *parsed) {
	if p.result != nil {
		return
	}
	if err := provider.CheckWebhook(p.adapter.Capabilities().Webhook, p.account.Open, p.webhook, p.hints); err != nil {
		p.result = unread(gatewaysv1.Outcome_OUTCOME_CREDENTIAL, "the webhook lacks the secret that is configured for this account")
	}
}

func claims(p *parsed) *gatewaysv1.ParseWebhookResponse {
	out := &gatewaysv1.ParseWebhookResponse{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS}
	c := p.adapter.Capabilities()
	for _, h := range p.hints {
		r := c.Canonical(h.Identifiers)
		out.Hints = append(out.Hints, &gatewaysv1.Hint{
			Ref:     &gatewaysv1.ChargeRef{Hash: text(r.Hash, maxIdentifier), Id: text(r.ID, maxIdentifier), Reference: text(r.Reference, maxIdentifier)},
			Claimed: status(h.Status), ProviderStatus: text(h.ProviderStatus, 64), Amount: sum(h.Amount, ""), EndToEndId: text(h.EndToEndID, 64),
		})
	}
	return out
}

// maxIdentifier bounds what a forged body may make us carry as a charge's name; a cut one matches nothing.
const maxIdentifier = 200

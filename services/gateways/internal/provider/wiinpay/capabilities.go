package wiinpay

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is WiinPay's word in our URLs and rows.
const Name provider.Name = "wiinpay"

const credentialKey = "api_key"

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Title: "WiinPay", BaseURL: "https://api-v2.wiinpay.com.br",
		Auth: "api_key in the JSON body of a creation, header Authorization: Bearer in a status call",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "paymentId or id of the creation, asked with /payment/list/{id}", Confidence: m},
		},
		Unit: provider.Reais,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "pending", "waiting", "processing"),
			provider.Words(provider.StatusPending, l, "created", "waiting_payment"),
			provider.Words(provider.StatusPaid, m, "paid", "approved", "confirmed"),
			provider.Words(provider.StatusFailed, m, "failed"),
			provider.Words(provider.StatusFailed, l, "refused", "rejected"),
			provider.Words(provider.StatusExpired, m, "expired"),
			provider.Words(provider.StatusCancelled, m, "cancelled"),
			provider.Words(provider.StatusCancelled, l, "canceled"),
			provider.Words(provider.StatusRefunded, l, "refunded"),
			provider.Words(provider.StatusChargedBack, l, "chargeback", "chargedback", "charged_back"),
			provider.Words(provider.StatusDisputed, l, "in_protest", "disputed", "in_dispute", "med"),
		),
		EnvelopeWords: []string{"success", "ok"}, ErrorWords: []string{"error"},
		Final:   []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:    provider.PollRule{MinInterval: 10 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 60, Confidence: l},
		Create:  true, Verify: true, Split: true,
		MinAmount: 300, CustomerFields: []string{"name", "email"},
		Credentials: []provider.Field{
			{Name: credentialKey, Required: true, Secret: true, PT: "chave de API da WiinPay (um JWT, começa com eyJ)", EN: "WiinPay's API key (a JWT, begins with eyJ)"},
		},
		Notes: []provider.Note{
			{Text: "The key stands in the body of a creation and, as a bearer token, in the header of a status call.", Confidence: m},
			{Text: "A status call answers a list or one object.", Confidence: m},
			{Text: "The origin system guesses /payment/{id}?api_key= for status calls; the path that another integration uses is taken, which keeps the key out of URLs.", Confidence: m, Open: true},
			{Text: "At least R$ 3,00.", Confidence: h},
			{Text: "A split to the account that receives is refused with 422: the key tells whose it is, and such a split is refused before the call. One receiver, more than R$ 0,10.", Confidence: m},
			{Text: "Our reference travels in metadata.payment_id.", Confidence: m},
			{Text: "An older base, api.wiinpay.com.br, is still in use; an account may name it as its base URL.", Confidence: m},
			{Text: "There is no call to verify an account with: a charge that does not exist is asked for, and not being refused is the proof.", Confidence: l},
			{Text: "Limits are not documented; 60 calls a minute is ours.", Confidence: l},
		},
	}
}

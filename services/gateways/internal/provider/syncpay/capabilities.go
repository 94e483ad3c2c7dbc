package syncpay

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is SyncPay's word in our URLs and rows.
const Name provider.Name = "syncpay"

// Names of credentials.
const (
	credentialID     = "client_id"
	credentialSecret = "client_secret"
)

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{"syncpayments"}, Title: "SyncPay", BaseURL: "https://api.syncpayments.com.br",
		Auth: "client_id and client_secret are exchanged for a bearer token that lives an hour",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "identifier of the creation", Confidence: m},
		},
		Unit: provider.Reais,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "pending", "processing"),
			provider.Words(provider.StatusPending, l, "waiting", "waiting_payment", "created"),
			provider.Words(provider.StatusPaid, m, "completed", "PAID_OUT"),
			provider.Words(provider.StatusPaid, l, "paid", "approved"),
			provider.Words(provider.StatusFailed, l, "failed", "refused"),
			provider.Words(provider.StatusExpired, m, "expired"),
			provider.Words(provider.StatusCancelled, m, "cancelled"),
			provider.Words(provider.StatusCancelled, l, "canceled"),
			provider.Words(provider.StatusRefunded, l, "refunded"),
			provider.Words(provider.StatusChargedBack, l, "chargeback", "chargedback", "charged_back"),
			provider.Words(provider.StatusDisputed, l, "med", "in_protest", "disputed", "in_dispute"),
		),
		EnvelopeWords: []string{"success", "ok"}, ErrorWords: []string{"error"},
		Final:   []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:    provider.PollRule{MinInterval: 10 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 60, Confidence: l},
		Create:  true, Verify: true, Split: true,
		MinAmount: 1, CustomerFields: []string{"name", "email", "phone", "document"},
		Credentials: []provider.Field{
			{Name: credentialID, Required: true, Secret: true, PT: "Client ID do painel da SyncPay", EN: "client id from the SyncPay panel"},
			{Name: credentialSecret, Required: true, Secret: true, PT: "Client Secret do painel da SyncPay", EN: "client secret from the SyncPay panel"},
		},
		Notes: []provider.Note{
			{Text: "One token serves all calls of an account until shortly before its end; the origin system fetches one for every charge.", Confidence: h},
			{Text: "New charges are not found for a while.", Confidence: m},
			{Text: "Asking says completed for paid, webhooks say PAID_OUT.", Confidence: m},
			{Text: "The origin system says that charges cannot be asked for; three other integrations do it.", Confidence: m, Open: true},
			{Text: "Webhooks carry id and idtransaction; which of them is the creation's identifier is not told: both are given as names.", Confidence: l, Open: true},
			{Text: "The buyer's CPF must have 11 digits, the telephone 10 or 11 without country code.", Confidence: m},
			{Text: "Splits are whole percents, 1 to 3 of them, to users named by uuid; no reference of ours is kept.", Confidence: m},
			{Text: "Limits are not documented; 60 calls a minute is ours.", Confidence: l},
		},
	}
}

package bolt

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is Bolt's word in our URLs and rows.
const Name provider.Name = "bolt"

// Names of credentials.
const (
	credentialKey     = "secret_key"
	credentialCompany = "company_id"
)

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{"boltpagamentos"}, Title: "Bolt Pagamentos",
		BaseURL: "https://api.sistema.boltpagamentos.com/functions/v1",
		Auth:    "header Authorization: Basic, secret_key:company_id",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "the transaction's id", Confidence: m},
		},
		Unit: provider.Centavos,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "waiting_payment", "in_analisys"),
			provider.Words(provider.StatusPending, l, "pending", "processing", "in_analysis", "created"),
			provider.Words(provider.StatusPaid, m, "paid"),
			provider.Words(provider.StatusFailed, m, "refused", "failed"),
			provider.Words(provider.StatusExpired, m, "expired"),
			provider.Words(provider.StatusCancelled, m, "canceled"),
			provider.Words(provider.StatusCancelled, l, "cancelled"),
			provider.Words(provider.StatusRefunded, m, "refunded"),
			provider.Words(provider.StatusChargedBack, m, "chargedback"),
			provider.Words(provider.StatusChargedBack, l, "chargeback", "charged_back"),
			provider.Words(provider.StatusDisputed, m, "in_protest"),
			provider.Words(provider.StatusDisputed, l, "disputed", "in_dispute", "med"),
		),
		EnvelopeWords: []string{"success", "ok"}, ErrorWords: []string{"error"},
		Final:   []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:    provider.PollRule{MinInterval: 10 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 60, Confidence: l},
		Create:  true, Verify: true, List: true,
		MinAmount: 1, CustomerFields: []string{"name", "email", "phone", "document"},
		Credentials: []provider.Field{
			{Name: credentialKey, Required: true, Secret: true, PT: "Secret Key do painel da Bolt", EN: "Secret Key from the Bolt panel"},
			{Name: credentialCompany, Required: true, Secret: true, PT: "Company ID do painel da Bolt", EN: "Company ID from the Bolt panel"},
		},
		Notes: []provider.Note{
			{Text: "The API is of Babylon's family; the buyer's document is plain text here.", Confidence: m},
			{Text: "The code may stand in pix.qrcode or pix.qrcodeText; it is recognised by its content.", Confidence: m},
			{Text: "in_analisys is written so by the provider; in_protest is a dispute.", Confidence: m},
			{Text: "The origin system registered an address without a route behind it, so every webhook of this provider was answered 404.", Confidence: h},
			{Text: "Lists are paged by page and limit (at most 100); the order is not told, so every page is read and dates are compared here.", Confidence: m, Open: true},
			{Text: "Filters by startDate and endDate exist in one integration; their form is not told and they are not used.", Confidence: l, Open: true},
			{Text: "Limits are not documented; 60 calls a minute is ours.", Confidence: l},
		},
	}
}

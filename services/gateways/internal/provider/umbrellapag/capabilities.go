package umbrellapag

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is UmbrellaPag's word in our URLs and rows.
const Name provider.Name = "umbrellapag"

const (
	credentialKey = "api_key"
	// userAgent is demanded of every caller.
	userAgent = "UmbrellaPagB2B/1.0"
)

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{"umbrellapay"}, Title: "UmbrellaPag",
		BaseURL: "https://api-gateway.umbrellapag.com/api",
		Auth:    "header x-api-key, with User-Agent: " + userAgent,
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "the transaction's id, objectId in webhooks", Confidence: m},
		},
		Unit: provider.Centavos,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "WAITING_PAYMENT", "PROCESSING"),
			provider.Words(provider.StatusPending, l, "PENDING", "CREATED"),
			provider.Words(provider.StatusPaid, m, "PAID", "AUTHORIZED", "APPROVED"),
			provider.Words(provider.StatusFailed, m, "REFUSED"),
			provider.Words(provider.StatusFailed, l, "FAILED"),
			provider.Words(provider.StatusExpired, m, "EXPIRED"),
			provider.Words(provider.StatusCancelled, m, "CANCELED"),
			provider.Words(provider.StatusCancelled, l, "CANCELLED"),
			provider.Words(provider.StatusRefunded, m, "REFUNDED"),
			provider.Words(provider.StatusChargedBack, l, "CHARGEDBACK", "CHARGEBACK", "CHARGED_BACK"),
			provider.Words(provider.StatusDisputed, l, "IN_PROTEST", "DISPUTED", "IN_DISPUTE", "MED"),
		),
		EnvelopeWords: []string{"success", "ok"}, ErrorWords: []string{"error"},
		Final: []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		// Sales were marked paid of one bad answer while they were pending here: every way of saying paid needs a second look.
		Unsafe: []string{"PAID", "AUTHORIZED", "APPROVED"}, Recheck: 3 * time.Second,
		Webhook: provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:    provider.PollRule{MinInterval: 3 * time.Second, Cadence: 300 * time.Second, CallsPerMinute: 60, Confidence: l},
		Create:  true, Verify: true,
		MinAmount: 1, CustomerFields: []string{"name", "email", "phone", "document"},
		Credentials: []provider.Field{
			{Name: credentialKey, Required: true, Secret: true, PT: "chave de API (x-api-key) do painel da UmbrellaPag", EN: "API key (x-api-key) from the UmbrellaPag panel"},
		},
		Notes: []provider.Note{
			{Text: "Answers are wrapped in data once or twice.", Confidence: m},
			{Text: "The status call is unsafe: ten sales of the origin system were marked paid while they were pending. Two answers, three seconds apart, must agree.", Confidence: m},
			{Text: "AUTHORIZED is paid here and nowhere else; the origin system reads it so. It is unsafe like the other words for paid.", Confidence: m, Open: true},
			{Text: "Without its User-Agent nothing is answered.", Confidence: m},
			{Text: "metadata is a text that holds JSON; our reference travels in it.", Confidence: m},
			{Text: "Webhooks name the charge objectId and write words in lower case.", Confidence: m},
			{Text: "Its anti-fraud refuses buyers' data that repeat. The origin system invents people to pass; here the buyer's own data are sent, or none.", Confidence: h},
			{Text: "The telephone is sent with +55, as its acquirer wants it.", Confidence: l},
			{Text: "Limits are not documented; 60 calls a minute is ours.", Confidence: l},
		},
	}
}

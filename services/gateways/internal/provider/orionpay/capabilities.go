package orionpay

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is OrionPay's word in our URLs and rows.
const Name provider.Name = "orionpay"

const credentialKey = "api_key"

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{"orion"}, Title: "OrionPay",
		BaseURL: "https://payapi.orion.moe", Sandbox: "https://sandbox.orion.moe",
		Auth: "header X-API-Key",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "transactionId of the creation", Confidence: l},
			{Kind: provider.ByHash, Meaning: "id of the creation, another name than transactionId", Confidence: l},
		},
		Unit: provider.Reais,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "pending", "pendente", "created", "waiting"),
			provider.Words(provider.StatusPending, l, "processing", "processando", "aguardando", "waiting_payment"),
			provider.Words(provider.StatusPaid, m, "paid", "pago", "approved", "aprovado", "completed"),
			provider.Words(provider.StatusPaid, l, "confirmed", "confirmado", "concluido"),
			provider.Words(provider.StatusFailed, m, "failed"),
			provider.Words(provider.StatusFailed, l, "falhou", "refused", "recusado", "rejected", "rejeitado"),
			provider.Words(provider.StatusExpired, m, "expired", "expirado"),
			provider.Words(provider.StatusCancelled, m, "cancelled", "canceled", "cancelado"),
			provider.Words(provider.StatusRefunded, m, "refunded", "reembolsado"),
			provider.Words(provider.StatusRefunded, l, "estornado"),
			provider.Words(provider.StatusChargedBack, l, "chargeback", "chargedback", "charged_back"),
			provider.Words(provider.StatusDisputed, l, "in_protest", "disputed", "in_dispute", "med"),
		),
		WebhookWords: slices.Concat(
			provider.Words(provider.StatusPending, m, "purchase.created"),
			provider.Words(provider.StatusPaid, m, "payment.success"),
			provider.Words(provider.StatusPaid, l, "access.granted"),
		),
		EnvelopeWords: []string{"success", "ok", "true"}, ErrorWords: []string{"error", "erro"},
		Final: []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustHeader, Header: "X-Webhook-Secret", Formats: []string{"json"},
			Panel: true},
		Poll:   provider.PollRule{MinInterval: 10 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 60, Confidence: l},
		Create: true, Verify: true,
		MinAmount: 500, CustomerFields: []string{"name", "email"},
		Credentials: []provider.Field{
			{Name: credentialKey, Required: true, Secret: true, PT: "API Key do painel da OrionPay", EN: "API key from the OrionPay panel"},
			{Name: provider.CredentialWebhookSecret, Secret: true, PT: "segredo do webhook (X-Webhook-Secret), se houver", EN: "webhook secret (X-Webhook-Secret), if any"},
		},
		Notes: []provider.Note{
			{Text: "The status call is a guess of the origin system's; of its three paths the one for PIX is used. A wrong guess shows as not found, and the sale stays pending.", Confidence: l, Open: true},
			{Text: "X-Webhook-Secret is the shared secret itself, compared as it is; nothing is signed.", Confidence: m},
			{Text: "No reference of ours is kept, and purchaseId in webhooks is a name that nobody told us before: transactionId finds the sale.", Confidence: m},
			{Text: "The webhook's address is set in the panel; no field of a charge carries one.", Confidence: l, Open: true},
			{Text: "webhook.test only tries the address out. access.granted claims paid.", Confidence: l},
			{Text: "price is what the buyer pays, netAmount what is left of it.", Confidence: m},
			{Text: "At least R$ 5,00 by the documentation that the origin system quotes.", Confidence: m},
			{Text: "Limits are not documented; 60 calls a minute is ours.", Confidence: l},
			{Text: "success is the call's, never the payment's.", Confidence: h},
		},
	}
}

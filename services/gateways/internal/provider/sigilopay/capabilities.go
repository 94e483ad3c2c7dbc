package sigilopay

import (
	"slices"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is SigiloPay's word in our URLs and rows.
const Name provider.Name = "sigilopay"

// Names of credentials and settings.
const (
	credentialPublic = "public_key"
	credentialSecret = "secret_key"
	settingUnit      = "amount_unit"
)

func capabilities() provider.Capabilities {
	m, l := provider.Medium, provider.Low
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{"sigilo"}, Title: "SigiloPay", BaseURL: "https://app.sigilopay.com.br/api/v1",
		Auth: "headers x-public-key and x-secret-key",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "transactionId, asked with /gateway/transactions?id=", Confidence: m},
		},
		Unit: provider.Centavos,
		Words: slices.Concat(
			provider.Words(provider.StatusPending, m, "PENDING"),
			provider.Words(provider.StatusPaid, m, "PAID"),
			provider.Words(provider.StatusPaid, l, "COMPLETED"),
			provider.Words(provider.StatusFailed, l, "FAILED", "REJECTED"),
			provider.Words(provider.StatusExpired, l, "EXPIRED"),
			provider.Words(provider.StatusCancelled, m, "CANCELED"),
			provider.Words(provider.StatusCancelled, l, "CANCELLED"),
			provider.Words(provider.StatusRefunded, m, "REFUNDED"),
			provider.Words(provider.StatusChargedBack, m, "CHARGED_BACK"),
			provider.Words(provider.StatusChargedBack, l, "CHARGEDBACK", "CHARGEBACK"),
			provider.Words(provider.StatusDisputed, l, "IN_PROTEST", "DISPUTED", "IN_DISPUTE", "MED"),
		),
		WebhookWords: slices.Concat(
			provider.Words(provider.StatusPending, m, "TRANSACTION_CREATED"),
			provider.Words(provider.StatusPaid, m, "TRANSACTION_PAID"),
			provider.Words(provider.StatusCancelled, m, "TRANSACTION_CANCELED"),
			provider.Words(provider.StatusRefunded, m, "TRANSACTION_REFUNDED"),
			provider.Words(provider.StatusChargedBack, m, "TRANSACTION_CHARGED_BACK"),
		),
		EnvelopeWords: []string{"OK", "success"}, ErrorWords: []string{"error"},
		Final:   []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustBodyToken, Formats: []string{"json"}},
		Poll:    provider.PollRule{MinInterval: 5 * time.Minute, Cadence: 5 * time.Minute, CallsPerMinute: 10, Confidence: m},
		Create:  true, Verify: true,
		MinAmount: 1, CustomerFields: []string{"name", "email", "phone", "document"},
		Credentials: []provider.Field{
			{Name: credentialPublic, Required: true, Secret: true, PT: "chave pública (x-public-key) do painel da SigiloPay", EN: "public key (x-public-key) from the SigiloPay panel"},
			{Name: credentialSecret, Required: true, Secret: true, PT: "chave secreta (x-secret-key) do painel da SigiloPay", EN: "secret key (x-secret-key) from the SigiloPay panel"},
			{Name: provider.CredentialWebhookSecret, Secret: true, PT: "token que os webhooks trazem no corpo, se conhecido", EN: "token that webhooks carry in their body, if known"},
		},
		Settings: []provider.Field{
			{Name: settingUnit, PT: "unidade dos valores: centavos (padrão) ou reais", EN: "unit of amounts: centavos (when empty) or reais"},
		},
		Notes: []provider.Note{
			{Text: "The unit is contested: the origin system writes centavos, two other integrations and a sister brand's documentation reais. The account's setting amount_unit decides; a charge whose code asks for another amount is refused before anybody pays, and a reading of another amount goes to review.", Confidence: l, Open: true},
			{Text: "The provider objects to polling: at most every five minutes for one sale, a few calls at a time.", Confidence: m},
			{Text: "COMPLETED is how sister brands of the same platform say paid when asked.", Confidence: l, Open: true},
			{Text: "OK in the answer to a creation is the call's.", Confidence: m},
			{Text: "Each webhook address has a token of its own, sent in the body; the origin system ignores it. Here it is compared when the account has one.", Confidence: m},
			{Text: "Asking by our identifier (clientIdentifier) exists at a sister brand; it is not used.", Confidence: l, Open: true},
			{Text: "There is no documented call to verify an account with: a charge that does not exist is asked for, and not being refused is the proof.", Confidence: l},
			{Text: "10 calls a minute for an account is ours.", Confidence: l},
		},
	}
}

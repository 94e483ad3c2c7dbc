package pushinpay

import (
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is PushinPay's word in our URLs and rows; Alias is how the origin system spells it.
const (
	Name  provider.Name = "pushinpay"
	Alias provider.Name = "pushynpay"
)

// credentialToken is the name of the bearer token.
const credentialToken = "token"

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	var words []provider.Word
	for _, w := range [][]provider.Word{
		provider.Words(provider.StatusPending, h, "created"),
		provider.Words(provider.StatusPending, m, "pending", "waiting", "waiting_payment", "awaiting_payment", "gerado"),
		provider.Words(provider.StatusPending, l, "processing", "prossessing"),
		provider.Words(provider.StatusPaid, h, "paid"),
		provider.Words(provider.StatusPaid, m, "approved"),
		provider.Words(provider.StatusPaid, l, "confirmed", "completed", "pago"),
		provider.Words(provider.StatusFailed, m, "failed"),
		provider.Words(provider.StatusFailed, l, "refused", "declined", "rejected"),
		provider.Words(provider.StatusExpired, h, "expired"),
		provider.Words(provider.StatusCancelled, h, "canceled", "cancelled"),
		provider.Words(provider.StatusRefunded, m, "refunded", "refund", "reversed"),
		provider.Words(provider.StatusChargedBack, l, "chargedback", "chargeback", "charge_back"),
		provider.Words(provider.StatusDisputed, l, "in_protest", "disputed", "in_dispute", "infraction", "med", "med_created", "med_approved", "med_rejected", "med_cancelled", "med_canceled"),
	} {
		words = append(words, w...)
	}
	return provider.Capabilities{
		Name: Name, Aliases: []provider.Name{Alias}, Title: "PushinPay",
		BaseURL: "https://api.pushinpay.com.br/api", Sandbox: "https://api-sandbox.pushinpay.com.br/api",
		Auth: "header Authorization: Bearer",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "the transaction's uuid, in either case", Confidence: h},
		},
		LowerCaseIDs: true, Unit: provider.Centavos, Words: words, ErrorWords: []string{"error", "erro"},
		Final: []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook: provider.WebhookRule{Trust: provider.TrustHeader, Header: "x-pushinpay-token",
			Formats: []string{"form", "json"}, Attempts: 3},
		Poll:   provider.PollRule{MinInterval: 60 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 120, Confidence: h},
		Create: true, Verify: true, Split: true,
		MinAmount: 50,
		Credentials: []provider.Field{
			{Name: credentialToken, Required: true, Secret: true, PT: "token da conta (número|letras) do painel da PushinPay", EN: "the account's token (number|letters) from the PushinPay panel"},
			{Name: provider.CredentialWebhookSecret, Secret: true, PT: "valor do cabeçalho próprio configurado no painel, se houver", EN: "value of the custom header configured in the panel, if any"},
		},
		Settings: []provider.Field{
			{Name: provider.SettingWebhookHeader, PT: "nome desse cabeçalho (padrão x-pushinpay-token)", EN: "name of that header (x-pushinpay-token when empty)"},
		},
		Notes: []provider.Note{
			{Text: "At most one query a minute, else the account may be blocked. Whether per sale or per account is not said: never faster than 60 s for one sale.", Confidence: h, Open: true},
			{Text: "Not found is a 404 with the body null.", Confidence: h},
			{Text: "Webhook bodies are forms or JSON whatever the header says; ids there may be in the other case.", Confidence: h},
			{Text: "No reference of ours is kept: the webhook address carries the sale's key.", Confidence: h},
			{Text: "A refund notification exists; its word is not documented and taken to be refunded.", Confidence: m, Open: true},
			{Text: "Answers are plain objects; some clients read them within data: both are accepted.", Confidence: m, Open: true},
			{Text: "Payer data and end-to-end id also come with refunds: they never make a sale paid.", Confidence: h},
			{Text: "success, ok and received are not in the vocabulary: they are reported as unknown.", Confidence: l},
			{Text: "Term 4.10: the seller must show buyers that PushinPay only processes the payment.", Confidence: h},
			{Text: "120 calls a minute for an account is ours; the provider only speaks of one a minute.", Confidence: l},
		},
	}
}

package paradise

import (
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is Paradise's word in our URLs and rows.
const Name provider.Name = "paradise"

// Names of credentials and settings.
const (
	credentialKey      = "api_key"
	settingProductHash = "product_hash"
)

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	var words []provider.Word
	for _, w := range [][]provider.Word{
		provider.Words(provider.StatusPending, h, "pending", "waiting", "waiting_payment", "awaiting_payment", "gerado", "processing", "prossessing", "under_review", "in_review", "in_analysis"),
		provider.Words(provider.StatusPending, l, "created"),
		provider.Words(provider.StatusPaid, h, "approved"),
		provider.Words(provider.StatusPaid, m, "paid"),
		provider.Words(provider.StatusPaid, l, "confirmed", "completed"),
		provider.Words(provider.StatusFailed, h, "failed"),
		provider.Words(provider.StatusFailed, m, "refused", "declined", "rejected"),
		provider.Words(provider.StatusExpired, m, "expired"),
		provider.Words(provider.StatusCancelled, m, "canceled", "cancelled"),
		provider.Words(provider.StatusRefunded, h, "refunded", "refund", "reversed"),
		provider.Words(provider.StatusChargedBack, h, "chargedback", "chargeback", "charge_back"),
		provider.Words(provider.StatusDisputed, l, "in_protest", "disputed", "in_dispute", "infraction", "med", "med_created", "med_approved", "med_rejected", "med_cancelled", "med_canceled"),
	} {
		words = append(words, w...)
	}
	return provider.Capabilities{
		Name: Name, Title: "Paradise", BaseURL: "https://multi.paradisepags.com/api/v1",
		Auth: "header X-API-Key",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByID, Meaning: "transaction_id, asked with query.php?action=get_transaction", Confidence: h},
			{Kind: provider.ByReference, Meaning: "our reference, asked with query.php?action=list_transactions", Confidence: h},
			{Kind: provider.ByHash, Meaning: "whatever check_status.php takes; the old call, without amount", Confidence: m},
		},
		Unit: provider.Centavos, Words: words,
		WebhookWords: append(append(append(append(
			provider.Words(provider.StatusPaid, h, "QR_CODE_COPY_AND_PASTE_PAID"),
			provider.Words(provider.StatusPending, h, "QR_CODE_COPY_AND_PASTE_CREATED")...),
			provider.Words(provider.StatusExpired, l, "QR_CODE_COPY_AND_PASTE_EXPIRED", "transaction.expired")...),
			provider.Words(provider.StatusRefunded, l, "QR_CODE_COPY_AND_PASTE_REFUNDED", "transaction.refunded")...),
			append(provider.Words(provider.StatusPaid, l, "transaction.paid"), provider.Words(provider.StatusFailed, l, "transaction.failed")...)...),
		EnvelopeWords: []string{"success", "ok", "true"}, ErrorWords: []string{"error", "erro"},
		Final:     []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook:   provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:      provider.PollRule{MinInterval: 10 * time.Second, Cadence: 300 * time.Second, CallsPerMinute: 300, Confidence: l},
		FreeReads: true, Create: true, Verify: true, Refund: false, Split: true,
		MinAmount: 1, CustomerFields: []string{"name", "email", "document", "phone"},
		Credentials: []provider.Field{
			{Name: credentialKey, Required: true, Secret: true, PT: "chave de API da loja, começa com sk_", EN: "the store's API key, begins with sk_"},
		},
		Settings: []provider.Field{
			{Name: settingProductHash, PT: "hash do produto (prod_…); sem ele a cobrança vai como api_externa", EN: "product hash (prod_…); without it charges are sent as api_externa"},
		},
		Notes: []provider.Note{
			{Text: "status success in an answer tells that the call went well, never that the sale is paid.", Confidence: h},
			{Text: "The webhook address goes into postback_url; webhookUrl, which the origin system sends, is not documented and may be why no webhook came.", Confidence: m, Open: true},
			{Text: "Errors come as HTTP 200 with status error, and as web pages under any code: the sale stays pending.", Confidence: h},
			{Text: "New charges are invisible for a while: not found means ask again.", Confidence: m},
			{Text: "A reference must be unique: a used one gives back an older charge.", Confidence: h},
			{Text: "No official minimum was found: R$ 0,01 was sold, others enforce R$ 1,00.", Confidence: l, Open: true},
			{Text: "webhook_type comes from the acquirer behind; only a claim that money went back is read from it against status.", Confidence: m, Open: true},
			{Text: "check_status.php was declared discontinued and came back; it tells neither amount nor id and is asked last.", Confidence: m, Open: true},
			{Text: "Times without a zone are taken to be Brasília's.", Confidence: m, Open: true},
			{Text: "Call limits are not documented; 300 a minute is ours.", Confidence: l},
		},
	}
}

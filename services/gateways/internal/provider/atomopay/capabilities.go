package atomopay

import (
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Name is Átomo Pay's word in our URLs and rows.
const Name provider.Name = "atomopay"

// Names of credentials and settings.
const (
	credentialToken    = "api_token"
	settingOfferHash   = "offer_hash"
	settingProductHash = "product_hash"
)

func capabilities() provider.Capabilities {
	h, m, l := provider.High, provider.Medium, provider.Low
	var words []provider.Word
	for _, w := range [][]provider.Word{
		provider.Words(provider.StatusPending, h, "pending", "waiting", "waiting_payment", "awaiting_payment", "gerado", "processing", "prossessing"),
		provider.Words(provider.StatusPending, m, "created", "authorized"),
		provider.Words(provider.StatusPending, l, "captured"),
		provider.Words(provider.StatusPaid, h, "paid"),
		provider.Words(provider.StatusPaid, m, "approved"),
		provider.Words(provider.StatusPaid, l, "confirmed", "completed"),
		provider.Words(provider.StatusFailed, h, "refused", "declined", "rejected"),
		provider.Words(provider.StatusFailed, m, "antifraud", "failed"),
		provider.Words(provider.StatusExpired, m, "expired"),
		provider.Words(provider.StatusCancelled, m, "canceled", "cancelled"),
		provider.Words(provider.StatusRefunded, h, "refunded", "refund", "reversed"),
		provider.Words(provider.StatusChargedBack, h, "chargedback", "chargeback", "charge_back"),
		provider.Words(provider.StatusDisputed, l, "in_protest", "disputed", "in_dispute", "infraction", "med", "med_created", "med_approved", "med_rejected", "med_cancelled", "med_canceled"),
	} {
		words = append(words, w...)
	}
	return provider.Capabilities{
		Name: Name, Title: "Átomo Pay", BaseURL: "https://api.atomopay.com.br/api/public/v1",
		Auth: "query parameter api_token on every call",
		Identifiers: []provider.Identifier{
			{Kind: provider.ByHash, Meaning: "short hash of the transaction, the documented one", Confidence: h},
			{Kind: provider.ByID, Meaning: "numeric id; acceptance by the status call is unproven", Confidence: l},
		},
		Unit: provider.Centavos, Words: words,
		EnvelopeWords: []string{"success", "ok", "true"}, ErrorWords: []string{"error", "erro"},
		Final:     []provider.Status{provider.StatusRefunded, provider.StatusChargedBack},
		Webhook:   provider.WebhookRule{Trust: provider.TrustNone, Formats: []string{"json"}},
		Poll:      provider.PollRule{MinInterval: 10 * time.Second, Cadence: 60 * time.Second, CallsPerMinute: 1000, Confidence: l},
		FreeReads: true, Create: true, Verify: true,
		MinAmount: 50, MaxAmount: 100_000_000,
		Credentials: []provider.Field{
			{Name: credentialToken, Required: true, Secret: true, PT: "API Token do painel da Átomo Pay (cerca de 60 letras e números)", EN: "API Token from the Átomo Pay panel (about 60 letters and digits)"},
		},
		Settings: []provider.Field{
			{Name: settingOfferHash, PT: "hash da oferta; necessário para criar cobranças", EN: "offer hash; needed to create charges"},
			{Name: settingProductHash, PT: "hash do produto; necessário para criar cobranças", EN: "product hash; needed to create charges"},
		},
		Notes: []provider.Note{
			{Text: "Webhooks often never come: polling is what settles sales here.", Confidence: h},
			{Text: "Answers are a plain object or {success, data}; payment_status is believed before status; success and ok are words of the envelope.", Confidence: h},
			{Text: "authorized and captured stay pending for PIX; card integrations of sister brands read them as paid.", Confidence: m, Open: true},
			{Text: "antifraud counts as failed; whether it is final is not documented, and a later paid is accepted.", Confidence: m, Open: true},
			{Text: "A charge may be refused with a 2xx and without a PIX code; that is a failed charge.", Confidence: h},
			{Text: "A paid_at of 0000-00-00 is no date, and no paid_at makes a sale paid.", Confidence: m},
			{Text: "The token is trimmed: spaces pasted round it are the commonest cause of a 401.", Confidence: h},
			{Text: "Errors of the acquirer behind come as a 500 whose text quotes it: that is transient.", Confidence: m},
			{Text: "Whether the status call takes the numeric id is unproven: the hash is asked first.", Confidence: m, Open: true},
			{Text: "One code base puts the token into the body, one into a bearer header on another path: both are taken for obsolete.", Confidence: l, Open: true},
			{Text: "expire_in_days is used by one integration and denied by another: it is not sent. installments is sent, since some brands demand it.", Confidence: m, Open: true},
			{Text: "1000 calls a minute is written in one document only.", Confidence: l},
			{Text: "The maximum of R$ 1.000.000,00 is the origin system's own.", Confidence: l},
		},
	}
}

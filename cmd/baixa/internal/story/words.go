package story

import paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"

// words are the page's own words in one language; the story itself comes in the language that was asked for.
type words struct {
	sale, external, zone, next, action, trace, others string
	service                                           map[string]string
	matched                                           map[string]string
	status                                            map[paymentsv1.PaymentStatus]string
}

var portuguese = words{
	sale: "Venda", external: "Seu id:", zone: "horário de Brasília", next: "E agora", action: "Quem precisa agir", trace: "Rastro (trace):",
	others:  "Outras vendas que a busca também encontra:",
	service: map[string]string{"payments": "vendas", "gateways": "provedor", "delivery": "entrega", "notifier": "mensagens"},
	matched: map[string]string{"payment_id": "achada pelo id", "external_id": "achada pelo seu id", "charge_hash": "achada pelo hash da cobrança",
		"charge_id": "achada pelo id da cobrança", "charge_reference": "achada pela referência da cobrança", "token": "achada pelo link de entrega",
		"telegram_id": "achada pelo id do Telegram"},
	status: map[paymentsv1.PaymentStatus]string{paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING: "aguardando pagamento",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID: "paga", paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED: "recusada",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED: "expirada", paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED: "cancelada",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED: "estornada", paymentsv1.PaymentStatus_PAYMENT_STATUS_CHARGED_BACK: "tomada de volta (chargeback)",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_DISPUTED: "em disputa", paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW: "em revisão"},
}

var english = words{
	sale: "Sale", external: "Your id:", zone: "Brasília time", next: "What comes next", action: "Who must act", trace: "Trace:",
	others:  "Other sales that the query names as well:",
	service: map[string]string{"payments": "sales", "gateways": "provider", "delivery": "delivery", "notifier": "messages"},
	matched: map[string]string{"payment_id": "found by its id", "external_id": "found by your id", "charge_hash": "found by the charge's hash",
		"charge_id": "found by the charge's id", "charge_reference": "found by the charge's reference", "token": "found by the delivery link",
		"telegram_id": "found by the Telegram id"},
	status: map[paymentsv1.PaymentStatus]string{paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING: "waiting for payment",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID: "paid", paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED: "failed",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED: "expired", paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED: "cancelled",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED: "refunded", paymentsv1.PaymentStatus_PAYMENT_STATUS_CHARGED_BACK: "charged back",
		paymentsv1.PaymentStatus_PAYMENT_STATUS_DISPUTED: "disputed", paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW: "under review"},
}

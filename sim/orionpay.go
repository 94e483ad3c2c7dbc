package sim

import (
	"net/http"
	"strings"
)

// orionpay is OrionPay (facts §1.4): reais, {success,data} and webhooks with a
// shared secret in X-Webhook-Secret whose purchaseId the merchant never saw.
func orionpay() *dialect {
	return &dialect{
		provider: Orionpay,
		base:     "",
		words: map[Status][]string{
			Pending:   {"pending", "pendente", "waiting"},
			Paid:      {"paid", "pago", "approved", "aprovado", "completed"},
			Failed:    {"failed"},
			Expired:   {"expired", "expirado"},
			Cancelled: {"cancelled", "cancelado"},
			Refunded:  {"refunded", "reembolsado"},
		},
		credential: func(x *exchange) (string, string) { return x.r.Header.Get("X-Api-Key"), "" },
		refuse: func(x *exchange, code int, why string) {
			x.obj("")
			x.boolean("success", false)
			if code == http.StatusUnauthorized && why == "" {
				why = "API key inválida"
			}
			x.str("error", or(why, http.StatusText(code)))
			x.end()
		},
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = "txn_" + s.w.random(letters, 20)
			}
			if c.Hash == "" {
				c.Hash = "pur_" + s.w.random(letters, 20)
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /api/v1/pix/personal", route{endpoint: EndpointCreate, do: orionCreate})
			on("GET /api/v1/pix/status/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transação não encontrada")
					}
					x.obj("")
					x.id("transactionId", x.v.ID, false)
					x.str("status", x.v.word)
					x.reais("amount", x.v.AmountCentavos)
					x.text("paidAt", utc(x.v.PaidAt))
					x.end()
					return http.StatusOK, "success"
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			event := map[Status]string{Pending: "purchase.created", Paid: "payment.success"}[ev.Status]
			if ev.variant != "purchase" {
				event = ev.variant
			}
			e.obj("")
			e.str("event", or(event, "payment."+string(ev.Status)))
			e.obj("data")
			e.id("purchaseId", ev.Hash, false)
			e.id("transactionId", ev.ID, false)
			e.str("status", ev.word)
			e.reais("price", ev.AmountCentavos)
			e.reais("netAmount", ev.AmountCentavos-ev.AmountCentavos/50)
			e.end()
			e.str("timestamp", utc(ev.at))
			e.end()
			return "application/json"
		},
		hookHeader: "X-Webhook-Secret",
		variants:   []string{"purchase", "access.granted", "webhook.test"},
	}
}

func orionCreate(x *exchange) (int, string) {
	var o struct {
		Amount      jsonReais `json:"amount"`
		Name        string    `json:"name"`
		Email       string    `json:"email"`
		Description string    `json:"description"`
		CPF         string    `json:"cpf"`
		Phone       string    `json:"phone"`
		WebhookURL  string    `json:"webhookUrl"`
	}
	switch {
	case !x.decode(&o):
		return x.fail(http.StatusBadRequest, "JSON inválido")
	case !o.Amount.set || o.Amount.v < 1:
		return x.fail(http.StatusBadRequest, "amount é obrigatório")
	case o.Name == "" || !strings.Contains(o.Email, "@"):
		return x.fail(http.StatusBadRequest, "name e email são obrigatórios")
	}
	if !x.create(Charge{
		AmountCentavos: o.Amount.v, Product: o.Description, WebhookURL: o.WebhookURL, ExpiresAt: x.now.UTC().Add(30 * 60e9),
		Customer: Customer{Name: o.Name, Email: o.Email, Phone: o.Phone, Document: o.CPF},
	}) {
		return x.fail(http.StatusInternalServerError, "")
	}
	if x.fx.refuse {
		return x.fail(http.StatusBadRequest, "Pagamento recusado")
	}
	x.obj("")
	x.id("transactionId", x.v.ID, false)
	x.id("id", x.v.ID, false)
	x.text("pixCode", x.code())
	x.str("qrCode", pngURI)
	x.reais("amount", x.v.AmountCentavos)
	x.text("expiresAt", utc(x.v.ExpiresAt))
	x.end()
	return http.StatusOK, "success"
}

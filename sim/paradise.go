package sim

import (
	"net/http"
	"strconv"
)

// paradise is Paradise Pags (facts §1.2): PHP endpoints, X-API-Key, an
// internal integer id beside the merchant's reference, and errors that may
// come with HTTP 200.
func paradise() *dialect {
	return &dialect{
		provider: Paradise,
		base:     "/api/v1",
		words: map[Status][]string{
			Pending:     {"pending", "processing", "under_review", "waiting", "waiting_payment", "in_review", "in_analysis"},
			Paid:        {"approved", "paid", "completed", "confirmed"},
			Failed:      {"failed", "refused", "declined", "rejected"},
			Expired:     {"expired"},
			Cancelled:   {"cancelled", "canceled"},
			Refunded:    {"refunded", "reversed"},
			ChargedBack: {"chargeback", "chargedback"},
			Disputed:    {"in_protest", "disputed"},
		},
		credential: func(x *exchange) (string, string) { return x.r.Header.Get("X-Api-Key"), "" },
		refuse: func(x *exchange, code int, why string) {
			x.obj("")
			x.str("status", "error")
			switch {
			case why != "":
				x.str("message", why)
			case code == http.StatusUnauthorized:
				x.str("message", "API Key inválida ou loja inativa.")
			case code == http.StatusNotFound:
				x.str("message", "Transação não encontrada.")
			case code == http.StatusTooManyRequests:
				x.str("message", "Muitas requisições.")
			default:
				x.str("message", "Erro interno do servidor.")
				x.str("acquirer", "Adquirente Simulada")
			}
			x.end()
		},
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = strconv.FormatInt(s.number(700_000), 10)
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /transaction.php", route{endpoint: EndpointCreate, do: paradiseCreate})
			on("GET /query.php", paradiseQuery())
			on("GET /check_status.php", route{
				endpoint: EndpointStatus,
				find: func(x *exchange) *charge {
					id := queryValue(x.r, "hash")
					if c := x.s.id(id); c != nil {
						return c
					}
					return x.s.hash(id) // the merchant's reference gives 404
				},
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "")
					}
					x.obj("")
					x.str("payment_status", x.v.word)
					x.end()
					return http.StatusOK, ""
				},
			})
			on("GET /seller.php", route{endpoint: EndpointAccount, do: func(x *exchange) (int, string) {
				x.obj("")
				x.str("status", "success")
				x.str("name", "Loja "+or(x.account.Name, "simulada"))
				x.boolean("active", true)
				x.end()
				return http.StatusOK, ""
			}})
			on("POST /refund.php", route{endpoint: EndpointRefund, find: paradiseRefundID, do: paradiseRefund})
		},
		hook:     paradiseHook,
		variants: []string{"flat", "event", "data", "minimal"},
	}
}

// paradiseQuery serves both actions of query.php; a list of one is still a list.
func paradiseQuery() route {
	return route{
		endpoint: EndpointStatus,
		find: func(x *exchange) *charge {
			switch queryValue(x.r, "action") {
			case "get_transaction":
				return x.s.id(queryValue(x.r, "id"))
			case "list_transactions":
				return x.s.external(x.account.Name, queryValue(x.r, "external_id"))
			}
			return nil
		},
		do: func(x *exchange) (int, string) {
			switch queryValue(x.r, "action") {
			case "get_transaction":
				if x.c == nil {
					return x.fail(http.StatusNotFound, "")
				}
				x.paradise(x.v)
				return http.StatusOK, ""
			case "list_transactions":
				if x.c == nil {
					x.b = append(x.b, "[]"...)
					return http.StatusOK, ""
				}
				x.paradise(x.v)
				return http.StatusOK, "array"
			}
			return x.fail(http.StatusBadRequest, "Ação inválida.")
		},
	}
}

func (x *exchange) paradise(v view) {
	x.obj("")
	x.id("id", v.ID, true)
	x.text("external_id", v.Reference)
	x.str("status", v.word)
	x.cents("amount", v.AmountCentavos)
	if x.shape.Amount != "absent" {
		x.str("amount_in_reais", reais(v.AmountCentavos))
	}
	x.str("created_at", local(v.CreatedAt))
	x.str("updated_at", local(or(v.PaidAt, v.CreatedAt)))
	x.str("acquirer_name", "Adquirente Simulada")
	x.obj("customer_data")
	x.customer("phone", v.Customer)
	x.end()
	x.arr("attempts_data")
	x.endArr()
	x.end()
}

type paradiseOrder struct {
	Amount      jsonInt  `json:"amount"`
	Description string   `json:"description"`
	Reference   string   `json:"reference"`
	ProductHash string   `json:"productHash"`
	Source      string   `json:"source"`
	PostbackURL string   `json:"postback_url"` // not webhookUrl: that is ignored
	Customer    Customer `json:"customer"`
}

func paradiseCreate(x *exchange) (int, string) {
	var o paradiseOrder
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "JSON inválido.")
	}
	switch {
	case !o.Amount.set || o.Amount.v < 1:
		return x.fail(http.StatusBadRequest, "O campo amount deve ser um inteiro em centavos.")
	case o.Description == "":
		return x.fail(http.StatusBadRequest, "O campo description é obrigatório.")
	case o.Reference == "":
		return x.fail(http.StatusBadRequest, "O campo reference é obrigatório.")
	case o.ProductHash == "" && o.Source != "api_externa":
		return x.fail(http.StatusBadRequest, "O campo productHash é obrigatório.")
	case o.Customer.Name == "" || o.Customer.Email == "" || !digits(o.Customer.Document) || !digits(o.Customer.Phone):
		return x.fail(http.StatusBadRequest, "Dados do cliente incompletos.")
	}
	// A reference used before gives the older transaction back, unchanged.
	if old := x.s.byRef.get(x.account.Name + "\x00" + o.Reference); old != nil {
		x.c = old
		x.see(old)
	} else if !x.create(Charge{
		Reference: o.Reference, AmountCentavos: o.Amount.v, WebhookURL: o.PostbackURL,
		Customer: o.Customer, Product: o.Description, ExpiresAt: x.now.UTC().Add(30 * 60e9),
	}) {
		return x.fail(http.StatusInternalServerError, "")
	}
	if x.fx.refuse {
		return x.fail(http.StatusBadRequest, "Transação recusada por todas as adquirentes.")
	}
	nested := x.shape.Code == "transaction"
	x.obj("")
	if nested {
		x.obj("transaction")
		x.id("id", x.v.ID, true)
	} else {
		x.str("status", "success") // of the call, not of the payment
		x.id("transaction_id", x.v.ID, true)
		x.str("id", x.v.Reference)
	}
	x.text("qr_code", x.code())
	x.str("qr_code_base64", pngURI)
	if !nested {
		x.cents("amount", x.v.AmountCentavos)
		x.str("acquirer", "Adquirente Simulada")
		x.num("attempts", 1)
	}
	x.text("expires_at", local(x.v.ExpiresAt))
	if nested {
		x.end()
	}
	x.end()
	return http.StatusOK, ""
}

func paradiseRefundID(x *exchange) *charge {
	var o struct {
		ID any `json:"transaction_id"`
	}
	if !x.decode(&o) {
		return nil
	}
	switch id := o.ID.(type) {
	case string:
		return x.s.id(id)
	case float64:
		return x.s.id(strconv.FormatInt(int64(id), 10))
	}
	return nil
}

func paradiseRefund(x *exchange) (int, string) {
	switch {
	case x.c == nil:
		return x.fail(http.StatusNotFound, "Permissao negada.")
	case x.c.copy().Status != Paid:
		return x.fail(http.StatusUnprocessableEntity, "Apenas transacoes aprovadas podem ser reembolsadas.")
	}
	x.c.set(x.s.w, Refunded)
	x.s.tell(x.c, x.s.settings(x.c.copy()))
	x.obj("")
	x.boolean("success", true)
	x.str("message", "Reembolso solicitado.")
	x.end()
	return http.StatusOK, ""
}

// paradiseHook writes the variants of facts §1.2 (a) to (d).
func paradiseHook(e *enc, ev hookEvent) string {
	v := ev.view
	e.obj("")
	switch ev.variant {
	case "event":
		name := map[Status]string{Paid: "transaction.paid", Expired: "transaction.expired", Failed: "transaction.failed"}
		e.str("event", or(name[v.Status], "transaction.updated"))
		e.obj("data")
		e.id("id", v.ID, true)
		e.str("status", v.word)
		e.text("reference", v.Reference)
		e.cents("amount", v.AmountCentavos)
		e.text("paidAt", local(v.PaidAt))
		e.end()
	case "minimal":
		e.id("id", v.ID, true)
		e.str("payment_status", v.word)
		e.cents("amount_paid", v.AmountCentavos)
	case "data":
		e.obj("data")
		paradiseFlat(e, ev)
		e.end()
	default:
		paradiseFlat(e, ev)
	}
	e.end()
	return "application/json"
}

func paradiseFlat(e *enc, ev hookEvent) {
	v := ev.view
	kind := "QR_CODE_COPY_AND_PASTE_CREATED"
	if settled(v.Status) { // stale on refunds, as seen: only status tells
		kind = "QR_CODE_COPY_AND_PASTE_PAID"
	}
	e.id("transaction_id", v.ID, true)
	e.text("external_id", v.Reference)
	e.str("status", v.word)
	e.cents("amount", v.AmountCentavos)
	e.str("payment_method", "pix")
	e.customer("phone", v.Customer)
	e.str("pix_code", v.EMV)
	e.str("raw_status", v.word)
	e.str("webhook_type", kind)
	e.str("timestamp", local(ev.at))
	e.obj("tracking")
	e.end()
	e.text("paid_at", local(v.PaidAt))
}

package sim

import (
	"net/http"
	"strings"
)

// wiinpay is WiinPay (facts §1.4): the API key stands in the JSON body of a
// create call and in the Authorization header of a query; amounts are reais.
func wiinpay() *dialect {
	return &dialect{
		provider: Wiinpay,
		base:     "",
		words: map[Status][]string{
			Pending:   {"pending", "waiting", "processing", "PENDING"},
			Paid:      {"paid", "approved", "confirmed", "PAID"},
			Failed:    {"failed"},
			Expired:   {"expired"},
			Cancelled: {"cancelled"},
			Refunded:  {"refunded"},
		},
		credential: func(x *exchange) (string, string) {
			if x.r.Method == http.MethodPost {
				return bodyField(x.body, "api_key"), ""
			}
			return bearer(x.r), ""
		},
		refuse: messageOnly("Unauthorized"),
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = s.w.uuid()
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /payment/create", route{endpoint: EndpointCreate, do: wiinCreate})
			on("GET /payment/list/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Payment not found")
					}
					x.wiin(x.v)
					return http.StatusOK, "array" // an object has been seen too
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			e.obj("")
			e.id("id", ev.ID, false)
			e.str("status", ev.word)
			e.reais("value", ev.AmountCentavos)
			if settled(ev.Status) {
				e.text("payer_name", or(ev.Customer.Name, "Pagador Simulado"))
				e.text("payer_document", or(ev.Customer.Document, "00000000000"))
			}
			e.obj("metadata")
			e.text("payment_id", ev.Reference)
			e.end()
			e.end()
			return "application/json"
		},
		variants: []string{"flat"},
	}
}

func (x *exchange) wiin(v view) {
	x.obj("")
	x.id("id", v.ID, false)
	x.str("status", v.word)
	x.reais("value", v.AmountCentavos)
	x.text("name", v.Customer.Name)
	x.text("email", v.Customer.Email)
	x.text("description", v.Product)
	x.str("created_at", utc(v.CreatedAt))
	x.obj("metadata")
	x.text("payment_id", v.Reference)
	x.end()
	x.end()
}

func wiinCreate(x *exchange) (int, string) {
	var o struct {
		Value       jsonReais `json:"value"`
		Name        string    `json:"name"`
		Email       string    `json:"email"`
		Description string    `json:"description"`
		WebhookURL  string    `json:"webhook_url"`
		Metadata    struct {
			PaymentID string `json:"payment_id"`
		} `json:"metadata"`
		Split *struct {
			UserID string `json:"user_id"`
		} `json:"split"`
	}
	switch {
	case !x.decode(&o):
		return x.fail(http.StatusBadRequest, "Invalid JSON")
	case !o.Value.set || o.Value.v < 300:
		return x.fail(http.StatusUnprocessableEntity, "Value must be at least 3.00")
	case o.Name == "" || !strings.Contains(o.Email, "@") || o.Description == "":
		return x.fail(http.StatusUnprocessableEntity, "name, email and description are required")
	case o.Split != nil && o.Split.UserID == x.account.Name:
		return x.fail(http.StatusUnprocessableEntity, "Split account cannot be the receiving account")
	}
	c := Charge{
		AmountCentavos: o.Value.v, WebhookURL: o.WebhookURL, Product: o.Description, Reference: o.Metadata.PaymentID,
		Customer: Customer{Name: o.Name, Email: o.Email}, ExpiresAt: x.now.UTC().Add(30 * 60e9),
	}
	if !x.create(c) {
		c.Reference = "" // metadata need not be unique
		if !x.create(c) {
			return x.fail(http.StatusInternalServerError, "")
		}
	}
	if x.fx.refuse {
		return x.fail(http.StatusUnprocessableEntity, "Payment refused")
	}
	x.obj("")
	x.id("paymentId", x.v.ID, false)
	x.text("qr_code", x.code())
	x.str("status", x.v.word)
	x.reais("value", x.v.AmountCentavos)
	x.text("expires_at", utc(x.v.ExpiresAt))
	x.end()
	return http.StatusCreated, ""
}

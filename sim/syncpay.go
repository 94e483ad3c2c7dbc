package sim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// syncpay is SyncPay (facts §1.4): a client id and secret are traded for a
// bearer token that lives an hour; amounts are reais.
func syncpay() *dialect {
	return &dialect{
		provider: Syncpay,
		base:     "",
		words: map[Status][]string{
			Pending:   {"pending", "processing"},
			Paid:      {"completed"},
			Failed:    {"failed"},
			Expired:   {"expired"},
			Cancelled: {"cancelled"},
			Refunded:  {"refunded"},
		},
		hookWords: map[Status]string{
			Pending: "PENDING", Paid: "PAID_OUT", Expired: "EXPIRED", Cancelled: "CANCELLED",
		},
		credential: func(x *exchange) (string, string) {
			if strings.HasSuffix(x.r.URL.Path, "/auth-token") {
				var in struct {
					ID     string `json:"client_id"`
					Secret string `json:"client_secret"`
				}
				_ = json.Unmarshal(x.body, &in) // what does not parse is no credential
				if in.Secret == "" {
					return "", ""
				}
				return in.ID, in.Secret
			}
			return x.s.redeem(bearer(x.r), x.now)
		},
		refuse: messageOnly("Unauthenticated."),
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = s.w.uuid()
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /api/partner/v1/auth-token", route{endpoint: EndpointToken, do: func(x *exchange) (int, string) {
				key, secret := x.s.credential(x)
				ends := x.now.Add(time.Hour)
				x.obj("")
				x.str("access_token", x.s.voucher(key, secret, ends))
				x.str("token_type", "Bearer")
				x.num("expires_in", 3600)
				x.str("expires_at", utc(ends))
				x.end()
				return http.StatusOK, ""
			}})
			on("POST /api/partner/v1/cash-in", route{endpoint: EndpointCreate, do: syncCreate})
			on("GET /api/partner/v1/transaction/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transaction not found.")
					}
					x.obj("")
					x.id("reference_id", x.v.ID, false)
					x.str("currency", or(x.v.Currency, "BRL"))
					x.reais("amount", x.v.AmountCentavos)
					x.str("transaction_date", utc(x.v.CreatedAt))
					x.str("status", x.v.word)
					x.text("description", x.v.Product)
					x.str("pix_code", x.v.EMV)
					x.end()
					return http.StatusOK, "data"
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			e.obj("")
			e.obj("data")
			e.id("id", ev.ID, false)
			e.id("idtransaction", ev.ID, false)
			e.text("externalreference", or(ev.Reference, ev.ID))
			e.str("status", ev.word)
			e.reais("amount", ev.AmountCentavos)
			e.end()
			e.end()
			return "application/json"
		},
		variants: []string{"data"},
	}
}

// messageOnly is a refusal of the plain kind: {"message":…}.
func messageOnly(unauthorized string) func(*exchange, int, string) {
	return func(x *exchange, code int, why string) {
		x.obj("")
		switch {
		case why != "":
			x.str("message", why)
		case code == http.StatusUnauthorized:
			x.str("message", unauthorized)
		default:
			x.str("message", http.StatusText(code))
		}
		x.end()
	}
}

func syncCreate(x *exchange) (int, string) {
	var o struct {
		Amount      jsonReais `json:"amount"`
		Description string    `json:"description"`
		WebhookURL  string    `json:"webhook_url"`
		Client      struct {
			Name  string `json:"name"`
			CPF   string `json:"cpf"`
			Email string `json:"email"`
			Phone string `json:"phone"`
		} `json:"client"`
		Split []struct {
			Percentage jsonInt `json:"percentage"`
			UserID     string  `json:"user_id"`
		} `json:"split"`
	}
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "Malformed JSON.")
	}
	var p problems
	p.add(!o.Amount.set || o.Amount.v <= 0, "amount", "The amount field is required.")
	p.add(o.Client.Name == "", "client.name", "The client.name field is required.")
	p.add(len(o.Client.CPF) != 11 || !digits(o.Client.CPF), "client.cpf", "The client.cpf field format is invalid.")
	p.add(!strings.Contains(o.Client.Email, "@"), "client.email", "The client.email field must be a valid email address.")
	n := len(o.Client.Phone)
	p.add(n < 10 || n > 11 || !digits(o.Client.Phone), "client.phone", "The client.phone field format is invalid.")
	p.add(len(o.Split) > 3, "split", "The split field must not have more than 3 items.")
	for _, s := range o.Split {
		p.add(s.Percentage.v < 1 || s.Percentage.v > 100 || len(s.UserID) != 36, "split", "The split field is invalid.")
	}
	if len(p.field) > 0 {
		p.laravel(&x.enc)
		return http.StatusUnprocessableEntity, ""
	}
	if !x.create(Charge{
		AmountCentavos: o.Amount.v, WebhookURL: o.WebhookURL, Product: o.Description,
		Customer: Customer{Name: o.Client.Name, Email: o.Client.Email, Phone: o.Client.Phone, Document: o.Client.CPF},
	}) {
		return x.fail(http.StatusInternalServerError, "")
	}
	if x.fx.refuse {
		return x.fail(http.StatusBadRequest, "Cashin request refused.")
	}
	x.obj("")
	x.str("message", "Cashin request successfully submitted")
	x.text("pix_code", x.code())
	x.str("identifier", x.v.ID)
	x.end()
	return http.StatusOK, ""
}

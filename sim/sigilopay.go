package sim

import (
	"net/http"
	"strings"
)

// sigilopay is SigiloPay (facts §1.4): two keys in headers, ids in the query,
// a secret in each webhook's body. Its unit is doubtful; like the only source,
// this takes it for centavos.
func sigilopay() *dialect {
	return &dialect{
		provider: Sigilopay,
		base:     "/api/v1",
		words: map[Status][]string{
			Pending:     {"PENDING"},
			Paid:        {"PAID"},
			Failed:      {"FAILED"},
			Cancelled:   {"CANCELED"},
			Refunded:    {"REFUNDED"},
			ChargedBack: {"CHARGED_BACK"},
		},
		credential: func(x *exchange) (string, string) {
			key, secret := x.r.Header.Get("X-Public-Key"), x.r.Header.Get("X-Secret-Key")
			if secret == "" {
				return "", ""
			}
			return key, secret
		},
		refuse: messageOnly("Credenciais inválidas"),
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = "cm" + s.w.random(letters, 23)
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /gateway/pix/receive", route{endpoint: EndpointCreate, do: sigiloCreate})
			on("GET /gateway/transactions", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(queryValue(x.r, "id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transação não encontrada")
					}
					x.sigilo(x.v)
					return http.StatusOK, ""
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			event := map[Status]string{
				Pending: "CREATED", Paid: "PAID", Cancelled: "CANCELED", Refunded: "REFUNDED", ChargedBack: "CHARGED_BACK",
			}[ev.Status]
			x := exchange{enc: *e}
			x.obj("")
			x.str("event", "TRANSACTION_"+or(event, strings.ToUpper(string(ev.Status))))
			x.str("token", or(ev.account.WebhookSecret, "simulado"))
			x.key("transaction")
			x.sigilo(ev.view)
			x.obj("client")
			x.text("name", ev.Customer.Name)
			x.text("cpf", ev.Customer.Document)
			x.null("cnpj")
			x.end()
			x.end()
			e.b = x.b
			return "application/json"
		},
		variants: []string{"event"},
	}
}

func (x *exchange) sigilo(v view) {
	x.obj("")
	x.id("id", v.ID, false)
	x.text("identifier", v.Reference)
	x.str("status", v.word)
	x.cents("amount", v.AmountCentavos)
	x.str("paymentMethod", "PIX")
	x.str("createdAt", utc(v.CreatedAt))
	x.text("payedAt", utc(v.PaidAt))
	x.obj("pixInformation")
	x.text("endToEndId", v.EndToEnd)
	x.end()
	x.end()
}

func sigiloCreate(x *exchange) (int, string) {
	var o struct {
		Identifier  string  `json:"identifier"`
		Amount      jsonInt `json:"amount"`
		CallbackURL string  `json:"callbackUrl"`
		Client      struct {
			Name     string `json:"name"`
			Email    string `json:"email"`
			Phone    string `json:"phone"`
			Document string `json:"document"`
		} `json:"client"`
		Products []struct {
			Name string `json:"name"`
		} `json:"products"`
	}
	switch {
	case !x.decode(&o):
		return x.fail(http.StatusBadRequest, "JSON inválido")
	case o.Identifier == "":
		return x.fail(http.StatusBadRequest, "identifier é obrigatório")
	case !o.Amount.set || o.Amount.v < 1:
		return x.fail(http.StatusBadRequest, "amount inválido")
	case o.Client.Name == "" || !strings.Contains(o.Client.Email, "@"):
		return x.fail(http.StatusBadRequest, "client incompleto")
	}
	c := Charge{
		Reference: o.Identifier, AmountCentavos: o.Amount.v, WebhookURL: o.CallbackURL,
		Customer: Customer(o.Client),
	}
	if !x.create(c) {
		return x.fail(http.StatusConflict, "identifier já utilizado")
	}
	if x.fx.refuse {
		return x.fail(http.StatusBadRequest, "Transação recusada")
	}
	x.obj("")
	x.id("transactionId", x.v.ID, false)
	x.str("status", "OK") // of the call
	x.obj("pix")
	x.text("code", x.code())
	x.str("image", pngURI)
	x.end()
	x.end()
	return http.StatusCreated, ""
}

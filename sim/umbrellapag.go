package sim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// umbrellapag is UmbrellaPag (facts §1.4): an API key, a User-Agent without
// which nothing works, and answers wrapped once or twice in data.
func umbrellapag() *dialect {
	return &dialect{
		provider: Umbrellapag,
		base:     "/api",
		words: map[Status][]string{
			Pending:     {"WAITING_PAYMENT", "PROCESSING"},
			Paid:        {"PAID", "AUTHORIZED", "APPROVED"},
			Failed:      {"REFUSED"},
			Expired:     {"EXPIRED"},
			Cancelled:   {"CANCELED"},
			Refunded:    {"REFUNDED"},
			ChargedBack: {"CHARGEDBACK"},
			Disputed:    {"IN_PROTEST"},
		},
		hookWords: map[Status]string{
			Pending: "waiting_payment", Paid: "paid", Failed: "refused", Expired: "expired", Cancelled: "canceled",
			Refunded: "refunded", ChargedBack: "chargedback", Disputed: "in_protest",
		},
		credential: func(x *exchange) (string, string) {
			if !strings.HasPrefix(x.r.UserAgent(), "UmbrellaPagB2B/") {
				return "", ""
			}
			return x.r.Header.Get("X-Api-Key"), ""
		},
		refuse: messageOnly("Unauthorized"),
		mint:   mintUUID,
		routes: func(s *shop, on func(string, route)) {
			on("POST /user/transactions", route{endpoint: EndpointCreate, do: umbrellaCreate})
			on("GET /user/transactions/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transaction not found")
					}
					x.umbrella(x.v, x.v.EMV)
					return http.StatusOK, "data.data"
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			e.obj("")
			e.id("objectId", ev.ID, false)
			e.obj("data")
			e.id("id", ev.ID, false)
			e.str("status", ev.word)
			e.cents("amount", ev.AmountCentavos)
			e.text("endToEndId", ev.EndToEnd)
			e.text("paidAt", utc(ev.PaidAt))
			e.str("type", "transaction")
			e.arr("refunds")
			e.endArr()
			e.null("rejectionReason")
			e.null("error")
			e.text("metadata", ev.Reference)
			e.end()
			e.end()
			return "application/json"
		},
		variants: []string{"object"},
	}
}

func mintUUID(s *shop, c *Charge) {
	if c.ID == "" {
		c.ID = s.w.uuid()
	}
}

func (x *exchange) umbrella(v view, code string) {
	x.obj("")
	x.id("id", v.ID, false)
	x.str("status", v.word)
	x.cents("amount", v.AmountCentavos)
	x.str("paymentMethod", "pix")
	x.obj("pix")
	x.text("qrCode", code)
	x.text("expirationDate", utc(v.ExpiresAt))
	x.text("endToEndId", v.EndToEnd)
	x.end()
	x.text("metadata", v.Reference)
	x.str("createdAt", utc(v.CreatedAt))
	x.text("paidAt", utc(v.PaidAt))
	x.end()
}

func umbrellaCreate(x *exchange) (int, string) {
	var o struct {
		Amount    jsonInt         `json:"amount"`
		Method    string          `json:"paymentMethod"`
		Postback  string          `json:"postbackUrl"`
		Metadata  json.RawMessage `json:"metadata"`
		Traceable bool            `json:"traceable"`
		Customer  struct {
			Name     string `json:"name"`
			Email    string `json:"email"`
			Phone    string `json:"phone"`
			Document struct {
				Number string `json:"number"`
				Type   string `json:"type"`
			} `json:"document"`
		} `json:"customer"`
		Items []json.RawMessage `json:"items"`
		Pix   struct {
			Days jsonInt `json:"expiresInDays"`
		} `json:"pix"`
	}
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "Invalid JSON")
	}
	var p problems
	p.add(!o.Amount.set || o.Amount.v < 1, "amount", "amount must be an integer in cents")
	p.add(!strings.EqualFold(o.Method, "pix"), "paymentMethod", "paymentMethod must be pix")
	p.add(!o.Traceable, "traceable", "traceable must be true")
	p.add(len(o.Metadata) > 0 && o.Metadata[0] != '"', "metadata", "metadata must be a string")
	p.add(o.Customer.Name == "" || o.Customer.Email == "", "customer", "customer is required")
	p.add(!digits(o.Customer.Document.Number), "customer.document", "customer.document is required")
	p.add(len(o.Items) == 0, "items", "items must contain at least 1 elements")
	if len(p.field) > 0 {
		p.laravel(&x.enc)
		return http.StatusUnprocessableEntity, ""
	}
	c := Charge{
		AmountCentavos: o.Amount.v, WebhookURL: o.Postback, ExpiresAt: x.now.UTC().AddDate(0, 0, int(max(1, o.Pix.Days.v))),
		Customer: Customer{Name: o.Customer.Name, Email: o.Customer.Email, Phone: o.Customer.Phone, Document: o.Customer.Document.Number},
	}
	if !x.create(c) {
		return x.fail(http.StatusInternalServerError, "")
	}
	x.umbrella(x.v, x.code())
	return http.StatusOK, "data"
}

package sim

import (
	"net/http"
	"slices"
	"strings"
)

// aguia is Águia Pags (facts §1.4). Two sources contradict each other about
// its webhooks: both bodies can be sent, the repository's document first.
func aguia() *dialect {
	return &dialect{
		provider: Aguia,
		base:     "/api/v1",
		words: map[Status][]string{
			Pending:   {"PENDING"},
			Paid:      {"CAPTURED"},
			Failed:    {"REFUSED"},
			Cancelled: {"CANCELED"},
			Refunded:  {"REFUNDED"},
		},
		credential: func(x *exchange) (string, string) { return x.r.Header.Get("X-Api-Key"), "" },
		refuse:     messageOnly("Unauthorized"),
		mint:       mintUUID,
		routes: func(s *shop, on func(string, route)) {
			on("POST /transactions", route{endpoint: EndpointCreate, do: aguiaCreate})
			on("GET /transactions/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transaction not found")
					}
					x.obj("")
					x.id("id", x.v.ID, false)
					x.str("status", x.v.word)
					x.cents("amount", x.v.AmountCentavos)
					x.text("externalRef", x.v.Reference)
					x.text("paidAt", utc(x.v.PaidAt))
					x.end()
					return http.StatusOK, ""
				},
			})
		},
		hook: func(e *enc, ev hookEvent) string {
			e.obj("")
			e.obj("data")
			e.id("transactionId", ev.ID, false)
			if ev.variant == "approved" {
				e.text("external_id", ev.Reference)
				word := ev.word
				if ev.Status == Paid {
					word = "approved"
				}
				e.str("status", strings.ToLower(word))
			} else {
				e.text("providerReference", or(ev.Reference, ev.ID))
				e.str("status", ev.word)
			}
			e.cents("amount", ev.AmountCentavos)
			e.end()
			e.end()
			return "application/json"
		},
		variants: []string{"captured", "approved"},
	}
}

func aguiaCreate(x *exchange) (int, string) {
	var o struct {
		Amount      jsonInt `json:"amount"`
		Method      string  `json:"paymentMethod"`
		ExternalRef string  `json:"externalRef"`
		Postback    string  `json:"postbackUrl"`
		Customer    struct {
			Name     string `json:"name"`
			Email    string `json:"email"`
			Phone    string `json:"phone"`
			Document struct {
				Number string `json:"number"`
				Type   string `json:"type"`
			} `json:"document"`
		} `json:"customer"`
		Items []struct {
			Title string `json:"title"`
		} `json:"items"`
	}
	switch {
	case !x.decode(&o):
		return x.fail(http.StatusBadRequest, "Invalid JSON")
	case !o.Amount.set || o.Amount.v < 1:
		return x.fail(http.StatusBadRequest, "amount must be an integer in cents")
	case !strings.EqualFold(o.Method, "PIX"):
		return x.fail(http.StatusBadRequest, "paymentMethod must be PIX")
	case o.Customer.Name == "" || o.Customer.Email == "" || !digits(o.Customer.Document.Number):
		return x.fail(http.StatusBadRequest, "customer is incomplete")
	case len(o.Items) == 0:
		return x.fail(http.StatusBadRequest, "items is required")
	}
	c := Charge{
		AmountCentavos: o.Amount.v, Reference: o.ExternalRef, WebhookURL: o.Postback, Product: o.Items[0].Title,
		Customer: Customer{Name: o.Customer.Name, Email: o.Customer.Email, Phone: o.Customer.Phone, Document: o.Customer.Document.Number},
	}
	if !x.create(c) {
		return x.fail(http.StatusConflict, "externalRef already used")
	}
	x.obj("")
	x.id("id", x.v.ID, false)
	x.str("status", x.v.word)
	x.cents("amount", x.v.AmountCentavos)
	x.text("externalRef", x.v.Reference)
	x.obj("pix")
	x.text("qrcode", x.code())
	x.end()
	x.end()
	return http.StatusCreated, "data"
}

// newestFirst sorts by creation, then id.
func newestFirst(all []*charge) {
	slices.SortFunc(all, func(a, b *charge) int {
		da, db := a.copy(), b.copy()
		if c := db.CreatedAt.Compare(da.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(db.ID, da.ID)
	})
}

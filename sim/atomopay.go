package sim

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// atomopay is Átomo Pay (facts §1.1): the token in the query, the hash as the
// id that the status call takes, and a create answer that is the plain object.
func atomopay() *dialect {
	return &dialect{
		provider: Atomopay,
		base:     "/api/public/v1",
		words: map[Status][]string{
			Pending: {
				"waiting_payment", "pending", "processing", "prossessing", "authorized", "created",
				"waiting", "awaiting_payment", "gerado",
			},
			Paid:        {"paid", "approved", "confirmed", "completed", "PAID"},
			Failed:      {"refused", "antifraud", "failed", "declined", "rejected"},
			Expired:     {"expired"},
			Cancelled:   {"canceled", "cancelled"},
			Refunded:    {"refunded", "refund", "reversed"},
			ChargedBack: {"chargedback", "chargeback", "charge_back"},
			Disputed:    {"in_protest", "disputed"},
		},
		credential: func(x *exchange) (string, string) { return queryValue(x.r, "api_token"), "" },
		refuse: func(x *exchange, code int, why string) {
			x.obj("")
			switch {
			case why != "":
				x.str("message", why)
			case code == http.StatusUnauthorized:
				x.str("message", "Unauthenticated.")
			case code == http.StatusNotFound:
				x.str("message", "Transaction not found.")
			case code == http.StatusTooManyRequests:
				x.str("message", "Too Many Attempts.")
			case code >= 500:
				x.str("message", "cURL error 35: OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to cashin.adquirente.invalid:443")
			default:
				x.str("message", http.StatusText(code))
			}
			x.end()
		},
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = strconv.FormatInt(s.number(40_000_000), 10)
			}
			if c.Hash == "" {
				c.Hash = s.w.random(letters, 10)
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /transactions", route{endpoint: EndpointCreate, do: atomoCreate})
			on("GET /transactions/{hash}", route{
				endpoint: EndpointStatus,
				// Only the hash: that the numeric id works too is unproven.
				find: func(x *exchange) *charge { return x.s.hash(x.r.PathValue("hash")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "")
					}
					x.atomo(x.v, x.account, false)
					return http.StatusOK, ""
				},
			})
			on("GET /products", route{endpoint: EndpointAccount, do: func(x *exchange) (int, string) {
				x.obj("")
				x.num("current_page", 1)
				x.arr("data")
				x.endArr()
				x.num("per_page", 15)
				x.num("total", 0)
				x.end()
				return http.StatusOK, ""
			}})
			on("GET /balance", route{endpoint: EndpointAccount, do: func(x *exchange) (int, string) {
				x.obj("")
				x.num("balance", 0)
				x.end()
				return http.StatusOK, ""
			}})
		},
		hook:     atomoHook,
		variants: []string{"flat", "doc", "data", "transaction", "integrator", "detector"},
	}
}

// atomo writes the transaction object. Its field names lie as the real ones
// do: pix_qr_code is text, not a picture.
func (x *exchange) atomo(v view, a *account, created bool) {
	code := v.EMV
	if created {
		code = x.code()
	}
	x.obj("")
	x.id("id", v.ID, true)
	x.id("hash", v.Hash, false)
	x.str("payment_status", v.word)
	x.str("status", v.word)
	x.cents("amount", v.AmountCentavos)
	x.text("reference", v.Reference)
	x.str("payment_method", "pix")
	x.num("installments", 1)
	if a.Producer != "" {
		x.obj("producer")
		x.str("hash", a.Producer)
		x.end()
	}
	x.customer("phone_number", v.Customer)
	at := x.shape.Code
	x.obj("pix")
	if at == "pix.pix_url" {
		x.text("pix_url", code)
	} else {
		x.null("pix_url")
	}
	if at == "" || at == "pix.pix_qr_code" {
		x.text("pix_qr_code", code)
	} else {
		x.null("pix_qr_code")
	}
	x.null("pix_base64")
	x.end()
	if at != "" && at != "pix.pix_qr_code" && !strings.Contains(at, ".") {
		x.text(at, code)
	}
	if x.fx.refuse {
		x.str("status_reason", "Transação recusada pelo adquirente")
	}
	if v.PaidAt.IsZero() || !settled(v.Status) {
		x.str("paid_at", zeroDate)
	} else {
		x.str("paid_at", local(v.PaidAt))
	}
	x.text("expires_at", local(v.ExpiresAt))
	x.str("created_at", local(v.CreatedAt))
	x.end()
}

func (e *enc) customer(phone string, c Customer) {
	e.obj("customer")
	e.text("name", c.Name)
	e.text("email", c.Email)
	e.text(phone, c.Phone)
	e.text("document", c.Document)
	e.end()
}

type atomoOrder struct {
	Amount        jsonInt `json:"amount"`
	PaymentMethod string  `json:"payment_method"`
	OfferHash     string  `json:"offer_hash"`
	Installments  jsonInt `json:"installments"`
	Reference     string  `json:"reference"`
	PostbackURL   string  `json:"postback_url"`
	Customer      struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Phone    string `json:"phone_number"`
		Document string `json:"document"`
	} `json:"customer"`
	Cart []struct {
		ProductHash   string  `json:"product_hash"`
		Title         string  `json:"title"`
		Price         jsonInt `json:"price"`
		Quantity      jsonInt `json:"quantity"`
		OperationType jsonInt `json:"operation_type"`
	} `json:"cart"`
}

func atomoCreate(x *exchange) (int, string) {
	var o atomoOrder
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "The request body is not valid JSON.")
	}
	var p problems
	p.add(!o.Amount.set || o.Amount.v < 50, "amount", "The amount must be at least 50.")
	p.add(o.PaymentMethod != "pix", "payment_method", "The selected payment method is invalid.")
	p.add(o.OfferHash == "", "offer_hash", "The offer hash field is required.")
	p.add(o.Installments.v != 1, "installments", "The installments field is required.")
	p.add(!fullName(o.Customer.Name), "customer.name", "The customer.name format is invalid.")
	p.add(!strings.Contains(o.Customer.Email, "@"), "customer.email", "The customer.email must be a valid email address.")
	p.add(!digits(o.Customer.Phone), "customer.phone_number", "The customer.phone_number field is required.")
	p.add(len(o.Cart) == 0, "cart", "The cart field is required.")
	for i, item := range o.Cart {
		at := "cart." + strconv.Itoa(i)
		p.add(item.ProductHash == "", at+".product_hash", "The "+at+".product_hash field is required.")
		p.add(item.Title == "", at+".title", "The "+at+".title field is required.")
		p.add(!item.Price.set, at+".price", "The "+at+".price field is required.")
		p.add(item.Quantity.v < 1, at+".quantity", "The "+at+".quantity must be at least 1.")
	}
	if len(p.field) > 0 {
		p.laravel(&x.enc)
		return http.StatusUnprocessableEntity, ""
	}
	if o.Customer.Document != "" && !validCPF(o.Customer.Document) {
		x.fx.refuse = true
	}
	c := Charge{
		Reference: o.Reference, AmountCentavos: o.Amount.v, WebhookURL: o.PostbackURL,
		Customer: Customer(o.Customer), ExpiresAt: x.now.AddDate(0, 0, 1).UTC(), Product: o.Cart[0].Title,
	}
	if !x.create(c) {
		// Nothing says that a reference must be unique: keep it out of the index.
		c.Reference = ""
		if !x.create(c) {
			return x.fail(http.StatusInternalServerError, "")
		}
		x.v.Reference = o.Reference
	}
	x.atomo(x.v, x.account, true)
	return http.StatusCreated, ""
}

// fullName is two words or more without digits.
func fullName(s string) bool {
	return len(strings.Fields(s)) >= 2 && !strings.ContainsFunc(s, unicode.IsDigit)
}

// validCPF checks length and both check digits.
func validCPF(s string) bool {
	if len(s) != 11 || !digits(s) || strings.Count(s, s[:1]) == 11 {
		return false
	}
	for _, n := range []int{9, 10} {
		sum := 0
		for i := range n {
			sum += int(s[i]-'0') * (n + 1 - i)
		}
		if sum*10%11%10 != int(s[n]-'0') {
			return false
		}
	}
	return true
}

// atomoHook writes the variants of facts §1.1 (a) to (e).
func atomoHook(e *enc, ev hookEvent) string {
	v := ev.view
	x := exchange{enc: *e, s: nil}
	defer func() { e.b = x.b }()
	switch ev.variant {
	case "data", "transaction":
		x.obj("")
		x.key(ev.variant)
		x.atomo(v, ev.account, false)
		x.end()
	case "doc":
		x.obj("")
		x.id("transaction_hash", v.Hash, false)
		x.str("status", v.word)
		x.cents("amount", v.AmountCentavos)
		x.str("payment_method", "pix")
		x.text("paid_at", local(v.PaidAt))
		x.end()
	case "integrator":
		x.obj("")
		x.str("token", "integracao-"+strconv.FormatUint(fnv(v.Account)%100000, 10))
		x.str("event", "transaction")
		x.str("status", v.word)
		x.str("method", "pix")
		x.str("created_at", local(v.CreatedAt))
		x.text("paid_at", local(v.PaidAt))
		x.null("refund_at")
		x.str("platform", "simulador")
		x.customer("phone", v.Customer)
		x.obj("transaction")
		x.id("id", v.Hash, false)
		x.cents("amount", v.AmountCentavos)
		x.end()
		x.null("affiliate")
		x.arr("items")
		x.endArr()
		x.obj("tracking")
		x.end()
		x.null("ip")
		x.null("fbp")
		x.null("fbc")
		x.end()
	case "detector":
		x.obj("")
		x.id("transaction_id", v.Hash, false)
		x.str("status", v.word)
		x.cents("amount", v.AmountCentavos)
		x.str("pix_code", v.EMV)
		x.text("external_id", v.Reference)
		x.str("updated_at", local(ev.at))
		x.text("paid_at", local(v.PaidAt))
		x.obj("metadata")
		x.end()
		x.customer("phone", v.Customer)
		x.end()
	default: // flat
		x.atomo(v, ev.account, false)
	}
	return "application/json"
}

package sim

import (
	"net/http"
	"strconv"
	"strings"
)

// babylon is Babylon (facts §1.4): Basic secretKey:companyId, centavos, a
// refused charge with HTTP 200.
func babylon() *dialect {
	d := functions(Babylon)
	d.hook = func(e *enc, ev hookEvent) string {
		x := exchange{enc: *e}
		x.obj("")
		if ev.variant == "old" {
			x.str("id", "evt_"+ev.ID)
			x.str("type", "transaction")
			x.id("objectId", ev.ID, false)
			x.key("data")
			x.functions(ev.view, ev.EMV, "end2EndId")
		} else {
			x.str("event", "transaction."+ev.word)
			x.str("timestamp", utc(ev.at))
			x.key("transaction")
			x.functions(ev.view, ev.EMV, "end2EndId")
			x.obj("metadata")
			x.end()
		}
		x.end()
		e.b = x.b
		return "application/json"
	}
	d.variants = []string{"new", "old"}
	return d
}

// bolt is Bolt (facts §1.4), of Babylon's family, with a list.
func bolt() *dialect {
	d := functions(Bolt)
	d.hook = func(e *enc, ev hookEvent) string {
		x := exchange{enc: *e}
		x.obj("")
		x.str("id", "evt_"+ev.ID)
		x.id("objectId", ev.ID, false)
		x.key("data")
		x.functions(ev.view, ev.EMV, "endToEndId")
		x.end()
		e.b = x.b
		return "application/json"
	}
	d.variants = []string{"object"}
	return d
}

// functions is what the two providers of the /functions/v1 family share.
func functions(p Provider) *dialect {
	e2e := "end2EndId"
	if p == Bolt {
		e2e = "endToEndId"
	}
	return &dialect{
		provider: p,
		base:     "/functions/v1",
		words: map[Status][]string{
			Pending:     {"waiting_payment", "in_analisys", "pending", "processing"},
			Paid:        {"paid"},
			Failed:      {"refused", "failed"},
			Expired:     {"expired"},
			Cancelled:   {"canceled"},
			Refunded:    {"refunded"},
			ChargedBack: {"chargedback"},
			Disputed:    {"in_protest"},
		},
		credential: func(x *exchange) (string, string) {
			key, company, ok := x.r.BasicAuth()
			if !ok || company == "" {
				return "", ""
			}
			return key, company
		},
		refuse: messageOnly("Unauthorized"),
		mint:   mintUUID,
		routes: func(s *shop, on func(string, route)) {
			on("POST /transactions", route{endpoint: EndpointCreate, do: func(x *exchange) (int, string) {
				return x.functionsCreate(e2e)
			}})
			on("GET /transactions/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "Transaction not found")
					}
					x.functions(x.v, x.v.EMV, e2e)
					return http.StatusOK, ""
				},
			})
			if p == Bolt {
				on("GET /transactions", route{endpoint: EndpointList, do: func(x *exchange) (int, string) {
					return x.functionsList(e2e)
				}})
			}
		},
	}
}

func (x *exchange) functions(v view, code, e2e string) {
	x.obj("")
	x.id("id", v.ID, false)
	x.cents("amount", v.AmountCentavos)
	x.str("currency", or(v.Currency, "BRL"))
	x.str("paymentMethod", "PIX")
	x.str("status", v.word)
	x.customer("phone", v.Customer)
	x.arr("items")
	x.obj("")
	x.text("title", or(v.Product, "Produto"))
	x.num("unitPrice", v.AmountCentavos)
	x.num("quantity", 1)
	x.text("externalRef", v.Reference)
	x.end()
	x.endArr()
	x.obj("pix")
	x.text("qrcode", code)
	if e2e == "endToEndId" {
		x.text("qrcodeText", code)
	}
	x.text("expirationDate", utc(v.ExpiresAt))
	if settled(v.Status) {
		x.text(e2e, v.EndToEnd)
	} else {
		x.null(e2e)
	}
	x.end()
	if v.Status == Failed {
		x.obj("refusedReason")
		x.str("acquirerCode", "99")
		x.str("description", "Transação recusada")
		x.boolean("antifraud", true)
		x.end()
	} else {
		x.null("refusedReason")
	}
	x.text("postbackUrl", v.WebhookURL)
	x.str("createdAt", utc(v.CreatedAt))
	x.text("paidAt", utc(v.PaidAt))
	x.end()
}

func (x *exchange) functionsCreate(e2e string) (int, string) {
	var o struct {
		Amount   jsonInt `json:"amount"`
		Method   string  `json:"paymentMethod"`
		Postback string  `json:"postbackUrl"`
		Pix      struct {
			Days jsonInt `json:"expiresInDays"`
		} `json:"pix"`
		Customer struct {
			Name     string  `json:"name"`
			Email    string  `json:"email"`
			Phone    string  `json:"phone"`
			Document anyText `json:"document"`
		} `json:"customer"`
		Items []struct {
			Title       string  `json:"title"`
			UnitPrice   jsonInt `json:"unitPrice"`
			Quantity    jsonInt `json:"quantity"`
			ExternalRef string  `json:"externalRef"`
		} `json:"items"`
	}
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "Invalid JSON")
	}
	var p problems
	p.add(!o.Amount.set || o.Amount.v < 1, "amount", "amount must be an integer in cents")
	p.add(!strings.EqualFold(o.Method, "PIX"), "paymentMethod", "paymentMethod must be PIX")
	p.add(o.Pix.Days.set && (o.Pix.Days.v < 1 || o.Pix.Days.v > 7), "pix.expiresInDays", "pix.expiresInDays must be 1 to 7")
	p.add(o.Customer.Name == "" || !strings.Contains(o.Customer.Email, "@"), "customer", "customer is required")
	p.add(!digits(o.Customer.Document.v), "customer.document", "customer.document is required")
	p.add(len(o.Items) == 0, "items", "items is required")
	for i, it := range o.Items {
		p.add(it.Title == "" || !it.UnitPrice.set || it.Quantity.v < 1, "items."+strconv.Itoa(i), "item is incomplete")
	}
	if len(p.field) > 0 {
		p.laravel(&x.enc)
		return http.StatusUnprocessableEntity, ""
	}
	c := Charge{
		AmountCentavos: o.Amount.v, WebhookURL: o.Postback, Product: o.Items[0].Title, Reference: o.Items[0].ExternalRef,
		ExpiresAt: x.now.UTC().AddDate(0, 0, int(max(1, o.Pix.Days.v))),
		Customer:  Customer{Name: o.Customer.Name, Email: o.Customer.Email, Phone: o.Customer.Phone, Document: o.Customer.Document.v},
	}
	if !x.create(c) {
		ref := c.Reference
		c.Reference = "" // externalRef need not be unique
		if !x.create(c) {
			return x.fail(http.StatusInternalServerError, "")
		}
		x.v.Reference = ref
	}
	x.functions(x.v, x.code(), e2e)
	return http.StatusOK, "" // 201 has been seen too
}

// functionsList pages through the account's charges, newest first.
func (x *exchange) functionsList(e2e string) (int, string) {
	page, _ := strconv.Atoi(queryValue(x.r, "page"))
	size, _ := strconv.Atoi(or(queryValue(x.r, "limit"), "10"))
	if page = max(1, page); size < 1 || size > 100 {
		return x.fail(http.StatusBadRequest, "limit must be 1 to 100")
	}
	var all []*charge
	x.s.byID.each(func(c *charge) {
		if x.owns(c) {
			all = append(all, c)
		}
	})
	newestFirst(all)
	from, to := min((page-1)*size, len(all)), min(page*size, len(all))
	x.obj("")
	x.arr("data")
	for _, c := range all[from:to] {
		v := x.s.view(c)
		x.fx.bend(x.s, &v)
		x.functions(v, v.EMV, e2e)
	}
	x.endArr()
	x.obj("pagination")
	x.num("page", int64(page))
	x.num("pageSize", int64(size))
	x.num("totalRecords", int64(len(all)))
	x.num("totalPages", int64((len(all)+size-1)/size))
	x.end()
	x.end()
	return http.StatusOK, ""
}

package sim

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pushinpay is PushinPay (facts §1.3): a bearer token, UUIDs whose case
// differs between API and webhook, form-encoded webhooks, and a bound of one
// query a minute.
func pushinpay() *dialect {
	return &dialect{
		provider: Pushinpay,
		base:     "/api",
		words: map[Status][]string{
			Pending:     {"created", "pending", "CREATED"},
			Paid:        {"paid", "PAID", "approved", "completed", "confirmed"},
			Failed:      {"failed"},
			Expired:     {"expired"},
			Cancelled:   {"canceled", "cancelled"},
			Refunded:    {"refunded"},
			ChargedBack: {"chargeback"},
			Disputed:    {"disputed"},
		},
		credential: func(x *exchange) (string, string) { return bearer(x.r), "" },
		refuse: func(x *exchange, code int, why string) {
			if code == http.StatusNotFound && why == "" {
				x.b = append(x.b, "null"...)
				return
			}
			x.obj("")
			switch {
			case why != "":
				x.str("message", why)
			case code == http.StatusUnauthorized:
				x.str("message", "Unauthenticated.")
			case code == http.StatusTooManyRequests:
				x.str("message", "Too Many Attempts.")
			case code == http.StatusForbidden:
				x.str("message", "Conta bloqueada por excesso de consultas.")
			default:
				x.str("message", "Server Error")
			}
			x.end()
		},
		mint: func(s *shop, c *Charge) {
			if c.ID == "" {
				c.ID = s.w.uuid()
			}
		},
		routes: func(s *shop, on func(string, route)) {
			on("POST /pix/cashIn", route{endpoint: EndpointCreate, do: pushinCreate})
			on("GET /transactions/{id}", route{
				endpoint: EndpointStatus,
				find:     func(x *exchange) *charge { return x.s.id(x.r.PathValue("id")) },
				do: func(x *exchange) (int, string) {
					if x.c == nil {
						return x.fail(http.StatusNotFound, "")
					}
					x.pushin(x.v, x.v.EMV)
					return http.StatusOK, ""
				},
			})
			on("GET /accounts/find", route{endpoint: EndpointAccount, do: func(x *exchange) (int, string) {
				x.obj("")
				x.str("id", "conta-"+or(x.account.Name, "simulada"))
				x.str("name", "Conta simulada")
				x.end()
				return http.StatusOK, ""
			}})
		},
		hook:     pushinHook,
		variants: []string{"form", "json", "form_as_json", "json_as_form", "data"},
		attempts: 3,
		timeout:  2 * time.Second,
	}
}

func (x *exchange) pushin(v view, code string) {
	x.obj("")
	x.id("id", v.ID, false)
	x.text("qr_code", code)
	x.str("status", v.word)
	x.cents("value", v.AmountCentavos)
	x.text("webhook_url", v.WebhookURL)
	x.str("qr_code_base64", pngURI)
	x.null("webhook")
	x.arr("split_rules")
	x.endArr()
	if settled(v.Status) {
		x.text("end_to_end_id", v.EndToEnd)
		x.text("payer_name", or(v.Customer.Name, "Pagador Simulado"))
		x.text("payer_national_registration", or(v.Customer.Document, "00000000000"))
	} else {
		x.null("end_to_end_id")
		x.null("payer_name")
		x.null("payer_national_registration")
	}
	x.end()
}

type pushinOrder struct {
	Value      jsonInt `json:"value"`
	WebhookURL string  `json:"webhook_url"`
	SplitRules []struct {
		Value     jsonInt `json:"value"`
		AccountID string  `json:"account_id"`
	} `json:"split_rules"`
}

func pushinCreate(x *exchange) (int, string) {
	var o pushinOrder
	if !x.decode(&o) {
		return x.fail(http.StatusBadRequest, "JSON inválido.")
	}
	var p problems
	p.add(!o.Value.set, "value", "O campo value deve ser um número inteiro.")
	p.add(o.Value.set && o.Value.v < 50, "value", "O campo value deve ser no mínimo 50.")
	if o.WebhookURL != "" {
		u, err := url.Parse(o.WebhookURL)
		p.add(err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http"), "webhook_url",
			"O campo webhook url deve ser uma URL válida.")
	}
	var split int64
	for i, rule := range o.SplitRules {
		p.add(rule.AccountID == "", "split_rules."+strconv.Itoa(i)+".account_id", "A conta do split não existe.")
		split += rule.Value.v
	}
	p.add(split*2 > o.Value.v, "split_rules", "A soma dos splits não pode passar de 50% do valor.")
	if len(p.field) > 0 {
		p.laravel(&x.enc)
		return http.StatusUnprocessableEntity, ""
	}
	if most := x.account.MaxCentavos; most > 0 && o.Value.v > most {
		return x.fail(http.StatusBadRequest, "O valor máximo permitido para a sua conta é R$ "+reais(most)+".")
	}
	if !x.create(Charge{AmountCentavos: o.Value.v, WebhookURL: o.WebhookURL}) {
		return x.fail(http.StatusInternalServerError, "")
	}
	x.pushin(x.v, x.code())
	return http.StatusOK, ""
}

// pushinHook writes what arrives at a receiver: usually a form, with the id in
// upper case. form_as_json and json_as_form carry the other's content type.
func pushinHook(e *enc, ev hookEvent) string {
	v := ev.view
	id := strings.ToUpper(v.ID)
	if e.shape.IDs == "lower" {
		id = strings.ToLower(v.ID)
	}
	if ev.variant == "form" || ev.variant == "form_as_json" {
		f := url.Values{"id": {id}, "status": {v.word}}
		if e.shape.Amount != "absent" {
			f.Set("value", strconv.FormatInt(v.AmountCentavos, 10))
		}
		if settled(v.Status) {
			f.Set("end_to_end_id", v.EndToEnd)
			f.Set("payer_name", or(v.Customer.Name, "Pagador Simulado"))
			f.Set("payer_national_registration", or(v.Customer.Document, "00000000000"))
		}
		e.b = append(e.b, f.Encode()...)
		if ev.variant == "form_as_json" {
			return "application/json"
		}
		return "application/x-www-form-urlencoded"
	}
	v.ID = id
	x := exchange{enc: *e}
	if ev.variant == "data" {
		x.obj("")
		x.key("data")
	}
	x.pushin(v, v.EMV)
	if ev.variant == "data" {
		x.end()
	}
	e.b = x.b
	if ev.variant == "json_as_form" {
		return "application/x-www-form-urlencoded"
	}
	return "application/json"
}

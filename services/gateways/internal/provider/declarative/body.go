package declarative

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// template is the body of a creation: a tree of constants and of placeholders ("$amount", "$customer.name"). A
// placeholder without a value leaves its key out, and so is a mapping or list left out none of whose placeholders has
// one, so that what a buyer did not tell is absent and never invented.
type template struct {
	constant any // a JSON scalar, when nothing else is set
	place    string
	keys     []string
	values   []template
	list     bool
	open     bool // there is a placeholder in it
}

// placeholders that need no declaration. document_type is cpf or cnpj, document_TYPE the same in capitals; local_phone
// has no country code; amount is in the provider's unit.
var placeholders = []string{"amount", "reference", "title", "description", "webhook_url", "client_ip", "expires_in_days",
	"tracking", "customer.name", "customer.email", "customer.phone", "customer.local_phone", "customer.document",
	"customer.document_type", "customer.document_TYPE"}

func (s *source) template(path string, n *yaml.Node, settings map[string]bool, depth int) template {
	if depth > 12 {
		s.wrong(path, "nested too deeply")
		return template{}
	}
	switch n.Kind {
	case yaml.MappingNode:
		t := template{keys: []string{}}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			t.keys = append(t.keys, key)
			t.add(s.template(path+"."+key, n.Content[i+1], settings, depth+1))
		}
		return t
	case yaml.SequenceNode:
		t := template{list: true}
		for i, e := range n.Content {
			t.add(s.template(path+"."+strconv.Itoa(i), e, settings, depth+1))
		}
		return t
	case yaml.ScalarNode:
		return s.scalar(path, n, settings)
	default:
		s.wrong(path, "want text, a number, a list or a mapping")
		return template{}
	}
}

func (s *source) scalar(path string, n *yaml.Node, settings map[string]bool) template {
	var value any
	if err := n.Decode(&value); err != nil {
		s.wrong(path, "value cannot be read")
		return template{}
	}
	text, isText := value.(string)
	name, isPlace := strings.CutPrefix(text, "$")
	switch setting, isSetting := strings.CutPrefix(name, "setting."); {
	case !isText || !isPlace:
		if number, ok := value.(float64); ok {
			return template{constant: json.Number(strconv.FormatFloat(number, 'f', -1, 64))}
		}
		return template{constant: value}
	case isSetting && !settings[setting]:
		s.wrong(path, "setting %q is not declared", setting)
	case !isSetting && !slices.Contains(placeholders, name):
		s.wrong(path, "unknown placeholder %q: known are $%s and $setting.NAME", text, strings.Join(placeholders, ", $"))
	}
	return template{place: name, open: true}
}

func (t *template) add(value template) {
	t.values = append(t.values, value)
	t.open = t.open || value.open
}

// uses reports whether a placeholder occurs below t.
func (t template) uses(place string) bool {
	if t.place == place {
		return true
	}
	for _, v := range t.values {
		if v.uses(place) {
			return true
		}
	}
	return false
}

// filling is what the placeholders of one charge stand for.
type filling struct {
	request provider.ChargeRequest
	account provider.Account
	unit    provider.Unit
	days    daysSpec
}

// fill is the body; ok is false when nothing of it has a value.
func (t template) fill(f filling) (value any, ok bool) {
	switch {
	case t.place != "":
		value = f.value(t.place)
		return value, value != nil && value != ""
	case t.list:
		list := make([]any, 0, len(t.values))
		told := !t.open
		for _, v := range t.values {
			if value, ok := v.fill(f); ok {
				list = append(list, value)
				told = told || v.open
			}
		}
		return list, told
	case t.keys != nil:
		object := make(map[string]any, len(t.keys))
		told := !t.open
		for i, key := range t.keys {
			if value, ok := t.values[i].fill(f); ok {
				object[key] = value
				told = told || t.values[i].open
			}
		}
		return object, told
	default:
		return t.constant, true
	}
}

func (f filling) value(place string) any {
	r := f.request
	if setting, ok := strings.CutPrefix(place, "setting."); ok {
		return f.account.Setting(setting)
	}
	switch place {
	case "amount":
		return f.unit.Number(r.Amount)
	case "reference":
		return r.Reference
	case "title":
		return r.Title()
	case "description":
		return strings.TrimSpace(r.Description)
	case "webhook_url":
		return r.WebhookURL
	case "client_ip":
		return r.ClientIP
	case "expires_in_days":
		return provider.WholeDays(r.ExpiresIn, f.days.Min, f.days.Max)
	case "tracking":
		if len(r.Tracking) > 0 {
			return r.Tracking
		}
	case "customer.name":
		return strings.TrimSpace(r.Customer.Name)
	case "customer.email":
		return strings.TrimSpace(r.Customer.Email)
	case "customer.phone":
		return provider.Digits(r.Customer.Phone)
	case "customer.local_phone":
		return provider.LocalPhone(r.Customer.Phone)
	case "customer.document":
		return provider.Digits(r.Customer.Document)
	case "customer.document_type":
		return provider.DocumentType(r.Customer.Document)
	case "customer.document_TYPE":
		return strings.ToUpper(provider.DocumentType(r.Customer.Document))
	}
	return nil
}

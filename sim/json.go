package sim

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Shape bends an answer within what a provider was seen to send.
type Shape struct {
	// Envelope wraps the object: "plain", "success" ({"success":true,"data":…}),
	// "ok" ({"status":"ok","data":…}), "array", or any dotted path of keys
	// ("data", "data.data", "transaction"). Empty: the provider's own.
	Envelope string `json:"envelope,omitempty"`
	// IDs are "number", "string", "upper" or "lower"; empty: the provider's own.
	IDs string `json:"ids,omitempty"`
	// Amount is "number", "string" (same unit, quoted), "decimal" (reais with
	// two digits, quoted) or "absent"; empty: the provider's own.
	Amount string `json:"amount,omitempty"`
	// Code is where a create answer puts the EMV text: "absent", or a key or
	// one dotted pair of the provider's; empty: the provider's own.
	Code string `json:"code,omitempty"`
}

// enc appends JSON to a buffer by hand; keys come from our own source and
// need no escaping, values are escaped.
type enc struct {
	b     []byte
	shape Shape
}

func (e *enc) comma() {
	if n := len(e.b); n > 0 {
		switch e.b[n-1] {
		case '{', '[', ':':
		default:
			e.b = append(e.b, ',')
		}
	}
}

func (e *enc) key(k string) {
	e.comma()
	if k != "" {
		e.b = append(e.b, '"')
		e.b = append(e.b, k...)
		e.b = append(e.b, '"', ':')
	}
}

func (e *enc) obj(k string) { e.key(k); e.b = append(e.b, '{') }
func (e *enc) end()         { e.b = append(e.b, '}') }
func (e *enc) arr(k string) { e.key(k); e.b = append(e.b, '[') }
func (e *enc) endArr()      { e.b = append(e.b, ']') }
func (e *enc) null(k string) {
	e.key(k)
	e.b = append(e.b, "null"...)
}

func (e *enc) raw(k, v string) { e.key(k); e.b = append(e.b, v...) }

func (e *enc) num(k string, v int64) {
	e.key(k)
	e.b = strconv.AppendInt(e.b, v, 10)
}

func (e *enc) boolean(k string, v bool) {
	e.key(k)
	e.b = strconv.AppendBool(e.b, v)
}

func (e *enc) str(k, v string) {
	e.key(k)
	e.b = appendString(e.b, v)
}

// text writes null for an empty string.
func (e *enc) text(k, v string) {
	if v == "" {
		e.null(k)
		return
	}
	e.str(k, v)
}

func appendString(b []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			q, _ := json.Marshal(v) // a string always marshals
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}

// id writes an identifier; number says what the provider itself uses.
func (e *enc) id(k, v string, number bool) {
	switch e.shape.IDs {
	case "number":
		number = true
	case "string":
		number = false
	case "upper":
		v, number = strings.ToUpper(v), false
	case "lower":
		v, number = strings.ToLower(v), false
	}
	if number && digits(v) && len(v) <= 18 && (v[0] != '0' || v == "0") {
		e.raw(k, v)
		return
	}
	e.text(k, v)
}

// cents writes an amount for a provider that counts centavos.
func (e *enc) cents(k string, v int64) {
	switch e.shape.Amount {
	case "absent":
	case "string":
		e.str(k, strconv.FormatInt(v, 10))
	case "decimal":
		e.str(k, reais(v))
	default:
		e.num(k, v)
	}
}

// reais writes an amount for a provider that counts reais.
func (e *enc) reais(k string, v int64) {
	switch e.shape.Amount {
	case "absent":
	case "string", "decimal":
		e.str(k, reais(v))
	default:
		e.raw(k, reais(v))
	}
}

func reais(v int64) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	c := strconv.FormatInt(v%100, 10)
	if len(c) == 1 {
		c = "0" + c
	}
	return sign + strconv.FormatInt(v/100, 10) + "." + c
}

func digits(v string) bool {
	for i := 0; i < len(v); i++ {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return v != ""
}

// saoPaulo is UTC-3 all year: Brazil gave up daylight saving in 2019.
var saoPaulo = time.FixedZone("-03", -3*60*60)

const zeroDate = "0000-00-00 00:00:00"

// local is "2006-01-02 15:04:05" in São Paulo, without a zone, as several
// providers write it; empty for the zero time.
func local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(saoPaulo).Format(time.DateTime)
}

// utc is RFC 3339 with milliseconds; empty for the zero time.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// envelope gives what stands before and after an object wrapped as name says.
func envelope(name string) (before, after string) {
	switch name {
	case "", "plain":
		return "", ""
	case "success":
		return `{"success":true,"data":`, "}"
	case "ok":
		return `{"status":"ok","data":`, "}"
	case "array":
		return "[", "]"
	case "data":
		return `{"data":`, "}"
	}
	for k := range strings.SplitSeq(name, ".") {
		before += `{` + strconv.Quote(k) + `:`
		after += "}"
	}
	return before, after
}

// jsonInt is an integer field that remembers whether it was sent. A number
// with a fraction and a text are refused, as the providers' validators do.
type jsonInt struct {
	v   int64
	set bool
}

// UnmarshalJSON leaves it unset for anything but an integer number.
func (n *jsonInt) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(string(b), 10, 64)
	*n = jsonInt{v: v, set: err == nil}
	return nil
}

// jsonReais is an amount in reais: a number with at most two digits after the
// point, or such a number in quotes. v is centavos.
type jsonReais struct {
	v   int64
	set bool
}

// UnmarshalJSON leaves it unset for anything else.
func (n *jsonReais) UnmarshalJSON(b []byte) error {
	*n = jsonReais{}
	s := strings.Trim(string(b), `"`)
	whole, frac, _ := strings.Cut(s, ".")
	frac = strings.TrimRight(frac, "0")
	if len(frac) > 2 || !digits(whole) || frac != "" && !digits(frac) {
		return nil
	}
	v, err := strconv.ParseInt(whole+(frac + "00")[:2], 10, 64)
	*n = jsonReais{v: v, set: err == nil}
	return nil
}

// anyText is a field that may be a text, or an object whose number is meant.
type anyText struct{ v string }

// UnmarshalJSON leaves it empty for anything else.
func (t *anyText) UnmarshalJSON(b []byte) error {
	t.v = text(b)
	if t.v == "" {
		t.v = bodyField(b, "number")
	}
	return nil
}

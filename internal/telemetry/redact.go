package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Redacted stands where something was taken out.
const Redacted = "[redacted]"

// secretWords make a key secret wherever they stand in it; secretKeys only as the whole key or its last word.
var (
	secretWords = []string{"token", "secret", "password", "passwd", "authorization", "api_key", "apikey", "cpf", "cnpj", "cookie"}
	secretKeys  = []string{"document", "body", "dsn", "credentials"}
)

// secretKey reports whether values under the key are never written.
func secretKey(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, w := range secretWords {
		if strings.Contains(key, w) {
			return true
		}
	}
	last := key[strings.LastIndexAny(key, "_.")+1:]
	for _, k := range secretKeys {
		if last == k {
			return true
		}
	}
	return false
}

// shape is a kind of value that is secret under any key. hints are what a text must contain, lower-cased, to be worth the
// expression: records are many and expressions slow. with keeps the part that says what stood there.
type shape struct {
	hints []string
	find  *regexp.Regexp
	with  string
}

var shapes = []shape{
	{[]string{":"}, regexp.MustCompile(`\d{5,}:[A-Za-z0-9_-]{30,}`), Redacted}, // Telegram bot token; in its URLs "bot" stands before it
	{[]string{"k_"}, regexp.MustCompile(`\b(bxk_|sk_|pk_)[A-Za-z0-9_.-]{6,}`), `${1}` + Redacted},
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/|=:-]{6,}`), `${1} ` + Redacted},
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`), Redacted}, // JWT
	{[]string{"token", "secret", "password", "key", "cpf"}, // in a query, a form or JSON
		regexp.MustCompile(`(?i)((?:token|secret|password|api_?key|cpf)\\?"?\s*[=:]\s*\\?"?)[^"&\s,;}\\]+`), `${1}` + Redacted},
	{[]string{"://"}, regexp.MustCompile(`(://[^:/@\s]*:)[^@/\s]+@`), `${1}` + Redacted + `@`}, // password in a URL
	{[]string{"/delivery/", "/pay/"}, regexp.MustCompile(`(/(?:delivery|pay)/)[A-Za-z0-9_-]{12,}`), `${1}` + Redacted},
	{[]string{"/webhook/payment/"}, regexp.MustCompile(`(/webhook/payment/[^/\s]+/[^/\s]+/)[A-Za-z0-9_-]{12,}`), `${1}` + Redacted}, // a sale's key
}

// The shapes of Brazilian document numbers; they need eleven digits at least.
var (
	document     = regexp.MustCompile(`\b(\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2})\b`) // CPF, CNPJ
	elevenDigits = regexp.MustCompile(`\b\d{11}\b`)
)

// Redact returns text without what looks like a token, a key, a password or a Brazilian document number. Eleven digits count
// as a CPF only when their check digits fit.
func Redact(text string) string {
	digits := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			digits++
		}
	}
	lower := strings.ToLower(text)
	for _, s := range shapes {
		for _, hint := range s.hints {
			if strings.Contains(lower, hint) && (hint != ":" || digits >= 5) {
				text = s.find.ReplaceAllString(text, s.with)
				break
			}
		}
	}
	if digits < 11 {
		return text
	}
	text = document.ReplaceAllString(text, Redacted)
	return elevenDigits.ReplaceAllStringFunc(text, func(d string) string {
		if validCPF(d) {
			return Redacted
		}
		return d
	})
}

// validCPF checks the two digits modulo 11 of Receita Federal's rule; a repeated digit passes it but is no CPF.
func validCPF(d string) bool {
	if strings.Count(d, d[:1]) == len(d) {
		return false
	}
	for n := 9; n <= 10; n++ {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		if check := sum * 10 % 11 % 10; check != int(d[n]-'0') {
			return false
		}
	}
	return true
}

// redactAttr is slog's ReplaceAttr. Numbers under a secret word pass unless they may be a document: tokens=3 is no secret.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if secretKey(a.Key) && a.Value.String() != "" {
			return slog.String(a.Key, Redacted)
		}
		if clean := Redact(a.Value.String()); clean != a.Value.String() {
			return slog.String(a.Key, clean)
		}
	case slog.KindAny:
		return redactAny(a)
	case slog.KindInt64, slog.KindUint64:
		if key := strings.ToLower(a.Key); strings.Contains(key, "cpf") || strings.Contains(key, "document") {
			return slog.String(a.Key, Redacted)
		}
	}
	return a
}

func redactAny(a slog.Attr) slog.Attr {
	v := a.Value.Any()
	switch v.(type) {
	case nil, slog.Level, *slog.Source:
		return a
	}
	if secretKey(a.Key) {
		return slog.String(a.Key, Redacted)
	}
	switch v := v.(type) {
	case error:
		return slog.String(a.Key, Redact(v.Error()))
	case []byte:
		return slog.String(a.Key, fmt.Sprintf("[%d bytes]", len(v)))
	case fmt.Stringer:
		return slog.String(a.Key, Redact(v.String()))
	}
	text, err := json.Marshal(v)
	if err != nil {
		return slog.String(a.Key, Redact(fmt.Sprintf("%+v", v)))
	}
	if clean := Redact(string(text)); clean != string(text) {
		return slog.String(a.Key, clean)
	}
	return a
}

// redactingExporter redacts names, texts and attributes of spans on their way out: instrumentation of HTTP clients records whole
// URLs, and some providers want their token in the query.
type redactingExporter struct{ trace.SpanExporter }

func (e redactingExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	clean := make([]trace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		clean[i] = redactedSpan{s}
	}
	return e.SpanExporter.ExportSpans(ctx, clean)
}

type redactedSpan struct{ trace.ReadOnlySpan }

func (s redactedSpan) Name() string { return Redact(s.ReadOnlySpan.Name()) }

func (s redactedSpan) Attributes() []attribute.KeyValue {
	return redactKeyValues(s.ReadOnlySpan.Attributes())
}

func (s redactedSpan) Status() trace.Status {
	st := s.ReadOnlySpan.Status()
	st.Description = Redact(st.Description)
	return st
}

func (s redactedSpan) Events() []trace.Event {
	events := s.ReadOnlySpan.Events()
	clean := make([]trace.Event, len(events))
	for i, e := range events {
		e.Attributes = redactKeyValues(e.Attributes)
		clean[i] = e
	}
	return clean
}

func redactKeyValues(kvs []attribute.KeyValue) []attribute.KeyValue {
	clean := make([]attribute.KeyValue, len(kvs))
	for i, kv := range kvs {
		switch kv.Value.Type() {
		case attribute.STRING:
			text := Redact(kv.Value.AsString())
			if secretKey(string(kv.Key)) {
				text = Redacted
			}
			kv.Value = attribute.StringValue(text)
		case attribute.STRINGSLICE:
			list := kv.Value.AsStringSlice()
			for j := range list {
				list[j] = Redact(list[j])
			}
			kv.Value = attribute.StringSliceValue(list)
		}
		clean[i] = kv
	}
	return clean
}

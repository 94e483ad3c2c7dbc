package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

// All values are invented; the CPF is the one that documentation everywhere uses for its check digits.
const (
	canaryBot = "7000000001:AAFakeFakeFakeFakeFakeFakeFakeFake_-x"
	canaryKey = "bxk_0123456789abcdefCANARY"
	canaryCPF = "52998224725"
)

func TestRedact_shapes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"bot token in a URL", "POST /bot" + canaryBot + "/sendMessage", "POST /bot[redacted]/sendMessage"},
		{"bot token", "token is " + canaryBot + ".", "token is [redacted]."},
		{"key of ours", "key " + canaryKey, "key bxk_[redacted]"},
		{"secret key", "sk_live_0123456789", "sk_[redacted]"},
		{"bearer", "Authorization: Bearer abc.def-123=", "Authorization: Bearer [redacted]"},
		{"lower-case bearer alone", "bearer abcdefgh", "bearer [redacted]"},
		{"query", "GET /v1/t?api_token=abc123&page=2", "GET /v1/t?api_token=[redacted]&page=2"},
		{"JSON", `{"api_token": "abc123", "amount": 5}`, `{"api_token": "[redacted]", "amount": 5}`},
		{"JSON in JSON", `"{\"api_token\":\"abc123\",\"n\":1}"`, `"{\"api_token\":\"[redacted]\",\"n\":1}"`},
		{"form", "client_secret=abc&x=1", "client_secret=[redacted]&x=1"},
		{"JWT", "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-1", "got [redacted]"},
		{"DSN", "postgres://baixa:hunter2@localhost:5432/x", "postgres://baixa:[redacted]@localhost:5432/x"},
		{"delivery link", "https://x.example/delivery/abcdefghijkLMNOP", "https://x.example/delivery/[redacted]"},
		{"checkout page", "https://x.example/pay/abcdefghijkLMNOP/events", "https://x.example/pay/[redacted]/events"},
		{"webhook URL of a sale", "/webhook/payment/atomopay/acc1/abcdefghijkLMNOP", "/webhook/payment/atomopay/acc1/[redacted]"},
		{"webhook URL of an account", "/webhook/payment/atomopay/acc1", "/webhook/payment/atomopay/acc1"},
		{"CPF with dots", "cliente 529.982.247-25 pagou", "cliente [redacted] pagou"},
		{"CPF of digits", "cliente " + canaryCPF + " pagou", "cliente [redacted] pagou"},
		{"CNPJ", "12.345.678/0001-95", "[redacted]"},
		{"eleven digits that are no CPF", "id 12345678901", "id 12345678901"},
		{"one digit eleven times", "id 11111111111", "id 11111111111"},
		{"plain text", "payment settled", "payment settled"},
		{"trace id", "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"},
		{"address and time", "dial tcp 127.0.0.1:5432 at 2026-01-02T03:04:05Z", "dial tcp 127.0.0.1:5432 at 2026-01-02T03:04:05Z"},
		{"empty", "", ""},
	} {
		if got := Redact(c.in); got != c.want {
			t.Errorf("%s: Redact(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestRedact_findsSecretsAnywhere(t *testing.T) {
	secrets := []string{canaryBot, canaryKey, "sk_live_CANARY0123", "529.982.247-25", canaryCPF, "api_token=CANARY77", "Bearer CANARY77"}
	word := rapid.StringMatching(`[a-zçã ,.(){}]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SampledFrom(secrets).Draw(t, "secret")
		text := word.Draw(t, "before") + " " + secret + " " + word.Draw(t, "after")
		got := Redact(text)
		_, kept, _ := strings.Cut(secret, "=")
		if kept == "" {
			kept = strings.TrimPrefix(secret, "Bearer ")
		}
		if strings.Contains(got, kept) {
			t.Fatalf("Redact(%q) = %q still has the secret", text, got)
		}
		if again := Redact(got); again != got {
			t.Fatalf("Redact is not idempotent: %q then %q", got, again)
		}
	})
}

type stringer struct{}

func (stringer) String() string { return "bot " + canaryBot }

// TestHandler_canariesNeverLeave logs secrets in every way that a record can carry them, in both formats.
func TestHandler_canariesNeverLeave(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		h, err := handler(Config{LogFormat: format, Stderr: &out})
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(h)
		ctx := With(t.Context(), slog.String("note", canaryKey))
		log.InfoContext(ctx, "sent to "+canaryBot,
			slog.String("token", "CANARY-plain"),
			slog.String("X-Api-Key", "CANARY-header"),
			slog.Any("error", errors.New("call: "+canaryBot)),
			slog.Any("body", []byte("CANARY-bytes")),
			slog.Any("raw", []byte("CANARY-bytes")),
			slog.Any("customer", map[string]string{"cpf": canaryCPF, "name": "CANARY-not-secret-by-shape"}),
			slog.Any("value", stringer{}),
			slog.Int64("cpf", 52998224725),
			slog.Group("request", slog.String("authorization", "CANARY-group"), slog.String("url", "/x?api_token=CANARY-query")))
		log.With(slog.String("password", "CANARY-with")).WithGroup("g").Warn("x", slog.String("client_secret", "CANARY-in-group"))
		log.Error("panic", slog.Any("secret", struct{ A string }{"CANARY-struct"}))
		text := strings.ReplaceAll(out.String(), "CANARY-not-secret-by-shape", "")
		for _, canary := range []string{"CANARY", canaryCPF, "52998224725", "AAFake"} {
			if strings.Contains(text, canary) {
				t.Errorf("%s: %q was written:\n%s", format, canary, text)
			}
		}
		if strings.Count(text, "\n") != 3 || !strings.Contains(text, "bxk_[redacted]") || !strings.Contains(text, "[12 bytes]") {
			t.Errorf("%s: want 3 lines that tell what was taken out:\n%s", format, text)
		}
	}
}

func TestHandler_ordinaryValuesPass(t *testing.T) {
	var out bytes.Buffer
	h, err := handler(Config{LogFormat: "json", Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	ctx := With(t.Context(), slog.String("payment_id", "old"), slog.String("merchant_id", "m1"))
	ctx = With(ctx, slog.String("payment_id", "p1"))
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	slog.New(h).With(slog.String("service", "payments")).InfoContext(trace.ContextWithSpanContext(ctx, sc), "settled",
		slog.Int("attempt", 3), slog.Int("tokens", 7), slog.Duration("after", 2*time.Second), slog.Bool("token_ok", true),
		slog.Any("states", []string{"pending", "paid"}), slog.Any("error", errors.New("none")), slog.Any("nothing", nil))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), []byte(`"payment_id"`)); n != 1 {
		t.Errorf("payment_id is written %d times, want once", n)
	}
	delete(got, "time")
	want := map[string]any{"level": "INFO", "msg": "settled", "service": "payments", "attempt": 3., "tokens": 7., "after": 2e9, "token_ok": true,
		"states": []any{"pending", "paid"}, "error": "none", "nothing": nil, "payment_id": "p1", "merchant_id": "m1",
		"trace_id": "01000000000000000000000000000000", "span_id": "0200000000000000"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
}

func TestHandler_levelsAndFormats(t *testing.T) {
	var out bytes.Buffer
	h, err := handler(Config{LogLevel: slog.LevelWarn, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	slog.New(h).Info("quiet")
	if out.Len() != 0 {
		t.Errorf("a record below the level was written: %s", out.String())
	}
	slog.New(h).Warn("loud")
	if !json.Valid(out.Bytes()) {
		t.Errorf("auto away from a terminal is not JSON: %s", out.String())
	}
	if _, err := handler(Config{LogFormat: "xml", Stderr: &out}); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("an unknown format: %v", err)
	}
}

func TestRedactingExporter_spansAreClean(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(redactingExporter{spans}))
	_, span := tp.Tracer("t").Start(context.Background(), "GET /bot"+canaryBot, trace.WithAttributes(
		attribute.String("url.full", "https://api.example/t?api_token=CANARY"),
		attribute.String("http.request.header.authorization", "CANARY"),
		attribute.StringSlice("list", []string{canaryKey}), attribute.Int("n", 1)))
	span.RecordError(errors.New("call " + canaryBot))
	span.SetStatus(codes.Error, "bad "+canaryKey)
	span.End()
	text, err := json.Marshal(spans.GetSpans())
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"CANARY", "AAFake"} {
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("%q was exported: %s", canary, text)
		}
	}
	if !bytes.Contains(text, []byte("api_token=[redacted]")) {
		t.Errorf("the rest of the URL is lost: %s", text)
	}
}

func BenchmarkRedact_ordinaryText(b *testing.B) {
	for b.Loop() {
		Redact("provider answered after the deadline, the sale stays pending")
	}
}

func BenchmarkRedact_suspiciousText(b *testing.B) {
	for b.Loop() {
		Redact("dial tcp 127.0.0.1:5432: connect: connection refused")
	}
}

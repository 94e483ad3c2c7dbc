package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/lmittmann/tint"
	"go.opentelemetry.io/otel/trace"
)

type attrsKey struct{}

// With returns ctx with attributes that every record logged with it, or with a context made from it, carries. An attribute
// with a key that ctx already carries takes its place.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	old, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	merged := slices.Clone(old)
	for _, a := range attrs {
		if i := slices.IndexFunc(merged, func(m slog.Attr) bool { return m.Key == a.Key }); i >= 0 {
			merged[i] = a
		} else {
			merged = append(merged, a)
		}
	}
	return context.WithValue(ctx, attrsKey{}, merged)
}

// handler builds the whole chain: context first, then redaction while the record is written.
func handler(c Config) (slog.Handler, error) {
	terminal := isTerminal(c.Stderr)
	format := c.LogFormat
	if format == "" || format == "auto" {
		format = "json"
		if terminal {
			format = "text"
		}
	}
	switch format {
	case "json":
		return contextHandler{slog.NewJSONHandler(c.Stderr, &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: redactAttr})}, nil
	case "text":
		return contextHandler{tint.NewTextHandler(c.Stderr, &tint.Options{Level: c.LogLevel, ReplaceAttr: redactAttr,
			TimeFormat: time.TimeOnly, NoColor: !terminal || os.Getenv("NO_COLOR") != ""})}, nil
	}
	return nil, fmt.Errorf("LogFormat is %q, want auto, json or text", c.LogFormat)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f.Fd())
}

// contextHandler adds the ids of the span and the attributes that With put into the context.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	sc := trace.SpanContextFromContext(ctx)
	if len(attrs) > 0 || sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(attrs...)
		if sc.IsValid() {
			r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

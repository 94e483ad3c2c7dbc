package crash

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "529.982.247-25"

func recovered(f func()) (e *Error) {
	defer func() { e = Of(recover()) }()
	f()
	return nil
}

func thrower(v any) { panic(v) }

func TestOf_tellsTypeAndPlaceAlone(t *testing.T) {
	for want, v := range map[string]any{
		"panic: a value of type string":                "body with " + canary,
		"panic: a value of type *fmt.wrapError":        fmt.Errorf("%s: %w", canary, errors.ErrUnsupported),
		"panic: a value of type struct { S []string }": struct{ S []string }{[]string{canary}},
	} {
		e := recovered(func() { thrower(v) })
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", slog.Any("error", e))
		if !strings.HasPrefix(e.Error(), want+" in github.com/baixapay/baixa/internal/crash.thrower crash_test.go:") {
			t.Errorf("it says %q, want %q and the function that threw", e, want)
		}
		if strings.Contains(log.String()+e.Error()+fmt.Sprintf("%v %+v", e, e), canary) {
			t.Errorf("the value is told: %s", &log)
		}
		if !strings.Contains(log.String(), "TestOf_tellsTypeAndPlaceAlone") || strings.Contains(log.String(), "0x") {
			t.Errorf("the record lacks a caller, or has arguments: %s", &log)
		}
	}
}

func TestOf_tellsBugs(t *testing.T) {
	none := []int{}
	e := recovered(func() { _ = none[len(canary)] })
	if want := "panic: runtime error: index out of range [14] with length 0 in github.com/baixapay/baixa/internal/crash.TestOf_tellsBugs"; !strings.HasPrefix(e.Error(), want) {
		t.Errorf("it says %q, want %q", e, want)
	}
}

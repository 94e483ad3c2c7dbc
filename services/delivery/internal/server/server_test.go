package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

func TestAccessURL(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		" https://members.example/area?x=1#y ": "https://members.example/area?x=1#y",
		"http://members.example":               "http://members.example",
		"t.me/+AbC":                            "https://t.me/+AbC",
		"telegram.me/x":                        "https://telegram.me/x",
		"tg://resolve?domain=x":                "tg://resolve?domain=x",
	} {
		if got, ok := accessURL(in); !ok || got != want {
			t.Errorf("accessURL(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", "members.example", "/path", "https://",
		"https://user:secret@members.example", "https://x.example/\nSet-Cookie: a", "tg:x", "https://x.example/" + strings.Repeat("a", 3000), "ht tp://x", "mailto:a@b.c",
	} {
		if got, ok := accessURL(in); ok {
			t.Errorf("accessURL(%.40q) = %q, want refused", in, got)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want codes.Code
	}{
		{nil, codes.OK},
		{fmt.Errorf("get delivery: %w", store.ErrNotFound), codes.NotFound},
		{fmt.Errorf("follow: %w", eventlog.ErrCursorAhead), codes.FailedPrecondition},
		{pg.ErrPoolTimeout, codes.Unavailable},
		{context.Canceled, codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{rpcerr.Invalid("x", "y"), codes.InvalidArgument},
		{token.ErrNoKey, codes.Internal},
		{errors.New("password=hidden at 10.0.0.1"), codes.Internal},
	} {
		got := Status(c.err)
		if status.Code(got) != c.want {
			t.Errorf("Status(%v) = %v, want %v", c.err, status.Code(got), c.want)
		}
		if got != nil && strings.Contains(got.Error(), "hidden") {
			t.Errorf("Status lets %q out", got)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}

package run_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/run"
)

// limit bounds what tests over sockets wait for.
const limit = 90 * time.Second

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		t.Fatalf("waited %s for %s", limit, what)
		panic("unreachable")
	}
}

// get asks the server at l once, without keeping the connection.
func get(l net.Listener) <-chan string {
	got := make(chan string, 1)
	go func() {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := c.Get("http://" + l.Addr().String())
		if err != nil {
			got <- "error"
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			got <- "error"
			return
		}
		got <- string(body)
	}()
	return got
}

func TestHTTP_stop(t *testing.T) {
	for _, c := range []struct {
		name   string
		limit  time.Duration
		finish bool // the handler, within the limit
		want   string
	}{
		{"request in flight finishes", limit, true, "done"},
		{"request that outlives the limit is cut off", 20 * time.Millisecond, false, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			begun, release := make(chan struct{}), make(chan struct{})
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(begun)
				select {
				case <-release:
				case <-r.Context().Done():
				}
				_, _ = io.WriteString(w, "done")
			})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- run.HTTP(ctx, l, h, c.limit) }()
			got := get(l)
			await(t, begun, "the request")
			cancel()
			if c.finish {
				select {
				case err := <-ended:
					t.Fatalf("HTTP returned %v while a request was in flight", err)
				case <-time.After(30 * time.Millisecond):
				}
				close(release)
			}
			if err := await(t, ended, "the stop"); err != nil {
				t.Errorf("HTTP: %v", err)
			}
			if text := await(t, got, "the answer"); text != c.want {
				t.Errorf("the request got %q, want %q", text, c.want)
			}
		})
	}
}

// What a handler throws may be a body that it was given. The next request is served.
func TestHTTP_panicIsLoggedWithoutItsValue(t *testing.T) {
	var log strings.Builder
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			panic("a body")
		}
		_, _ = io.WriteString(w, "done")
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run.HTTP(ctx, l, h, limit) }()
	if text := await(t, get(l), "the broken connection"); text != "error" {
		t.Errorf("the request got %q, want nothing", text)
	}
	if text := await(t, get(l), "the answer"); text != "done" {
		t.Errorf("the next request got %q, want an answer", text)
	}
	cancel()
	if err := await(t, ended, "the stop"); err != nil {
		t.Errorf("HTTP: %v", err)
	}
	if text := log.String(); !strings.Contains(text, "a value of type string") || !strings.Contains(text, "http_test.go") || strings.Contains(text, "a body") {
		t.Errorf("the log must tell the type and the place, and not what was thrown: %s", text)
	}
}

func TestHTTP_brokenListenerIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = run.HTTP(t.Context(), l, http.NotFoundHandler(), time.Second)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("HTTP on a closed listener: %v, want an error that names the address", err)
	}
}

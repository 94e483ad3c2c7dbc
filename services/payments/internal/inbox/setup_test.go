package inbox

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// limit bounds what tests wait for; none of them is expected to come near it.
const limit = 90 * time.Second

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(pgtest.Run(m))
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func newSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	raw, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// open makes an inbox that runs until the test ends.
func open(t testing.TB, s *store.Store, change func(*Config)) *Inbox {
	t.Helper()
	b := closed(t, s, change)
	start(t, b)
	return b
}

// closed makes an inbox that does not run yet.
func closed(t testing.TB, s *store.Store, change func(*Config)) *Inbox {
	t.Helper()
	c := Config{Store: s, Seal: newSealer(t)}
	if change != nil {
		change(&c)
	}
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// start runs b and returns what stops it and waits for its end.
func start(t testing.TB, b *Inbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(limit):
			t.Error("Run does not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func rows(t testing.TB, s *store.Store) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(within(t), `SELECT count(*) FROM webhooks`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// copiesOf is how often the only webhook came.
func copiesOf(t testing.TB, s *store.Store) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(within(t), `SELECT copies FROM webhooks`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// claim returns everything that waits to be read.
func claim(t testing.TB, s *store.Store) []store.Webhook {
	t.Helper()
	now := time.Now().Add(time.Hour)
	out, err := s.ClaimWebhooks(within(t), now, now.Add(time.Minute), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

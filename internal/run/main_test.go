package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func quietGroup() *Group {
	return &Group{Limit: time.Minute, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// starts is a start that has nothing to prepare.
func starts(p Part) func(context.Context) (Part, error) {
	return func(context.Context) (Part, error) { return p, nil }
}

func TestMain_firstSignalStopsGracefully(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, finished := make(chan os.Signal, 2), false
		slow := starts(func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(30 * time.Second)
			finished = true
			return nil
		})
		time.AfterFunc(time.Second, func() { signals <- syscall.SIGTERM })
		if err := watchSignals(t.Context(), quietGroup(), "a", slow, signals); err != nil {
			t.Errorf("Main: %v", err)
		}
		if !finished {
			t.Error("Main returned before the part had stopped")
		}
	})
}

func TestMain_secondSignalReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		slow := starts(func(ctx context.Context) error { <-ctx.Done(); time.Sleep(30 * time.Second); return nil })
		time.AfterFunc(time.Second, func() { signals <- os.Interrupt })
		time.AfterFunc(2*time.Second, func() { signals <- os.Interrupt })
		begin := time.Now()
		if err := watchSignals(t.Context(), quietGroup(), "a", slow, signals); !errors.Is(err, ErrForced) {
			t.Errorf("Main: %v, want ErrForced", err)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("Main took %s, want 2s", took)
		}
		time.Sleep(time.Minute) // the part ends by itself
	})
}

func TestMain_stopsWhatIsBeingStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		time.AfterFunc(time.Second, func() { signals <- syscall.SIGTERM })
		err := watchSignals(t.Context(), quietGroup(), "a", func(ctx context.Context) (Part, error) {
			<-ctx.Done()
			return nil, errors.New("a child was killed")
		}, signals)
		if err != nil {
			t.Errorf("Main: %v", err)
		}
	})
}

func TestMain_startFails(t *testing.T) {
	refused := errors.New("refused")
	err := Main(t.Context(), "a", func(context.Context) (Part, error) { return nil, refused })
	if !errors.Is(err, refused) {
		t.Errorf("Main: %v, want %v", err, refused)
	}
}

func TestMain_listensToTheProcessSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		err := Main(t.Context(), "a", starts(func(ctx context.Context) error {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}))
		if err != nil {
			t.Errorf("Main after %s: %v", s, err)
		}
	}
}

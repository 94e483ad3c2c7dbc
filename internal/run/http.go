package run

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/baixapay/baixa/internal/crash"
)

// HTTP serves h on l until ctx is done, then lets requests in flight finish within limit and returns nil. Slow clients are
// cut off: 5 s for the header, 30 s for a request, a minute between two. Hijacked connections (WebSockets) are their
// handler's to end. A handler's panic ends its request alone.
func HTTP(ctx context.Context, l net.Listener, h http.Handler, limit time.Duration) error {
	srv := &http.Server{Handler: guard(h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)}
	stopped := make(chan error, 1)
	cancel := context.AfterFunc(ctx, func() {
		late, done := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer done()
		stopped <- srv.Shutdown(late)
	})
	err := srv.Serve(l)
	if cancel() {
		return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
	}
	if err := <-stopped; err != nil { // requests outlived the limit
		return srv.Close()
	}
	return nil
}

// guard logs a handler's panic before net/http does, which would tell what was thrown.
func guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v != any(http.ErrAbortHandler) {
					slog.ErrorContext(r.Context(), "handler panicked", slog.Any("error", crash.Of(v)))
				}
				panic(http.ErrAbortHandler)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

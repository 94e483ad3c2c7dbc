package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/baixapay/baixa/internal/eventlog"
)

// events is the stream as server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html): data is the same frame,
// id its cursor. A ticket serves one connection here as well, so a client that lost it asks for another and passes its last id
// as cursor; the browser's own reconnect is answered 401, which ends it.
func (h *Hub) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	in, ok := h.enter(w, r)
	if !ok {
		return
	}
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	write := func(format string, args ...any) error {
		if err := out.SetWriteDeadline(time.Now().Add(h.cfg.Write)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return err
		}
		return out.Flush()
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	err := h.run(ctx, in, wire{
		send: func(body []byte, c eventlog.Cursor) error { return write("id: %s\ndata: %s\n\n", c, body) },
		ping: func() error { return write(": ping\n\n") },
	})
	if ours(err) {
		_ = write(": %s\n\n", err) // the peer may be gone
	}
	h.said(ctx, err)
}

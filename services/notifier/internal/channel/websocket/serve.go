package websocket

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/internal/pg"
)

const (
	admitLimit = 10 * time.Second
	maxRead    = 4 << 10 // clients have nothing to say
)

// Handler serves GET /ws (WebSocket) and GET /events (server-sent events), both with ?ticket=… and an optional ?cursor=… to
// resume from, and GET /ws/client.js, the client of docs/events.md. Any origin may connect: the ticket is the credential, and it comes from an authenticated call.
func (h *Hub) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", h.socket)
	mux.HandleFunc("GET /events", h.events)
	mux.HandleFunc("GET "+ClientPath, h.client)
	return mux
}

// enter admits a request or answers it: 400 for a cursor, 401 for a ticket, 503 when there is no room or no database.
func (h *Hub) enter(w http.ResponseWriter, r *http.Request) (room, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), admitLimit)
	defer cancel()
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet { // HEAD would use the ticket up
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
		return room{}, false
	}
	if h.Open(nil) >= h.cfg.MaxSockets {
		w.Header().Set("Retry-After", "5")
		http.Error(w, errFull.Error(), http.StatusServiceUnavailable)
		return room{}, false
	}
	in, err := h.admit(ctx, r)
	switch {
	case err == nil:
		return in, true
	case errors.Is(err, errCursor):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, errTicket):
		http.Error(w, errTicket.Error(), http.StatusUnauthorized)
	case pg.Unavailable(err) || ctx.Err() != nil:
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not available now, try again with a new ticket", http.StatusServiceUnavailable)
	default:
		slog.ErrorContext(ctx, "stream ticket cannot be checked", slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
	return room{}, false
}

func (h *Hub) socket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		http.Error(w, "expected a WebSocket; for server-sent events see /events", http.StatusUpgradeRequired)
		return
	}
	in, ok := h.enter(w, r)
	if !ok {
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxRead)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	go func() { // answers pings and notices the client's close; what it says is not read
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				cancel(err)
				return
			}
		}
	}()
	err = h.run(ctx, in, wire{
		send: func(body []byte, _ eventlog.Cursor) error {
			ctx, done := context.WithTimeout(ctx, h.cfg.Write)
			defer done()
			err := conn.Write(ctx, websocket.MessageText, body)
			if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errSlow
			}
			return err
		},
		ping: func() error {
			go func() { // events go on while the pong is awaited
				ctx, done := context.WithTimeout(ctx, h.cfg.Write)
				defer done()
				if err := conn.Ping(ctx); err != nil {
					cancel(err)
				}
			}()
			return nil
		},
	})
	code, reason := closing(err)
	h.said(ctx, err)
	_ = conn.Close(code, reason) // the peer may be gone
}

func closing(err error) (websocket.StatusCode, string) {
	switch {
	case errors.Is(err, errClosing):
		return websocket.StatusGoingAway, errClosing.Error()
	case errors.Is(err, errAhead):
		return websocket.StatusPolicyViolation, errAhead.Error()
	case ours(err) || pg.Unavailable(err):
		return websocket.StatusTryAgainLater, "resume from the last cursor"
	}
	return websocket.StatusInternalError, "internal error: resume from the last cursor"
}

// said logs ends that are nobody's wish.
func (h *Hub) said(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errSlow):
		slog.InfoContext(ctx, "slow stream reader dropped")
	case ours(err), websocket.CloseStatus(err) != -1, ctx.Err() != nil:
	default:
		slog.InfoContext(ctx, "stream ended", slog.Any("error", err))
	}
}

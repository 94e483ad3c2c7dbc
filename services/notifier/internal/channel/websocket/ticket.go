package websocket

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/eventlog"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	// TicketLife is how long a ticket may be shown for the first and only time.
	TicketLife   = time.Minute
	ticketPrefix = "bxt_"
)

// errTicket is every way in which a ticket can be no good; which one is nobody's business.
var errTicket = errors.New("ticket is unknown, used or expired")

// NewTicket makes a ticket for the merchant: the text to give away and the hash to store.
func NewTicket(merchant uuid.UUID) (text string, hash []byte) {
	secret := auth.Random()
	return ticketPrefix + hex.EncodeToString(merchant[:]) + "_" + secret, auth.Hash(secret)
}

// parseTicket takes a ticket apart; ok is false when the text cannot be one.
func parseTicket(text string) (merchant uuid.UUID, hash []byte, ok bool) {
	rest, found := strings.CutPrefix(text, ticketPrefix)
	name, secret, parted := strings.Cut(rest, "_")
	raw, err := hex.DecodeString(name)
	if !found || !parted || err != nil || len(raw) != len(merchant) || len(secret) != 43 {
		return merchant, nil, false
	}
	return uuid.UUID(raw), auth.Hash(secret), true
}

// admit reads the request's cursor and uses its ticket up. A cursor that cannot be read leaves the ticket good.
func (h *Hub) admit(ctx context.Context, r *http.Request) (room, error) {
	query := r.URL.Query()
	text := query.Get("cursor")
	if text == "" {
		text = r.Header.Get("Last-Event-ID")
	}
	var out room
	if text != "" {
		c, err := eventlog.ParseCursor(text)
		if err != nil {
			return room{}, fmt.Errorf("%w: %w", errCursor, err)
		}
		out.after = &c
	}
	merchant, hash, ok := parseTicket(query.Get("ticket"))
	if !ok {
		return room{}, errTicket
	}
	bots, err := h.cfg.Store.TakeTicket(ctx, merchant, hash)
	if errors.Is(err, store.ErrNotFound) {
		return room{}, errTicket
	}
	if err != nil {
		return room{}, err
	}
	out.merchant, out.bots = merchant, bots
	return out, nil
}

var errCursor = errors.New("cursor")

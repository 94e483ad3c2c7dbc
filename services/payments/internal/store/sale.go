package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// Sale is one row of payments: the domain's part and everything that goes with it.
type Sale struct {
	payment.Payment
	BotID              payment.BotID
	BotExternalID      string // the bot's id in the origin system; read only
	AccountID          payment.AccountID
	Provider           string
	EventCount         int // number of the last event in its history
	Charge             Charge
	SaleKey            string // stands in the URL that the provider is told to post to
	PageKey            string // stands in the URL of the buyer's page; empty: there is none
	ExternalID         string // empty: none
	IdempotencyKey     string // empty: none
	RequestHash        []byte // of what the caller asked for, to tell a repetition from a conflict
	TelegramID         int64
	BuyerName          string
	BuyerEmail         string
	BuyerPhone         string
	ProductName        string
	AccessURL          string
	FileURL            string
	ContactText        string
	Group              *Group          // nil: none
	Tracking           json.RawMessage // baixa.type.v1.Tracking in its JSON form
	Campaign           string          // statistics are split by it; empty is none
	DeliveredElsewhere bool
	Fulfilment
	Knowledge
	Traceparent string
	UpdatedAt   time.Time
}

// Group is membership of a Telegram group for a time, as the notifier takes it.
type Group struct {
	ChatID int64  `json:"chat_id"`
	Unit   string `json:"unit"` // hours, days, weeks, months or forever
	Value  int32  `json:"value"`
}

// text is the group as it is stored; empty for none.
func (g *Group) text() string {
	if g == nil {
		return ""
	}
	raw, err := json.Marshal(g)
	if err != nil {
		return "" // our own struct of texts and numbers always marshals
	}
	return string(raw)
}

// Charge is a sale's counterpart at its provider; identifiers that are not known are empty.
type Charge struct {
	ID, Hash, Reference string
	CopyPaste           string
}

// Fulfilment is where the way to the buyer stands.
type Fulfilment struct {
	TokenIssuedAt *time.Time
	Message       string // "", "queued", "sent", "undeliverable", "maybe_sent"
	MessageReason string
	MessageSentAt *time.Time
	OpenedAt      *time.Time
	Purchase      string // "", "queued", "sent", "failed", "not_configured"
}

// Knowledge is what was learned of the provider's truth, apart from the state.
type Knowledge struct {
	Polls              int
	Hints              int
	LastPollAt         *time.Time
	LastOutcome        string
	LastProviderStatus string
}

// saleColumns is what scanSale reads, from payments AS p.
const saleColumns = `
p.merchant_id, p.id, p.bot_id, p.account_id, p.provider, p.state, p.facts, p.event_count, p.amount_centavos, p.currency,
p.charge_id, p.charge_hash, p.charge_reference, p.copy_paste, p.qr_expires_at, p.sale_key,
p.page_key, COALESCE(p.external_id, ''), COALESCE(p.idempotency_key, ''), p.request_hash, p.telegram_id, p.buyer_name, p.buyer_email, p.buyer_phone,
p.product_name, p.access_url, p.file_url, p.contact_text, p.group_access, p.tracking, p.campaign, p.delivered_elsewhere,
p.token_issued_at, p.message, p.message_reason, p.message_sent_at, p.opened_at, p.purchase,
p.polls, p.hints, p.last_poll_at, p.looked_at, p.last_outcome, p.last_provider_status, p.traceparent, p.created_at, p.updated_at,
(SELECT b.external_id FROM bots b WHERE b.merchant_id = p.merchant_id AND b.id = p.bot_id)`

// targetsWith are what a row of saleColumns is scanned into, its state and facts as they are stored.
func (s *Sale) targetsWith(state *string, facts *[]byte) []any {
	return []any{&s.MerchantID, &s.ID, &s.BotID, &s.AccountID, &s.Provider, state, facts, &s.EventCount, (*int64)(&s.Amount), &s.Currency,
		&s.Charge.ID, &s.Charge.Hash, &s.Charge.Reference, &s.Charge.CopyPaste, &s.QRExpiresAt, &s.SaleKey,
		&s.PageKey, &s.ExternalID, &s.IdempotencyKey, &s.RequestHash, &s.TelegramID, &s.BuyerName, &s.BuyerEmail, &s.BuyerPhone,
		&s.ProductName, &s.AccessURL, &s.FileURL, &s.ContactText, &s.Group, &s.Tracking, &s.Campaign, &s.DeliveredElsewhere,
		&s.TokenIssuedAt, &s.Message, &s.MessageReason, &s.MessageSentAt, &s.OpenedAt, &s.Purchase,
		&s.Polls, &s.Hints, &s.LastPollAt, &s.LookedAt, &s.LastOutcome, &s.LastProviderStatus, &s.Traceparent, &s.CreatedAt, &s.UpdatedAt, &s.BotExternalID}
}

// scanSale reads a row of saleColumns and what stands behind it; a sale that cannot be read is an error.
func scanSale(row pgx.CollectableRow, more ...any) (Sale, error) {
	s, wrong, err := scannedSale(row, more...)
	if err == nil && wrong != "" {
		err = Unreadable{Key{s.MerchantID, s.ID}, wrong}
	}
	return s, err
}

func collectSales(rows pgx.Rows, err error, doing string) ([]Sale, error) {
	sales, bad, err := sortSales(rows, err, doing, 0)
	if err == nil && len(bad) > 0 {
		return nil, fmt.Errorf("%s: %w", doing, bad[0])
	}
	return sales, err
}

// Event is one line of a sale's history.
type Event struct {
	MerchantID payment.MerchantID
	PaymentID  payment.ID
	Number     int
	At         time.Time
	Kind       payment.Kind
	Source     payment.Source
	From, To   string // states; From is empty for the first event
	Details    map[string]string
	TraceID    string
	Decision   *Decision // nil for an event that changed nothing and ordered nothing
}

// Decision is what the ledger made of an event, kept with it so that the history proves the state and the statistics by itself.
type Decision struct {
	// Input is the column of the state table, empty for a sale's first event.
	Input string `json:"in,omitempty"`
	// Delivered is whether a delivery had been ordered by then, this event's own included.
	Delivered bool `json:"delivered,omitempty"`
	// Booked are the entries that were added to the statistics.
	Booked []Booked `json:"booked,omitempty"`
}

// Booked is one entry of the statistics. Day is YYYY-MM-DD in America/Sao_Paulo.
type Booked struct {
	Metric string       `json:"m"`
	Count  int64        `json:"n,omitempty"`
	Amount money.Amount `json:"a,omitempty"`
	Day    string       `json:"d"`
}

// Line is one entry to add to the statistics.
type Line struct {
	MerchantID payment.MerchantID
	BotID      payment.BotID
	Provider   string
	Campaign   string
	Day        time.Time // midnight UTC of the day in America/Sao_Paulo
	Metric     string
	Count      int64
	Amount     money.Amount
}

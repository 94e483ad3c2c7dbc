package payment

import (
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Event is something that happened to one sale, at a moment, from a source. Events are appended for ever; Decide says what one does.
type Event struct {
	Kind   Kind
	At     time.Time
	Source Source
	// Reading is what the provider said: set for Reported and SecondPayment, nil for all others.
	Reading *Reading
}

// Source says where an event came from.
type Source string

// The sources of events.
const (
	SourceWebhook  Source = "webhook_hint" // a provider called us; it hints, it never proves
	SourcePoll     Source = "poll"         // we asked the provider's status API
	SourceManual   Source = "manual"       // somebody asked for a look: the buyer's button, the owner, the API
	SourceImport   Source = "import"       // a row of another system
	SourceClock    Source = "clock"        // time passed
	SourceOperator Source = "operator"     // a person at the console or the command line decided
	SourceAPI      Source = "api"          // the merchant's program called us
	SourceBackfill Source = "backfill"     // a window was looked at again after an outage, or a statement was compared
	SourceDelivery Source = "delivery"     // the delivery service's outcome log
	SourceNotifier Source = "notifier"     // the notifier service's outcome log
	SourceSystem   Source = "system"       // our own work, where none of the others says more
)

// Sources lists every source.
func Sources() []Source {
	return []Source{SourceWebhook, SourcePoll, SourceManual, SourceImport, SourceClock, SourceOperator, SourceAPI, SourceBackfill,
		SourceDelivery, SourceNotifier, SourceSystem}
}

// Reading is what one look at a provider's truth said about one charge.
type Reading struct {
	Status Status
	// Unsafe marks a status that this provider is known to report too early: it needs a second agreeing read.
	Unsafe bool
	// Amount is in centavos, nil when the provider named none. Currency is an ISO 4217 code, empty when it named none.
	Amount   *money.Amount
	Currency string
	// PaidAt is the provider's moment of payment, nil when it named none.
	PaidAt *time.Time
	// EndToEndID identifies a PIX payment in the whole country, empty when absent.
	EndToEndID string
	// ChargeID is the charge that was asked about, always in the same of its forms; empty when there is only one.
	ChargeID string
}

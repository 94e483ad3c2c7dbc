package payment

import (
	"fmt"
	"time"
)

// LatePolicy is what a merchant wants done with money that arrives after a sale was closed.
type LatePolicy string

// The late policies.
const (
	// LateDeliver settles and delivers as if the money had come in time. It is the default, and so is the empty value.
	LateDeliver LatePolicy = "deliver"
	// LateHold puts the sale into review and only informs the owner.
	LateHold LatePolicy = "hold"
	// LateAsk puts the sale into review and asks the owner to accept or refuse.
	LateAsk LatePolicy = "ask"
)

// Policy is what a merchant, an account and we decided beforehand. Its zero value is valid: late money is delivered, any later read
// confirms an unsafe one, no end-to-end id is needed, nothing is granted after the QR code's end.
type Policy struct {
	Late LatePolicy
	// Grace is granted after the QR code's end before our clock expires the sale.
	Grace time.Duration
	// AssumedQRLife is the life of a QR code whose provider names no end.
	AssumedQRLife time.Duration
	// BlindGrace is how long after Grace our clock waits for a look at the provider before it expires a sale that it could not see.
	BlindGrace time.Duration
	// SecondReadAfter is the least time between the two agreeing reads that an unsafe "paid" needs.
	SecondReadAfter time.Duration
	// RequireEndToEnd wants an end-to-end id before anything is delivered; EndToEndPatience is how long its absence is borne before a
	// person is asked.
	RequireEndToEnd  bool
	EndToEndPatience time.Duration
}

// StandardPolicy is what applies where nobody configured anything.
func StandardPolicy() Policy {
	return Policy{
		Late:             LateDeliver,
		Grace:            10 * time.Minute,
		AssumedQRLife:    24 * time.Hour,
		BlindGrace:       48 * time.Hour,
		SecondReadAfter:  10 * time.Second,
		EndToEndPatience: 10 * time.Minute,
	}
}

// Validate names the first field that makes no sense, as a *FieldError.
func (p Policy) Validate() error {
	switch p.Late {
	case "", LateDeliver, LateHold, LateAsk:
	default:
		return &FieldError{Field: "late", Problem: fmt.Sprintf("%q is none of deliver, hold, ask", string(p.Late))}
	}
	for _, f := range []struct {
		name string
		d    time.Duration
		max  time.Duration
	}{
		{"grace", p.Grace, 30 * day}, {"assumed_qr_life", p.AssumedQRLife, 366 * day}, {"blind_grace", p.BlindGrace, 30 * day},
		{"second_read_after", p.SecondReadAfter, time.Hour}, {"end_to_end_patience", p.EndToEndPatience, 7 * day},
	} {
		if f.d < 0 || f.d > f.max {
			return &FieldError{Field: f.name, Problem: fmt.Sprintf("%v is outside 0s to %v", f.d, f.max)}
		}
	}
	return nil
}

// FieldError names a configured field and what is wrong with its value.
type FieldError struct {
	Field   string
	Problem string
}

// Error is "field: problem".
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

const day = 24 * time.Hour

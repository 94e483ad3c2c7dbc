// Package finding shows what a question to a provider, or a webhook, came to.
package finding

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/baixapay/baixa/services/gateways"
)

// Write prints f on w: as one JSON object, or for people with the calls that were made.
func Write(w io.Writer, f gateways.Finding, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(f)
	}
	for _, call := range f.Calls {
		fmt.Fprintf(w, "> %s %s\n", call.Method, call.URL)
		if call.Request != "" {
			fmt.Fprintf(w, "> %s\n", call.Request)
		}
		fmt.Fprintf(w, "< HTTP %d %s\n\n", call.HTTPStatus, call.Answer)
	}
	for i, one := range append([]gateways.Finding{f}, f.More...) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		writeOne(w, one)
	}
	return nil
}

func writeOne(w io.Writer, f gateways.Finding) {
	fmt.Fprintf(w, "outcome      %s\nstatus       %s   (%q there)\n", f.Outcome, f.Status, f.ProviderStatus)
	if f.AmountCentavos != nil {
		fmt.Fprintf(w, "amount       %d centavos\n", *f.AmountCentavos)
	}
	for _, kind := range []string{"hash", "id", "reference"} {
		if f.Identifiers[kind] != "" {
			fmt.Fprintf(w, "%-12s %s\n", kind, f.Identifiers[kind])
		}
	}
	if f.PaidAt != nil {
		fmt.Fprintf(w, "paid at      %s\n", f.PaidAt.Format(time.RFC3339))
	}
	if f.RetryAfterSeconds != nil {
		fmt.Fprintf(w, "retry after  %gs\n", *f.RetryAfterSeconds)
	}
	if f.Reason != "" {
		fmt.Fprintf(w, "why          %s\n", f.Reason)
	}
}

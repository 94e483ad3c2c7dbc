package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/baixapay/baixa/e2e/deployment"
)

// TestDemo runs the demonstration as everybody's first command does, on a PostgreSQL that it manages by itself, and adds up what
// it says.
func TestDemo(t *testing.T) {
	t.Parallel()
	free := deployment.Addresses(t, 2)
	c := deployment.Run(t, nil, "demo", "--once", "--json", "--http", free[0], "--grpc", free[1])
	if c.Code != 0 {
		t.Fatalf("demo --once --json ends with %d:\n%s%s", c.Code, c.Stdout, c.Stderr)
	}
	type sums struct {
		Imported, Paid, Delivered, Purchases, Pending, Refunded, Expired, Failed int
		MessagesSent                                                             int `json:"messages_sent"`
		NeedsReview                                                              int `json:"needs_review"`
		DeliveredElsewhere                                                       int `json:"delivered_elsewhere"`
		WSEvents                                                                 int `json:"ws_events"`
		ProviderCalls                                                            int `json:"provider_calls"`
	}
	var got struct {
		sums
		Duplicates *int
		Seconds    float64
		Providers  map[string]sums
	}
	if err := json.Unmarshal([]byte(c.Stdout), &got); err != nil || strings.Count(c.Stdout, "\n") > 1 {
		t.Fatalf("demo --json prints more than one object: %v\n%s", err, c.Stdout)
	}
	if got.Duplicates == nil || *got.Duplicates != 0 {
		t.Errorf("duplicates: %s", c.Stdout)
	}
	check := func(name string, s sums) {
		t.Helper()
		if owed := s.Paid - s.DeliveredElsewhere; s.Delivered != owed || s.MessagesSent != owed || s.Purchases != owed {
			t.Errorf("%s: %d are owed to buyers; %d delivered, %d messages, %d Purchases", name, owed, s.Delivered, s.MessagesSent, s.Purchases)
		}
		if all := s.Paid + s.Pending + s.Refunded + s.Expired + s.Failed + s.NeedsReview; all != s.Imported {
			t.Errorf("%s: the states add up to %d of %d sales", name, all, s.Imported)
		}
	}
	check("all", got.sums)
	for name, s := range got.Providers {
		check(name, s)
	}
	if got.Imported != 200 || got.NeedsReview != 1 || got.Refunded != 1 || got.WSEvents == 0 || len(got.Providers) != 3 {
		t.Errorf("want 200 sales at 3 providers, one refunded and one in review, and events: %s", c.Stdout)
	}
	// What nobody had delivered: the 43 sales for which the webhook never came.
	if a := got.Providers["atomopay"]; a.Delivered != 43 || a.MessagesSent != 43 {
		t.Errorf("atomopay: %+v, want 43 delivered", a)
	}
	if _, _, found := strings.Cut(c.Stderr, "panic: "); found {
		t.Errorf("demo shows a defect:\n%s", c.Stderr)
	}
}

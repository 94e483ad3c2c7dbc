package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Of a group the notifier speaks: nobody is told to pass on by hand what the page will show, or to take out whom we take out.
func TestTell_groupNeedsNoHands(t *testing.T) {
	s := begin(t, "atomopay", payment.Registered).after(time.Minute).says("paid", payment.StatusPaid, 123456).delivers()
	s.in.Sale.Group = &store.Group{ChatID: -1001, Unit: "days", Value: 30}
	s.note(payment.AccessMissing, payment.SourceDelivery, "reason", "no_access")
	if got := s.tell(wording.English).Action; got != "" {
		t.Errorf("while the invite is being made: %q", got)
	}
	s.note(payment.GroupFailed, payment.SourceNotifier, "reason", "bot_not_admin")
	if got := s.tell(wording.English).Action; !strings.Contains(got, "administrator") || strings.Contains(got, "pass the access on") {
		t.Errorf("a bot without rights: %q", got)
	}
	s.note(payment.GroupLinkReady, payment.SourceNotifier).opens().after(time.Minute).says("refunded", payment.StatusRefunded, 123456)
	s.in.Sale.DeliveredEver = true
	if got := s.tell(wording.English).Action; s.in.Sale.State != payment.Refunded || got != "" {
		t.Errorf("after a refund (%v): %q", s.in.Sale.State, got)
	}
}

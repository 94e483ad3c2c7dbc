package store_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// What somebody deletes or stops by hand is found: a notice, a message's place in the queue, an access and its end.
func TestUnrecorded_findsWhatWasTakenAway(t *testing.T) {
	s, db := open(t)
	x := newSale(7)
	putBot(t, s, x)
	message, event := x.message("delivery"), x.event("owner:2")
	event.PaymentID = message.PaymentID
	r := record(t, s, message, event)[0]
	exec(t, db, `INSERT INTO notifier.accesses (merchant_id, id, payment_id, bot_id, chat_id, user_id, unit, value, state, expires_at, due_at)
		VALUES ('`+r.MerchantID.String()+`', gen_random_uuid(), '`+r.PaymentID.String()+`', gen_random_uuid(), -1, 1, 'days', 1, 2, now() + interval '1 day', now() + interval '1 day')`)
	find := func() (found []string) {
		t.Helper()
		one := []uuid.UUID{r.PaymentID}
		list, err := s.Unrecorded(t.Context(), r.MerchantID, []uuid.UUID{r.PaymentID, r.PaymentID}, []string{"delivery", "owner:2"}, one, one)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range list {
			found = append(found, u.Kind+" "+u.Key)
		}
		slices.Sort(found)
		return found
	}
	if got := find(); len(got) != 0 {
		t.Fatalf("nothing was taken away, found %q", got)
	}
	for _, c := range []struct{ statement, want string }{
		{`DELETE FROM notifier.telegram_queue`, store.StuckMessage + " delivery"},
		{`UPDATE notifier.accesses SET due_at = NULL`, store.StuckAccess + " "},
		{`DELETE FROM notifier.notifications WHERE key = 'owner:2'`, store.NoNotice + " owner:2"},
		{`DELETE FROM notifier.accesses`, store.NoAccess + " "},
	} {
		exec(t, db, c.statement)
		if got := find(); !slices.Contains(got, c.want) {
			t.Errorf("after %s: %q, want %q", c.statement, got, c.want)
		}
	}
}

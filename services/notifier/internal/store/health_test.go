package store_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// Events of the last 24 hours are counted by merchant: those of others, of before, and messages are not, however many merchants there are.
func TestHealth_countsEventsOfADay(t *testing.T) {
	s, db := open(t)
	var all int64
	shops := make([]sale, 5)
	for i := range shops {
		shops[i] = newSale(5)
		for k := range i { // the first has none
			record(t, s, shops[i].event(fmt.Sprint(k)))
			all++
		}
		record(t, s, shops[i].message("delivery"))
	}
	old := shops[4].event("old")
	old.ID = uuid.MustParse("01000000-0000-7000-8000-000000000000") // of 2004
	record(t, s, old)
	exec(t, db, `UPDATE notifier.notifications SET created_at = now() - interval '25 hours' WHERE id = '`+old.ID.String()+`'`)
	for i, x := range shops {
		if h, err := s.Health(t.Context(), &x.merchant); err != nil || h.OwnerEvents != int64(i) {
			t.Errorf("merchant %d: %d events, %v", i, h.OwnerEvents, err)
		}
	}
	unknown := uuid.New()
	if h, err := s.Health(t.Context(), &unknown); err != nil || h.OwnerEvents != 0 {
		t.Errorf("a merchant without anything: %d events, %v", h.OwnerEvents, err)
	}
	if h, err := s.Health(t.Context(), nil); err != nil || h.OwnerEvents != all {
		t.Errorf("all merchants: %d events, %v; want %d", h.OwnerEvents, err, all)
	}
	// What was told lately under an id made at a process's own time counts by its own time as well.
	exec(t, db, `UPDATE notifier.notifications SET created_at = now() - interval '25 hours' WHERE key = '3'`)
	if h, err := s.Health(t.Context(), &shops[4].merchant); err != nil || h.OwnerEvents != 3 {
		t.Errorf("%d events, %v: want 3 of the last 24 hours", h.OwnerEvents, err)
	}
}

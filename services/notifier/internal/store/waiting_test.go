package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// backed makes x's bot with y's as its fallback; both are of one merchant.
func backed(t *testing.T, s *store.Store, x, y sale) store.Bot {
	t.Helper()
	putBot(t, s, y)
	b, _, err := s.PutBot(t.Context(), store.Bot{MerchantID: x.merchant, BotID: x.bot, Token: []byte("sealed"), TokenHash: []byte("hash"), Fallback: &y.bot})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func twoBots() (x, y sale) {
	x = newSale(5)
	y = sale{x.merchant, uuid.New(), 5}
	return x, y
}

func TestWaiting_toldOnceAndSentWhenTheTokenIsPut(t *testing.T) {
	s, _ := open(t)
	x := newSale(5)
	r := record(t, s, x.message("delivery"))[0]
	if moved, told, err := s.Waiting(t.Context(), 10, time.Hour); moved+told != 0 || err != nil {
		t.Fatalf("before patience was over: %d, %d, %v", moved, told, err)
	}
	for i, want := range []int{1, 0} {
		if moved, told, err := s.Waiting(t.Context(), 10, 0); moved != 0 || told != want || err != nil {
			t.Fatalf("look %d: %d, %d, %v", i, moved, told, err)
		}
	}
	if got := outcomes(t, s); len(got) != 1 || got[0].State != store.Queued || got[0].Reason != "no_bot" || got[0].PaymentID != r.PaymentID {
		t.Fatalf("outcomes %+v", got)
	}
	b := putBot(t, s, x)
	m := claim(t, s, 1, fast)[0]
	settle(t, s, []store.BotNotice{{MerchantID: x.merchant, BotID: x.bot, Version: b.Version, Refused: true}}, result(m, store.Queued))
	other := x
	other.chat = 6
	second := record(t, s, other.message("delivery"))[0]
	if _, told, err := s.Waiting(t.Context(), 10, time.Hour); told != 1 || err != nil {
		t.Fatalf("a refused bot: %d, %v", told, err)
	}
	if got := outcomes(t, s); len(got) != 2 || got[1].Reason != "bot_unauthorized" || got[1].PaymentID != second.PaymentID {
		t.Fatalf("outcomes %+v", got)
	}
	putBot(t, s, x)
	for _, m := range claim(t, s, 10, fast) {
		settle(t, s, nil, result(m, store.Sent))
	}
	if got := outcomes(t, s); len(got) != 4 || got[3].State != store.Sent {
		t.Errorf("after the new token: %+v", got)
	}
}

func TestWaiting_fallbackTakesOverFromARefusedBot(t *testing.T) {
	s, _ := open(t)
	x, y := twoBots()
	b := backed(t, s, x, y)
	r := record(t, s, x.message("delivery"))[0]
	m := claim(t, s, 1, fast)[0]
	settle(t, s, []store.BotNotice{{MerchantID: x.merchant, BotID: x.bot, Version: b.Version, Refused: true}}, result(m, store.Queued))
	if moved, told, err := s.Waiting(t.Context(), 10, 0); moved != 1 || told != 0 || err != nil {
		t.Fatalf("%d moved, %d told of, %v", moved, told, err)
	}
	m = claim(t, s, 1, fast)[0]
	if m.BotID != y.bot || m.Attempt != 2 {
		t.Fatalf("claimed %+v, want the second attempt by the fallback", m)
	}
	settle(t, s, nil, result(m, store.Sent))
	if got := states(t, s, r); got != "2/7/2 " {
		t.Errorf("states %q", got)
	}
	carried(t, s, r, y.bot, "bot_unauthorized")
}

// carried fails unless a message says that a bot took it over and why: in its row, in its outcome, and in the day's count.
func carried(t *testing.T, s *store.Store, r store.Recorded, bot uuid.UUID, because string) {
	t.Helper()
	list, err := s.List(t.Context(), r.MerchantID, r.PaymentID)
	if err != nil || len(list) != 1 || list[0].Carrier == nil || *list[0].Carrier != bot || list[0].Because != because {
		t.Errorf("the row: %+v, %v; want %s because of %s", list, err, bot, because)
	}
	log := outcomes(t, s)
	if o := log[len(log)-1]; o.Carrier == nil || *o.Carrier != bot || o.Because != because {
		t.Errorf("the outcome: %+v; want %s because of %s", o, bot, because)
	}
	if h, err := s.Health(t.Context(), &r.MerchantID); err != nil || h.Carried != 1 || h.CarriedBecause != because {
		t.Errorf("the day: %+v, %v", h, err)
	}
	if h, err := s.Health(t.Context(), &uuid.UUID{1}); err != nil || h.Carried != 0 || h.CarriedBecause != "" {
		t.Errorf("another merchant's day: %+v, %v", h, err)
	}
}

func TestSettle_fallbackTriesOnceWhatTheBotCannotDeliver(t *testing.T) {
	s, _ := open(t)
	x, y := twoBots()
	backed(t, s, x, y)
	r := record(t, s, x.message("delivery"))[0]
	end := func(reason string) store.Result {
		out := result(claim(t, s, 1, fast)[0], store.Undeliverable)
		out.Reason, out.Elsewhere, out.MessageID = reason, true, 0
		return out
	}
	first := end("chat_not_found")
	for range 2 { // the answer of the first commit may be lost
		settle(t, s, nil, first)
	}
	if got := outcomes(t, s); len(got) != 0 {
		t.Fatalf("outcomes before the fallback tried: %+v", got)
	}
	last := end("blocked")
	settle(t, s, nil, last)
	if got := states(t, s, r); got != "3blocked/0/2 " {
		t.Errorf("states %q", got)
	}
	if rows := claim(t, s, 10, fast); len(rows) != 0 {
		t.Errorf("tried a third time: %+v", rows)
	}
	if got := outcomes(t, s); len(got) != 1 || got[0].Reason != "blocked" {
		t.Errorf("outcomes %+v", got)
	}
	carried(t, s, r, y.bot, "chat_not_found") // why it was taken over, not why it failed there as well
}

func TestTemplates_ofMerchantAndBot(t *testing.T) {
	s, _ := open(t)
	x, y := twoBots()
	before := putBot(t, s, x)
	put := func(bot uuid.UUID, kind, text string) {
		t.Helper()
		if _, err := s.PutTemplate(t.Context(), store.Template{MerchantID: x.merchant, BotID: bot, Kind: kind, Lang: "en", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	put(uuid.Nil, "delivery", "all {link}")
	put(x.bot, "delivery", "one {link}")
	put(y.bot, "delivery", "other {link}")
	put(y.bot, "delivery", "changed {link}")
	all, err := s.Templates(t.Context(), x.merchant, nil)
	mine, err2 := s.Templates(t.Context(), x.merchant, &x.bot)
	none, err3 := s.Templates(t.Context(), uuid.New(), &x.bot)
	if err != nil || err2 != nil || err3 != nil || len(all) != 3 || len(mine) != 2 || len(none) != 0 {
		t.Fatalf("all %v %v, the bot's %v %v, a stranger's %v %v", all, err, mine, err2, none, err3)
	}
	after, err := s.Bot(t.Context(), x.merchant, x.bot)
	if err != nil || after.Version != before.Version+2 {
		t.Errorf("version %d after %d, %v: want one more for each text that counts for it", after.Version, before.Version, err)
	}
	put(x.bot, "delivery", "")
	if mine, err = s.Templates(t.Context(), x.merchant, &x.bot); err != nil || len(mine) != 1 || mine[0].Text != "all {link}" {
		t.Errorf("after it was taken away: %v, %v", mine, err)
	}
	// An optional kind is told only where there is a text for it.
	notice := func(bot uuid.UUID) store.Intent {
		in := sale{x.merchant, bot, 5}.message("access_revoked:1")
		in.Kind, in.Optional = "access_revoked", true
		return in
	}
	put(x.bot, "access_revoked", "bye")
	got := record(t, s, notice(x.bot), notice(y.bot))
	if got[0].State != store.Queued || got[1].State != store.Skipped || got[1].Reason != "" {
		t.Errorf("recorded %+v", got)
	}
	if list := outcomes(t, s); len(list) != 0 {
		t.Errorf("outcomes %+v", list)
	}
}

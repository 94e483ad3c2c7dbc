package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) click(n tenant, number int, at time.Duration) Click {
	return Click{MerchantID: n.merchant, Token: fmt.Sprintf("%032x", number), ID: uuid.New(), Slug: "promo", ClickedAt: b.now.Add(at),
		FBCLID: "IwAR-Exemplo", Tracking: json.RawMessage(`{"utm_source": "fb"}`), Referrer: "https://l.example/", Clipped: []string{"utm_term", "query"}}
}

func TestPutClickLink_aSlugIsOneMerchants(t *testing.T) {
	b := newBench(t)
	l := ClickLink{MerchantID: b.one.merchant, Slug: "promo", BotUsername: "clube_bot", Campaign: "c1"}
	made, err := b.PutClickLink(t.Context(), l)
	if err != nil || !made.Created || made.CreatedAt.IsZero() {
		t.Fatal(made, err)
	}
	l.BotUsername = "outro_bot"
	changed, err := b.PutClickLink(t.Context(), l)
	if err != nil || changed.Created {
		t.Error(changed, err)
	}
	stranger := l
	stranger.MerchantID = b.other.merchant
	if _, err := b.PutClickLink(t.Context(), stranger); !errors.Is(err, ErrConflict) {
		t.Errorf("another merchant takes the slug: %v", err)
	}
	stranger.MerchantID, stranger.Slug = payment.MerchantID(uuid.New()), "free"
	if _, err := b.PutClickLink(t.Context(), stranger); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown merchant: %v", err)
	}
	got, err := b.FindClickLink(t.Context(), "promo")
	if err != nil || got.MerchantID != b.one.merchant || got.BotUsername != "outro_bot" || got.Campaign != "c1" {
		t.Errorf("found %+v, %v", got, err)
	}
	if _, err := b.FindClickLink(t.Context(), "Promo"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another slug: %v", err)
	}
	for _, bad := range []string{"", "a", "-ab", "ab-", "a b", "PROMO", "é"} {
		l.Slug = bad
		if _, err := b.PutClickLink(t.Context(), l); err == nil {
			t.Errorf("the database takes the slug %q", bad)
		}
	}
	newest, err := b.NewestClickLinks(t.Context(), 10)
	if err != nil || len(newest) != 1 || newest[0].Slug != "promo" {
		t.Errorf("newest: %+v, %v", newest, err)
	}
}

func TestClicks_firstOfAnFbclidAndCounts(t *testing.T) {
	b := newBench(t)
	if _, err := b.PutClickLink(t.Context(), ClickLink{MerchantID: b.one.merchant, Slug: "promo", BotUsername: "clube_bot"}); err != nil {
		t.Fatal(err)
	}
	first, again, machine, theirs := b.click(b.one, 1, 0), b.click(b.one, 2, time.Hour), b.click(b.one, 3, -time.Hour), b.click(b.other, 1, -2*time.Hour)
	machine.Machine = true
	none := b.click(b.one, 4, time.Minute)
	none.FBCLID, none.Clipped = "", nil
	none2 := none
	none2.Token, none2.ClickedAt = fmt.Sprintf("%032x", 5), b.now.Add(-3*time.Hour)
	if err := b.InsertClicks(t.Context(), []Click{again, first, machine, theirs, none, none2}); err != nil {
		t.Fatal(err)
	}
	if err := b.InsertClicks(t.Context(), []Click{first}); err == nil {
		t.Error("a token is given twice")
	}
	for _, c := range []struct {
		click Click
		first time.Time
	}{{first, first.ClickedAt}, {again, first.ClickedAt}, {none, none.ClickedAt}} {
		got, err := b.GetClick(t.Context(), b.one.merchant, c.click.Token)
		c.click.FirstAt = c.first
		if d := cmp.Diff(c.click, got, cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Errorf("%v; click (-want +got):\n%s", err, d)
		}
	}
	for name, get := range map[string]func() (Click, error){
		"a machine's":    func() (Click, error) { return b.GetClick(t.Context(), b.one.merchant, machine.Token) },
		"another's":      func() (Click, error) { return b.GetClick(t.Context(), b.other.merchant, again.Token) },
		"nobody's":       func() (Click, error) { return b.GetClick(t.Context(), b.one.merchant, fmt.Sprintf("%032x", 99)) },
		"no text at all": func() (Click, error) { return b.GetClick(t.Context(), b.one.merchant, "") },
	} {
		if _, err := get(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := b.ClickLinks(t.Context(), b.one.merchant)
	if err != nil || len(list) != 1 || list[0].Clicks != 4 || list[0].Machines != 1 {
		t.Errorf("links %+v, %v", list, err)
	}
	if list, err := b.ClickLinks(t.Context(), b.other.merchant); err != nil || len(list) != 0 {
		t.Errorf("the other's links %+v, %v", list, err)
	}
}

func TestAttachClick_theLastClickFirst(t *testing.T) {
	b := newBench(t)
	old, recent, machine := b.click(b.one, 1, 0), b.click(b.one, 2, time.Hour), b.click(b.one, 3, 2*time.Hour)
	machine.Machine = true
	if err := b.InsertClicks(t.Context(), []Click{old, recent, machine, b.click(b.other, 4, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{recent.Token, old.Token, old.Token, machine.Token, fmt.Sprintf("%032x", 4), fmt.Sprintf("%032x", 9)} {
		if err := b.AttachClick(t.Context(), b.one.merchant, token, b.one.bot, 77); err != nil {
			t.Fatal(err)
		}
	}
	tokens := func(m payment.MerchantID, bot payment.BotID, telegram int64, until time.Time) (out []string) {
		list, err := b.BuyersClicks(t.Context(), m, bot, telegram, until, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			out = append(out, k.Token)
		}
		return out
	}
	late := b.now.Add(24 * time.Hour)
	if d := cmp.Diff([]string{recent.Token, old.Token}, tokens(b.one.merchant, b.one.bot, 77, late)); d != "" {
		t.Errorf("clicks (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{old.Token}, tokens(b.one.merchant, b.one.bot, 77, b.now.Add(time.Minute))); d != "" {
		t.Errorf("clicks before the second (-want +got):\n%s", d)
	}
	if got := len(tokens(b.one.merchant, b.one.bot, 78, late)) + len(tokens(b.other.merchant, b.one.bot, 77, late)) + len(tokens(b.one.merchant, b.other.bot, 77, late)); got != 0 {
		t.Errorf("somebody else has %d of them", got)
	}
}

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func (b *bench) list(f Filter) []string {
	b.t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	got, err := b.List(b.t.Context(), f)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, s := range got {
		out = append(out, strings.TrimPrefix(s.SaleKey, "key-"))
	}
	return out
}

func TestList_filtersAddUp(t *testing.T) {
	b := newBench(t)
	second := b.one
	second.bot = payment.BotID(uuid.New())
	if _, err := b.PutBot(t.Context(), Bot{MerchantID: second.merchant, ID: second.bot, ExternalID: "36"}); err != nil {
		t.Fatal(err)
	}
	add := func(n tenant, name string, hours int, change func(*Sale)) {
		s := b.sale(n, name)
		s.CreatedAt = b.now.Add(-time.Duration(hours) * time.Hour)
		change(&s)
		b.insert(s)
	}
	add(b.one, "a", 1, func(*Sale) {})
	add(b.one, "b", 2, func(s *Sale) { s.State = payment.Paid })
	add(b.one, "c", 3, func(s *Sale) { s.Provider = "paradise" })
	add(second, "d", 4, func(*Sale) {})
	add(b.other, "e", 5, func(*Sale) {})
	for name, c := range map[string]struct {
		f    Filter
		want []string
	}{
		"all":                    {Filter{}, []string{"a", "b", "c", "d", "e"}},
		"merchant":               {Filter{Merchant: &b.one.merchant}, []string{"a", "b", "c", "d"}},
		"state":                  {Filter{State: payment.Paid}, []string{"b"}},
		"provider":               {Filter{Provider: "paradise"}, []string{"c"}},
		"bot by external id":     {Filter{Bot: "35"}, []string{"a", "b", "c", "e"}},
		"bot by our id":          {Filter{Bot: strings.ToUpper(second.bot.String())}, []string{"d"}},
		"from":                   {Filter{From: b.now.Add(-2 * time.Hour)}, []string{"a", "b"}},
		"to is exclusive":        {Filter{To: b.now.Add(-4 * time.Hour)}, []string{"e"}},
		"several":                {Filter{Merchant: &b.one.merchant, Bot: "35", State: payment.Pending, Provider: "atomopay"}, []string{"a"}},
		"another merchant's bot": {Filter{Merchant: &b.other.merchant, Bot: "36"}, nil},
		"limit":                  {Filter{Limit: 2}, []string{"a", "b"}},
	} {
		if d := cmp.Diff(c.want, b.list(c.f)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestList_pagesOverEqualTimes(t *testing.T) {
	b := newBench(t)
	var want []Sale
	for i := range 7 {
		s := b.sale(b.one, fmt.Sprint(i))
		s.CreatedAt = b.now.Add(-time.Duration(i/4) * time.Microsecond) // four and three at the same moment
		want = append(want, s)
	}
	b.insert(want...)
	slices.SortFunc(want, func(x, y Sale) int {
		if c := y.CreatedAt.Compare(x.CreatedAt); c != 0 {
			return c
		}
		return slices.Compare(y.ID[:], x.ID[:])
	})
	f := Filter{Merchant: &b.one.merchant, Limit: 2}
	var got []payment.ID
	for range 9 {
		page, err := b.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			got = append(got, s.ID)
		}
		last := page[len(page)-1]
		f.Before = &Position{last.CreatedAt, last.ID}
	}
	if len(got) != len(want) {
		t.Fatalf("%d sales over the pages, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i].ID {
			t.Errorf("place %d is another sale", i)
		}
	}
}

func TestList_stuckIsWhatNeedsSomeone(t *testing.T) {
	b := newBench(t)
	long, short := time.Now().Add(-3*time.Minute), time.Now().Add(-time.Minute)
	ago := func(minutes int) *time.Time { return ptr(time.Now().Add(-time.Duration(minutes) * time.Minute)) }
	for name, change := range map[string]func(*Sale){
		"fine":         func(*Sale) {},
		"stuck review": func(s *Sale) { s.State = payment.NeedsReview },
		"stuck question": func(s *Sale) {
			s.State, s.ReviewReason, s.Message, s.StateSince = payment.Paid, payment.ReviewSecondPayment, "sent", long
		},
		"refused":               func(s *Sale) { s.State, s.ReviewReason = payment.Cancelled, payment.ReviewAmountDiffers },
		"stuck no message":      func(s *Sale) { s.State, s.StateSince = payment.Paid, long },
		"stuck undeliverable":   func(s *Sale) { s.State, s.StateSince, s.Message = payment.Paid, long, "undeliverable" },
		"delivered":             func(s *Sale) { s.State, s.StateSince, s.Message = payment.Paid, long, "sent" },
		"just paid":             func(s *Sale) { s.State, s.StateSince = payment.Paid, short },
		"delivered elsewhere":   func(s *Sale) { s.State, s.StateSince, s.DeliveredElsewhere = payment.Paid, long, true },
		"stuck not answered":    func(s *Sale) { s.LastOutcome, s.LookedAt, s.LastPollAt = "transient", ago(20), ago(1) },
		"answered a moment ago": func(s *Sale) { s.LastOutcome, s.LookedAt, s.LastPollAt = "transient", ago(5), ago(1) },
		"new and not answered":  func(s *Sale) { s.LastOutcome, s.LastPollAt = "credential", ago(1) },
		"not found":             func(s *Sale) { s.LastOutcome, s.LookedAt = "not_found", ago(50) },
	} {
		s := b.sale(b.one, name)
		b.insert(s)
		change(&s)
		b.must(func(ctx context.Context, tx pgx.Tx) error { return Save(ctx, tx, []*Sale{&s}, false) })
		if s.DeliveredElsewhere {
			b.exec(`UPDATE payments.payments SET delivered_elsewhere = true WHERE id = $1`, s.ID)
		}
	}
	for _, name := range b.list(Filter{}) {
		stuck := slices.Contains(b.list(Filter{Stuck: true}), name)
		if want := strings.HasPrefix(name, "stuck "); stuck != want {
			t.Errorf("%s: stuck %t, want %t", name, stuck, want)
		}
	}
}

func TestFind_byEveryKindOfID(t *testing.T) {
	b := newBench(t)
	s := b.sale(b.one, "a")
	s.TelegramID = 77
	b.insert(s)
	find := func(text string, id payment.ID, telegram int64, m *payment.MerchantID) []Match {
		t.Helper()
		got, err := b.Find(t.Context(), text, id, telegram, m)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for text, by := range map[string]string{strings.ToUpper(s.ID.String()): "payment_id", "ext-a": "external_id", "Hash-a": "charge_hash",
		"ID-A": "charge_id", "Ref-a": "charge_reference", "77": "telegram_id"} {
		id, _ := payment.ParseID(text)
		var telegram int64
		fmt.Sscan(text, &telegram)
		got := find(text, id, telegram, &b.one.merchant)
		if len(got) != 1 || got[0].ID != s.ID || got[0].By != by {
			t.Errorf("%s: %v, want the sale by %s", text, got, by)
		}
		if got := find(text, id, telegram, &b.other.merchant); len(got) != 0 {
			t.Errorf("%s is found by another merchant: %v", text, got)
		}
	}
	for _, text := range []string{"", "Hash", "hash-a", "EXT-A", "0"} {
		if got := find(text, payment.ID{}, 0, nil); len(got) != 0 {
			t.Errorf("%q found %v", text, got)
		}
	}
}

func TestFind_aBuyerOfManyShops(t *testing.T) {
	b := newBench(t)
	mine := b.sale(b.one, "mine")
	mine.TelegramID = 77
	var theirs []Sale
	for i := range 60 { // newer, and more than a page
		s := b.sale(b.other, fmt.Sprint(i))
		s.TelegramID, s.CreatedAt = 77, b.now
		theirs = append(theirs, s)
	}
	b.insert(append(theirs, mine)...)
	got, err := b.Find(t.Context(), "77", payment.ID{}, 77, &b.one.merchant)
	if err != nil || len(got) != 1 || got[0].ID != mine.ID {
		t.Errorf("found %d, %v, want the merchant's own sale", len(got), err)
	}
	if all, err := b.Find(t.Context(), "77", payment.ID{}, 77, nil); err != nil || len(all) != 50 || !all[0].CreatedAt.Equal(b.now) {
		t.Errorf("found %d, %v, want the newest 50", len(all), err)
	}
}

func TestStatistics_groupsAndFilters(t *testing.T) {
	b := newBench(t)
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	add := func(n tenant, provider, campaign string, days int, metric string, count int64, amount money.Amount) {
		t.Helper()
		l := Line{MerchantID: n.merchant, BotID: n.bot, Provider: provider, Campaign: campaign, Day: day.AddDate(0, 0, days), Metric: metric,
			Count: count, Amount: amount}
		b.must(func(ctx context.Context, tx pgx.Tx) error { return AddStatistics(ctx, tx, []Line{l}) })
	}
	add(b.one, "atomopay", "x", 0, "paid", 2, 300)
	add(b.one, "atomopay", "x", 0, "paid", 1, 50)
	add(b.one, "atomopay", "", 1, "paid", 1, 100)
	add(b.one, "paradise", "x", 1, "refunded", 1, 40)
	add(b.one, "paradise", "x", 1, "charged_back", 1, 2)
	add(b.one, "paradise", "x", 2, "disputed", 1, 3)
	add(b.one, "paradise", "x", 2, "needs_review", 9, 999)
	add(b.other, "atomopay", "x", 0, "paid", 1, 7)
	b.must(func(ctx context.Context, tx pgx.Tx) error { return AddStatistics(ctx, tx, nil) })
	bot := b.one.bot.String()
	for name, c := range map[string]struct {
		q    StatisticsQuery
		want []Sum
	}{
		"one merchant":   {StatisticsQuery{Merchant: &b.one.merchant}, []Sum{{PaidCount: 4, Gross: 450, ReversedCount: 3, Reversed: 45}}},
		"all merchants":  {StatisticsQuery{}, []Sum{{PaidCount: 5, Gross: 457, ReversedCount: 3, Reversed: 45}}},
		"by provider":    {StatisticsQuery{Merchant: &b.one.merchant, ByProvider: true}, []Sum{{Provider: "atomopay", PaidCount: 4, Gross: 450}, {Provider: "paradise", ReversedCount: 3, Reversed: 45}}},
		"by campaign":    {StatisticsQuery{Merchant: &b.one.merchant, ByCampaign: true}, []Sum{{PaidCount: 1, Gross: 100}, {Campaign: "x", PaidCount: 3, Gross: 350, ReversedCount: 3, Reversed: 45}}},
		"by day, first":  {StatisticsQuery{Merchant: &b.one.merchant, ByDay: true, To: &day}, []Sum{{Day: "2026-11-20", PaidCount: 3, Gross: 350}}},
		"both ends":      {StatisticsQuery{Merchant: &b.one.merchant, From: ptr(day.AddDate(0, 0, 1)), To: ptr(day.AddDate(0, 0, 1))}, []Sum{{PaidCount: 1, Gross: 100, ReversedCount: 2, Reversed: 42}}},
		"by bot and day": {StatisticsQuery{Bot: strings.ToUpper(bot), ByBot: true, ByDay: true, From: ptr(day.AddDate(0, 0, 2))}, []Sum{{BotID: bot, Day: "2026-11-22", ReversedCount: 1, Reversed: 3}}},
		"bot of both":    {StatisticsQuery{Bot: "35"}, []Sum{{PaidCount: 5, Gross: 457, ReversedCount: 3, Reversed: 45}}},
		"another's bot":  {StatisticsQuery{Merchant: &b.other.merchant, Bot: bot}, nil},
	} {
		got, err := b.Statistics(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			got = nil
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

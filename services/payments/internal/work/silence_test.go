package work

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// move makes another merchant the one who sells, with an account and an owner of its own.
func (b *bench) move(lang string) {
	b.t.Helper()
	b.merchant, b.bot = payment.MerchantID(uuid.New()), payment.BotID(uuid.New())
	if _, _, err := b.Store.CreateMerchant(b.t.Context(), store.Merchant{ID: b.merchant, Name: "Outra"}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Store.PutBot(b.t.Context(), store.Bot{MerchantID: b.merchant, ID: b.bot, ExternalID: "1"}); err != nil {
		b.t.Fatal(err)
	}
	b.account = b.newAccount("atomopay")
	b.owned(onlySilence(lang))
}

func onlySilence(lang string) func(*store.AlertSettings) {
	return func(a *store.AlertSettings) { a.Lang, a.Kinds = lang, []string{"webhooks_silent"} }
}

// bodies are the texts of the messages to a merchant's owner about silence.
func (b *bench) bodies(m payment.MerchantID) (out []string) {
	for _, r := range b.notifier.Requests() {
		if x := r.GetOwnerMessage(); x != nil && r.GetMerchantId() == m.String() {
			out = append(out, x.GetTitle()+"\n"+x.GetBody())
		}
	}
	return out
}

// TestHabits_providerIsSilentForEverybody: several accounts of two merchants had too few sales to be judged each by itself. Together they are
// enough; each merchant is told once, in its language, also when an account of its own falls silent besides; another account of the
// provider that never sold is looked at more often, too; and it relaxes alone.
func TestHabits_providerIsSilentForEverybody(t *testing.T) {
	b := newBench(t)
	b.owned(onlySilence("pt-BR"))
	first, one, two := b.merchant, b.account, b.newAccount("atomopay")
	owner := map[payment.AccountID]payment.MerchantID{one: first, two: first}
	bot := map[payment.MerchantID]payment.BotID{first: b.bot}
	sellAt := func(a payment.AccountID, n int, announced bool) {
		t.Helper()
		b.account, b.merchant, b.bot = a, owner[a], bot[owner[a]]
		b.sell(n, announced)
	}
	sellAt(one, 10, true)
	sellAt(two, 10, true)
	b.move("en")
	second, three := b.merchant, b.account
	owner[three], bot[second] = second, b.bot
	sellAt(three, 10, true)
	b.pass(time.Minute)
	b.settle()
	for range 2 {
		for _, a := range []payment.AccountID{three, one, two} {
			sellAt(a, 1, false)
		}
	}
	if b.judged() {
		t.Fatal("the sales of the last seconds are judged")
	}
	b.pass(time.Minute)
	if !b.judged() {
		t.Fatal("two sales of each of three accounts without a webhook are no silence")
	}
	for name, a := range map[string]payment.AccountID{"one": one, "two": two, "three": three, "one that never sold": b.newAccount("atomopay")} {
		if silent, _ := b.Habits.Of(a, "atomopay"); !silent {
			t.Errorf("account %s is not silent with its provider", name)
		}
	}
	if silent, _ := b.Habits.Of(one, "paradise"); silent {
		t.Error("another provider is silent")
	}
	tell := func() {
		t.Helper()
		b.settle()
		b.alertsWork()
		b.pass(together)
		b.alertsWork()
	}
	newReplica(b).silent(t, b)
	tell()
	sellAt(one, 10, false) // long enough to be silent by itself
	b.pass(time.Minute)
	b.judged()
	tell()
	pt, en := b.bodies(first), b.bodies(second)
	if len(pt) != 1 || !strings.HasPrefix(pt[0], "📪 Os webhooks de Átomo Pay pararam\n• Átomo Pay: os webhooks pararam de chegar, e não só os seus\n") {
		t.Errorf("the first merchant was told %q", pt)
	}
	if len(en) != 1 || !strings.HasPrefix(en[0], "📪 The webhooks of Átomo Pay have stopped\n") {
		t.Errorf("the second merchant was told %q", en)
	}
	sellAt(three, 3, true)
	b.pass(time.Minute)
	if b.judged() {
		t.Error("webhooks are back, and the provider is silent still")
	}
	b.account = one
	if b.judged() != true {
		t.Error("the account that is silent by itself is believed without a webhook")
	}
	sellAt(one, 3, true)
	b.pass(time.Minute)
	if b.judged() {
		t.Error("its webhooks are back, too")
	}
}

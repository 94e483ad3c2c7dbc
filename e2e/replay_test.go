package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/baixapay/baixa/e2e/deployment"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// replayStories are about webhooks that are looked at by people and read again.
func replayStories() []story {
	return []story{{"a refused webhook is read again", refusedReplay}, {"a parked webhook is read again", parkedReplay}, {"a webhook's bytes are kept for a time", purgedReplay}}
}

// posted is what a stranger posts for a shop's account.
func (s *shop) posted(t *testing.T, p sim.Provider, body string) {
	t.Helper()
	a, err := deployment.NewClient(t, s.d, "").Do("POST", s.hookURL(p, string(p), true), []byte(body), "Content-Type", "application/json")
	if err != nil || a.Code != http.StatusOK {
		t.Fatalf("post a webhook: %d %v", a.Code, err)
	}
}

// webhooks are the shop's in a state, as `baixa webhook list` prints them as JSON.
func (s *shop) webhooks(t *testing.T, state string, more ...string) []*paymentsv1.Webhook {
	t.Helper()
	env, args := s.as("webhook", "list", "--state", state, "--json")
	c := deployment.Run(t, env, append(args, more...)...)
	s.look(t, c)
	list := &paymentsv1.ListWebhooksResponse{}
	if err := protojson.Unmarshal([]byte(c.Stdout), list); err != nil || c.Code != 0 {
		t.Fatalf("webhook list: code %d, %v\n%s%s", c.Code, err, c.Stdout, c.Stderr)
	}
	return list.GetWebhooks()
}

// awaitWebhook waits for the shop's only webhook in a state.
func (s *shop) awaitWebhook(t *testing.T, state string) *paymentsv1.Webhook {
	t.Helper()
	var list []*paymentsv1.Webhook
	deployment.Eventually(t, deployment.Within, "one webhook is "+state, func() bool {
		resp := &paymentsv1.ListWebhooksResponse{}
		s.api.Must("GET", "/v1/webhooks?state="+state, nil, resp)
		list = resp.GetWebhooks()
		return len(list) == 1
	}, func() string {
		all := &paymentsv1.ListWebhooksResponse{}
		s.api.Must("GET", "/v1/webhooks", nil, all)
		return fmt.Sprint(all)
	})
	return list[0]
}

// replay is `baixa webhook replay`, which must say what it did.
func (s *shop) replay(t *testing.T, says string, args ...string) {
	t.Helper()
	env, all := s.as(append([]string{"webhook", "replay"}, args...)...)
	c := deployment.Run(t, env, all...)
	s.look(t, c)
	if c.Code != 0 || c.Stdout != says+"\n" {
		t.Errorf("webhook replay %q: code %d, %q, want %q\n%s", args, c.Code, c.Stdout, says, c.Stderr)
	}
}

// awaitRead waits until a webhook was read so many times, and returns it as `baixa webhook show` prints it.
func (s *shop) awaitRead(t *testing.T, id, state string) *paymentsv1.Webhook {
	t.Helper()
	out := &paymentsv1.GetWebhookResponse{}
	deployment.Eventually(t, deployment.Within, "the webhook is read and "+state, func() bool {
		s.api.Must("GET", "/v1/webhooks/"+id, nil, out)
		return out.GetWebhook().GetState() == state && out.GetWebhook().GetAttempts() > 0
	}, func() string { return fmt.Sprint(out) })
	env, args := s.as("webhook", "show", id)
	c := deployment.Run(t, env, args...)
	s.look(t, c)
	shown := &paymentsv1.Webhook{}
	if err := protojson.Unmarshal([]byte(c.Stdout), shown); err != nil || c.Code != 0 || shown.GetId() != id {
		t.Errorf("webhook show: code %d, %v\n%s%s", c.Code, err, c.Stdout, c.Stderr)
	}
	return shown
}

// refusedReplay: an account has another webhook secret than the provider sends. When it is put right, what came meanwhile is read again, and
// counts once however often.
func refusedReplay(t *testing.T, d deployment.Deployment) {
	shop, stranger := openShop(t, d), openShop(t, d)
	key, right := secret(d, ""), secret(d, "")
	must(t, d.World().AddAccount(sim.Account{Provider: sim.Orionpay, Name: shop.at(""), Key: key, WebhookSecret: right}))
	put := func(webhookSecret string) {
		resp := &gatewaysv1.PutAccountResponse{}
		shop.operator.Must("POST", "/v1/accounts", &gatewaysv1.PutAccountRequest{MerchantId: shop.id, Provider: string(sim.Orionpay),
			Credentials: map[string]string{"api_key": key}, WebhookSecret: webhookSecret, BaseUrl: d.Sims().ProviderURL(sim.Orionpay)}, resp)
		shop.accounts[sim.Orionpay] = resp.GetAccount()
	}
	put(secret(d, "")) // a slip
	// Old enough not to be looked at again by itself while this goes on.
	s := shop.register(t, sim.Orionpay, sim.Charge{CreatedAt: minutesAgo(120), WebhookURL: shop.hookURL(sim.Orionpay, "orionpay", true), Webhooks: &sim.Webhooks{}})
	deployment.Eventually(t, retried, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 }, func() string { return s.history(t) })
	s.pay(t)
	refusedOne := shop.awaitWebhook(t, "refused")
	if refusedOne.GetReason() == "" || refusedOne.GetSealedBytes() == 0 || refusedOne.GetAccountId() != shop.accounts[sim.Orionpay].GetId() {
		t.Errorf("the refused webhook: %v", refusedOne)
	}
	id := refusedOne.GetId()
	s.checkUntouched(t)
	shop.replay(t, "1 are read again, 0 were purged and cannot be", id) // nothing was put right yet
	shop.awaitRead(t, id, "refused")
	s.checkUntouched(t)

	put(right)
	shop.replay(t, "1 are read again, 0 were purged and cannot be", "--dry-run", "--state", "refused", "--from", minutesAgo(60).Format(time.RFC3339), "--to", time.Now().Add(time.Minute).Format(time.RFC3339))
	if n := len(shop.webhooks(t, "refused", "--provider", "orionpay")); n != 1 {
		t.Errorf("a dry run left %d refused webhooks, want 1", n)
	}
	shop.replay(t, "1 are read again, 0 were purged and cannot be", "--state", "refused", "--from", minutesAgo(60).Format(time.RFC3339), "--to", time.Now().Add(time.Minute).Format(time.RFC3339))
	s.awaitSettled(t, retried)
	for range 2 {
		shop.replay(t, "1 are read again, 0 were purged and cannot be", id, id)
		if w := shop.awaitRead(t, id, "matched"); w.GetPaymentId() != s.id || w.GetClaimed() != "paid" {
			t.Errorf("the webhook read again: %v", w)
		}
	}
	deployment.Eventually(t, deployment.Within, "the sale knows of each reading", func() bool { return s.count(t, "hint_received") == 3 }, func() string { return s.history(t) })
	s.checkOnce(t)
	if n := s.count(t, "token_issued"); n != 1 || s.status(t) != isPaid {
		t.Errorf("after three readings the sale is %v with %d tokens%s", s.status(t), n, s.history(t))
	}
	shop.checkStatistics(t, 1)
	if list := shop.webhooks(t, "matched", "--sale", s.id); len(list) != 1 || list[0].GetId() != id {
		t.Errorf("the sale's webhooks: %v", list)
	}

	if list := stranger.webhooks(t, "matched"); len(list) != 0 {
		t.Errorf("another shop sees %v", list)
	}
	own := strings.Repeat("0", 8) + "-0000-7000-8000-000000000000"
	for name, c := range map[string]struct {
		stranger   bool
		args, says []string
	}{
		"a stranger's":       {true, []string{"replay", id}, []string{"webhook"}},
		"a stranger's, seen": {true, []string{"show", id}, []string{"webhook"}},
		"one of nobody":      {false, []string{"replay", id, own}, []string{"webhook"}},
		"nobody's, seen":     {false, []string{"show", own}, []string{"webhook"}},
		"no id":              {false, []string{"replay", "nao-e-id"}, []string{"webhook_ids", "UUID"}},
		"no id, seen":        {false, []string{"show", "nao-e-id"}, []string{"webhook_id", "UUID"}},
		"nothing named":      {false, []string{"replay"}, []string{"received_from", "received_to"}},
		"ids and a state":    {false, []string{"replay", id, "--state", "matched"}, []string{"webhook_ids"}},
		"times that go back": {false, []string{"replay", "--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z"}, []string{"received_to"}},
		"no such state":      {false, []string{"list", "--state", "lida"}, []string{"state", "parked"}},
		"no page":            {false, []string{"list", "--page", "dois"}, []string{"page_token"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			who := shop
			if c.stranger {
				who = stranger
			}
			env, args := who.as(append([]string{"webhook"}, c.args...)...)
			refuses(t, env, args, c.says)
		})
	}
	if n := s.count(t, "hint_received"); n != 3 {
		t.Errorf("what was refused was done all the same%s", s.history(t))
	}
}

// parkedReplay: webhooks that name no sale, or nothing, may be read again as often as one likes. Forged claims stay claims.
func parkedReplay(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	c := shop.placed(t, sim.Atomopay, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(120), WebhookURL: shop.hookURL(sim.Atomopay, "atomopay", true)})
	must(t, d.World().SendWebhook(sim.Atomopay, c.ID, "", ""))
	early := shop.awaitWebhook(t, "parked")
	shop.posted(t, sim.Atomopay, `{"evento":"pagamento","status":"paid"}`)
	broken := shop.awaitWebhook(t, "not_understood")
	unpaid := shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(120), WebhookURL: shop.hookURL(sim.Atomopay, "atomopay", true)})
	deployment.Eventually(t, retried, "the first look", func() bool { return unpaid.get(t).GetKnowledge().GetPolls() > 0 })
	must(t, d.World().SendWebhook(sim.Atomopay, unpaid.charge, sim.Paid, "")) // forged
	forged := shop.awaitWebhook(t, "matched")
	for range 2 {
		shop.replay(t, "3 are read again, 0 were purged and cannot be", early.GetId(), broken.GetId(), forged.GetId())
		if w := shop.awaitRead(t, early.GetId(), "parked"); w.GetPaymentId() != "" || w.GetReason() == "" {
			t.Errorf("read again before its sale exists: %v", w)
		}
		shop.awaitRead(t, broken.GetId(), "not_understood")
		shop.awaitRead(t, forged.GetId(), "matched")
	}
	s := shop.follow(t, sim.Atomopay, c)
	s.awaitSettled(t, deployment.Within)
	shop.awaitRead(t, early.GetId(), "matched")
	shop.replay(t, "1 are read again, 0 were purged and cannot be", early.GetId())
	deployment.Eventually(t, deployment.Within, "the sale knows of both readings", func() bool { return s.count(t, "hint_received") == 2 }, func() string { return s.history(t) })
	s.checkOnce(t)
	deployment.Eventually(t, retried, "the forged claim was looked into", func() bool {
		return unpaid.count(t, "hint_received") >= 1 && unpaid.get(t).GetKnowledge().GetPolls() > 1
	},
		func() string { return unpaid.history(t) })
	unpaid.checkUntouched(t)
	shop.checkStatistics(t, 1)
	shop.prove(t)
}

// purgedReplay: after the time for which bytes are kept nothing can be read again, what it was stays known.
func purgedReplay(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	w := shop.awaitWebhook(t, "matched")
	// Thirty-one days pass. Ids begin with the time of arrival.
	received := time.Now().Add(-31 * 24 * time.Hour)
	var old uuid.UUID
	_, _ = rand.Read(old[:]) // never fails
	binary.BigEndian.PutUint64(old[:8], uint64(received.UnixMilli())<<16|7<<12)
	old[8] = old[8]&0x3f | 0x80
	conn, err := pgx.Connect(t.Context(), d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	tag, err := conn.Exec(t.Context(), `UPDATE payments.webhooks SET id = $2, received_at = $3 WHERE id = $1`, w.GetId(), old, received)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("age a webhook: %v %v", tag, err)
	}
	out := &paymentsv1.GetWebhookResponse{}
	deployment.Eventually(t, time.Minute+deployment.Within, "its bytes are gone", func() bool {
		shop.api.Must("GET", "/v1/webhooks/"+old.String(), nil, out)
		return out.GetWebhook().GetPurgedAt() != nil
	}, func() string { return fmt.Sprint(out) })
	if w := out.GetWebhook(); w.GetSealedBytes() != 0 || len(w.GetHeaderNames()) != 0 || w.GetPaymentId() != s.id || w.GetState() != "matched" {
		t.Errorf("after the purge: %v", w)
	}
	shop.replay(t, "0 are read again, 1 were purged and cannot be", old.String())
	if n := s.count(t, "hint_received"); n != 1 {
		t.Errorf("what was purged was read again%s", s.history(t))
	}
}

package e2e

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/e2e/deployment"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// groupStories are about sales that give membership of a Telegram group.
func groupStories() []story {
	return []story{{"a group from paid to removed", groupLife}, {"a group follows the money", groupMoney}, {"a group in disorder", groupDisorder}}
}

const (
	waiting   = notifierv1.AccessState_ACCESS_STATE_PENDING
	inside    = notifierv1.AccessState_ACCESS_STATE_ACTIVE
	over      = notifierv1.AccessState_ACCESS_STATE_EXPIRED
	removed   = notifierv1.AccessState_ACCESS_STATE_REMOVED
	cancelled = notifierv1.AccessState_ACCESS_STATE_CANCELLED
	broken    = notifierv1.AccessState_ACCESS_STATE_ERROR
)

// accessLease is how long an access whose step a killed notifier had begun stays with it.
const accessLease = 2 * time.Minute

const contact = "Fale com @loja_exemplo"

// openGroup makes a supergroup that the shop's bot administers.
func (s *shop) openGroup(t *testing.T) int64 {
	t.Helper()
	group := -(1_000_000_000_000 + newChat())
	must(t, s.d.World().AddChat(sim.Chat{ID: group}))
	return group
}

// sellGroup sells an hour in a group to somebody who has paid already, and of which no webhook tells.
func (s *shop) sellGroup(t *testing.T, group, buyer int64) *sale {
	t.Helper()
	return s.followOf(t, sim.Atomopay, s.placed(t, sim.Atomopay, sim.Charge{Status: sim.Paid}), buyer, groupProduct(group))
}

func groupProduct(group int64) *paymentsv1.Product {
	return &paymentsv1.Product{Name: "VIP 1 hora", ContactText: contact,
		Group: &paymentsv1.GroupAccess{ChatId: group, DurationUnit: paymentsv1.DurationUnit_DURATION_UNIT_HOURS, DurationValue: 1}}
}

// access is what the merchant is told of the sale's access.
func (s *sale) access(t *testing.T) *notifierv1.Access {
	t.Helper()
	resp := &notifierv1.GetAccessResponse{}
	err := s.shop.api.Ask(notifierv1.AccessService_GetAccess_FullMethodName, &notifierv1.GetAccessRequest{PaymentId: s.id}, resp)
	if status.Code(err) != codes.NotFound { // not granted yet
		must(t, err)
	}
	return resp.GetAccess()
}

func (s *sale) awaitAccess(t *testing.T, want notifierv1.AccessState) *notifierv1.Access {
	t.Helper()
	deployment.Eventually(t, accessLease+deployment.Within, fmt.Sprintf("the access of sale %s is %v", s.id, want), func() bool { return s.access(t).GetState() == want },
		func() string { return s.access(t).String() + s.history(t) })
	return s.access(t)
}

// page is the delivery page as the buyer reads it. It holds what is secret everywhere else.
func (s *sale) page(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.link(), nil)
	must(t, err)
	req.Header.Set("User-Agent", phone)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return html.UnescapeString(string(body))
}

// invite waits until the page shows an invite of the group that lets somebody in. From then on the link is a canary.
func (s *sale) invite(t *testing.T, group int64) (link string) {
	t.Helper()
	deployment.Eventually(t, accessLease+deployment.Within, "the page shows an invite to the group", func() bool {
		if s.link() == "" {
			return false
		}
		page := s.page(t)
		for _, i := range s.shop.d.World().Invites(group) {
			if !i.Revoked && i.Used < i.Limit && strings.Contains(page, `href="`+i.Link+`"`) {
				link = i.Link
				return true
			}
		}
		return false
	}, func() string { return s.access(t).String() + s.history(t) })
	s.shop.d.Canary(link)
	for _, m := range s.shop.d.World().Messages(s.chat) {
		if strings.Contains(m.Text, link) {
			t.Error("the invite is in a message, which can be passed on")
		}
	}
	if a := s.access(t); !a.GetLinkReady() || a.GetInviteUrl() != "" {
		t.Errorf("the merchant is told of the link %v", a)
	}
	return link
}

// join is the buyer who presses the page's button.
func (s *sale) join(t *testing.T, group int64) *notifierv1.Access {
	t.Helper()
	must(t, s.shop.d.World().Join(group, s.chat, s.invite(t, group)))
	return s.awaitAccess(t, inside)
}

// passes lets time go by for all accesses of the shop: no clock of a running system can be moved, so the rows are.
func (s *shop) passes(t *testing.T, by time.Duration) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `UPDATE notifier.accesses SET created_at = created_at - $2::interval, started_at = started_at - $2::interval,
		expires_at = expires_at - $2::interval, due_at = due_at - $2::interval WHERE merchant_id = $1`, s.id, by)
	must(t, err)
}

// explains runs `baixa explain` and fails unless it says all parts.
func (s *sale) explains(t *testing.T, parts ...string) {
	t.Helper()
	s.shop.prints(t, []string{"explain", s.id, "--lang", "pt-BR"}, parts...)
}

// prints runs a command with the merchant's key and fails unless it says all parts, and no invite.
func (s *shop) prints(t *testing.T, command []string, parts ...string) {
	t.Helper()
	env, args := s.as(command...)
	c := deployment.Run(t, env, args...)
	s.look(t, c)
	told := strings.Join(strings.Fields(c.Stdout), " ") // lines are broken to the terminal's width
	for _, part := range parts {
		if c.Code != 0 || !strings.Contains(told, part) {
			t.Errorf("baixa %q: code %d, want %q\n%s%s", command, c.Code, part, c.Stdout, c.Stderr)
		}
	}
	if strings.Contains(c.Stdout, "t.me/+") {
		t.Errorf("baixa %q shows an invite", command)
	}
}

func groupLife(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen, group := shop.watch(t), shop.openGroup(t)
	s := shop.sellGroup(t, group, newChat())
	s.awaitSettled(t, deployment.Within)
	if n := s.count(t, "hint_received"); n != 0 {
		t.Fatalf("%d webhooks came: the story is of a sale that none tells of", n)
	}
	first := s.join(t, group)
	if n := len(d.World().Invites(group)); n != 1 {
		t.Errorf("%d invites for one sale", n)
	}
	if lasts := first.GetExpiresAt().AsTime().Sub(first.GetStartedAt().AsTime()); lasts != time.Hour || time.Until(first.GetExpiresAt().AsTime()) > time.Hour {
		t.Errorf("the access lasts %v: %v", lasts, first)
	}
	screen.awaitOnce(t, deployment.Within, s.id, "access_update")
	s.explains(t, "convite do comprador para o grupo está pronto", "comprador entrou no grupo; o acesso vale até")

	renewal := shop.sellGroup(t, group, s.chat)
	second := renewal.awaitAccess(t, inside)
	if !second.GetStartedAt().AsTime().Equal(first.GetExpiresAt().AsTime()) || second.GetExpiresAt().AsTime().Sub(first.GetExpiresAt().AsTime()) != time.Hour {
		t.Errorf("the renewal is %v, the first %v", second, first)
	}
	shop.passes(t, 61*time.Minute)
	s.awaitAccess(t, over)
	if m := d.World().Member(group, s.chat); m != "member" {
		t.Errorf("the buyer is %q although the renewal is paid", m)
	}
	shop.passes(t, time.Hour)
	renewal.awaitAccess(t, removed)
	if m := d.World().Member(group, s.chat); m != "left" {
		t.Errorf("after the end the buyer is %q", m)
	}
	deployment.Eventually(t, deployment.Within, "the removal is in the history", func() bool { return renewal.count(t, "group_removed") == 1 })
	renewal.explains(t, "comprador foi retirado do grupo")
}

// groupMoney: a dispute takes the buyer out, its end gives the rest back, a refund ends it.
func groupMoney(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	group := shop.openGroup(t)
	req := shop.request(sim.Atomopay)
	req.Product = groupProduct(group)
	s := shop.sellAs(t, sim.Atomopay, req)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	s.join(t, group)
	shop.passes(t, 20*time.Minute)
	must(t, d.World().Dispute(s.provider, s.charge))
	s.awaitOut(t, group, "disputed")
	must(t, d.World().SetStatus(s.provider, s.charge, sim.Paid))
	s.awaitStatus(t, deployment.Within, isPaid)
	s.awaitAccess(t, waiting)
	back := s.join(t, group)
	if left := time.Until(back.GetExpiresAt().AsTime()); left > 40*time.Minute || left < 30*time.Minute {
		t.Errorf("after the dispute %v are left of the hour, of which 20 minutes were used", left)
	}
	must(t, d.World().Refund(s.provider, s.charge))
	s.awaitOut(t, group, "refunded")
	for _, i := range d.World().Invites(group) {
		if !i.Revoked && i.Used < i.Limit {
			t.Error("an invite of a refunded sale can be used")
		}
	}
	s.explains(t, "acesso ao grupo foi devolvido", "comprador foi retirado do grupo")
}

// awaitOut waits until the buyer is out of the group, the page closed, and compares why.
func (s *sale) awaitOut(t *testing.T, group int64, reason string) {
	t.Helper()
	if a := s.awaitAccess(t, cancelled); a.GetCancelledReason() != reason {
		t.Errorf("cancelled as %q, want %q", a.GetCancelledReason(), reason)
	}
	deployment.Eventually(t, deployment.Within, "the buyer is out of the group and the page is closed", func() bool {
		return s.shop.d.World().Member(group, s.chat) == "left" && !strings.Contains(s.page(t), "t.me/+")
	}, func() string { return s.shop.d.World().Member(group, s.chat) + s.history(t) })
}

// groupDisorder: a bot without rights keeps no paid buyer waiting; the owner is told once of each, and what is mended shows.
func groupDisorder(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	screen, group := shop.watch(t), shop.openGroup(t)
	must(t, d.World().AddChat(sim.Chat{ID: group, NoRights: true}))
	s := shop.sellGroup(t, group, newChat())
	if a := s.awaitAccess(t, broken); a.GetLastError() != "bot_not_admin" {
		t.Errorf("the access is %v", a)
	}
	s.awaitSettled(t, lease+retried)
	if page := s.page(t); !strings.Contains(page, contact) || strings.Contains(page, "t.me/+") {
		t.Errorf("the page does not show the contact text alone:\n%s", page)
	}
	alerts := map[string]int{}
	deployment.Eventually(t, deployment.Within, "the owner hears of the group and of the page without an invite", func() bool {
		clear(alerts)
		for _, f := range screen.events(s.id, "alert") {
			alerts[f.Status]++
		}
		return alerts["group_failed"] > 0 && alerts["group_late"] > 0
	}, func() string { return fmt.Sprint(alerts) + s.history(t) })
	deployment.Eventually(t, deployment.Within, "delivery's own remark is in the history", func() bool { return s.count(t, "access_missing") == 1 })
	s.explains(t, "administrador", "convite do grupo não ficou pronto a tempo")
	shop.prints(t, []string{"doctor", "--lang", "en"}, "in error, of buyers who have paid: 1", "baixa explain "+s.id)
	shop.prints(t, []string{"access", "list", "--state", "error"}, s.access(t).GetId()+" error: bot_not_admin")

	must(t, d.World().AddChat(sim.Chat{ID: group}))
	shop.passes(t, 10*time.Minute) // until it is tried again
	s.join(t, group)
	clear(alerts)
	for _, f := range screen.events(s.id, "alert") {
		alerts[f.Status]++
	}
	if len(alerts) != 2 || alerts["group_failed"] != 1 || alerts["group_late"] != 1 {
		t.Errorf("the owner was alerted of %v", alerts)
	}
	s.checkOnce(t)
}

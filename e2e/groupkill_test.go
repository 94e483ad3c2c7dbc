package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
)

// TestGroup_killed kills notifier, which keeps the accesses, behind each step of one: nobody gets two ways in, nobody stays and nobody
// is out who has paid.
func TestGroup_killed(t *testing.T) {
	onBoth(t, func(t *testing.T, d deployment.Deployment) {
		must(t, d.World().SetBuyers(openAtOnce))
		shop := openShop(t, d)
		group := shop.openGroup(t)
		again := func() {
			d.Kill(t, deployment.Notifier)
			d.Start(t, deployment.Notifier)
		}
		var all []*sale
		for range 3 {
			all = append(all, shop.sellGroup(t, group, newChat()))
		}
		deployment.Eventually(t, deployment.Within, "the first invite is made", func() bool { return len(d.World().Invites(group)) > 0 })
		again()
		all = slices.DeleteFunc(all, func(s *sale) bool { // a message that was caught on its way may not have arrived: the owner is told
			deployment.Eventually(t, accessLease+deployment.Within, "the buyer's message has come to an end", func() bool {
				m := s.get(t).GetFulfilment().GetMessage()
				return m == "sent" || m == "maybe_sent"
			}, func() string { return s.history(t) })
			return s.link() == ""
		})
		if len(all) < 2 {
			t.Fatalf("only %d of 3 buyers got their link", len(all))
		}
		for _, s := range all {
			s.openAgain(t)
			must(t, d.World().Join(group, s.chat, s.invite(t, group)))
		}
		again() // before, or just when, they are seen
		for _, s := range all {
			if a := s.awaitAccess(t, inside); a.GetExpiresAt().AsTime().Sub(a.GetStartedAt().AsTime()) != time.Hour {
				t.Errorf("the access lasts from %v to %v", a.GetStartedAt().AsTime(), a.GetExpiresAt().AsTime())
			}
			if n := s.count(t, "group_joined"); n > 1 {
				t.Errorf("joined %d times%s", n, s.history(t))
			}
		}
		for _, s := range all {
			if n := len(d.World().Messages(s.chat)); n != 1 {
				t.Errorf("the buyer has %d messages%s", n, s.history(t))
			}
		}
		renewed := all[0]
		renewal := shop.sellGroup(t, group, renewed.chat)
		again() // while it is counted
		renewal.awaitAccess(t, inside)
		shop.passes(t, 61*time.Minute)
		deployment.Eventually(t, accessLease+deployment.Within, "somebody is being taken out", func() bool {
			for _, c := range d.World().Calls() {
				if c.Method == "banChatMember" {
					return true
				}
			}
			return false
		})
		again() // between the ban and its lifting, say
		for _, s := range all[1:] {
			s.awaitAccess(t, removed)
			if m := d.World().Member(group, s.chat); m != "left" {
				t.Errorf("after the end the buyer is %q, want out and not banned", m)
			}
			deployment.Eventually(t, deployment.Within, "the removal is in the history once", func() bool { return s.count(t, "group_removed") == 1 })
		}
		if m := d.World().Member(group, renewed.chat); m != "member" {
			t.Errorf("the buyer with a paid renewal is %q%s", m, renewal.history(t))
		}
		for _, i := range d.World().Invites(group) {
			if i.Used > 1 {
				t.Errorf("an invite for one let %d in", i.Used)
			}
		}
	})
}

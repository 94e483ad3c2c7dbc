package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/e2e/deployment"
)

// accessCommands are what an owner does with an access from a terminal, and what is said to one who mistypes.
func accessCommands(t *testing.T, d deployment.Deployment) {
	if !d.Alone() {
		t.Skip("the commands speak to the same door in either deployment; once is enough")
	}
	mine, stranger := openShop(t, d), openShop(t, d)
	group := mine.openGroup(t)
	s := mine.sellGroup(t, group, newChat())
	s.join(t, group)
	id := s.access(t).GetId()
	end := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	mine.prints(t, []string{"access", "list", "--state", "active"}, id+" active", "sale "+s.id, "until ")
	mine.prints(t, []string{"access", "extend", id, end.Format(time.RFC3339)}, id+" active", "until "+end.Local().Format(time.DateTime))
	if got := s.access(t).GetExpiresAt().AsTime(); !got.Equal(end) {
		t.Errorf("the access ends at %v, want %v", got, end)
	}
	mine.prints(t, []string{"access", "revoke", id}, id, "manual")
	s.awaitAccess(t, cancelled)
	mine.prints(t, []string{"access", "revoke", id}, id, "manual") // again changes nothing
	mine.prints(t, []string{"access", "restore", id}, id)
	s.join(t, group)
	mine.prints(t, []string{"access", "restore", id}, id+" active") // again changes nothing
	mine.prints(t, []string{"access", "list", "--state", "cancelled"})

	before := s.access(t).GetExpiresAt().AsTime()
	later, nobody := end.Add(time.Hour).Format(time.RFC3339), uuid.NewString()
	for name, c := range map[string]struct {
		shop *shop
		args []string
		says []string
	}{
		"an end in words":       {mine, []string{"extend", id, "amanhã"}, []string{"<until>", "2027-01-31T23:59:00-03:00", "amanhã"}},
		"an end that has been":  {mine, []string{"extend", id, "2020-01-31T23:59:00-03:00"}, []string{"until", "not before the present end"}},
		"an end beyond reason":  {mine, []string{"extend", id, "2999-01-31T23:59:00-03:00"}, []string{"until", "10 years"}},
		"no end":                {mine, []string{"extend", id}, []string{"<until>"}},
		"an id that is none":    {mine, []string{"extend", "aquele", later}, []string{"access_id"}},
		"nobody's":              {mine, []string{"revoke", nobody}, []string{"access"}},
		"nobody's, to restore":  {mine, []string{"restore", nobody}, []string{"access"}},
		"somebody else's":       {stranger, []string{"revoke", id}, []string{"access"}},
		"no id":                 {mine, []string{"revoke"}, []string{"<id>"}},
		"a state that is none":  {mine, []string{"list", "--state", "dentro"}, []string{"--state", "pending"}},
		"a group that is none":  {mine, []string{"list", "--group", "vip"}, []string{"--group"}},
		"none of them":          {mine, []string{"list", "--limit", "0"}, []string{"--limit", "1 to 100000"}},
		"another one's as mine": {stranger, []string{"list", "--merchant", mine.id}, []string{"merchant"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			env, args := c.shop.as(append([]string{"access"}, c.args...)...)
			refuses(t, env, args, c.says)
		})
	}
	if got := s.access(t); got.GetState() != inside || !got.GetExpiresAt().AsTime().Equal(before) {
		t.Errorf("after what was refused the access is %v", got)
	}
}

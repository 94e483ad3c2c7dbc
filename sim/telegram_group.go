package sim

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// group answers the calls about groups and their members.
func (t *telegram) group(b *bot, method string, id, user int64, p url.Values) ([]byte, *tgError) {
	if method == "unknown" {
		return nil, &tgError{code: http.StatusNotFound, description: "Not Found"}
	}
	c, err := t.reach(b, id)
	if err != nil {
		return nil, err
	}
	now := t.w.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if method == "getChat" {
		e := enc{}
		e.obj("")
		e.num("id", id)
		e.str("type", string(c.kind()))
		e.end()
		return e.b, nil
	}
	switch method {
	case "createChatInviteLink":
		return t.invite(b, c, p)
	case "revokeChatInviteLink":
		return t.closeInvite(b, c, p)
	}
	if user == 0 {
		return nil, badRequest("invalid user_id specified")
	}
	if c.kind() == ChatPrivate {
		return nil, badRequest("method is available for supergroup and channel chats only")
	}
	if method != "getChatMember" && c.NoRights {
		return nil, badRequest("not enough rights to restrict/unrestrict chat member")
	}
	if c.members == nil {
		c.members = make(map[int64]*member)
	}
	m := c.members[user]
	if (method == "banChatMember" || method == "unbanChatMember") && m != nil && m.status == "administrator" {
		return nil, badRequest("user is an administrator of the chat")
	}
	switch method {
	case "banChatMember":
		until, _ := strconv.ParseInt(p.Get("until_date"), 10, 64)
		m = &member{status: "kicked", until: time.Unix(until, 0)}
		// Less than 30 seconds or more than 366 days ahead means for ever.
		if ahead := m.until.Sub(now); until == 0 || ahead < 30*time.Second || ahead > 366*24*time.Hour {
			m.until = time.Time{}
		}
		c.members[user] = m
		return []byte("true"), nil
	case "unbanChatMember":
		if p.Get("only_if_banned") == "true" && !m.banned(now) {
			return []byte("true"), nil
		}
		c.members[user] = &member{status: "left"} // a member is thrown out by this
		return []byte("true"), nil
	}
	e := enc{}
	e.obj("")
	status := "left"
	switch {
	case m.banned(now):
		status = "kicked"
	case m != nil && m.status != "kicked":
		status = m.status
	}
	e.str("status", status)
	e.obj("user")
	e.num("id", user)
	e.boolean("is_bot", false)
	e.str("first_name", "Comprador")
	e.end()
	if status == "kicked" {
		e.num("until_date", max(0, m.until.Unix()))
	}
	e.end()
	return e.b, nil
}

func (m *member) banned(now time.Time) bool {
	return m != nil && m.status == "kicked" && (m.until.IsZero() || now.Before(m.until))
}

func (t *telegram) invite(b *bot, c *chat, p url.Values) ([]byte, *tgError) {
	if c.kind() == ChatPrivate || c.NoRights {
		return nil, badRequest("not enough rights to manage chat invite link")
	}
	l := &inviteLink{name: p.Get("name")}
	if len([]rune(l.name)) > 32 {
		return nil, badRequest("invite link name is too long")
	}
	if p.Get("member_limit") != "" && p.Get("creates_join_request") == "true" {
		return nil, badRequest("member limit can't be specified for links requiring administrator approval")
	}
	if v := p.Get("member_limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 99999 {
			return nil, badRequest("member limit must be between 1 and 99999")
		}
		l.limit = n
	}
	if v, err := strconv.ParseInt(p.Get("expire_date"), 10, 64); err == nil && v > 0 {
		l.expire = time.Unix(v, 0)
	}
	if c.links == nil {
		c.links = make(map[string]*inviteLink)
	}
	l.link = "https://t.me/+" + t.w.random(letters, 16)
	c.links[l.link] = l
	return l.body(b, p.Get("creates_join_request") == "true"), nil
}

// closeInvite revokes a link for good; the answer is the link, also when it was revoked before.
func (t *telegram) closeInvite(b *bot, c *chat, p url.Values) ([]byte, *tgError) {
	if c.kind() == ChatPrivate || c.NoRights {
		return nil, badRequest("not enough rights to manage chat invite link")
	}
	l := c.links[p.Get("invite_link")]
	if l == nil {
		return nil, badRequest("INVITE_HASH_EXPIRED")
	}
	l.revoked = true
	return l.body(b, false), nil
}

func (l *inviteLink) body(b *bot, request bool) []byte {
	e := enc{}
	e.obj("")
	e.str("invite_link", l.link)
	e.raw("creator", string(b.me()))
	e.boolean("creates_join_request", request)
	e.boolean("is_primary", false)
	e.boolean("is_revoked", l.revoked)
	if l.name != "" {
		e.str("name", l.name)
	}
	if l.limit > 0 {
		e.num("member_limit", int64(l.limit))
	}
	if !l.expire.IsZero() {
		e.num("expire_date", l.expire.Unix())
	}
	e.end()
	return e.b
}

package access

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Faults that an owner must mend, and those that pass by themselves. They are part of the contract's vocabulary; Telegram's own texts
// go no further than fault.
const (
	FaultNotAdmin     = "bot_not_admin"        // the bot may not invite or ban there
	FaultChatNotFound = "chat_not_found"       // there is no such group, or the bot was never in it
	FaultNotInGroup   = "bot_not_in_group"     // the bot was removed from it
	FaultBasicGroup   = "not_a_supergroup"     // the methods want a supergroup or channel
	FaultNoBot        = "no_bot"               // the bot has no token on file
	FaultUnauthorized = "bot_unauthorized"     // Telegram does not accept the token
	FaultAdmin        = "member_is_admin"      // an administrator cannot be taken out
	FaultBanned       = "banned"               // the group's owner banned the buyer
	FaultNoUser       = "user_not_found"       // Telegram does not know the buyer
	FaultNeverJoined  = "never_joined"         // paid long ago and never seen in the group
	FaultRejected     = "rejected"             // any other refusal
	FaultFlood        = "rate_limited"         // 429
	FaultUnavailable  = "telegram_unavailable" // 5xx, no connection, no readable answer
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 64 << 10
)

type kind int

const (
	again   kind = iota // it may or may not have been done: every call here may be made again
	good                // Telegram did it
	flood               // the whole bot must wait
	badBot              // the whole bot is refused
	moved               // the group became a supergroup
	refused             // never, until somebody mends it
)

// answer is what one call came to.
type answer struct {
	kind    kind
	fault   string
	wait    time.Duration
	movedTo int64
	link    string // of createChatInviteLink
	status  string // of getChatMember
	member  bool   // of a restricted one
}

// api speaks the four methods about groups (core.telegram.org/bots/api). It is safe for concurrent use. Errors of the transport hold the
// address with the bot's token, so they end here.
type api struct {
	http *http.Client
	base string
}

func newAPI(base string) *api {
	return &api{base: strings.TrimRight(base, "/"), http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// bot is whose calls they are.
type bot struct{ base, token string }

// invite makes a link for one person. The name is for the group's owner, who sees in Telegram who came by which link.
func (c *api) invite(ctx context.Context, b bot, chat int64, name string, until time.Time) answer {
	return c.call(ctx, b, "createChatInviteLink", map[string]any{"chat_id": chat, "name": name, "expire_date": until.Unix(), "member_limit": 1})
}

// closeLink ends a link; one that is closed already is no error.
func (c *api) closeLink(ctx context.Context, b bot, chat int64, link string) answer {
	return c.call(ctx, b, "revokeChatInviteLink", map[string]any{"chat_id": chat, "invite_link": link})
}

// look says whether somebody is in the group.
func (c *api) look(ctx context.Context, b bot, chat, user int64) answer {
	return c.call(ctx, b, "getChatMember", map[string]any{"chat_id": chat, "user_id": user})
}

// ban takes somebody out. The ban ends by itself soon after, should nobody live to lift it.
func (c *api) ban(ctx context.Context, b bot, chat, user int64, until time.Time) answer {
	return c.call(ctx, b, "banChatMember", map[string]any{"chat_id": chat, "user_id": user, "until_date": until.Unix()})
}

// unban lets somebody come back one day. It takes nobody out.
func (c *api) unban(ctx context.Context, b bot, chat, user int64) answer {
	return c.call(ctx, b, "unbanChatMember", map[string]any{"chat_id": chat, "user_id": user, "only_if_banned": true})
}

func (c *api) call(ctx context.Context, b bot, method string, args map[string]any) answer {
	base := c.base
	if b.base != "" {
		base = strings.TrimRight(b.base, "/")
	}
	body, err := json.Marshal(args)
	if err != nil {
		return answer{kind: refused, fault: FaultRejected}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/bot"+b.token+"/"+method, bytes.NewReader(body))
	if err != nil {
		return answer{kind: badBot, fault: FaultUnauthorized}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{kind: again, fault: FaultUnavailable}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{kind: again, fault: FaultUnavailable}
	}
	return read(resp.StatusCode, raw)
}

// read says what an answer means. One that is not Telegram's (a proxy's page, an empty body) says nothing.
func read(status int, raw []byte) answer {
	var r struct {
		OK          bool            `json:"ok"`
		Result      json.RawMessage `json:"result"`
		Code        int             `json:"error_code"`
		Description string          `json:"description"`
		Parameters  struct {
			RetryAfter int   `json:"retry_after"`
			MigrateTo  int64 `json:"migrate_to_chat_id"`
		} `json:"parameters"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		if status == http.StatusTooManyRequests {
			return answer{kind: flood, fault: FaultFlood, wait: time.Second}
		}
		return answer{kind: again, fault: FaultUnavailable}
	}
	if r.OK {
		var result struct {
			Link   string `json:"invite_link"`
			Status string `json:"status"`
			Member bool   `json:"is_member"`
		}
		_ = json.Unmarshal(r.Result, &result) // "true" has no fields
		return answer{kind: good, link: result.Link, status: result.Status, member: result.Member}
	}
	if r.Code == 0 {
		r.Code = status
	}
	text := strings.ToLower(r.Description)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case r.Code == http.StatusTooManyRequests:
		return answer{kind: flood, fault: FaultFlood, wait: min(24*time.Hour, max(time.Second, time.Duration(r.Parameters.RetryAfter)*time.Second))}
	case r.Code == http.StatusUnauthorized, r.Code == http.StatusNotFound:
		return answer{kind: badBot, fault: FaultUnauthorized}
	case r.Code != http.StatusForbidden && r.Code != http.StatusBadRequest:
		return answer{kind: again, fault: FaultUnavailable}
	case r.Parameters.MigrateTo < 0:
		return answer{kind: moved, movedTo: r.Parameters.MigrateTo}
	case has("administrator of the chat", "chat owner", "user_admin_invalid", "can't remove chat owner"):
		return answer{kind: refused, fault: FaultAdmin}
	case has("not enough rights", "chat_admin_required", "need administrator", "have no rights", "admin privileges", "member list is inaccessible"):
		return answer{kind: refused, fault: FaultNotAdmin}
	case has("kicked", "not a member", "bot is not"):
		return answer{kind: refused, fault: FaultNotInGroup}
	case has("chat not found", "peer_id_invalid", "channel_private", "channel_invalid", "chat_id_invalid", "deactivated"):
		return answer{kind: refused, fault: FaultChatNotFound}
	case has("supergroup and channel", "group chat was"):
		return answer{kind: refused, fault: FaultBasicGroup}
	case has("user not found", "user_id_invalid", "participant_id_invalid", "user_not_participant", "invalid user_id"):
		return answer{kind: refused, fault: FaultNoUser}
	}
	return answer{kind: refused, fault: FaultRejected}
}

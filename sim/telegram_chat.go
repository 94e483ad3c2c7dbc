package sim

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// ChatKind is what a chat id stands for.
type ChatKind string

// The kinds. An unknown positive id is a private chat, a negative one a
// supergroup.
const (
	ChatPrivate    ChatKind = "private"
	ChatGroup      ChatKind = "group"
	ChatSupergroup ChatKind = "supergroup"
	ChatChannel    ChatKind = "channel"
)

// ChatState is how a chat answers a bot.
type ChatState string

// The states.
const (
	ChatOpen        ChatState = "open"        // the default
	ChatBlocked     ChatState = "blocked"     // 403 bot was blocked by the user
	ChatDeactivated ChatState = "deactivated" // 403 user is deactivated
	ChatUnstarted   ChatState = "unstarted"   // 403 bot can't initiate conversation with a user
	ChatUnknown     ChatState = "unknown"     // 400 chat not found
	ChatKicked      ChatState = "kicked"      // 403 bot was kicked from the group
	ChatMigrated    ChatState = "migrated"    // 400 with migrate_to_chat_id
)

// Chat is a place where messages go.
type Chat struct {
	ID    int64     `json:"id"`
	Kind  ChatKind  `json:"kind,omitempty"`
	State ChatState `json:"state,omitempty"`
	// MigratedTo is the supergroup's id of a migrated group.
	MigratedTo int64 `json:"migrated_to,omitempty"`
	// NoRights takes the bot's administrator rights in a group away.
	NoRights bool `json:"no_rights,omitempty"`
}

type chat struct {
	Chat
	mu      sync.Mutex
	tat     time.Time
	lastID  int64
	members map[int64]*member
	links   map[string]*inviteLink
}

type member struct {
	status string // member, left, kicked
	until  time.Time
}

type inviteLink struct {
	link    string
	name    string
	limit   int
	used    int
	expire  time.Time
	revoked bool
}

// Invite is an invite link as a group's owner sees it.
type Invite struct {
	Link    string    `json:"link"`
	Name    string    `json:"name,omitempty"`
	Limit   int       `json:"limit,omitempty"`
	Used    int       `json:"used"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked bool      `json:"revoked"`
}

type chatShard struct {
	mu sync.RWMutex
	m  map[int64]*chat
}

func (c *chat) kind() ChatKind {
	if c.Kind != "" {
		return c.Kind
	}
	if c.ID < 0 {
		return ChatSupergroup
	}
	return ChatPrivate
}

// chat finds one; absent ones are made unless the world is strict.
func (t *telegram) chat(id int64) *chat {
	s := &t.chats[uint64(id)%shards]
	s.mu.RLock()
	c := s.m[id]
	s.mu.RUnlock()
	if c != nil || t.w.cfg.Strict {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.m[id]; c == nil {
		c = &chat{Chat: Chat{ID: id}}
		s.m[id] = c
	}
	return c
}

// AddChat adds a chat or changes what it is; its messages, members and links stay.
func (w *World) AddChat(c Chat) error {
	switch c.Kind {
	case "", ChatPrivate, ChatGroup, ChatSupergroup, ChatChannel:
	default:
		return fmt.Errorf("sim: unknown chat kind %q", c.Kind)
	}
	switch c.State {
	case "", ChatOpen, ChatBlocked, ChatDeactivated, ChatUnstarted, ChatUnknown, ChatKicked:
	case ChatMigrated:
		if c.MigratedTo == 0 {
			return errors.New("sim: a migrated chat needs migrated_to")
		}
	default:
		return fmt.Errorf("sim: unknown chat state %q", c.State)
	}
	if c.ID == 0 {
		return errors.New("sim: chat 0")
	}
	s := &w.tg.chats[uint64(c.ID)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.m[c.ID]
	if old == nil {
		s.m[c.ID] = &chat{Chat: c}
		return nil
	}
	old.mu.Lock()
	old.Chat = c
	old.mu.Unlock()
	return nil
}

// reach gives the chat, or the error with which Telegram refuses it.
func (t *telegram) reach(b *bot, id int64) (*chat, *tgError) {
	if id == 0 {
		return nil, badRequest("chat_id is empty")
	}
	if id == b.id {
		return nil, &tgError{code: http.StatusForbidden, description: "Forbidden: bots can't send messages to bots"}
	}
	c := t.chat(id)
	if c == nil {
		return nil, badRequest("chat not found")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var forbidden string
	switch c.State {
	case ChatUnknown:
		return nil, badRequest("chat not found")
	case ChatMigrated:
		e := badRequest("group chat was upgraded to a supergroup chat")
		e.migrateTo = c.MigratedTo
		return nil, e
	case ChatBlocked:
		forbidden = "bot was blocked by the user"
	case ChatDeactivated:
		forbidden = "user is deactivated"
	case ChatUnstarted:
		forbidden = "bot can't initiate conversation with a user"
	case ChatKicked:
		forbidden = "bot was kicked from the " + string(c.kind()) + " chat"
	default:
		return c, nil
	}
	return nil, &tgError{code: http.StatusForbidden, description: "Forbidden: " + forbidden}
}

// Invites are a group's links, in no order.
func (w *World) Invites(chatID int64) []Invite {
	c := w.tg.chat(chatID)
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Invite, 0, len(c.links))
	for _, l := range c.links {
		out = append(out, Invite{Link: l.link, Name: l.name, Limit: l.limit, Used: l.used, Expires: l.expire, Revoked: l.revoked})
	}
	return out
}

// SetMember makes a user "member", "administrator", "left" or (banned by the group's owner) "kicked", without any link.
func (w *World) SetMember(chatID, user int64, status string) error {
	switch status {
	case "member", "administrator", "left", "kicked":
	default:
		return fmt.Errorf("sim: unknown status %q", status)
	}
	c := w.tg.chat(chatID)
	if c == nil {
		return fmt.Errorf("%w: chat %d", ErrNotFound, chatID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.members == nil {
		c.members = make(map[int64]*member)
	}
	c.members[user] = &member{status: status}
	return nil
}

// Member is what a user is in a group: "member", "administrator", "left" or "kicked".
func (w *World) Member(chatID, user int64) string {
	c := w.tg.chat(chatID)
	if c == nil {
		return "left"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := c.members[user]; {
	case m == nil, m.status == "kicked" && !m.banned(w.now()):
		return "left"
	default:
		return m.status
	}
}

// Join lets a user into a group by an invite link: refused when the link is
// used up or has expired, or the user is banned.
func (w *World) Join(chatID, user int64, link string) error {
	c := w.tg.chat(chatID)
	if c == nil {
		return fmt.Errorf("%w: chat %d", ErrNotFound, chatID)
	}
	now := w.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.links[link]
	switch {
	case l == nil, l.revoked:
		return fmt.Errorf("%w: invite link of chat %d", ErrNotFound, chatID)
	case l.limit > 0 && l.used >= l.limit:
		return errors.New("sim: the invite link is used up")
	case !l.expire.IsZero() && !now.Before(l.expire):
		return errors.New("sim: the invite link has expired")
	case c.members[user].banned(now):
		return errors.New("sim: the user is banned")
	}
	l.used++
	if c.members == nil {
		c.members = make(map[int64]*member)
	}
	c.members[user] = &member{status: "member"}
	return nil
}

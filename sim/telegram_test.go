package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"time"
)

const botToken = "123456:SIMULATEDsimulatedSIMULATED12345678"

func (g *rig) tg(method string, params map[string]any) reply {
	g.t.Helper()
	b, err := json.Marshal(params)
	g.must(err)
	return g.call("POST", g.s.TelegramURL()+"/bot"+botToken+"/"+method, map[string]string{"Content-Type": "application/json"}, string(b))
}

func TestTelegram_sendRecords(t *testing.T) {
	g := start(t, Config{})
	r := g.tg("sendMessage", map[string]any{
		"chat_id": 777, "parse_mode": "HTML",
		"text":         `Pago! <b>Curso &amp; bônus</b> <a href="http://x.test/delivery/t1?a=1&amp;b=2">abrir</a>`,
		"reply_markup": map[string]any{"inline_keyboard": [][]any{{map[string]any{"text": "Abrir", "url": "https://x.test/b"}}}},
	})
	if r.status != 200 || r.at(t, "ok") != true || fmt.Sprint(r.at(t, "result", "message_id")) != "1" {
		t.Fatalf("HTTP %d %s", r.status, r.body)
	}
	if got, want := r.at(t, "result", "text"), "Pago! Curso & bônus abrir"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	m := g.w.Messages(777)
	if len(m) != 1 || m[0].Bot != 123456 || m[0].ParseMode != "HTML" || !m[0].At.Equal(noon) {
		t.Fatalf("messages %+v", m)
	}
	if got, want := fmt.Sprint(m[0].Links), "[http://x.test/delivery/t1?a=1&b=2 https://x.test/b]"; got != want {
		t.Errorf("links %s, want %s", got, want)
	}
	if len(g.w.Messages(778)) != 0 {
		t.Error("another chat has messages")
	}
}

// The client library sends multipart forms; a form and a query work too.
func TestTelegram_encodings(t *testing.T) {
	g := start(t, Config{})
	u := g.s.TelegramURL() + "/bot" + botToken + "/sendMessage"
	var b bytes.Buffer
	mw := multipart.NewWriter(&b)
	_ = mw.WriteField("chat_id", "5")
	_ = mw.WriteField("text", "olá")
	_ = mw.Close()
	g.call("POST", u, map[string]string{"Content-Type": mw.FormDataContentType()}, b.String())
	g.call("POST", u, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, url.Values{"chat_id": {"5"}, "text": {"olá"}}.Encode())
	if r := g.call("POST", g.s.TelegramURL()+"/bot"+botToken+"/getMe", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, ""); r.status != 200 {
		t.Errorf("getMe with an empty multipart body: HTTP %d %s", r.status, r.body)
	}
	g.call("GET", u+"?chat_id=5&text=ol%C3%A1", nil, "")
	m := g.w.Messages(5)
	if len(m) != 3 {
		t.Fatalf("%d messages, want 3", len(m))
	}
	for i, m := range m {
		if m.Text != "olá" || m.ID != int64(i+1) {
			t.Errorf("message %d is %+v", i, m)
		}
	}
}

func TestTelegram_htmlErrors(t *testing.T) {
	g := start(t, Config{})
	for text, want := range map[string]string{
		"1 < 2":             `can't parse entities: Unsupported start tag "" at byte offset 2`,
		"<h1>x</h1>":        `can't parse entities: Unsupported start tag "h1" at byte offset 0`,
		"<b>x":              `can't parse entities: Can't find end tag corresponding to start tag "b"`,
		"x</b>":             `can't parse entities: Unexpected end tag at byte offset 1`,
		"<b><i>x</b></i>":   `can't parse entities: Unmatched end tag at byte offset 7, expected "</i>", found "</b>"`,
		"<span>x</span>":    `can't parse entities: Unsupported start tag "span" at byte offset 0`,
		"<a href='x":        `can't parse entities: Unclosed start tag at byte offset 0`,
		"   ":               "message text is empty",
		"<b></b>":           "message text is empty",
		"a & b > c &amp; d": "",
		"<b>João</b> &copy; <tg-spoiler>x</tg-spoiler> <blockquote expandable>y</blockquote> &#128512;": "",
		"<a href=\"http://x.test/?a=1&quot;2\">ok</a>":                                                  "",
		strings.Repeat("é", 4096):                  "",
		strings.Repeat("é", 4097):                  "message is too long",
		strings.Repeat("😀", 2049):                  "message is too long",
		"<b>" + strings.Repeat("x", 4096) + "</b>": "",
	} {
		r := g.tg("sendMessage", map[string]any{"chat_id": 1, "text": text, "parse_mode": "HTML"})
		switch {
		case want == "" && r.status != 200:
			t.Errorf("%.60q: HTTP %d %s, want 200", text, r.status, r.body)
		case want != "" && (r.status != 400 || r.at(t, "description") != "Bad Request: "+want):
			t.Errorf("%.60q: HTTP %d %s, want 400 %s", text, r.status, r.body, want)
		}
	}
}

func TestTelegram_entityOffsets(t *testing.T) {
	plain, es, err := parseHTML("😀 <b>dois <i>três</i></b> &lt;")
	if err != nil || plain != "😀 dois três <" {
		t.Fatalf("plain %q, %v", plain, err)
	}
	if got, want := fmt.Sprint(es), "[{italic 8 4 } {bold 3 9 }]"; got != want {
		t.Fatalf("entities %s, want %s", got, want)
	}
}

func TestTelegram_chatStates(t *testing.T) {
	g := start(t, Config{})
	for id, c := range map[int64]struct {
		chat Chat
		code int
		text string
	}{
		1:  {Chat{State: ChatBlocked}, 403, "Forbidden: bot was blocked by the user"},
		2:  {Chat{State: ChatDeactivated}, 403, "Forbidden: user is deactivated"},
		3:  {Chat{State: ChatUnstarted}, 403, "Forbidden: bot can't initiate conversation with a user"},
		4:  {Chat{State: ChatUnknown}, 400, "Bad Request: chat not found"},
		-5: {Chat{State: ChatKicked, Kind: ChatSupergroup}, 403, "Forbidden: bot was kicked from the supergroup chat"},
		-6: {Chat{State: ChatMigrated, MigratedTo: -1001, Kind: ChatGroup}, 400, "Bad Request: group chat was upgraded to a supergroup chat"},
	} {
		c.chat.ID = id
		g.must(g.w.AddChat(c.chat))
		r := g.tg("sendMessage", map[string]any{"chat_id": id, "text": "oi"})
		if r.status != c.code || r.at(t, "description") != c.text || fmt.Sprint(r.at(t, "error_code")) != fmt.Sprint(c.code) {
			t.Errorf("%s: HTTP %d %s", c.chat.State, r.status, r.body)
		}
		if id == -6 && fmt.Sprint(r.at(t, "parameters", "migrate_to_chat_id")) != "-1001" {
			t.Errorf("migrated: %s", r.body)
		}
	}
	if n := len(g.w.Messages(0)); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
	g.must(g.w.AddChat(Chat{ID: 1}))
	if r := g.tg("sendMessage", map[string]any{"chat_id": 1, "text": "oi"}); r.status != 200 {
		t.Errorf("after unblocking: HTTP %d", r.status)
	}
}

func TestTelegram_tokens(t *testing.T) {
	g := start(t, Config{})
	base := g.s.TelegramURL()
	if r := g.call("GET", base+"/botnonsense/getMe", nil, ""); r.status != 404 {
		t.Errorf("malformed token: HTTP %d, want 404", r.status)
	}
	if r := g.call("GET", base+"/bot"+botToken+"/getMe", nil, ""); r.status != 200 || fmt.Sprint(r.at(t, "result", "id")) != "123456" {
		t.Errorf("getMe: HTTP %d %s", r.status, r.body)
	}
	if r := g.call("GET", base+"/bot"+botToken+"/noSuchThing", nil, ""); r.status != 404 {
		t.Errorf("unknown method: HTTP %d, want 404", r.status)
	}
	g.must(g.w.AddBot(Bot{Token: botToken, Username: "loja_bot"}))
	if r := g.tg("getMe", nil); r.at(t, "result", "username") != "loja_bot" {
		t.Errorf("getMe: %s", r.body)
	}
	if r := g.call("GET", base+"/bot"+strings.Replace(botToken, "123456", "9", 1)+"/getMe", nil, ""); r.status != 401 {
		t.Errorf("unknown bot after AddBot: HTTP %d, want 401", r.status)
	}
	g.must(g.w.RevokeBot(botToken))
	if r := g.tg("getMe", nil); r.status != 401 || r.at(t, "description") != "Unauthorized" {
		t.Errorf("revoked: HTTP %d %s", r.status, r.body)
	}
}

func TestTelegram_limits(t *testing.T) {
	g := start(t, Config{})
	g.must(g.w.SetTelegramLimits(TelegramLimits{Enforce: true}))
	send := func(chat int) int {
		return g.tg("sendMessage", map[string]any{"chat_id": chat, "text": "oi"}).status
	}
	for i := range 30 {
		if got := send(100 + i); got != 200 {
			t.Fatalf("message %d in one instant: HTTP %d", i+1, got)
		}
	}
	r := g.tg("sendMessage", map[string]any{"chat_id": 200, "text": "oi"})
	if r.status != 429 || fmt.Sprint(r.at(t, "parameters", "retry_after")) != "1" || r.at(t, "description") != "Too Many Requests: retry after 1" {
		t.Fatalf("31st: HTTP %d %s", r.status, r.body)
	}
	g.clock.advance(500 * time.Millisecond)
	if got := send(201); got != 429 {
		t.Fatalf("during retry_after: HTTP %d, want 429 for the whole bot", got)
	}
	g.clock.advance(10 * time.Second)
	got := []int{send(1), send(1), send(1), send(1)}
	if want := "[200 200 200 429]"; fmt.Sprint(got) != want {
		t.Fatalf("one chat in one instant: %v, want %s", got, want)
	}
	if c := g.w.Counters().Telegram; c.OverLimit != 2 || c.Limited != 3 {
		t.Fatalf("counters %+v, want 2 over and 3 limited", c)
	}
}

func TestTelegram_limitsOnlyMeasuredByDefault(t *testing.T) {
	g := start(t, Config{})
	for range 5 {
		if r := g.tg("sendMessage", map[string]any{"chat_id": 1, "text": "oi"}); r.status != 200 {
			t.Fatalf("HTTP %d", r.status)
		}
	}
	if c := g.w.Counters().Telegram; c.OverLimit != 2 || c.Messages != 5 {
		t.Fatalf("counters %+v, want 5 messages, 2 over the limit", c)
	}
}

func TestTelegram_faults(t *testing.T) {
	g := start(t, Config{})
	send := func() (reply, error) {
		return g.do("POST", g.s.TelegramURL()+"/bot"+botToken+"/sendMessage?chat_id=9&text=oi", nil, "")
	}
	g.fault(Fault{Kind: FaultHTML, Target: TargetTelegram, Count: 1})
	if r, err := send(); err != nil || r.status != 502 || r.body[0] != '<' {
		t.Errorf("html: %d %v", r.status, err)
	}
	g.fault(Fault{Kind: FaultRateLimited, RetryAfter: 3 * time.Second, Target: TargetTelegram, Endpoint: "sendMessage", Charge: "9", Count: 1})
	if r, err := send(); err != nil || r.status != 429 || fmt.Sprint(r.at(t, "parameters", "retry_after")) != "3" {
		t.Errorf("429: %s %v", r.body, err)
	}
	g.fault(Fault{Kind: FaultCode, HTTPStatus: 403, Target: TargetTelegram, Account: "123456", Count: 1})
	if r, err := send(); err != nil || r.status != 403 || r.at(t, "ok") != false {
		t.Errorf("403: %s %v", r.body, err)
	}
	if n := len(g.w.Messages(9)); n != 0 {
		t.Fatalf("%d messages before any was accepted", n)
	}
	g.fault(Fault{Kind: FaultSwallow, Target: TargetTelegram, Count: 1})
	if r, err := send(); err == nil {
		t.Errorf("swallowed: HTTP %d", r.status)
	}
	if n := len(g.w.Messages(9)); n != 1 {
		t.Fatalf("%d messages after a swallowed one, want 1: it was accepted", n)
	}
}

func TestTelegram_badMarkup(t *testing.T) {
	g := start(t, Config{})
	for _, mk := range []string{`"x"`, `{"inline_keyboard":[[{"text":"a","url":"nowhere"}]]}`, `{"inline_keyboard":[[{"url":"http://x.test"}]]}`, `{"inline_keyboard":[[{"text":"a"}]]}`} {
		r := g.tg("sendMessage", map[string]any{"chat_id": 1, "text": "x", "reply_markup": json.RawMessage(mk)})
		if r.status != 400 {
			t.Errorf("%s: HTTP %d", mk, r.status)
		}
	}
}

func TestTelegram_invitesAndMembers(t *testing.T) {
	g := start(t, Config{})
	const group, buyer = -1000, 55
	link := fmt.Sprint(g.tg("createChatInviteLink", map[string]any{"chat_id": group, "member_limit": 1, "name": "venda"}).at(t, "result", "invite_link"))
	if got := fmt.Sprint(g.tg("revokeChatInviteLink", map[string]any{"chat_id": group, "invite_link": link}).at(t, "result", "is_revoked")); got != "true" {
		t.Errorf("revoked: %s", got)
	}
	if err := g.w.Join(group, buyer, link); err == nil {
		t.Error("a revoked link let somebody in")
	}
	if r := g.tg("revokeChatInviteLink", map[string]any{"chat_id": group, "invite_link": "https://t.me/+none"}); r.status != 400 {
		t.Errorf("an unknown link: HTTP %d", r.status)
	}
	if r := g.tg("createChatInviteLink", map[string]any{"chat_id": group, "member_limit": 1, "creates_join_request": true}); r.status != 400 {
		t.Errorf("a limit with join requests: HTTP %d", r.status)
	}
	if r := g.tg("createChatInviteLink", map[string]any{"chat_id": group, "name": strings.Repeat("n", 33)}); r.status != 400 {
		t.Errorf("a name of 33 characters: HTTP %d", r.status)
	}
	if i := g.w.Invites(group); len(i) != 1 || i[0].Name != "venda" || !i[0].Revoked || i[0].Used != 0 {
		t.Errorf("invites %+v", i)
	}
	g.must(g.w.SetMember(group, buyer, "administrator"))
	if r := g.tg("banChatMember", map[string]any{"chat_id": group, "user_id": buyer}); r.status != 400 || g.w.Member(group, buyer) != "administrator" {
		t.Errorf("an administrator was banned: HTTP %d", r.status)
	}
	if err := g.w.SetMember(group, buyer, "king"); err == nil {
		t.Error("an unknown status was taken")
	}
}

func TestTelegram_groupAccess(t *testing.T) {
	g := start(t, Config{})
	const group, buyer = -1000, 55
	status := func() string {
		return fmt.Sprint(g.tg("getChatMember", map[string]any{"chat_id": group, "user_id": buyer}).at(t, "result", "status"))
	}
	if got := status(); got != "left" {
		t.Fatalf("a stranger is %s", got)
	}
	r := g.tg("createChatInviteLink", map[string]any{"chat_id": group, "member_limit": 1, "name": "venda"})
	link := fmt.Sprint(r.at(t, "result", "invite_link"))
	g.must(g.w.Join(group, buyer, link))
	if got := status(); got != "member" {
		t.Fatalf("after joining: %s", got)
	}
	if err := g.w.Join(group, 56, link); err == nil {
		t.Fatal("a single-use link was used twice")
	}
	g.tg("banChatMember", map[string]any{"chat_id": group, "user_id": buyer, "until_date": noon.Add(time.Hour).Unix()})
	if got := status(); got != "kicked" {
		t.Fatalf("after the ban: %s", got)
	}
	link = fmt.Sprint(g.tg("createChatInviteLink", map[string]any{"chat_id": group}).at(t, "result", "invite_link"))
	if err := g.w.Join(group, buyer, link); err == nil {
		t.Fatal("a banned user joined")
	}
	g.tg("unbanChatMember", map[string]any{"chat_id": group, "user_id": buyer, "only_if_banned": true})
	if got := status(); got != "left" {
		t.Fatalf("after unban: %s", got)
	}
	g.must(g.w.Join(group, buyer, link))
	g.tg("unbanChatMember", map[string]any{"chat_id": group, "user_id": buyer, "only_if_banned": true})
	if got := status(); got != "member" {
		t.Fatalf("unban only_if_banned threw a member out: %s", got)
	}
	g.tg("banChatMember", map[string]any{"chat_id": group, "user_id": buyer, "until_date": noon.Add(10 * time.Second).Unix()})
	g.clock.advance(24 * time.Hour)
	if got := status(); got != "kicked" {
		t.Fatalf("a ban of ten seconds is for ever, but a day later the user is %s", got)
	}
	g.must(g.w.AddChat(Chat{ID: group, NoRights: true}))
	if r := g.tg("createChatInviteLink", map[string]any{"chat_id": group}); r.status != 400 {
		t.Fatalf("without rights: HTTP %d", r.status)
	}
	if r := g.tg("createChatInviteLink", map[string]any{"chat_id": -2000, "member_limit": 100000}); r.status != 400 {
		t.Fatalf("member_limit 100000: HTTP %d", r.status)
	}
	if n := len(g.w.Calls()); n != 14 {
		t.Fatalf("%d calls recorded, want 14", n)
	}
}

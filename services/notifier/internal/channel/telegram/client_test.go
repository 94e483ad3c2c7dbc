package telegram

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/notifier/internal/message"
)

var hello = (&message.Template{}).Render(message.Values{Product: "Curso <b>", Amount: 123456, Link: "https://x.example/d/secret", Buyer: "Ana & Zé"})

func testLetter(chat int64) letter {
	return letter{token: "1:secret", chat: chat, text: hello}
}

func TestClient_whatAnAnswerMeans(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string
		want    answer
		calls   int
	}{
		"taken":                       {[]string{okay}, answer{kind: sent, messageID: 1, chat: 5}, 1},
		"blocked":                     {[]string{blocked}, answer{kind: refused, reason: "blocked", chat: 5}, 1},
		"deactivated":                 {[]string{`403 {"ok":false,"error_code":403,"description":"Forbidden: user is deactivated"}`}, answer{kind: refused, reason: "deactivated", chat: 5}, 1},
		"not started":                 {[]string{`403 {"ok":false,"error_code":403,"description":"Forbidden: bot can't initiate conversation with a user"}`}, answer{kind: refused, reason: "not_started", chat: 5}, 1},
		"kicked":                      {[]string{`403 {"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}`}, answer{kind: refused, reason: "forbidden", chat: 5}, 1},
		"passing 403":                 {[]string{passing}, answer{kind: forbidden, reason: "blocked", chat: 5}, 1},
		"revoked":                     {[]string{revoked}, answer{kind: badToken, reason: "bot_unauthorized", chat: 5}, 1},
		"malformed token":             {[]string{`404 {"ok":false,"error_code":404,"description":"Not Found"}`}, answer{kind: badToken, reason: "bot_unauthorized", chat: 5}, 1},
		"chat not found":              {[]string{notFound}, answer{kind: refused, reason: "chat_not_found", chat: 5}, 1},
		"no rights":                   {[]string{`400 {"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}`}, answer{kind: refused, reason: "forbidden", chat: 5}, 1},
		"entities, then plain":        {[]string{entities, okay}, answer{kind: sent, messageID: 2, chat: 5}, 2},
		"button, then plain":          {[]string{badButton, okay}, answer{kind: sent, messageID: 2, chat: 5}, 2},
		"plain refused, too":          {[]string{entities, entities}, answer{kind: refused, reason: "rejected", chat: 5}, 2},
		"flood of three days":         {[]string{`429 {"ok":false,"error_code":429,"description":"Too Many Requests: retry after 259200","parameters":{"retry_after":259200}}`}, answer{kind: flood, reason: "rate_limited", wait: 72 * time.Hour, chat: 5}, 1},
		"flood":                       {[]string{`429 {"ok":false,"error_code":429,"description":"Too Many Requests: retry after 70","parameters":{"retry_after":70}}`}, answer{kind: flood, reason: "rate_limited", wait: 70 * time.Second, chat: 5}, 1},
		"flood without a time":        {[]string{`429 <html></html>`}, answer{kind: flood, reason: "rate_limited", wait: time.Second, chat: 5}, 1},
		"5xx":                         {[]string{broken}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"HTML":                        {[]string{gatewayBad}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"HTML with 200":               {[]string{"200 \n<!DOCTYPE html>"}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"HTML with 403 is no refusal": {[]string{"403 <html>proxy</html>"}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"redirect":                    {[]string{"302 moved"}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"half an answer":              {[]string{`200 {"ok":true,"resu`}, answer{kind: unknown, reason: "garbled_answer", chat: 5}, 1},
		"conflict":                    {[]string{`409 {"ok":false,"error_code":409,"description":"Conflict"}`}, answer{kind: again, reason: "telegram_unavailable", chat: 5}, 1},
		"connection cut":              {[]string{cut}, answer{kind: unknown, reason: "connection_broken", chat: 5}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer = func(_ int64, n int) string { return c.answers[n-1] }
			got := newClient(f.URL, 1).send(t.Context(), testLetter(5))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if n := len(f.requests(0)); n != c.calls {
				t.Errorf("%d requests, want %d", n, c.calls)
			}
		})
	}
}

func TestClient_followsAMovedChat(t *testing.T) {
	f := newFake(t)
	f.answer = func(chat int64, _ int) string { return map[int64]string{5: migrated}[chat] }
	if got := newClient(f.URL, 1).send(t.Context(), testLetter(5)); got.kind != sent || got.chat != -1009 {
		t.Errorf("got %+v, want sent to the new chat", got)
	}
	circle := newFake(t)
	circle.answer = func(chat int64, _ int) string {
		return fmt.Sprintf(`400 {"ok":false,"error_code":400,"description":"upgraded","parameters":{"migrate_to_chat_id":%d}}`, chat-1)
	}
	if got := newClient(circle.URL, 1).send(t.Context(), testLetter(5)); got.kind != refused || len(circle.requests(0)) != maxCalls {
		t.Errorf("got %+v after %d requests, want an end", got, len(circle.requests(0)))
	}
}

func TestClient_whatIsSent(t *testing.T) {
	f := newFake(t)
	f.answer = func(_ int64, n int) string { return []string{entities, okay}[n-1] }
	newClient(f.URL+"/", 1).send(t.Context(), testLetter(5))
	got := f.requests(5)
	html, plain := got[0], got[1]
	if html.ParseMode != "HTML" || !strings.Contains(html.Text, "Curso &lt;b&gt;") || !strings.Contains(html.Text, "Ana &amp; Zé") ||
		!strings.Contains(html.Text, "R$ 1.234,56") || html.Markup == nil || html.Markup.Rows[0][0].URL != "https://x.example/d/secret" || !html.Preview.Disabled {
		t.Errorf("HTML message: %+v", html)
	}
	if plain.ParseMode != "" || plain.Markup != nil || strings.Contains(plain.Text, "<b>Pagamento") ||
		!strings.Contains(plain.Text, "Curso <b>") || !strings.Contains(plain.Text, "https://x.example/d/secret") {
		t.Errorf("plain message: %+v", plain)
	}
}

func TestClient_timesAndPlaces(t *testing.T) {
	f := newFake(t)
	f.answer = func(int64, int) string { return hang }
	var got answer
	for patience := 50 * time.Millisecond; len(f.requests(5)) == 0 && patience < time.Minute; patience *= 2 { // until one is long enough to get there
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		got = newClient(f.URL, 1).send(ctx, testLetter(5))
		cancel()
	}
	if got.kind != unknown || got.reason != ReasonTimeout {
		t.Errorf("no answer: got %+v, want a doubt", got)
	}
	gone := newFake(t)
	gone.Close()
	if got := newClient(gone.URL, 1).send(t.Context(), testLetter(5)); got.kind != again || got.reason != ReasonUnreachable {
		t.Errorf("nothing listens: got %+v, want again", got)
	}
	l := testLetter(5)
	l.base = gone.URL
	if got := newClient(newFake(t).URL, 1).send(t.Context(), l); got.kind != again {
		t.Errorf("the bot's own address was not used: %+v", got)
	}
}

func TestCheckBase_onlySafePlaces(t *testing.T) {
	for base, good := range map[string]bool{
		"https://api.telegram.org": true, "https://bot.example:8443/path": true, "http://127.0.0.1:8081": true, "http://[::1]:8081": true,
		"http://localhost:1": true, "http://api.telegram.org": false, "http://10.0.0.1": false, "ftp://localhost": false, "": false,
		"https://user:pass@x.example": false, "https://x.example/?a=b": false, "https://x.example/#f": false, "http://127.0.0.1.evil.example": false,
		"//x.example": false, "https://": false,
	} {
		if err := CheckBase(base); (err == nil) != good {
			t.Errorf("%q: got %v, want good=%v", base, err, good)
		}
	}
}

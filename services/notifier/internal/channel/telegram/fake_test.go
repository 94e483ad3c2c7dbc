package telegram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeTelegram answers sendMessage as a test says and keeps what it got. Without a word it takes everything.
type fakeTelegram struct {
	*httptest.Server
	// answer decides about the n-th request (from 1) to a chat; "" takes the message.
	answer func(chat int64, n int) string

	mu   sync.Mutex
	got  []sendMessage
	at   []time.Time
	bots []string
	n    map[int64]int
	next int64
}

// The answers that tests use, status first. "hang" answers nothing until the client is gone, "cut" ends the connection.
const (
	okay       = ""
	hang       = "hang"
	cut        = "cut"
	blocked    = `403 {"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`
	passing    = `403 {"ok":false,"error_code":403,"description":"Forbidden: bot can't send messages to the user"}`
	revoked    = `401 {"ok":false,"error_code":401,"description":"Unauthorized"}`
	notFound   = `400 {"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`
	entities   = `400 {"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag \"x\""}`
	badButton  = `400 {"ok":false,"error_code":400,"description":"Bad Request: inline keyboard button URL 'http://x' is invalid: Wrong HTTP URL"}`
	migrated   = `400 {"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-1009}}`
	flood1     = `429 {"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1","parameters":{"retry_after":1}}`
	broken     = `500 {"ok":false,"error_code":500,"description":"Internal Server Error"}`
	gatewayBad = `502 <html><body>Bad Gateway</body></html>`
)

func newFake(t testing.TB) *fakeTelegram {
	t.Helper()
	f := &fakeTelegram{n: map[int64]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeTelegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m sendMessage
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/sendMessage") {
		http.Error(w, "not a message", http.StatusTeapot)
		return
	}
	f.mu.Lock()
	f.got, f.at, f.bots = append(f.got, m), append(f.at, time.Now()), append(f.bots, strings.Split(strings.TrimPrefix(r.URL.Path, "/bot"), "/")[0])
	f.n[m.ChatID]++
	f.next++
	n, id, answer := f.n[m.ChatID], f.next, f.answer
	f.mu.Unlock()
	say := okay
	if answer != nil {
		say = answer(m.ChatID, n)
	}
	switch say {
	case okay:
		fmt.Fprintf(w, `{"ok":true,"result":{"message_id":%d,"chat":{"id":%d}}}`, id, m.ChatID)
	case hang:
		<-r.Context().Done()
	case cut:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	default:
		var status int
		status, body := 0, ""
		if _, err := fmt.Sscanf(say, "%d", &status); err == nil {
			_, body, _ = strings.Cut(say, " ")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// requests returns what came for a chat, or everything for 0.
func (f *fakeTelegram) requests(chat int64) []sendMessage {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []sendMessage
	for _, m := range f.got {
		if chat == 0 || m.ChatID == chat {
			out = append(out, m)
		}
	}
	return out
}

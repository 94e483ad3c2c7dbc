package telegram

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Reasons of refusals, retries and doubts. They are classes, never Telegram's own texts, and part of the contract's vocabulary.
const (
	ReasonBlocked      = "blocked"              // 403: the buyer blocked the bot
	ReasonDeactivated  = "deactivated"          // 403: the buyer's or the group's account is gone
	ReasonNotStarted   = "not_started"          // 403: the buyer never opened this bot
	ReasonForbidden    = "forbidden"            // 403 and 400 of other kinds: kicked, no rights
	ReasonChatNotFound = "chat_not_found"       // 400
	ReasonRejected     = "rejected"             // 400 even for plain text
	ReasonUnauthorized = "bot_unauthorized"     // 401, 404: the token is not good
	ReasonFlood        = "rate_limited"         // 429
	ReasonUnavailable  = "telegram_unavailable" // 5xx, HTML
	ReasonUnreachable  = "unreachable"          // no connection; nothing was written
	ReasonTimeout      = "timeout"              // written, no answer in time
	ReasonBroken       = "connection_broken"    // written, the connection ended before the answer
	ReasonGarbled      = "garbled_answer"       // 2xx whose body cannot be read
)

type kind int

const (
	unknown   kind = iota // written without a readable answer: it may have arrived
	sent                  // a message id came back
	refused               // never going to work
	forbidden             // the 403 that is sometimes passing
	again                 // not sent; later
	flood                 // the whole bot must wait
	badToken              // the whole bot is refused
	moved                 // the group became a supergroup
	malformed             // Telegram does not take the text or the button
)

// answer is what one call, or one send, came to.
type answer struct {
	kind      kind
	reason    string
	messageID int64
	chat      int64 // where it was sent to
	movedTo   int64
	wait      time.Duration // of a flood
}

// final turns the kinds that only mean something between two calls into what they mean at the end.
func (a answer) final() answer {
	switch a.kind {
	case moved:
		a.kind, a.reason = refused, ReasonChatNotFound
	case malformed:
		a.kind, a.reason = refused, ReasonRejected
	}
	return a
}

// reply is Telegram's envelope (core.telegram.org/bots/api#making-requests).
type reply struct {
	OK     bool `json:"ok"`
	Result struct {
		MessageID int64 `json:"message_id"`
	} `json:"result"`
	ErrorCode   int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"`
		MigrateTo  int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// read says what a response means. An answer that is not Telegram's (a proxy's page, an empty 5xx) says that Telegram did not
// take the message; only a 2xx that begins like Telegram's and cannot be read leaves a doubt.
func read(resp *http.Response, raw []byte, readErr error) answer {
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil || readErr != nil {
		page := bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<"))
		switch {
		case success && !page:
			return answer{kind: unknown, reason: ReasonGarbled}
		case resp.StatusCode == http.StatusTooManyRequests:
			return answer{kind: flood, reason: ReasonFlood, wait: seconds(retryAfter(resp.Header))}
		}
		return answer{kind: again, reason: ReasonUnavailable}
	}
	if r.OK {
		return answer{kind: sent, messageID: r.Result.MessageID}
	}
	code := r.ErrorCode
	if code == 0 {
		code = resp.StatusCode
	}
	return r.refusal(code)
}

// seconds is how long a bot must be quiet: what Telegram says, however long, and a second when it says nothing.
func seconds(n int) time.Duration {
	const longest = 1 << 31 // 68 years, so that nothing overflows
	return time.Duration(min(longest, max(1, n))) * time.Second
}

func (r reply) refusal(code int) answer {
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
	case code == http.StatusTooManyRequests:
		return answer{kind: flood, reason: ReasonFlood, wait: seconds(r.Parameters.RetryAfter)}
	case code == http.StatusUnauthorized, code == http.StatusNotFound:
		return answer{kind: badToken, reason: ReasonUnauthorized}
	case code == http.StatusForbidden:
		return forbiddenAnswer(has)
	case code != http.StatusBadRequest:
		return answer{kind: again, reason: ReasonUnavailable}
	case r.Parameters.MigrateTo != 0:
		return answer{kind: moved, movedTo: r.Parameters.MigrateTo}
	case has("chat not found", "peer_id_invalid", "user not found", "chat_id_invalid", "chat_id is empty"):
		return answer{kind: refused, reason: ReasonChatNotFound}
	case has("deactivated"):
		return answer{kind: refused, reason: ReasonDeactivated}
	case has("rights", "chat_write_forbidden", "chat_restricted"):
		return answer{kind: refused, reason: ReasonForbidden}
	}
	return answer{kind: malformed}
}

func forbiddenAnswer(has func(...string) bool) answer {
	switch {
	case has("can't send messages to the user"):
		return answer{kind: forbidden, reason: ReasonBlocked}
	case has("blocked"):
		return answer{kind: refused, reason: ReasonBlocked}
	case has("deactivated"):
		return answer{kind: refused, reason: ReasonDeactivated}
	case has("initiate"):
		return answer{kind: refused, reason: ReasonNotStarted}
	}
	return answer{kind: refused, reason: ReasonForbidden}
}

package purchase

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// verdict is what an answer of Meta means for the Purchase.
type verdict int

const (
	accepted verdict = iota
	again            // try later
	refused          // will never be taken
	noEntry          // the token or the pixel is refused: everything of the pixel waits for a new token
)

// answer is one attempt as understood. Its reason is made of numbers and our own words alone: Meta's texts may quote the token.
type answer struct {
	verdict verdict
	reason  string
	trace   string        // fbtrace_id
	wait    time.Duration // what Retry-After asked for, or 0
	unsure  bool          // Meta may have taken the event all the same
}

// maxRetryAfter bounds what an answer can make us wait.
const maxRetryAfter = 6 * time.Hour

var traceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// read understands an answer: 2xx with events_received 1 is taken; error codes as in the Graph API's error reference.
// https://developers.facebook.com/docs/graph-api/guides/error-handling
func read(status int, header http.Header, body []byte) answer {
	var in struct {
		Received *int   `json:"events_received"`
		Trace    string `json:"fbtrace_id"`
		Error    *struct {
			Code    int    `json:"code"`
			Subcode int    `json:"error_subcode"`
			Trace   string `json:"fbtrace_id"`
		} `json:"error"`
	}
	parsed := json.Unmarshal(body, &in) == nil
	a := answer{trace: clean(in.Trace), wait: retryAfter(header)}
	switch {
	case status/100 == 2 && parsed && in.Error == nil && in.Received != nil && *in.Received >= 1:
		a.verdict = accepted
	case status/100 == 2 && in.Error == nil:
		// Something between us and Meta answered, or Meta in words we do not know: the event id makes a repetition harmless.
		a.verdict, a.reason, a.unsure = again, fmt.Sprintf("answer not understood (HTTP %d)", status), true
	case parsed && in.Error != nil:
		a.trace = clean(in.Error.Trace)
		a.verdict = judge(status, in.Error.Code, in.Error.Subcode)
		a.reason = "Meta error " + strconv.Itoa(in.Error.Code)
		if in.Error.Subcode != 0 {
			a.reason += "/" + strconv.Itoa(in.Error.Subcode)
		}
		a.reason += fmt.Sprintf(" (HTTP %d)", status)
	default:
		a.verdict, a.reason = judge(status, 0, 0), fmt.Sprintf("HTTP %d", status)
	}
	if a.verdict == again && status >= 500 {
		a.unsure = true
	}
	return a
}

// judge sorts by Graph error code first, by HTTP status when there is none.
func judge(status, code, subcode int) verdict {
	switch {
	case code == 190, code == 102, code == 10, code >= 200 && code <= 299: // token invalid or expired, permission missing
		return noEntry
	case code == 100 && subcode == 33: // the pixel does not exist for this token
		return noEntry
	case code == 1, code == 2, code == 4, code == 17, code == 32, code == 341, code == 368, code == 613, code >= 80000 && code <= 80014:
		return again
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return again
	case code == 0 && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return noEntry
	case code == 0 && (status < 400 || status == http.StatusNotFound || status == http.StatusProxyAuthRequired):
		return again // a proxy's or a portal's words, not Meta's
	}
	return refused
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

func clean(trace string) string {
	if !traceForm.MatchString(trace) {
		return ""
	}
	return trace
}

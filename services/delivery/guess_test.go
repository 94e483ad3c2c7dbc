package delivery_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/delivery"
)

// How long an answer takes does not tell whether a wrong token is nearly right: only a token's hash is looked for. Of guesses that are
// made in turns neither kind is the slower one more often than chance has it.
func TestService_noOracleByTiming(t *testing.T) {
	const pairs = 1000
	w := newWorld(t)
	r := w.start(func(c *delivery.Config) { c.Guesses = 1_000_000 })
	for range 200 {
		w.issue(r, request())
	}
	right := w.issue(r, request()).GetToken()
	last := byte('A')
	if right[len(right)-1] == last {
		last = 'E'
	}
	near, visitors := right[:len(right)-1]+string(last), 0
	took := func(token string) time.Duration {
		visitors++
		from := fmt.Sprintf("10.1.%d.%d:4711", visitors/256, visitors%256)
		began := time.Now()
		if page := r.visitFrom(token, from); page.Code != http.StatusNotFound {
			t.Fatalf("a wrong token is answered %d", page.Code)
		}
		return time.Since(began)
	}
	far := func() string {
		var raw [32]byte
		rand.Read(raw[:])
		return base64.RawURLEncoding.EncodeToString(raw[:])
	}
	slower := 0
	for i := range pairs + 20 {
		var one, other time.Duration
		if i%2 == 0 { // who goes first pays for a cold cache
			other, one = took(far()), took(near)
		} else {
			one, other = took(near), took(far())
		}
		if i >= 20 && one > other {
			slower++
		}
	}
	t.Logf("the nearly right token was the slower one %d times of %d", slower, pairs)
	if slower < pairs*2/5 || slower > pairs*3/5 { // six standard deviations of a coin
		t.Errorf("the nearly right token was the slower one %d times of %d", slower, pairs)
	}
}

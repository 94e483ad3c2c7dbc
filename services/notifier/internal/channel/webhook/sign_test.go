package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The example that the specification's own libraries are tested with.
func TestSign_publishedVector(t *testing.T) {
	h := http.Header{}
	body := []byte(`{"test": 2432232314}`)
	if err := sign(h, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), body); err != nil {
		t.Fatal(err)
	}
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	if err := verify(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", got{h, body}); err != nil {
		t.Errorf("the test's own reading of the specification: %v", err)
	}
	if verify(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", got{h, append(body, ' ')}) == nil {
		t.Error("a body that was changed passed")
	}
}

func TestSign_everySecretSigns(t *testing.T) {
	secrets := []string{NewSecret(), NewSecret(), NewSecret()}
	h, body := http.Header{}, []byte(`{}`)
	if err := sign(h, secrets, "id", time.Now(), body); err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(h.Get("webhook-signature"))); n != 3 {
		t.Errorf("%d signatures of 3 secrets", n)
	}
	for i, secret := range secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(body, h); err != nil {
			t.Errorf("the specification's library with secret %d: %v", i, err)
		}
	}
	if err := sign(http.Header{}, nil, "id", time.Now(), body); err == nil {
		t.Error("nothing signed and nothing was said")
	}
}

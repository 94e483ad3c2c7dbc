package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// voucher is a bearer token that carries its own end, so that nothing need be
// kept: hex of key NUL secret NUL unix end, a dot, and its MAC.
func (s *shop) voucher(key, secret string, ends time.Time) string {
	body := hex.EncodeToString([]byte(key + "\x00" + secret + "\x00" + strconv.FormatInt(ends.Unix(), 10)))
	return body + "." + s.seal(body)
}

// redeem gives the credential behind a voucher; nothing for one that is
// forged or has ended.
func (s *shop) redeem(token string, now time.Time) (key, secret string) {
	body, mac, ok := strings.Cut(token, ".")
	if !ok || !hmac.Equal([]byte(mac), []byte(s.seal(body))) {
		return "", ""
	}
	raw, err := hex.DecodeString(body)
	if err != nil {
		return "", ""
	}
	p := strings.Split(string(raw), "\x00")
	if len(p) != 3 {
		return "", ""
	}
	ends, err := strconv.ParseInt(p[2], 10, 64)
	if err != nil || now.Unix() >= ends {
		return "", ""
	}
	return p[0], p[1]
}

func (s *shop) seal(body string) string {
	m := hmac.New(sha256.New, []byte("simulated-"+strconv.FormatInt(s.w.cfg.Seed, 10)))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// bodyField reads one text field at the top of a JSON body.
func bodyField(body []byte, name string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return ""
	}
	return text(m[name])
}

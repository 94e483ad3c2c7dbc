// Package file signs addresses of merchants' files, so that a merchant's server can tell a click on a delivery page from a link
// that was passed on. The signature is an HMAC-SHA256 over the request target: what a server sees of a request whatever proxies
// stand before it. docs/delivery.md shows how a server checks it.
//
// It refuses to fetch, to follow and to keep anything.
package file

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// Expected is what Check expects, for those who ask.
const Expected = "a whole https:// address of at most 2048 bytes, without user, fragment and parameters that begin with baixa_"

// The parameters of a signed address, in their order.
const (
	paramExpires   = "baixa_expires"
	paramKey       = "baixa_key"
	paramSignature = "baixa_signature"
)

const maxURL = 2048

var errForm = errors.New("file address: expected " + Expected)

// Check reports whether an address can be signed.
func Check(address string) error {
	_, err := read(address)
	return err
}

func read(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, len(address) > maxURL, strings.ContainsAny(address, "\x00\r\n\t \"<>#"):
		return nil, errForm
	case u.Scheme != "https", u.Hostname() == "", u.User != nil, u.Opaque != "":
		return nil, errForm
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, err := url.QueryUnescape(pair); err != nil || strings.HasPrefix(strings.ToLower(name), "baixa_") {
			return nil, errForm
		}
	}
	return u, nil
}

// Sign returns the address with its end, the key's name and a signature:
//
//	https://files.example/a.pdf?baixa_expires=1780000000&baixa_key=k1&baixa_signature=<64 hexadecimal characters>
//
// The signature is the HMAC-SHA256, under the secret, of everything from the path's slash up to &baixa_signature=.
func Sign(address, keyID string, secret []byte, expires time.Time) (string, error) {
	u, err := read(address)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += paramExpires + "=" + strconv.FormatInt(expires.Unix(), 10) + "&" + paramKey + "=" + url.QueryEscape(keyID)
	u.ForceQuery = false
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(u.RequestURI()))
	u.RawQuery += "&" + paramSignature + "=" + hex.EncodeToString(mac.Sum(nil))
	return u.String(), nil
}

// SealName is the name that a merchant's secret is sealed under.
func SealName(m sale.MerchantID) string { return "file/" + m.String() }

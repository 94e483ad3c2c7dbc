package inbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// ErrAltered means that a stored webhook's body is not the one of its provider and keys: the row was edited.
var ErrAltered = errors.New("the webhook's row was altered")

// sealedPrefix marks a header's sealed value; what follows is base64.
const sealedPrefix = "sealed:"

// Digest is what makes a webhook the same again: SHA-256 over provider, account key, sale key and body, each preceded by its
// length in 8 bytes, so that no two different webhooks read the same.
func Digest(provider, accountKey, saleKey string, body []byte) []byte {
	h := sha256.New()
	var n [8]byte
	for _, part := range [][]byte{[]byte(provider), []byte(accountKey), []byte(saleKey), body} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// row is the name under which a body is sealed. It is made of the digest and not of the id, since a copy must open whichever of
// the copies was stored; and since the digest covers provider and keys, a body cannot be moved to other ones.
func row(digest []byte) string { return "webhook/" + hex.EncodeToString(digest) }

func headerRow(digest []byte, name string) string { return row(digest) + "/" + name }

// Open returns the bytes of a stored webhook as they arrived, and puts the plain values of its sealed headers into w.Headers,
// so that w reads as it was posted. What is opened already is returned as it is. Errors: seal.ErrWrongKey, ErrAltered; w.Headers may then be half open.
func (b *Inbox) Open(w store.Webhook) ([]byte, error) {
	if w.Opened != nil {
		return w.Opened, nil
	}
	body, err := b.cfg.Seal.Open(w.Body, row(w.Digest))
	if err != nil {
		return nil, fmt.Errorf("open webhook: %w", err)
	}
	if string(Digest(w.Provider, w.AccountKey, w.SaleKey, body)) != string(w.Digest) {
		return nil, fmt.Errorf("open webhook: %w", ErrAltered)
	}
	for name, value := range w.Headers {
		text, sealed := strings.CutPrefix(value, sealedPrefix)
		if !sealed {
			continue
		}
		raw, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("open header %s: %w", name, seal.ErrWrongKey)
		}
		plain, err := b.cfg.Seal.Open(raw, headerRow(w.Digest, name))
		if err != nil {
			return nil, fmt.Errorf("open header %s: %w", name, err)
		}
		w.Headers[name] = string(plain)
	}
	return body, nil
}

// sealHeaders keeps what the list names: as it is stored, and as it arrived. Both are the caller's to add to; they are the same map when none
// of them is a secret.
func (b *Inbox) sealHeaders(given map[string]string, digest []byte) (out, opened map[string]string, err error) {
	list := b.headers.Load().list
	out = make(map[string]string, len(given)+1)
	opened = out
	var secrets [][2]string
	for name, value := range given {
		secret, kept := list[name]
		if !kept {
			continue
		}
		value = plain(value, maxHeader)
		if secret {
			raw, err := b.cfg.Seal.Seal([]byte(value), headerRow(digest, name))
			if err != nil {
				return nil, nil, err
			}
			secrets = append(secrets, [2]string{name, value})
			value = sealedPrefix + base64.RawStdEncoding.EncodeToString(raw)
		} else if strings.HasPrefix(value, sealedPrefix) {
			continue // nobody may post what reads as sealed by us
		}
		out[name] = value
	}
	if len(secrets) > 0 {
		opened = maps.Clone(out)
		for _, s := range secrets {
			opened[s[0]] = s[1]
		}
	}
	return out, opened, nil
}

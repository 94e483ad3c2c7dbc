package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const keyPrefix = "bxk_"

// Random is a new unguessable text of 256 bits, URL safe, 43 bytes long.
func Random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it stops the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash is what is stored of a random secret: SHA-256. It is not for passwords.
func Hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// NewKey makes an API key for the key row id (16 bytes): the text to show once, and the hash to store.
func NewKey(id [16]byte) (text string, hash []byte) {
	secret := Random()
	return keyPrefix + hex.EncodeToString(id[:]) + "_" + secret, Hash(secret)
}

// ParseKey takes an API key apart: the row to look up, and the hash to compare in constant time. ok is false when the text
// cannot be a key.
func ParseKey(text string) (id [16]byte, hash []byte, ok bool) {
	rest, found := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	name, secret, parted := strings.Cut(rest, "_")
	raw, err := hex.DecodeString(name)
	if !found || !parted || err != nil || len(raw) != 16 || len(secret) != 43 {
		return id, nil, false
	}
	return [16]byte(raw), Hash(secret), true
}

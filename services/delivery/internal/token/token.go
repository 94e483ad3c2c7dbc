// Package token makes the secret in a delivery link. A token is 256 bits derived from a versioned key and the sale, so that a
// resend makes the same one without it having been stored; the database holds only its SHA-256.
//
// It refuses to read or write anything, and to make a token with a key that it was not given.
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

// Length is the number of characters of a token.
const Length = 43

// KeySize is the number of bytes of a key.
const KeySize = 32

// purpose separates these derivations from any other use of the same key.
const purpose = "baixa delivery link 1"

var (
	// ErrForm means that a text cannot be a token: wrong length or alphabet.
	ErrForm = errors.New("not a delivery token")
	// ErrNoKey means that the ring does not hold the version that was asked for.
	ErrNoKey = errors.New("no token key of this version")
)

// Token is the secret itself. It never prints itself: use Text where the link is made.
type Token struct{ secret [32]byte }

// Hash is what is stored of a token, and found by.
type Hash [sha256.Size]byte

// Parse reads the text of a link. It accepts exactly what Text wrote: one spelling for each token.
func Parse(text string) (Token, error) {
	var t Token
	if len(text) != Length {
		return t, ErrForm
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(t.secret) {
		return t, ErrForm
	}
	copy(t.secret[:], raw)
	return t, nil
}

// Text is the token as it stands in the link: 43 characters of the URL-safe base64 alphabet. Treat it as a secret.
func (t Token) Text() string { return base64.RawURLEncoding.EncodeToString(t.secret[:]) }

// Hash is the SHA-256 of the token.
func (t Token) Hash() Hash { return sha256.Sum256(t.secret[:]) }

// File is the ticket with which the page under this token asks for a file. Who has the token can make it, and not the other way
// round: a page may show it to scripts that must not learn the token.
func (t Token) File() Token {
	h := hmac.New(sha256.New, t.secret[:])
	h.Write([]byte("baixa delivery file 1"))
	var file Token
	h.Sum(file.secret[:0])
	return file
}

// Matches compares with a stored hash in constant time.
func (t Token) Matches(stored Hash) bool {
	h := t.Hash()
	return subtle.ConstantTimeCompare(h[:], stored[:]) == 1
}

// Format keeps the secret out of every verb of fmt.
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[delivery token]") }

// MarshalText keeps the secret out of JSON and structured logs.
func (Token) MarshalText() ([]byte, error) { return []byte("[delivery token]"), nil }

// Name is all that a token is derived from, besides the key. Generation is raised to give a sale another link.
type Name struct {
	Sale       sale.Key
	Version    int32 // of the key
	Generation int32
}

// Ring holds the keys by version. The newest makes new tokens; the older ones derive those that were made before. It is
// immutable and safe for concurrent use.
type Ring struct {
	keys   map[int32][]byte
	newest int32
}

// NewRing checks the keys: at least one, versions above zero, 32 bytes each.
func NewRing(keys map[int32][]byte) (*Ring, error) {
	r := &Ring{keys: make(map[int32][]byte, len(keys))}
	for version, key := range keys {
		if version < 1 || len(key) != KeySize {
			return nil, fmt.Errorf("token key version %d of %d bytes: expected a positive version and %d bytes", version, len(key), KeySize)
		}
		r.keys[version] = append([]byte(nil), key...)
		r.newest = max(r.newest, version)
	}
	if r.newest == 0 {
		return nil, errors.New("token keys: none given")
	}
	return r, nil
}

// NewKey makes a key of 32 random bytes.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: it stops the program instead
	return key
}

// Newest is the version that new tokens are made with.
func (r *Ring) Newest() int32 { return r.newest }

// Derive makes the token of that name, always the same one. It returns ErrNoKey (wrapped) for a version that the ring does
// not hold.
func (r *Ring) Derive(n Name) (Token, error) {
	key, ok := r.keys[n.Version]
	if !ok {
		return Token{}, fmt.Errorf("derive token with key version %d: %w", n.Version, ErrNoKey)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	var numbers [8]byte
	binary.BigEndian.PutUint32(numbers[:4], uint32(n.Version))
	binary.BigEndian.PutUint32(numbers[4:], uint32(n.Generation))
	h.Write(numbers[:])
	h.Write(n.Sale.Merchant[:])
	h.Write(n.Sale.Payment[:])
	var t Token
	h.Sum(t.secret[:0])
	return t, nil
}

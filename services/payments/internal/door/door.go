// Package door stands at the payments service's gRPC port: it learns who is calling from an API key, lets nobody else in, and
// passes on to the leaf services what API keys may ask of them.
//
// It refuses to say what is wrong with a key, to decide what a known caller may do with a row (the servers do), and to pass on
// any method that its list does not name.
package door

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/internal/visitor"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	// KeyLifetime is how long a key that was good is believed without asking again: a revoked one ends everywhere within it.
	KeyLifetime = 5 * time.Second

	attempts      = 20              // wrong keys in a row from one address
	attemptEvery  = 3 * time.Second // and one more after each of these
	maxKeys       = 10_000          // believed at once
	principalName = "baixa-principal"
	webhooks      = "/baixa.payments.v1.WebhookService/"
	scheme        = "bearer "
	noEntry       = "an API key is needed: authorization: Bearer bxk_…; none was given, or it is unknown or revoked"
)

// Keys finds an API key's row, revoked ones too, or fails with store.ErrNotFound. *store.Store is one.
type Keys interface {
	GetKey(ctx context.Context, id [16]byte) (store.APIKey, error)
}

// Config describes a door. Keys and Signer are required.
type Config struct {
	Keys   Keys
	Signer *auth.Signer
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Door checks callers. It is safe for concurrent use and has nothing to close.
type Door struct {
	keys   Keys
	signer *auth.Signer
	now    func() time.Time
	good   *goodKeys
	wrong  *visitor.Limiter // keys
	dummy  []byte           // compared with when there is no row, so that it takes as long
}

// New checks the configuration.
func New(c Config) (*Door, error) {
	if c.Keys == nil || c.Signer == nil {
		return nil, errors.New("door: Keys and Signer are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	dummy := make([]byte, 32)
	rand.Read(dummy) // never fails: it stops the program instead
	return &Door{keys: c.Keys, signer: c.Signer, now: c.Now, good: newGoodKeys(maxKeys), wrong: visitor.NewLimiter(attempts, attemptEvery, c.Now),
		dummy: dummy}, nil
}

// UnaryServer puts the caller into the context of every call, or refuses it: UNAUTHENTICATED with one text for every reason,
// RESOURCE_EXHAUSTED after too many wrong keys from one address, UNAVAILABLE when keys cannot be looked up. Webhooks, health
// and reflection are open; their callers are nobody.
func (d *Door) UnaryServer(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if !public(info.FullMethod) {
		p, err := d.authenticate(ctx)
		if err != nil {
			return nil, err
		}
		ctx = auth.With(ctx, p)
	}
	return handle(ctx, req)
}

// StreamServer is UnaryServer for streams, forwarded calls among them.
func (d *Door) StreamServer(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if public(info.FullMethod) {
		return handle(srv, stream)
	}
	p, err := d.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return handle(srv, auth.StreamContext(stream, auth.With(stream.Context(), p)))
}

// Forget stops believing a key at once in this process; for who has just revoked it.
func (d *Door) Forget(id [16]byte) { d.good.forget(id) }

func public(fullMethod string) bool {
	return auth.Open(fullMethod) || strings.HasPrefix(fullMethod, webhooks)
}

// authenticate learns who is calling from exactly one credential.
func (d *Door) authenticate(ctx context.Context) (auth.Principal, error) {
	keys := metadata.ValueFromIncomingContext(ctx, "authorization")
	signed := metadata.ValueFromIncomingContext(ctx, principalName)
	switch {
	case len(signed) == 1 && len(keys) == 0:
		p, err := d.signer.Verify(signed[0], d.now())
		if err != nil {
			return auth.Principal{}, refusal()
		}
		return p, nil
	case len(keys) == 1 && len(signed) == 0:
		return d.byKey(ctx, keys[0], clientAddr(ctx))
	}
	return auth.Principal{}, refusal()
}

// byKey learns who holds a key. What cannot be a key costs a look-up too, as an unknown one does, and so does a wrong secret for
// a known id: nothing can be learned from the time that it takes. Only wrong keys count against the address.
func (d *Door) byKey(ctx context.Context, credential string, from netip.Addr) (auth.Principal, error) {
	text := ""
	if len(credential) > len(scheme) && strings.EqualFold(credential[:len(scheme)], scheme) {
		text = credential[len(scheme):]
	}
	id, hash, parsed := auth.ParseKey(text)
	if !parsed {
		hash = auth.Hash(text)
	}
	now := d.now()
	p, fresh, known := d.good.find(id, hash, now)
	if fresh {
		return p, nil
	}
	if wait := d.wrong.Wait(from); wait > 0 && !known {
		return auth.Principal{}, rpcerr.Exhausted("too many wrong API keys from this address", wait)
	}
	row, err := d.keys.GetKey(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return auth.Principal{}, rpcerr.Final(fmt.Errorf("look up API key: %w", err), pg.Unavailable)
	}
	stored := row.Hash
	if err != nil || len(stored) != len(d.dummy) {
		stored = d.dummy
	}
	equal := subtle.ConstantTimeCompare(stored, hash) == 1
	if !parsed || err != nil || !equal || row.RevokedAt != nil {
		d.good.forget(id)
		d.wrong.Count(from)
		return auth.Principal{}, refusal()
	}
	p = auth.Principal{KeyID: uuid.UUID(id).String(), Operator: row.MerchantID == nil}
	if row.MerchantID != nil {
		p.MerchantID = row.MerchantID.String()
	}
	d.good.keep(id, hash, p, now)
	return p, nil
}

func refusal() error { return rpcerr.Unauthenticated(noEntry) }

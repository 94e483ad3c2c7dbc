package auth

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestPrincipal_scopes(t *testing.T) {
	operator, merchant, nobody := Principal{Operator: true}, Principal{MerchantID: "a"}, Principal{}
	for _, c := range []struct {
		name      string
		call      func(string) (string, error)
		requested string
		want      string
		code      codes.Code
	}{
		{"operator must name", operator.Merchant, "", "", codes.InvalidArgument},
		{"operator names", operator.Merchant, "b", "b", codes.OK},
		{"operator sees all", operator.Scope, "", "", codes.OK},
		{"merchant's own by default", merchant.Merchant, "", "a", codes.OK},
		{"merchant's own", merchant.Scope, "a", "a", codes.OK},
		{"another merchant's", merchant.Merchant, "b", "", codes.PermissionDenied},
		{"another merchant's in a list", merchant.Scope, "b", "", codes.PermissionDenied},
		{"nobody", nobody.Merchant, "", "", codes.Unauthenticated},
		{"nobody asking for someone", nobody.Scope, "a", "", codes.Unauthenticated},
	} {
		if got, err := c.call(c.requested); got != c.want || status.Code(err) != c.code {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
}

func TestSigner_acceptsOnlyItsOwn(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s, other := mustSigner(t, "k"), mustSigner(t, "x")
	want := Principal{MerchantID: "0192-m", KeyID: "k1"}
	good := s.Sign(want, now)
	if got, err := s.Verify(good, now); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	forged := strings.Replace(good, "m.", "o.", 1)
	for name, c := range map[string]struct {
		signer *Signer
		text   string
		at     time.Time
	}{
		"other key": {other, good, now}, "raised to operator": {s, forged, now}, "expired": {s, good, now.Add(3 * time.Minute)},
		"empty": {s, "", now}, "garbage": {s, "a.b.c.d.e", now}, "nobody": {s, s.Sign(Principal{}, now), now},
	} {
		if p, err := c.signer.Verify(c.text, c.at); status.Code(err) != codes.Unauthenticated || p.Known() {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
	if _, err := NewSigner([]byte("short")); err == nil {
		t.Error("a short key must be refused")
	}
}

func TestSigner_overMetadata(t *testing.T) {
	s := mustSigner(t, "k")
	out := s.Outgoing(With(context.Background(), Principal{MerchantID: "a"}))
	md, _ := metadata.FromOutgoingContext(out)
	in, err := s.Incoming(metadata.NewIncomingContext(context.Background(), md))
	if err != nil || From(in).MerchantID != "a" {
		t.Fatalf("%+v, %v", From(in), err)
	}
	if _, err := s.Incoming(context.Background()); status.Code(err) != codes.Unauthenticated {
		t.Fatalf("no metadata: %v", err)
	}
}

func TestKey_roundTrip(t *testing.T) {
	id := [16]byte{1, 2, 3}
	text, hash := NewKey(id)
	gotID, gotHash, ok := ParseKey(" " + text + "\n")
	if !ok || gotID != id || !bytes.Equal(hash, gotHash) {
		t.Fatalf("%q does not parse back", text)
	}
	for _, bad := range []string{"", "bxk_", text[:len(text)-1], strings.Replace(text, "bxk_", "sk_", 1), "bxk_zz_" + strings.Repeat("a", 43)} {
		if _, _, ok := ParseKey(bad); ok {
			t.Errorf("%q is no key", bad)
		}
	}
}

func mustSigner(t *testing.T, letter string) *Signer {
	t.Helper()
	s, err := NewSigner(bytes.Repeat([]byte(letter), 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

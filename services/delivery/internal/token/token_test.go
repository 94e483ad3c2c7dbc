package token_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

func ring(t *testing.T, keys map[int32][]byte) *token.Ring {
	t.Helper()
	r, err := token.NewRing(keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fixed(b byte) []byte { return []byte(strings.Repeat(string(b), token.KeySize)) }

func derive(t *testing.T, r *token.Ring, n token.Name) token.Token {
	t.Helper()
	tok, err := r.Derive(n)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestRing_Derive_dependsOnEverything(t *testing.T) {
	r := ring(t, map[int32][]byte{1: fixed('a'), 2: fixed('b')})
	base := token.Name{Sale: sale.Key{Merchant: sale.MerchantID{1}, Payment: sale.PaymentID{2}}, Version: 1}
	other := []token.Name{base, base, base, base}
	other[0].Sale.Merchant[15] = 9
	other[1].Sale.Payment[15] = 9
	other[2].Version = 2
	other[3].Generation = 1
	seen := map[string]bool{derive(t, r, base).Text(): true}
	for i, n := range other {
		text := derive(t, r, n).Text()
		if seen[text] {
			t.Errorf("name %d gives a token that another name gave", i)
		}
		seen[text] = true
	}
	if again := derive(t, ring(t, map[int32][]byte{1: fixed('a')}), base); again.Text() != derive(t, r, base).Text() {
		t.Error("the same key and name gave two tokens")
	}
	if wrong := derive(t, ring(t, map[int32][]byte{1: fixed('c')}), base); wrong.Text() == derive(t, r, base).Text() {
		t.Error("two keys gave the same token")
	}
}

func TestRing_Derive_unknownVersion(t *testing.T) {
	if _, err := ring(t, map[int32][]byte{1: fixed('a')}).Derive(token.Name{Version: 2}); !errors.Is(err, token.ErrNoKey) {
		t.Errorf("error = %v, want ErrNoKey", err)
	}
}

func TestNewRing_refuses(t *testing.T) {
	for name, keys := range map[string]map[int32][]byte{
		"none": nil, "short key": {1: make([]byte, 31)}, "version 0": {0: fixed('a')},
	} {
		if _, err := token.NewRing(keys); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := ring(t, map[int32][]byte{1: fixed('a'), 3: fixed('b')}).Newest(); n != 3 {
		t.Errorf("Newest = %d, want 3", n)
	}
}

func TestToken_roundTrip(t *testing.T) {
	tok := derive(t, ring(t, map[int32][]byte{1: token.NewKey()}), token.Name{Version: 1})
	if len(tok.Text()) != token.Length {
		t.Errorf("length = %d, want %d", len(tok.Text()), token.Length)
	}
	back, err := token.Parse(tok.Text())
	if err != nil || !back.Matches(tok.Hash()) {
		t.Errorf("Parse(Text) = %v; want the same token", err)
	}
	if back.Matches(token.Hash{}) {
		t.Error("a token matches a hash that is not its own")
	}
}

func TestParse_refusesOtherSpellings(t *testing.T) {
	good := derive(t, ring(t, map[int32][]byte{1: fixed('a')}), token.Name{Version: 1}).Text()
	for _, bad := range []string{"", good[:42], good + "A", good + "=", strings.Repeat("*", 43), "../" + good[3:], good[:42] + "B", good[:42] + "/", strings.Repeat("é", 43)} {
		if _, err := token.Parse(bad); !errors.Is(err, token.ErrForm) {
			t.Errorf("Parse(%q) error = %v, want ErrForm", bad, err)
		}
	}
}

func TestToken_neverPrintsItself(t *testing.T) {
	tok := derive(t, ring(t, map[int32][]byte{1: fixed('a')}), token.Name{Version: 1})
	js, err := json.Marshal(map[string]any{"token": tok, "pointer": &tok})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(tok), fmt.Sprintf("%+v %#v %x %s", tok, tok, tok, &tok), fmt.Sprintf("%v", struct{ T token.Token }{tok}), string(js)} {
		if strings.Contains(text, tok.Text()[:8]) || !strings.Contains(text, "[delivery token]") {
			t.Errorf("printed as %s", text)
		}
	}
}

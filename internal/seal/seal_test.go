package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSealer_opensOnlyItsOwnRow(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "k", "keyset.json"))
	sealed, err := s.Seal([]byte("canary"), "account/1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "canary") {
		t.Fatal("the plaintext is in the ciphertext")
	}
	if plain, err := s.Open(sealed, "account/1"); err != nil || string(plain) != "canary" {
		t.Fatalf("got %q, %v", plain, err)
	}
	if _, err := s.Open(sealed, "account/2"); !errors.Is(err, ErrWrongKey) {
		t.Fatalf("another row: %v", err)
	}
	other := mustOpen(t, filepath.Join(t.TempDir(), "keyset.json"))
	if _, err := other.Open(sealed, "account/1"); !errors.Is(err, ErrWrongKey) {
		t.Fatalf("another keyset: %v", err)
	}
}

func TestOpen_keepsTheKeysetPrivateAndStable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	if _, err := Open(path, false); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("a missing keyset must name its path: %v", err)
	}
	first := mustOpen(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	sealed, _ := first.Seal([]byte("x"), "r")
	if _, err := mustOpen(t, path).Open(sealed, "r"); err != nil {
		t.Fatalf("the second start cannot open what the first sealed: %v", err)
	}
	if err := os.WriteFile(path, []byte("truncated"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, true); err == nil || strings.Contains(err.Error(), "truncated") {
		t.Fatalf("a damaged keyset must be refused without being shown: %v", err)
	}
}

func mustOpen(t *testing.T, path string) *Sealer {
	t.Helper()
	s, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

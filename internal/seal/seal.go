// Package seal encrypts secrets at rest with an authenticated cipher (Tink AEAD, AES-256-GCM) whose ciphertexts carry the id
// of their key, so that keys can be rotated and a wrong keyset is noticed.
//
// It refuses to run without a keyset, to open a ciphertext under another row's name, and to say anything about the
// plaintext in an error.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrWrongKey means that a ciphertext was not made with this keyset for this row: the keyset was exchanged, or the data was
// moved or damaged. Nothing can be learned from it about the content.
var ErrWrongKey = errors.New("sealed with another keyset, or damaged")

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct{ aead tink.AEAD }

// New reads a keyset in Tink's JSON form, as Generate writes it.
func New(keysetJSON []byte) (*Sealer, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysetJSON)))
	if err != nil {
		return nil, errors.New("keyset: expected a Tink JSON keyset as written by `baixa keyset`")
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("keyset: expected an AEAD keyset")
	}
	return &Sealer{primitive}, nil
}

// Open reads the keyset in the file at path. When the file does not exist and create is true a new keyset is written there,
// readable by the owner only; with create false that is an error which names the path.
func Open(path string, create bool) (*Sealer, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && create {
		if raw, err = Generate(); err == nil {
			err = writeOnce(path, raw)
		}
		if errors.Is(err, os.ErrExist) { // another process was first
			raw, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read keyset: %w", err)
	}
	s, err := New(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Generate makes a new keyset with one AES-256-GCM key.
func Generate() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("generate keyset: %w", err)
	}
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out)); err != nil {
		return nil, fmt.Errorf("write keyset: %w", err)
	}
	return out.Bytes(), nil
}

// Seal encrypts plain for one place, named by row (such as "account/0192…"); the same name is needed to open it. Sealing the
// same text twice gives different ciphertexts.
func (s *Sealer) Seal(plain []byte, row string) ([]byte, error) {
	sealed, err := s.aead.Encrypt(plain, []byte(row))
	if err != nil {
		return nil, errors.New("seal: the cipher refused")
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same row, or returns ErrWrongKey.
func (s *Sealer) Open(sealed []byte, row string) ([]byte, error) {
	plain, err := s.aead.Decrypt(sealed, []byte(row))
	if err != nil {
		return nil, ErrWrongKey
	}
	return plain, nil
}

func writeOnce(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keyset-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(raw); err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}

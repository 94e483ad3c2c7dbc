// Package secrets keeps what a folder of `baixa up` must not lose: the keyset that seals credentials, the key that the services
// share, and the first operator's API key. Files are readable by their owner only.
package secrets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/seal"
)

// Folder is where the files are.
type Folder string

// Default is the folder that is used when none is named: baixa in the user's data folder.
func Default() (Folder, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return Folder(filepath.Join(dir, "baixa")), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for data (--data names one): %w", err)
	}
	return Folder(filepath.Join(home, ".local", "share", "baixa")), nil
}

// Postgres is the folder of the private PostgreSQL.
func (f Folder) Postgres() string { return filepath.Join(string(f), "postgres") }

// KeysetFile, ServiceKeyFile and OperatorKeyFile are the files' paths.
func (f Folder) KeysetFile() string { return filepath.Join(string(f), "keyset.json") }

// ServiceKeyFile is the file of the key that the services share.
func (f Folder) ServiceKeyFile() string { return filepath.Join(string(f), "service.key") }

// OperatorKeyFile is the file of the first operator's API key, which commands on this machine use.
func (f Folder) OperatorKeyFile() string { return filepath.Join(string(f), "operator.key") }

// Sealer opens the keyset, making one in a new folder.
func (f Folder) Sealer() (*seal.Sealer, error) { return seal.Open(f.KeysetFile(), true) }

// Signer opens the service key, making one in a new folder.
func (f Folder) Signer() (*auth.Signer, error) {
	if err := f.writeOnce(f.ServiceKeyFile(), auth.Random()); err != nil {
		return nil, err
	}
	return auth.SignerFromFile(f.ServiceKeyFile())
}

// KeepOperatorKey stores the operator's key for commands on this machine.
func (f Folder) KeepOperatorKey(secret string) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("keep operator key: %w", err)
	}
	if err := os.WriteFile(f.OperatorKeyFile(), []byte(secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep operator key: %w", err)
	}
	return nil
}

// OperatorKey is the stored operator's key, empty when there is none.
func (f Folder) OperatorKey() (string, error) {
	raw, err := os.ReadFile(f.OperatorKeyFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read operator key: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func (f Folder) writeOnce(path, text string) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.WriteString(text + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

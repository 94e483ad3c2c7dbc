package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	"github.com/baixapay/baixa/services/payments"
)

type keysetCmd struct {
	Folder secrets.Folder `arg:"" help:"Folder that gets keyset.json and service.key; what is there already stays."`
}

// Run makes both files; a second run changes nothing.
func (c keysetCmd) Run() error {
	if _, err := c.Folder.Sealer(); err != nil {
		return err
	}
	if _, err := c.Folder.Signer(); err != nil {
		return err
	}
	_, err := fmt.Println(c.Folder.KeysetFile(), c.Folder.ServiceKeyFile())
	return err
}

// firstKey writes the first operator's key where it was asked for, once in a database's life.
func (c paymentsCmd) firstKey(ctx context.Context, s *payments.Service) error {
	if c.OperatorKeyFile == "" {
		return nil
	}
	f, err := os.OpenFile(c.OperatorKeyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil // written by an earlier start
	}
	if err != nil {
		return fmt.Errorf("--operator-key-file: %w", err)
	}
	key, err := s.OperatorKey(ctx)
	if err == nil {
		_, err = f.WriteString(key + "\n")
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--operator-key-file: %w", err)
	}
	return nil
}

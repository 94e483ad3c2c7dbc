package account

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// ErrKeyset means that an account's credentials were sealed with another keyset, or are damaged.
var ErrKeyset = errors.New("credentials do not open with this keyset")

// SealSecrets encrypts credentials for one account. Values are cleaned of what pasting adds.
func SealSecrets(s *seal.Sealer, id ID, secrets map[string]string) ([]byte, error) {
	clean := make(map[string]string, len(secrets))
	for name, value := range secrets {
		clean[name] = provider.NewSecret(value).Reveal()
	}
	plain, err := json.Marshal(clean)
	if err != nil {
		return nil, errors.New("encode credentials")
	}
	return s.Seal(plain, SealName(id))
}

// Open makes of a stored account what adapters take. ErrKeyset, wrapped with the account's id, when the secrets do not open.
func Open(s *seal.Sealer, r *Record) (provider.Account, error) {
	plain, err := s.Open(r.Sealed, SealName(r.Account))
	if err != nil {
		return provider.Account{}, fmt.Errorf("account %s: %w", r.Account, ErrKeyset)
	}
	var secrets map[string]string
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return provider.Account{}, fmt.Errorf("account %s: %w", r.Account, ErrKeyset)
	}
	a := provider.Account{ID: provider.AccountID(r.Account.String()), MerchantID: provider.MerchantID(r.Merchant.String()),
		BaseURL: r.BaseURL, AccountKey: r.WebhookKey, Settings: r.Settings, Credentials: make(provider.Credentials, len(secrets))}
	for name, value := range secrets {
		a.Credentials[name] = provider.NewSecret(value)
	}
	return a, nil
}

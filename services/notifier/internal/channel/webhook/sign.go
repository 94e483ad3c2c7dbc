package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const secretPrefix = "whsec_"

// NewSecret makes a signing secret: 256 random bits in the specification's form, whsec_ and base64.
func NewSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

func secretName(merchant, endpoint, id uuid.UUID) string {
	return "notifier/endpoint/" + merchant.String() + "/" + endpoint.String() + "/" + id.String()
}

// SealSecret seals a secret so that it opens only as that endpoint's secret of that id.
func SealSecret(s *seal.Sealer, merchant, endpoint, id uuid.UUID, secret string) ([]byte, error) {
	return s.Seal([]byte(secret), secretName(merchant, endpoint, id))
}

// sign sets the specification's three headers. Each good secret adds a signature, the newest first, so that a receiver which knows
// any one of them is content.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func sign(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	var signatures []string
	for _, secret := range secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return fmt.Errorf("signing secret: %w", err)
		}
		signature, err := w.Sign(id, at, body)
		if err != nil {
			return fmt.Errorf("sign webhook: %w", err)
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) == 0 {
		return fmt.Errorf("sign webhook %s: no secret", id)
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

// secrets opens what signs for an endpoint now.
func (s *Sender) secrets(ctx context.Context, m store.WebhookMessage) ([]string, error) {
	rows, err := s.cfg.Store.Secrets(ctx, m.MerchantID, m.EndpointID)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		plain, err := s.cfg.Sealer.Open(row.Sealed, secretName(m.MerchantID, m.EndpointID, row.ID))
		if err != nil {
			return nil, fmt.Errorf("secret of endpoint %s: %w", m.EndpointID, err)
		}
		out[i] = string(plain)
	}
	return out, nil
}

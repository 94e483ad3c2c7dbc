package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

const setProviderHabit = `
INSERT INTO provider_habits AS h (provider, silent_since, judged_at) VALUES ($1, $2, $3)
ON CONFLICT (provider) DO UPDATE SET judged_at = EXCLUDED.judged_at,
    silent_since = CASE WHEN EXCLUDED.silent_since IS NULL THEN NULL ELSE COALESCE(h.silent_since, EXCLUDED.silent_since) END
RETURNING silent_since = $3 AND silent_since IS NOT NULL`

// SetProviderHabit records whether a provider is silent for everybody. began tells that it fell silent with this judgement.
func (s *Store) SetProviderHabit(ctx context.Context, provider string, silent bool, now time.Time) (began bool, err error) {
	now = now.UTC().Truncate(time.Microsecond)
	var since *time.Time
	if silent {
		since = &now
	}
	var is *bool
	if err := s.pool.QueryRow(ctx, setProviderHabit, provider, since, now).Scan(&is); err != nil {
		return false, fmt.Errorf("set habit of provider: %w", err)
	}
	return is != nil && *is, nil
}

const silentProviders = `SELECT provider, silent_since FROM provider_habits WHERE silent_since IS NOT NULL`

// SilentProviders tells since when each provider that is silent for everybody is.
func (s *Store) SilentProviders(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.pool.Query(ctx, silentProviders)
	if err != nil {
		return nil, fmt.Errorf("list silent providers: %w", err)
	}
	out := map[string]time.Time{}
	var (
		provider string
		since    time.Time
	)
	if _, err = pgx.ForEachRow(rows, []any{&provider, &since}, func() error { out[provider] = since; return nil }); err != nil {
		return nil, fmt.Errorf("list silent providers: %w", err)
	}
	return out, nil
}

// Silence is a provider whose webhooks do not reach a merchant any more.
type Silence struct {
	MerchantID payment.MerchantID
	Provider   string
}

const silenceKind = "webhooks_silent"

const endSilences = `DELETE FROM alert_conditions WHERE kind = '` + silenceKind + `' AND seen_at < $1`

const newestAtProvider = `
SELECT payment_id FROM arrivals WHERE merchant_id = $1 AND provider = $2 AND found_at IS NOT NULL ORDER BY found_at DESC LIMIT 1`

// KeepSilences notes what is silent now, all of it. Of each that was not before alert makes an effect of the merchant's newest sale there, in
// the same transaction: one for a merchant and provider, however many accounts and replicas. What has been well for long is forgotten.
func (s *Store) KeepSilences(ctx context.Context, silences []Silence, now time.Time, well time.Duration, alert func(Silence, Key) Effect) (told int, err error) {
	list := make([]Condition, 0, len(silences))
	for _, x := range silences {
		list = append(list, Condition{MerchantID: x.MerchantID, Kind: silenceKind, Subject: x.Provider})
	}
	slices.SortFunc(list, func(a, b Condition) int { // replicas lock in one order
		return strings.Compare(a.MerchantID.String()+a.Subject, b.MerchantID.String()+b.Subject)
	})
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		told = 0
		if len(list) > 0 {
			fresh, err := keep(ctx, tx, list, now)
			if err != nil {
				return err
			}
			for _, c := range list {
				if !fresh[c.MerchantID.String()+c.Kind+c.Subject] {
					continue
				}
				k := Key{MerchantID: c.MerchantID}
				if err := tx.QueryRow(ctx, newestAtProvider, c.MerchantID, c.Subject).Scan(&k.PaymentID); err != nil {
					return one(err)
				}
				if err := InsertEffects(ctx, tx, []Effect{alert(Silence{c.MerchantID, c.Subject}, k)}); err != nil {
					return err
				}
				told++
			}
		}
		_, err := tx.Exec(ctx, endSilences, now.Add(-well))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep silences: %w", err)
	}
	return told, nil
}

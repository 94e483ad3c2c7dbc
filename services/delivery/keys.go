package delivery

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery/internal/store"
	"github.com/baixapay/baixa/services/delivery/internal/token"
)

func keyName(version int32) string { return fmt.Sprintf("token_key/%d", version) }

// ensureKeys makes the keys of all versions up to newest that are missing. Replicas that start together agree: the first
// insert of a version wins.
func ensureKeys(ctx context.Context, st *store.Store, sealer *seal.Sealer, newest int32) error {
	have, err := st.TokenKeys(ctx)
	if err != nil {
		return err
	}
	for v := int32(1); v <= newest; v++ {
		if _, ok := have[v]; ok {
			continue
		}
		sealed, err := sealer.Seal(token.NewKey(), keyName(v))
		if err != nil {
			return fmt.Errorf("seal token key %d: %w", v, err)
		}
		if err := st.AddTokenKey(ctx, v, sealed); err != nil {
			return err
		}
	}
	return nil
}

// readKeys opens all keys. One that the keyset does not open is an error: links made with it could never be made again.
func readKeys(ctx context.Context, st *store.Store, sealer *seal.Sealer) (*token.Ring, error) {
	sealed, err := st.TokenKeys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make(map[int32][]byte, len(sealed))
	for v, text := range sealed {
		key, err := sealer.Open(text, keyName(v))
		if err != nil {
			return nil, fmt.Errorf("open token key %d, is this the keyset that the database was made with? %w", v, err)
		}
		keys[v] = key
	}
	return token.NewRing(keys)
}

package store

import (
	"context"
	"fmt"
)

const insertKey = `
INSERT INTO token_keys (version, sealed) VALUES ($1, $2)
ON CONFLICT (version) DO NOTHING`

// AddTokenKey stores a sealed key unless the version exists already: of replicas that start together one is first, and all
// use its key.
func (s *Store) AddTokenKey(ctx context.Context, version int32, sealed []byte) error {
	if _, err := s.pool.Exec(ctx, insertKey, version, sealed); err != nil {
		return fmt.Errorf("add token key %d: %w", version, err)
	}
	return nil
}

const listKeys = `
SELECT version, sealed FROM token_keys ORDER BY version`

// TokenKeys returns the sealed keys by version.
func (s *Store) TokenKeys(ctx context.Context) (map[int32][]byte, error) {
	rows, err := s.pool.Query(ctx, listKeys)
	if err != nil {
		return nil, fmt.Errorf("list token keys: %w", err)
	}
	defer rows.Close()
	keys := map[int32][]byte{}
	for rows.Next() {
		var version int32
		var sealed []byte
		if err := rows.Scan(&version, &sealed); err != nil {
			return nil, fmt.Errorf("list token keys: %w", err)
		}
		keys[version] = sealed
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list token keys: %w", err)
	}
	return keys, nil
}

package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// roleAttempts bounds the tries of what is written cluster-wide: no lock spans the databases of one server, so two that
// create or grant the same role at once meet in the catalog, and one of them is told to try again.
const roleAttempts = 20

const roleSQL = `
SELECT current_setting('server_version_num')::int,
       EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1)`

// Since version 16 membership and the right to SET ROLE are two things.
const memberSQL = `SELECT pg_catalog.pg_has_role(current_user, $1::name, CASE WHEN $2::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`

// prepare makes the role and the schema exist. It only writes what is missing, so that a later start needs no right to
// create roles.
func (s Schema) prepare(ctx context.Context, db *sql.DB) error {
	for attempt := 1; ; attempt++ {
		err := s.prepareRole(ctx, db)
		if err == nil {
			break
		}
		if attempt == roleAttempts || !raced(err) {
			return s.roleError(err)
		}
		pause := time.NewTimer(5*time.Millisecond + rand.N(20*time.Millisecond))
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
	return s.prepareSchema(ctx, db)
}

func (s Schema) prepareRole(ctx context.Context, db *sql.DB) error {
	var (
		version        int
		exists, member bool
	)
	if err := db.QueryRowContext(ctx, roleSQL, s.Role).Scan(&version, &exists); err != nil {
		return fmt.Errorf("look for role %s: %w", s.Role, err)
	}
	if version < oldestServer {
		return fmt.Errorf("PostgreSQL %d is too old: %d or newer is needed", version/10000, oldestServer/10000)
	}
	if !exists {
		if _, err := db.ExecContext(ctx, `CREATE ROLE `+s.Role+` NOLOGIN`); err != nil {
			return fmt.Errorf("create role %s: %w", s.Role, err)
		}
	}
	if err := db.QueryRowContext(ctx, memberSQL, s.Role, version).Scan(&member); err != nil {
		return fmt.Errorf("look for membership of role %s: %w", s.Role, err)
	}
	if member {
		return nil
	}
	if _, err := db.ExecContext(ctx, `GRANT `+s.Role+` TO CURRENT_USER`); err != nil {
		return fmt.Errorf("grant role %s: %w", s.Role, err)
	}
	return nil
}

// raced reports whether another session wrote the same role at the same time: already there (duplicate object, unique
// violation), gone again (undefined object), or "tuple concurrently updated", which has no code of its own.
func raced(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == "42710" || e.Code == "23505" || e.Code == "42704" || e.Code == "XX000"
}

func (s Schema) roleError(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "42501" {
		return fmt.Errorf("this database user may not create or grant roles: let an administrator run "+
			"CREATE ROLE %s NOLOGIN; GRANT %s TO <this user>; first: %w", s.Role, s.Role, err)
	}
	return err
}

const schemaSQL = `
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1),
       COALESCE((SELECT pg_catalog.has_schema_privilege($2::name, oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1), false)`

func (s Schema) prepareSchema(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, lockID("prepare", s.Name)); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	var exists, usable bool
	if err := tx.QueryRowContext(ctx, schemaSQL, s.Name, s.Role).Scan(&exists, &usable); err != nil {
		return fmt.Errorf("look for schema: %w", err)
	}
	// Names are checked identifiers (Schema.check), so they need no quoting.
	var todo []string
	if !exists {
		todo = append(todo, `CREATE SCHEMA `+s.Name)
	}
	if !usable {
		todo = append(todo,
			`GRANT USAGE ON SCHEMA `+s.Name+` TO `+s.Role,
			`ALTER DEFAULT PRIVILEGES IN SCHEMA `+s.Name+` GRANT USAGE ON SEQUENCES TO `+s.Role)
	}
	for _, statement := range todo {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

//go:build unix

package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries is one installation of the server.
type binaries struct {
	dir   string // holds postgres and initdb
	major int
	env   []string
}

func (b binaries) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(b.dir, name), args...)
	cmd.Env = environment(b.env...)
	return cmd
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// places are where distributions and installers put the server, newest first within each.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // Red Hat, from postgresql.org
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	"/opt/homebrew/bin", "/usr/local/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// choose finds an installation that can serve dir and an identity under which it runs there.
func choose(ctx context.Context, dir string, ids []identity) (binaries, identity, error) {
	want, err := dataVersion(filepath.Join(dir, "data"))
	if err != nil {
		return binaries{}, identity{}, err
	}
	candidates, err := installed(ctx)
	if err != nil {
		return binaries{}, identity{}, err
	}
	b, id, seen, err := firstUsable(ctx, dir, ids, want, candidates)
	if err != nil || b.dir != "" {
		return b, id, err
	}
	fetched, fetchErr := fetch(ctx, want)
	if fetchErr == nil {
		b, id, _, err = firstUsable(ctx, dir, ids, want, []string{fetched})
		if err != nil || b.dir != "" {
			return b, id, err
		}
		fetchErr = fmt.Errorf("what was fetched to %s does not run", fetched)
	}
	return binaries{}, identity{}, notFound(want, seen, fetchErr)
}

// firstUsable returns the first of the folders whose server runs here with the wanted major version (0: any new enough).
// seen lists what was found and not taken.
func firstUsable(ctx context.Context, dir string, ids []identity, want int, folders []string) (binaries, identity, []string, error) {
	var seen []string
	for _, folder := range folders {
		if !complete(folder) {
			continue
		}
		b := binaries{dir: folder, env: libraries(folder)}
		id, version, err := runnable(ctx, b, dir, ids)
		if err != nil {
			// That nobody may run it here is an answer about this machine, not about the installation.
			return binaries{}, identity{}, seen, fmt.Errorf("run %s: %w", filepath.Join(folder, "postgres"), err)
		}
		b.major = version
		if version*10000 < oldestServer || (want != 0 && version != want) {
			seen = append(seen, fmt.Sprintf("%d in %s", version, folder))
			continue
		}
		return b, id, seen, nil
	}
	return binaries{}, identity{}, seen, nil
}

// runnable tries the identities in order of preference by asking the server for its version from within dir, so that an
// identity which may not enter dir is passed over too.
func runnable(ctx context.Context, b binaries, dir string, ids []identity) (identity, int, error) {
	var refused []error
	for _, id := range ids {
		if err := id.enter(dir); err != nil {
			refused = append(refused, err)
			continue
		}
		cmd := b.command("postgres", "--version")
		cmd.Dir = dir
		out, err := output(ctx, cmd, id)
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w %s", id.name, err, out))
			continue
		}
		m := versionText.FindStringSubmatch(out)
		if m == nil {
			return identity{}, 0, fmt.Errorf("unknown version text %q", out)
		}
		major, err := strconv.Atoi(m[1])
		return id, major, err
	}
	return identity{}, 0, errors.Join(refused...)
}

// dataVersion is the major version that wrote the folder, 0 when there is none.
func dataVersion(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s holds an unknown version %q", filepath.Join(data, "PG_VERSION"), text)
	}
	return major, nil
}

// installed lists folders that may hold a server, best first. $PGBIN is a decision: when it holds none, that is an error.
func installed(ctx context.Context) ([]string, error) {
	if dir := os.Getenv("PGBIN"); dir != "" {
		if !complete(dir) {
			return nil, fmt.Errorf("PGBIN=%s holds no postgres and initdb", dir)
		}
		return []string{dir}, nil
	}
	var folders []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		folders = append(folders, filepath.Dir(path))
	}
	if path, err := exec.LookPath("pg_config"); err == nil {
		if out, err := exec.CommandContext(ctx, path, "--bindir").Output(); err == nil {
			folders = append(folders, strings.TrimSpace(string(out)))
		}
	}
	for _, pattern := range append(slices.Clone(places), cachedPattern()) {
		found, _ := filepath.Glob(pattern)
		slices.SortFunc(found, func(a, b string) int { return trailingNumber(b) - trailingNumber(a) })
		folders = append(folders, found...)
	}
	return folders, nil
}

func complete(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

var number = regexp.MustCompile(`\d+`)

// trailingNumber orders …/9/bin before …/15/bin by number, not by text.
func trailingNumber(path string) int {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

func notFound(want int, seen []string, fetch error) error {
	what := "no PostgreSQL server found"
	if want != 0 {
		what = fmt.Sprintf("the data was written by PostgreSQL %d, which is not installed", want)
	}
	if len(seen) > 0 {
		what += " (found " + strings.Join(seen, ", ") + ")"
	}
	return fmt.Errorf("%s: give the DSN of a running database, or install it (apt install postgresql, dnf install "+
		"postgresql-server, brew install postgresql), or set PGBIN to the folder of postgres and initdb; fetching it by ourselves: %w",
		what, fetch)
}

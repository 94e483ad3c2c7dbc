//go:build unix

package pg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The package tools are played by scripts: they record how they are called, and "unpacking" links the server that runs
// this test's other half, so that what fetch returns can really be started.
func TestFetch_unpacksWhatIsMissingIntoTheCache(t *testing.T) {
	real, _, err := choose(t.Context(), private(t, os.TempDir()), identities())
	if err != nil {
		t.Fatal(err)
	}
	calls := filepath.Join(t.TempDir(), "calls")
	cache := private(t, os.TempDir())
	tools(t, map[string]string{
		"apt-cache": `echo "postgresql-13 - too old"; echo "postgresql-15 - server"; echo "postgresql-9.6 - ancient"; echo "postgresql-15-cron - extension"`,
		"apt-get": `echo "apt-get $*" >>` + calls + `
case $1 in
install) echo "NOTE: This is only a simulation!"; echo "Inst libpq5 (15.1 Debian [amd64])"; echo "Inst postgresql-15 (15.1 Debian [amd64])"; echo "Conf libpq5" ;;
download) shift; for p in "$@"; do : >"$p.deb"; done ;;
esac`,
		"dpkg": `echo "dpkg $1 ${2##*/}" >>` + calls + `
case $2 in
*postgresql-15.deb) /bin/mkdir -p "$3/usr/lib/postgresql/15/bin"; for b in postgres initdb; do /bin/ln -s "` + real.dir + `/$b" "$3/usr/lib/postgresql/15/bin/$b"; done ;;
*libpq5.deb) /bin/mkdir -p "$3/usr/lib/x86_64-linux-gnu" ;;
esac`,
	})
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)

	bin, err := fetch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "postgresql-15", "usr", "lib", "postgresql", "15", "bin"); bin != want {
		t.Errorf("fetched to %s, want %s", bin, want)
	}
	if found, _ := filepath.Glob(cachedPattern()); len(found) != 1 || found[0] != bin {
		t.Errorf("the next run finds %v in the cache, want %s", found, bin)
	}
	if env := libraries(bin); len(env) != 1 || !strings.Contains(env[0], filepath.Join(dir, "postgresql-15", "usr", "lib", "x86_64-linux-gnu")) {
		t.Errorf("the fetched server gets %v, want its own libraries", env)
	}
	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"apt-get install --simulate --no-install-recommends postgresql-15", "apt-get download postgresql-15 libpq5",
		"dpkg -x postgresql-15.deb", "dpkg -x libpq5.deb",
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("calls lack %q:\n%s", want, text)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "new-*")); len(left) != 0 {
		t.Errorf("work folders stay: %v", left)
	}

	t.Setenv("PGBIN", bin)
	s, err := Start(t.Context(), ServerConfig{Dir: private(t, os.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	end(t, s)
}

func TestFetch_errorsSayWhy(t *testing.T) {
	list := `echo "postgresql-15 - server"`
	for _, c := range []struct {
		name  string
		want  int
		tools map[string]string
		text  string
	}{
		{"no tools", 0, nil, "apt-cache is not here"},
		{"no lists", 0, map[string]string{"apt-cache": ":", "apt-get": ":", "dpkg": ":"}, "apt-get update renews them"},
		{"other version", 12, map[string]string{"apt-cache": list, "apt-get": ":", "dpkg": ":"}, "no fitting server"},
		{"no network", 0, map[string]string{"apt-cache": list, "apt-get": `[ $1 = install ] || { echo "E: Failed to fetch"; exit 100; }`, "dpkg": ":"}, "apt-get download: exit status 100: E: Failed to fetch"},
		{"empty package", 0, map[string]string{"apt-cache": list, "apt-get": `[ $1 = install ] || : >p.deb`, "dpkg": ":"}, "postgresql-15 holds no server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := private(t, os.TempDir())
			tools(t, c.tools)
			t.Setenv("XDG_CACHE_HOME", cache)
			t.Setenv("HOME", cache)
			_, err := fetch(t.Context(), c.want)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("fetch: %v, want %q", err, c.text)
			}
			if found, _ := filepath.Glob(cachedPattern()); len(found) != 0 {
				t.Errorf("the cache holds %v after an error", found)
			}
		})
	}
}

func TestInstalled_PGBINIsADecision(t *testing.T) {
	t.Setenv("PGBIN", private(t, os.TempDir()))
	_, err := Start(t.Context(), ServerConfig{Dir: private(t, os.TempDir())})
	if err == nil || !strings.Contains(err.Error(), "holds no postgres and initdb") {
		t.Errorf("Start with an empty PGBIN: %v", err)
	}
}

func TestNotFound_namesTheWays(t *testing.T) {
	err := notFound(0, nil, fmt.Errorf("apt-get is not here"))
	for _, want := range []string{"DSN", "apt install postgresql", "brew install postgresql", "PGBIN", "apt-get is not here"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

// tools makes PATH one folder with these scripts.
func tools(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

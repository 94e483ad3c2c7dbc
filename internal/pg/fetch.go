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
	"strings"
)

// cacheDir holds fetched servers, one folder per package: <user cache>/baixa/postgresql/<package>/usr/lib/postgresql/<major>/bin.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "baixa", "postgresql"), nil
}

func cachedPattern() string {
	dir, err := cacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "*", "usr", "lib", "postgresql", "*", "bin")
}

// libraries points a fetched server to the libraries that were fetched with it; an installed one needs nothing.
func libraries(bin string) []string {
	dir, err := cacheDir()
	if err != nil || !strings.HasPrefix(bin, dir+string(filepath.Separator)) {
		return nil
	}
	root := filepath.Join(bin, "..", "..", "..", "..", "..")
	var found []string
	for _, pattern := range []string{"usr/lib/*-linux-*", "lib/*-linux-*"} {
		match, _ := filepath.Glob(filepath.Join(root, pattern))
		found = append(found, match...)
	}
	if len(found) == 0 {
		return nil
	}
	if set := os.Getenv("LD_LIBRARY_PATH"); set != "" {
		found = append(found, set)
	}
	return []string{"LD_LIBRARY_PATH=" + strings.Join(found, ":")}
}

var (
	serverPackage = regexp.MustCompile(`(?m)^postgresql-(\d+) `)
	toInstall     = regexp.MustCompile(`(?m)^Inst (\S+) `)
)

// fetch gets the server's packages with the system's own package tool and unpacks them into the cache: nothing is
// installed and root is not needed. want 0 takes the newest. apt-get checks what it downloads against its signed lists.
// A download that was interrupted leaves no half copy: unpacking happens beside the place and is renamed at the end.
func fetch(ctx context.Context, want int) (bin string, err error) {
	for _, tool := range []string{"apt-cache", "apt-get", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%s is not here", tool)
		}
	}
	name, err := packageName(ctx, want)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")

	plan, err := tool(ctx, work, "apt-get", "install", "--simulate", "--no-install-recommends", name)
	if err != nil {
		return "", err
	}
	packages := []string{name}
	for _, m := range toInstall.FindAllStringSubmatch(plan, -1) {
		if m[1] != name {
			packages = append(packages, m[1])
		}
	}
	if _, err := tool(ctx, work, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return "", err
	}
	archives, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(archives) == 0 {
		return "", errors.New("apt-get download left no package")
	}
	for _, archive := range archives {
		if _, err := tool(ctx, work, "dpkg", "-x", archive, tree); err != nil {
			return "", err
		}
	}
	found, _ := filepath.Glob(filepath.Join(tree, "usr", "lib", "postgresql", "*", "bin"))
	if len(found) != 1 || !complete(found[0]) {
		return "", fmt.Errorf("package %s holds no server", name)
	}
	place := filepath.Join(cache, name)
	if err := os.RemoveAll(place); err != nil {
		return "", err
	}
	if err := os.Chmod(tree, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tree, place); err != nil {
		return "", err
	}
	inside, err := filepath.Rel(tree, found[0])
	if err != nil {
		return "", err
	}
	return filepath.Join(place, inside), nil
}

// packageName asks the package lists for the wanted server, or the newest.
func packageName(ctx context.Context, want int) (string, error) {
	list, err := tool(ctx, "", "apt-cache", "search", "--names-only", "^postgresql-[0-9]+$")
	if err != nil {
		return "", err
	}
	best := 0
	for _, m := range serverPackage.FindAllStringSubmatch(list, -1) {
		major := trailingNumber(m[1])
		if (want == 0 || major == want) && major*10000 >= oldestServer && major > best {
			best = major
		}
	}
	if best == 0 {
		return "", errors.New("the package lists have no fitting server (apt-get update renews them)")
	}
	return fmt.Sprintf("postgresql-%d", best), nil
}

func tool(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, lines[len(lines)-1])
	}
	return string(out), nil
}

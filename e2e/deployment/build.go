package deployment

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is the binary under test, one a test process.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Binary is the path of the program under test: the one that BAIXA_E2E_BINARY names, or the source's. The first call builds it,
// with the race detector when the tests have it; the package's TestMain calls Remove.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(build)
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// Remove deletes the binary. It is safe to call when there is none.
func Remove() {
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // in the folder for temporary files
	}
}

func build() {
	if built.path = os.Getenv("BAIXA_E2E_BINARY"); built.path != "" {
		return
	}
	if built.dir, built.err = os.MkdirTemp("", "baixa-e2e-"); built.err != nil {
		return
	}
	built.path = filepath.Join(built.dir, "baixa")
	args := []string{"build", "-o", built.path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/baixa")...)
	cmd.Dir = ".." // the shipped module, beside the one of the tests
	out, err := cmd.CombinedOutput()
	if err != nil {
		built.err = fmt.Errorf("build the program under test: %w\n%s", err, out)
	}
}

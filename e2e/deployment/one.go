package deployment

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// OneProcess is `baixa up`.
const OneProcess = "one process"

type one struct {
	*surroundings
	http, grpc string
	up         *process
}

func newOne(t testing.TB) *one {
	t.Helper()
	d := &one{surroundings: surround(t)}
	free := Addresses(t, 2)
	d.http, d.grpc = free[0], free[1]
	data := t.TempDir()
	d.up = d.fleet.add("baixa up", answers("http://"+d.http+"/readyz"), "up", "--dsn", d.database.DSN(), "--data", data,
		"--http", d.http, "--grpc", d.grpc, "--pixel-script", d.sims.MetaURL()+"/fbevents.js", "--log-format", "json")
	d.fleet.start(t, d.up)
	d.key = readKey(t, filepath.Join(data, "operator.key"))
	// What was printed is on its way through a pipe.
	Happens(Within, func() bool { return strings.Contains(d.up.printed.String(), d.key) })
	if n := strings.Count(d.up.printed.String(), d.key); n != 1 {
		t.Errorf("the operator's key was printed %d times; once is right", n)
	}
	return d
}

func (d *one) Name() string              { return OneProcess }
func (d *one) URL() string               { return "http://" + d.http }
func (d *one) SocketURL() string         { return "ws://" + d.http }
func (d *one) PagesURL() string          { return "http://" + d.http }
func (d *one) GRPC() string              { return d.grpc }
func (d *one) Leaves() map[string]string { return nil }
func (d *one) Alone() bool               { return false }

func (d *one) Kill(t testing.TB, service string) { d.up.kill() }

func (d *one) Stop(t testing.TB, service string) {
	t.Helper()
	if err := d.up.stop(); err != nil {
		t.Error(err)
	}
}

func (d *one) Start(t testing.TB, service string) {
	t.Helper()
	d.fleet.start(t, d.up)
}

// answers asks an HTTP address for 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}

func readKey(t testing.TB, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read operator's key: %v", err)
	}
	return strings.TrimSpace(string(raw))
}

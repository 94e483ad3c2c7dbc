package deployment

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
)

// SeparateProcesses is one process a service, over TCP.
const SeparateProcesses = "separate processes"

type separate struct {
	*surroundings
	grpc  map[string]string // by service
	http  map[string]string
	procs map[string]*process
}

func newSeparate(t testing.TB) *separate {
	t.Helper()
	d := &separate{surroundings: surround(t), grpc: map[string]string{}, http: map[string]string{}, procs: map[string]*process{}}
	free := Addresses(t, 7)
	for i, s := range Services() {
		d.grpc[s] = free[i]
	}
	d.http[Payments], d.http[Delivery], d.http[Notifier] = free[4], free[5], free[6]
	keys := t.TempDir()
	if out, err := exec.Command(d.fleet.binary, "keyset", keys).CombinedOutput(); err != nil {
		t.Fatalf("make keys: %v\n%s", err, out)
	}
	file := filepath.Join(keys, "operator.key")
	own := map[string][]string{
		Gateways: nil,
		Delivery: {"--http", d.http[Delivery], "--public-url", d.PagesURL(), "--pixel-script", d.sims.MetaURL() + "/fbevents.js"},
		Notifier: {"--http", d.http[Notifier]},
		Payments: {"--http", d.http[Payments], "--public-url", d.URL(), "--gateways", d.grpc[Gateways], "--delivery", d.grpc[Delivery],
			"--notifier", d.grpc[Notifier], "--operator-key-file", file},
	}
	for _, s := range Services() {
		ready := healthy(d.grpc[s])
		if s == Payments {
			ready = all(ready, answers(d.URL()+"/readyz"))
		}
		d.procs[s] = d.fleet.add("baixa "+s, ready, append([]string{s, "--dsn", d.database.DSN(), "--listen", d.grpc[s],
			"--keyset", filepath.Join(keys, "keyset.json"), "--service-key", filepath.Join(keys, "service.key"), "--log-format", "json"}, own[s]...)...)
		d.fleet.start(t, d.procs[s])
	}
	d.key = readKey(t, file)
	d.Canary(d.key)
	return d
}

func (d *separate) Name() string      { return SeparateProcesses }
func (d *separate) URL() string       { return "http://" + d.http[Payments] }
func (d *separate) SocketURL() string { return "ws://" + d.http[Notifier] }
func (d *separate) PagesURL() string  { return "http://" + d.http[Delivery] }
func (d *separate) GRPC() string      { return d.grpc[Payments] }
func (d *separate) Alone() bool       { return true }

func (d *separate) Leaves() map[string]string {
	return map[string]string{Gateways: d.grpc[Gateways], Delivery: d.grpc[Delivery], Notifier: d.grpc[Notifier]}
}

func (d *separate) Kill(t testing.TB, service string) { d.procs[service].kill() }

func (d *separate) Stop(t testing.TB, service string) {
	t.Helper()
	if err := d.procs[service].stop(); err != nil {
		t.Error(err)
	}
}

func (d *separate) Start(t testing.TB, service string) {
	t.Helper()
	d.fleet.start(t, d.procs[service])
}

func all(checks ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		var errs []error
		for _, check := range checks {
			errs = append(errs, check(ctx))
		}
		return errors.Join(errs...)
	}
}

// Package deployment runs Baixa for tests as its operators do: the real binary, built once, as child processes that can be
// killed, on a PostgreSQL that can be stopped, beside simulators that can misbehave.
//
// It refuses to know what a test is about: it starts, stops, watches outputs and gives addresses.
package deployment

import (
	"testing"
	"time"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/sim"
)

// The services, as Kill and Start take them.
const (
	Payments = "payments"
	Gateways = "gateways"
	Delivery = "delivery"
	Notifier = "notifier"
)

// Services lists them, the leaves first.
func Services() []string { return []string{Gateways, Delivery, Notifier, Payments} }

// Deployment is a running Baixa with its surroundings. Methods that take a test fail it when they cannot do their work.
type Deployment interface {
	// Name is "one process" or "separate processes".
	Name() string
	// URL is where the API and webhooks are, SocketURL where owners listen, PagesURL where delivery links lead, GRPC the front
	// door's host:port.
	URL() string
	SocketURL() string
	PagesURL() string
	GRPC() string
	// Leaves are the gRPC addresses of the services behind the front door by name; empty when they have none.
	Leaves() map[string]string
	// OperatorKey is the first operator's API key.
	OperatorKey() string
	// World is everything outside, Sims its addresses.
	World() *sim.World
	Sims() *sim.Server
	// Database is stopped and started by tests; processes stay up meanwhile.
	Database() *pgtest.Instance
	// Kill ends a service at once, as kill -9 does, and Stop asks it to end and expects that it ends well. In one process the
	// others go with it. What is down already stays so.
	Kill(t testing.TB, service string)
	Stop(t testing.TB, service string)
	// Start starts what is down again on the same addresses and returns when it is ready.
	Start(t testing.TB, service string)
	// Alone reports whether a service can be down while others are up.
	Alone() bool
	// Canary tells a secret that no process may ever print.
	Canary(secret string)
	// Output is what all processes printed so far.
	Output() string
}

// New starts one deployment by its name; everything ends with the test. When the test has failed, the ends of the processes'
// outputs are logged. A canary, a panic or a data race in any output fails the test, and so does a process that ended by itself.
func New(t testing.TB, name string) Deployment {
	t.Helper()
	switch name {
	case OneProcess:
		return newOne(t)
	case SeparateProcesses:
		return newSeparate(t)
	}
	t.Fatalf("there is no deployment %q", name)
	return nil
}

// Names lists the deployments.
func Names() []string { return []string{OneProcess, SeparateProcesses} }

const (
	startLimit = 3 * time.Minute // a cold start on a machine that is busy with other tests
	stopLimit  = 2 * time.Minute
)

// surroundings are what every deployment has beside its processes.
type surroundings struct {
	world    *sim.World
	sims     *sim.Server
	database *pgtest.Instance
	canaries *Canaries
	fleet    *fleet
	key      string
}

func surround(t testing.TB) *surroundings {
	t.Helper()
	s := &surroundings{canaries: &Canaries{}}
	var err error
	if s.world, err = sim.New(sim.Config{Seed: 43, Strict: true, WebhookPatience: Within}); err != nil {
		t.Fatalf("make simulators: %v", err)
	}
	t.Cleanup(s.world.Close)
	if s.sims, err = s.world.Start(""); err != nil {
		t.Fatalf("start simulators: %v", err)
	}
	t.Cleanup(func() {
		if err := s.sims.Close(); err != nil {
			t.Errorf("stop simulators: %v", err)
		}
	})
	s.database = pgtest.Server(t)
	s.fleet = newFleet(t, s.canaries)
	return s
}

func (s *surroundings) World() *sim.World          { return s.world }
func (s *surroundings) Sims() *sim.Server          { return s.sims }
func (s *surroundings) Database() *pgtest.Instance { return s.database }
func (s *surroundings) OperatorKey() string        { return s.key }
func (s *surroundings) Canary(secret string)       { s.canaries.Add(secret) }
func (s *surroundings) Output() string             { return s.fleet.output() }

package deployment

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// Replica is one more process of a service beside those of a deployment.
type Replica struct {
	Name string
	http string
	p    *process
	f    *fleet
}

// Kill ends the replica as kill -9 does.
func (r *Replica) Kill() { r.p.kill() }

// Start starts it again on its addresses and returns when it is ready.
func (r *Replica) Start(t testing.TB) {
	t.Helper()
	r.f.start(t, r.p)
}

// URL is where the replica's API is.
func (r *Replica) URL() string { return "http://" + r.http }

// Replicate starts more processes of payments on a deployment's database and leaves. The deployment must have separate processes.
func Replicate(t testing.TB, d Deployment, more int) []*Replica {
	t.Helper()
	var out []*Replica
	for n := range more {
		out = append(out, replicate(t, d, n+2, nil))
	}
	return out
}

// ReplicateThrough is one more process that reaches the gateways at another address.
func ReplicateThrough(t testing.TB, d Deployment, gateways string) *Replica {
	t.Helper()
	return replicate(t, d, 1, map[string]string{"--gateways": gateways})
}

func replicate(t testing.TB, d Deployment, number int, flags map[string]string) *Replica {
	t.Helper()
	s, ok := d.(*separate)
	if !ok {
		t.Fatalf("%s cannot be replicated", d.Name())
	}
	free := Addresses(t, 2)
	args := slices.Clone(s.procs[Payments].args)
	own := map[string]string{"--listen": free[0], "--http": free[1]}
	maps.Copy(own, flags)
	for flag, value := range own {
		args[slices.Index(args, flag)+1] = value
	}
	r := &Replica{Name: fmt.Sprintf("payments replica %d", number), f: s.fleet, http: free[1]}
	r.p = s.fleet.add("baixa "+r.Name, all(healthy(free[0]), answers(r.URL()+"/readyz")), args...)
	s.fleet.start(t, r.p)
	return r
}

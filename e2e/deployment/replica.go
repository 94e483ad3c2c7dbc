package deployment

import (
	"fmt"
	"slices"
	"testing"
)

// Replica is one more process of a service beside those of a deployment.
type Replica struct {
	Name string
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

// Replicate starts more processes of payments on a deployment's database and leaves. The deployment must have separate processes.
func Replicate(t testing.TB, d Deployment, more int) []*Replica {
	t.Helper()
	s, ok := d.(*separate)
	if !ok {
		t.Fatalf("%s cannot be replicated", d.Name())
	}
	var out []*Replica
	for n := range more {
		free := Addresses(t, 2)
		args := slices.Clone(s.procs[Payments].args)
		for flag, value := range map[string]string{"--listen": free[0], "--http": free[1]} {
			args[slices.Index(args, flag)+1] = value
		}
		r := &Replica{Name: fmt.Sprintf("payments replica %d", n+2), f: s.fleet}
		r.p = s.fleet.add("baixa "+r.Name, all(healthy(free[0]), answers("http://"+free[1]+"/readyz")), args...)
		s.fleet.start(t, r.p)
		out = append(out, r)
	}
	return out
}

package run

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector lets a heap grow to twice what lives before it looks again. For a process of 40 MB that is 40 MB of garbage, which a
// small machine pays for and nobody needs.
const (
	thriftLimit   = 80 << 20 // bytes that Go may hold while little is in use
	thriftLift    = 60 << 20 // so much in use leaves too little room below the limit: the collector would never rest
	thriftLower   = 44 << 20
	thriftPatient = 5 // looks in a row with more in use, before the limit is lifted
	thriftEvery   = time.Second
)

// Thrift holds the process to a memory limit for as long as what it uses is small, and leaves it to Go's usual proportion when it is
// not, as with thousands of open sockets. It does nothing where GOGC or GOMEMLIMIT say what is wanted. The returned function ends it and
// gives the limit back that was there before; only one may be at work in a process.
func Thrift(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	before := debug.SetMemoryLimit(thriftLimit)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(thriftEvery)
		defer tick.Stop()
		inUse := newInUse()
		t := thrift{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if limit, changed := t.see(inUse.read()); changed {
				debug.SetMemoryLimit(limit)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		debug.SetMemoryLimit(before)
	}
}

// inUse reads what no collection gives back: what lived at the last one, and the stacks, which count against the limit too and are
// most of what thousands of open sockets need.
type inUse struct{ samples []metrics.Sample }

func newInUse() inUse {
	return inUse{[]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}}
}

func (u inUse) read() (bytes uint64) {
	metrics.Read(u.samples)
	for _, s := range u.samples {
		bytes += s.Value.Uint64()
	}
	return bytes
}

// thrift decides by what is in use.
type thrift struct {
	lifted bool
	above  int // looks in a row
}

// see takes one look and returns the limit, and whether it is another than before.
func (t *thrift) see(bytes uint64) (limit int64, changed bool) {
	if bytes <= thriftLift {
		t.above = 0
	} else {
		t.above++
	}
	switch {
	case !t.lifted && t.above >= thriftPatient:
		t.lifted, changed = true, true
	case t.lifted && bytes <= thriftLower:
		t.lifted, changed = false, true
	}
	if t.lifted {
		return math.MaxInt64, changed
	}
	return thriftLimit, changed
}

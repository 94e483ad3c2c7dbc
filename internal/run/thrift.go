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
	thriftLimit   = 80 << 20 // bytes that Go may hold while little lives
	thriftLift    = 56 << 20 // so much alive leaves too little room below the limit: the collector would never rest
	thriftLower   = 40 << 20
	thriftPatient = 5 // looks in a row with more alive, before the limit is lifted
	thriftEvery   = time.Second
)

// Thrift holds the process to a memory limit for as long as what lives in it is small, and leaves it to Go's usual proportion when it is
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
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		t := thrift{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			metrics.Read(sample)
			if limit, changed := t.see(sample[0].Value.Uint64()); changed {
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

// thrift decides by what lived at the last collection.
type thrift struct {
	lifted bool
	above  int // looks in a row
}

// see takes one look and returns the limit, and whether it is another than before.
func (t *thrift) see(live uint64) (limit int64, changed bool) {
	if live <= thriftLift {
		t.above = 0
	} else {
		t.above++
	}
	switch {
	case !t.lifted && t.above >= thriftPatient:
		t.lifted, changed = true, true
	case t.lifted && live <= thriftLower:
		t.lifted, changed = false, true
	}
	if t.lifted {
		return math.MaxInt64, changed
	}
	return thriftLimit, changed
}

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
// small machine pays for and nobody needs; and for one of 12 MB that has much to do it is so little that the collector never rests.
const (
	ThriftLimit   = 80 << 20 // bytes that Go may hold while little is in use
	thriftLift    = 60 << 20 // so much in use leaves too little room below the limit: the collector would never rest
	thriftLower   = 44 << 20
	thriftPatient = 5 // looks in a row with more in use, before the limit is lifted
	thriftEvery   = time.Second

	thriftBusy = 4        // collections between two looks from which on it may grow to
	thriftRoom = 60 << 20 // bytes, however little lives
	thriftMost = 400      // percent of what lives, at most
	thriftIdle = 10       // looks in a row without as many, before that is over
)

// Thrift holds the process to a memory limit for as long as what it uses is small, and leaves it to Go's usual proportion when it is
// not, as with thousands of open sockets. While the process is busy its heap may grow to 60 MB before each collection, however little of it lives. limit is
// ThriftLimit, or 0 for none. It does nothing where GOGC or GOMEMLIMIT say what is wanted. The returned function ends it and
// gives back what was set before; only one may be at work in a process.
func Thrift(ctx context.Context, limit int64) (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	t := thrift{limit: limit}
	if limit == 0 {
		t.limit = math.MaxInt64
	}
	before, percent := debug.SetMemoryLimit(t.limit), debug.SetGCPercent(usual)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(thriftEvery)
		defer tick.Stop()
		inUse := newInUse()
		set := setting{t.limit, usual}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := t.see(inUse.read())
			if now.limit != set.limit {
				debug.SetMemoryLimit(now.limit)
			}
			if now.percent != set.percent {
				debug.SetGCPercent(now.percent)
			}
			set = now
		}
	}()
	return func() {
		cancel()
		<-ended
		debug.SetMemoryLimit(before)
		debug.SetGCPercent(percent)
	}
}

// inUse reads what no collection gives back: what lived at the last one, and the stacks, which count against the limit too and are
// most of what thousands of open sockets need.
type inUse struct{ samples []metrics.Sample }

func newInUse() inUse {
	return inUse{[]metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}}
}

// read also counts the collections since the process began.
func (u inUse) read() (bytes, cycles uint64) {
	metrics.Read(u.samples)
	for _, s := range u.samples[1:] {
		bytes += s.Value.Uint64()
	}
	return bytes, u.samples[0].Value.Uint64()
}

// setting is what the collector is told.
type setting struct {
	limit   int64
	percent int
}

const usual = 100 // percent, Go's own

// thrift decides by what is in use.
type thrift struct {
	limit  int64
	lifted bool
	above  int    // looks in a row with too much in use
	cycles uint64 // at the last look
	busy   bool
	idle   int // looks in a row with few collections
}

// see takes one look.
func (t *thrift) see(bytes, cycles uint64) setting {
	if bytes <= thriftLift {
		t.above = 0
	} else {
		t.above++
	}
	switch {
	case !t.lifted && t.above >= thriftPatient:
		t.lifted = true
	case t.lifted && bytes <= thriftLower:
		t.lifted = false
	}
	out := setting{t.limit, usual}
	if t.lifted {
		out.limit = math.MaxInt64
	}
	if t.often(cycles) && bytes > 0 {
		out.percent = max(usual, min(thriftMost, int(thriftRoom*100/bytes)-100))
	}
	return out
}

// often reports whether collections have become frequent, until they would be rare without any room.
func (t *thrift) often(cycles uint64) bool {
	n := cycles - t.cycles
	t.cycles = cycles
	switch {
	case n >= thriftBusy:
		t.busy, t.idle = true, 0
	case n > 0:
		t.idle = 0
	default:
		t.idle++
	}
	if t.idle >= thriftIdle {
		t.busy = false
	}
	return t.busy
}

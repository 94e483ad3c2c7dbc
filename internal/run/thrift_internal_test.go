package run

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestThrift_liftedOnlyForWhatStaysLarge(t *testing.T) {
	const large, small, between = thriftLift + 1, thriftLower, (thriftLift + thriftLower) / 2
	th := thrift{}
	for i, c := range []struct {
		bytes   uint64
		limit   int64
		changed bool
	}{
		{small, thriftLimit, false},
		{large, thriftLimit, false}, {large, thriftLimit, false}, {large, thriftLimit, false}, {large, thriftLimit, false},
		{between, thriftLimit, false}, // a peak that passed
		{large, thriftLimit, false}, {large, thriftLimit, false}, {large, thriftLimit, false}, {large, thriftLimit, false},
		{large, math.MaxInt64, true}, {large, math.MaxInt64, false},
		{between, math.MaxInt64, false}, // it must not go to and fro
		{small, thriftLimit, true}, {between, thriftLimit, false},
	} {
		if limit, changed := th.see(c.bytes); limit != c.limit || changed != c.changed {
			t.Errorf("look %d at %d bytes: limit %d, changed %v; want %d, %v", i, c.bytes, limit, changed, c.limit, c.changed)
		}
	}
}

func TestThrift_givesTheLimitBack(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	stop := Thrift(t.Context())
	if got := debug.SetMemoryLimit(-1); got != thriftLimit {
		t.Errorf("the limit is %d, want %d", got, thriftLimit)
	}
	stop()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards the limit is %d, want %d as before", got, before)
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	defer Thrift(t.Context())()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the limit is %d though GOMEMLIMIT says what is wanted", got)
	}
}

// Stacks are no garbage: a process with many goroutines and little else must not be held to the limit.
func TestThrift_seesStacks(t *testing.T) {
	const goroutines, frames = 64, 128
	deep, leave := make(chan struct{}), make(chan struct{})
	for range goroutines {
		go descend(frames, deep, leave)
	}
	for range goroutines {
		<-deep
	}
	if got, want := newInUse().read(), uint64(goroutines*frames*frame); got < want {
		t.Errorf("%d bytes in use, the stacks alone have %d", got, want)
	}
	close(leave)
}

const frame = 1 << 10

// descend waits at the bottom of so many frames.
func descend(frames int, deep chan<- struct{}, leave <-chan struct{}) (sum byte) {
	var room [frame]byte
	room[frames] = byte(frames)
	if frames > 0 {
		sum = descend(frames-1, deep, leave)
	} else {
		deep <- struct{}{}
		<-leave
	}
	return sum + room[frames]
}

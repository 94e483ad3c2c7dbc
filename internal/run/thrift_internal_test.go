package run

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestThrift_liftedOnlyForWhatStaysLarge(t *testing.T) {
	const large, small, between = thriftLift + 1, thriftLower, (thriftLift + thriftLower) / 2
	th := thrift{limit: ThriftLimit}
	for i, c := range []struct {
		bytes uint64
		limit int64
	}{
		{small, ThriftLimit},
		{large, ThriftLimit}, {large, ThriftLimit}, {large, ThriftLimit}, {large, ThriftLimit},
		{between, ThriftLimit}, // a peak that passed
		{large, ThriftLimit}, {large, ThriftLimit}, {large, ThriftLimit}, {large, ThriftLimit},
		{large, math.MaxInt64}, {large, math.MaxInt64},
		{between, math.MaxInt64}, // it must not go to and fro
		{small, ThriftLimit}, {between, ThriftLimit},
	} {
		if got := th.see(c.bytes, 0); got != (setting{c.limit, usual}) {
			t.Errorf("look %d at %d bytes: %+v, want the limit %d", i, c.bytes, got, c.limit)
		}
	}
}

func TestThrift_roomWhileItIsBusy(t *testing.T) {
	th := thrift{limit: ThriftLimit}
	var cycles uint64
	look := func(mb, collections uint64) int {
		cycles += collections
		return th.see(mb<<20, cycles).percent
	}
	for i, c := range []struct {
		mb, collections uint64
		percent         int
	}{
		{12, 1, usual}, {12, thriftBusy - 1, usual}, {12, thriftBusy, 400}, {20, 1, 200}, {30, 1, usual}, {50, 20, usual}, {0, 20, usual},
	} {
		if got := look(c.mb, c.collections); got != c.percent {
			t.Errorf("look %d at %d MB after %d collections: %d %%, want %d", i, c.mb, c.collections, got, c.percent)
		}
	}
	for range thriftIdle - 1 {
		if got := look(12, 0); got != 400 {
			t.Fatalf("its room is gone after a short rest: %d %%", got)
		}
	}
	if got := look(12, 0); got != usual {
		t.Errorf("idle, it has %d %%", got)
	}
}

func TestThrift_givesTheLimitBack(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	percent := debug.SetGCPercent(123)
	defer debug.SetGCPercent(percent)
	stop := Thrift(t.Context(), ThriftLimit)
	if got := debug.SetMemoryLimit(-1); got != ThriftLimit {
		t.Errorf("the limit is %d, want %d", got, ThriftLimit)
	}
	stop()
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("afterwards the limit is %d, want %d as before", got, before)
	}
	if got := debug.SetGCPercent(123); got != 123 {
		t.Errorf("afterwards the collector has %d %%, want 123 as before", got)
	}
	stop = Thrift(t.Context(), 0)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("without a limit there is one: %d", got)
	}
	stop()
	t.Setenv("GOMEMLIMIT", "1GiB")
	defer Thrift(t.Context(), ThriftLimit)()
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
	got, _ := newInUse().read()
	if want := uint64(goroutines * frames * frame); got < want {
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

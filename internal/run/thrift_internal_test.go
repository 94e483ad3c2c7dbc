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
		live    uint64
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
		if limit, changed := th.see(c.live); limit != c.limit || changed != c.changed {
			t.Errorf("look %d at %d bytes: limit %d, changed %v; want %d, %v", i, c.live, limit, changed, c.limit, c.changed)
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

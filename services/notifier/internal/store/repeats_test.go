package store

import (
	"testing"
	"time"
)

func TestRepeats_endASecondAfterTheLast(t *testing.T) {
	var r repeats
	now := time.Now()
	if r.lately(now) {
		t.Error("something was told twice before anything was told")
	}
	r.seen(now)
	for after, want := range map[time.Duration]bool{0: true, repeatsCome - 1: true, repeatsCome: false, -time.Hour: false} {
		if got := r.lately(now.Add(after)); got != want {
			t.Errorf("%v after something was told twice: careful %v, want %v", after, got, want)
		}
	}
}

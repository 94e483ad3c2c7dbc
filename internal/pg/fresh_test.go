package pg

import (
	"testing"
	"time"
)

func TestFresh_repeatsEndASecondAfterTheLast(t *testing.T) {
	var f Fresh
	now := time.Now()
	if f.repeats(now) {
		t.Error("something was known before anything was written")
	}
	f.seen(now)
	for after, want := range map[time.Duration]bool{0: true, repeatsCome - 1: true, repeatsCome: false, -time.Hour: false} {
		if got := f.repeats(now.Add(after)); got != want {
			t.Errorf("%v after something was known: careful %v, want %v", after, got, want)
		}
	}
}

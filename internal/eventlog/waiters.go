package eventlog

import "sync"

// waiters are the followers of this process. A follower's channel holds one wake-up at most: several at once are one look.
// The zero value is ready.
type waiters struct {
	mu    sync.Mutex
	byKey map[string]map[chan struct{}]struct{}
}

func (w *waiters) join(key string) (wake <-chan struct{}, leave func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = map[string]map[chan struct{}]struct{}{}
	}
	if w.byKey[key] == nil {
		w.byKey[key] = map[chan struct{}]struct{}{}
	}
	w.byKey[key][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byKey[key], ch)
		if len(w.byKey[key]) == 0 {
			delete(w.byKey, key)
		}
	}
}

// wake calls the followers of key and those of no key; the empty key calls all.
func (w *waiters) wake(key string) {
	if key == "" {
		w.wakeAll()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ring(w.byKey[key])
	ring(w.byKey[""])
}

func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, group := range w.byKey {
		ring(group)
	}
}

func ring(group map[chan struct{}]struct{}) {
	for ch := range group {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

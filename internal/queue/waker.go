package queue

// Waker is a wake-up that coalesces: any number of Wake calls between two claims cost one claim, and one that arrives while
// a claim runs is kept for the next. It is safe for concurrent use and has nothing to close.
type Waker struct{ c chan struct{} }

// NewWaker returns a Waker that nobody has woken yet.
func NewWaker() *Waker { return &Waker{c: make(chan struct{}, 1)} }

// Wake asks the loop that reads C for a claim. It never blocks. On a nil Waker it does nothing, so that an optional one
// needs no check.
func (w *Waker) Wake() {
	if w == nil {
		return
	}
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// C is what Loop.Wake takes. Each wake is seen by one reader: loops that must all wake need a Waker each. C of a nil Waker
// never wakes.
func (w *Waker) C() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.c
}

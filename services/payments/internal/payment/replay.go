package payment

import "fmt"

// ParseInput reads an input's word exactly; anything else is ErrUnknownWord.
func ParseInput(word string) (Input, error) {
	for in := InNothing; in < inputEnd; in++ {
		if inputWords[in] == word {
			return in, nil
		}
	}
	return InNothing, fmt.Errorf("parse input %q: %w", word, ErrUnknownWord)
}

// ParseMetric reads a metric's stored word exactly; anything else is ErrUnknownWord.
func ParseMetric(word string) (Metric, error) {
	for m := MetricCreated; m < metricEnd; m++ {
		if metricWords[m] == word {
			return m, nil
		}
	}
	return 0, fmt.Errorf("parse metric %q: %w", word, ErrUnknownWord)
}

// Replayed is where a sale stands after the inputs that its history names.
type Replayed struct {
	State State
	// Delivered is whether a delivery was ordered, or had been before the sale came to us. Deliveries counts those that were ordered
	// here, which may be one at most; Restores counts how often the link was opened again, Closings how often it was to be closed.
	Delivered                      bool
	Deliveries, Restores, Closings int
}

// Replay is where one more input leads by the state table alone, without the guards that chose it. ok is false for a state or an input
// outside of the lists.
func (r Replayed) Replay(in Input) (next Replayed, ok bool) {
	if r.State < Pending || r.State >= stateEnd || in < 0 || in >= inputEnd {
		return r, false
	}
	c := table[r.State][in]
	if c.next != 0 {
		r.State = c.next
	}
	for _, o := range c.orders {
		switch {
		case o.Kind == Deliver && r.Delivered:
			r.Restores++
		case o.Kind == Deliver:
			r.Delivered = true
			r.Deliveries++
		case o.Kind == RevokeToken && r.Delivered:
			r.Closings++
		}
	}
	return r, true
}

// TellsOwner reports whether the owner is told when an input meets a sale in a state, by the state table alone.
func TellsOwner(s State, in Input) bool {
	if s < Pending || s >= stateEnd || in < 0 || in >= inputEnd {
		return false
	}
	for _, o := range table[s][in].orders {
		if o.Kind == NotifyOwner {
			return true
		}
	}
	return false
}

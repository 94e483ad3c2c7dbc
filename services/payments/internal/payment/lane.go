package payment

import "time"

// Lane is the order in which looks that are due at the same account get their turn: a lower lane goes first. Within a lane, what became
// due last goes first, so that more due looks never make a new sale wait; a fixed share of the turns goes to what waits the longest, so
// that none is forgotten.
type Lane int16

// The lanes, first to last. They are stored, so that a claim reads an index in its order.
const (
	LaneUrgent Lane = iota // somebody waits: a hint, a buyer before the page, a decision that wants one more look
	LaneFresh              // a sale in its first minutes
	LaneYoung              // in its first hour
	LaneOld                // older
	Lanes                  // how many there are
)

const (
	freshFor = 5 * time.Minute
	youngFor = time.Hour
)

// Lane is the lane of a look at a sale that was made at created. The sale's age counts when the look is due, or now when that has passed:
// an old sale that was never looked at is old.
func (n Next) Lane(created, now time.Time) Lane {
	switch n.Why {
	case LookHint, LookHinted, LookBuyer, LookAgain:
		return LaneUrgent
	}
	return n.Aged(created, now)
}

// Aged is Lane without regard to who waits: by the sale's age alone.
func (n Next) Aged(created, now time.Time) Lane {
	switch age := later(n.At, now).Sub(created); {
	case age < freshFor:
		return LaneFresh
	case age < youngFor:
		return LaneYoung
	}
	return LaneOld
}

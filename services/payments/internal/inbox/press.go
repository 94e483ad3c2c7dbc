package inbox

import (
	"sync"
	"time"
)

// Pressed reports whether storing is what waits: for some tenths of a second webhooks came faster than they could be committed one by one, so that every
// commit held several. Whoever reads them steps back for a while then, since a provider waits for what is to be stored and nobody is on the line for what is to be
// read. A burst that is shorter does not press, however large; and a tenth or two after the last commit nothing does.
func (b *Inbox) Pressed() bool { return b.press.now(b.cfg.Now()) }

const (
	pressSlot  = 100 * time.Millisecond
	pressSlots = 3   // in a row, complete
	pressMean  = 4   // webhooks a commit
	pressLeast = 300 // webhooks a slot: about what is read meanwhile on two processors
)

// press counts what is committed, in slots of time.
type press struct {
	mu            sync.Mutex
	began         time.Time // of the open slot
	commits, rows int       // in it
	full          int       // slots in a row before it that were pressed
}

func (p *press) note(now time.Time, rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	p.commits++
	p.rows += rows
}

func (p *press) now(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	return p.full >= pressSlots
}

// turn closes the slot that is over. A slot without commits, and a clock that went back, end a row of pressed ones.
func (p *press) turn(now time.Time) {
	past := now.Sub(p.began)
	switch {
	case past >= 0 && past < pressSlot:
		return
	case past >= 0 && past < 2*pressSlot && p.rows >= pressLeast && p.rows >= pressMean*p.commits:
		p.full++
		p.began = p.began.Add(pressSlot)
	default:
		p.full = 0
		p.began = now
	}
	p.commits, p.rows = 0, 0
}

package sim

import (
	"errors"
	"sync"
	"time"
)

// Payers are people who pay what is created: with them a load test needs no
// hand to pay each charge.
type Payers struct {
	// Pay switches them on. Share of the charges is paid, 1 when 0.
	Pay   bool    `json:"pay"`
	Share float64 `json:"share,omitempty"`
	// Each pays between Delay and Delay+Spread after the charge appears.
	Delay  time.Duration `json:"-"`
	Spread time.Duration `json:"-"`
}

type payers struct {
	mu  sync.RWMutex
	cfg Payers
}

func (p *payers) set(cfg Payers) {
	p.mu.Lock()
	p.cfg = cfg
	p.mu.Unlock()
}

// come decides whether somebody pays c, and when.
func (p *payers) come(w *World, s *shop, c *charge) {
	p.mu.RLock()
	cfg := p.cfg
	p.mu.RUnlock()
	if !cfg.Pay || cfg.Share > 0 && w.chance() >= cfg.Share {
		return
	}
	delay := cfg.Delay
	if cfg.Spread > 0 {
		delay += time.Duration(w.chance() * float64(cfg.Spread))
	}
	w.after(delay, func() {
		if c.copy().Status != Pending {
			return
		}
		c.set(w, Paid)
		s.tell(c, s.settings(c.copy()))
		w.bump()
	})
}

// SetPayers sets who pays charges that appear from now on.
func (w *World) SetPayers(p Payers) error {
	if p.Share < 0 || p.Share > 1 || p.Delay < 0 || p.Spread < 0 {
		return errors.New("sim: payers: share outside 0..1 or a negative delay")
	}
	w.payers.set(p)
	return nil
}

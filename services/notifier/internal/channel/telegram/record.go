package telegram

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Record is store.Record, and has sent what it wrote: a message whose bot and chat are free goes at once, claimed by the transaction that
// records it; the others are queued. The answer waits for no message.
func (s *Sender) Record(ctx context.Context, intents []store.Intent) ([]store.Recorded, error) {
	d := store.Direct{Claim: uuid.New(), Pace: s.pace, Lease: s.cfg.Timeout + leaseMargin}
	life, done := s.join()
	if life != nil {
		defer done()
		d.Most = s.grab(messages(intents))
	}
	var claimed []store.Message
	defer func() { s.release(d.Most - len(claimed)) }()
	out, claimed, err := s.cfg.Store.RecordAndClaim(ctx, intents, d)
	if err != nil {
		if d.Most > 0 {
			s.doubt(d.Claim)
			s.waker.Wake()
		}
		return nil, err
	}
	for _, m := range claimed {
		s.sending.Go(func() { s.deliver(life, m) })
	}
	waits := -len(claimed)
	for _, x := range out {
		if x.Created && x.State == store.Queued {
			waits++
		}
	}
	// Its locks may have kept a claim from a bot, which the end of a message looks after otherwise.
	if waits > 0 || d.Most > 0 && len(claimed) == 0 {
		s.Wake()
	}
	return out, nil
}

// messages counts those among intents that go to a chat.
func messages(intents []store.Intent) (n int) {
	for _, x := range intents {
		if x.Channel == store.Telegram {
			n++
		}
	}
	return n
}

// begin lets messages be sent under life, or with nil no more be begun but by the loop.
func (s *Sender) begin(life context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = life
}

// join keeps Run from ending until done is called; life is nil when it has ended or not begun.
func (s *Sender) join() (life context.Context, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		s.sending.Add(1)
	}
	return s.life, s.sending.Done
}

// doubtFor is how long a claim is undone again and again of which it is not known whether it was committed: the server may still be at it.
const doubtFor = 5 * time.Second

// doubt is such a claim.
type doubt struct {
	claim uuid.UUID
	until time.Time
}

func (s *Sender) doubt(claim uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtful = append(s.doubtful, doubt{claim, time.Now().Add(doubtFor)})
}

// unclaim undoes what is in doubt.
func (s *Sender) unclaim(ctx context.Context) error {
	s.mu.Lock()
	list := slices.Clone(s.doubtful)
	s.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	claims := make([]uuid.UUID, len(list))
	for i, d := range list {
		claims[i] = d.claim
	}
	now := time.Now()
	if err := s.cfg.Store.Unclaim(ctx, claims); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtful = slices.DeleteFunc(s.doubtful, func(d doubt) bool { return d.until.Before(now) })
	return nil
}

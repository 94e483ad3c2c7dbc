package websocket

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// Three replicas, writers that commit out of order, and readers that lose their connections at random and come back at another
// replica with their last cursor: nobody misses an event and nobody sees one twice.
func TestReplicas_manyEventsAndDisconnectsLoseAndDoubleNothing(t *testing.T) {
	const (
		writers, batch = 4, 500
		readers        = 4
	)
	db := pgtest.New(t, store.Schema)
	replicas := []*replica{newReplica(t, db, Config{}), newReplica(t, db, Config{}), newReplica(t, db, Config{})}
	merchant, bot := uuid.New(), uuid.New()
	begin, err := replicas[0].store.Events().Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*screen, readers)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var reading sync.WaitGroup
	for i := range all {
		all[i] = &screen{t: t, replicas: replicas, merchant: merchant, cursor: begin.String(), seen: make(map[uint64]struct{}, manyEvents)}
		reading.Go(func() { all[i].watch(ctx, manyEvents) })
	}
	var written atomic.Int64
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for range manyEvents / writers / batch {
				intents := make([]store.Intent, batch)
				for i := range intents {
					intents[i] = intent(merchant, bot, "paid")
				}
				if _, err := replicas[w%len(replicas)].store.Record(ctx, intents); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				written.Add(batch)
			}
		})
	}
	writing.Wait()
	reading.Wait()
	cuts := 0
	for i, s := range all {
		cuts += s.cuts
		if lost := int(written.Load()) - len(s.seen); lost != 0 || s.doubled != 0 {
			t.Errorf("reader %d: %d of %d lost, %d doubled", i, lost, written.Load(), s.doubled)
		}
	}
	t.Logf("%d events to each of %d readers, %d disconnects", written.Load(), readers, cuts)
	if written.Load() != manyEvents || cuts < readers*3 {
		t.Errorf("%d events and %d disconnects: the test did not test what it says", written.Load(), cuts)
	}
}

// screen is one reader.
type screen struct {
	t             *testing.T
	replicas      []*replica
	merchant      uuid.UUID
	cursor        string
	seen          map[uint64]struct{} // hashes of ids: two of 100,000 that are the same are one in a billion
	cuts, doubled int
}

var seed = maphash.MakeSeed()

// watch reads until it has seen want events, over as many connections as it takes.
func (s *screen) watch(ctx context.Context, want int) {
	for len(s.seen) < want && ctx.Err() == nil {
		if err := s.session(ctx, want, 1+rand.IntN(want/5)); err != nil {
			s.t.Error(err)
			return
		}
		s.cuts++
	}
}

// session reads up to left frames at a random replica and hangs up in the middle of whatever comes.
func (s *screen) session(ctx context.Context, want, left int) error {
	r := s.replicas[rand.IntN(len(s.replicas))]
	text, hash := NewTicket(s.merchant)
	if _, err := r.store.PutTicket(ctx, s.merchant, hash, nil, time.Minute); err != nil {
		return err
	}
	conn, _, err := websocket.Dial(ctx, r.URL+"/ws?ticket="+text+"&cursor="+s.cursor, nil)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.CloseNow()
	for ; left > 0 && len(s.seen) < want; left-- {
		_, body, err := conn.Read(ctx)
		if err != nil && websocket.CloseStatus(err) != websocket.StatusTryAgainLater { // too slow: resume
			return fmt.Errorf("after %d events: %w", len(s.seen), err)
		}
		if err != nil {
			return nil
		}
		if err := s.take(string(body)); err != nil {
			return err
		}
	}
	return nil
}

var errFrame = errors.New("frame without a cursor and an id")

// take notes a frame. The two fields are cut out by hand: decoding a million frames would be most of the test.
func (s *screen) take(frame string) error {
	cursor, rest, ok := strings.Cut(strings.TrimPrefix(frame, `{"cursor":"`), `"`)
	if !ok {
		return fmt.Errorf("%w: %s", errFrame, frame)
	}
	s.cursor = cursor
	if strings.HasSuffix(rest, `"type":"hello"}`) {
		return nil
	}
	_, rest, ok = strings.Cut(rest, `"id":"`)
	if len(rest) < 36 || !ok {
		return fmt.Errorf("%w: %s", errFrame, frame)
	}
	id := maphash.String(seed, rest[:36])
	if _, twice := s.seen[id]; twice {
		s.doubled++
	}
	s.seen[id] = struct{}{}
	return nil
}

package groupcommit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var errBad = errors.New("a bad row")

// table takes what is not negative, when it is let.
type table struct {
	let     chan struct{} // nil: at once
	commits [][]int       // in their order
	failing error
}

func (b *table) commit(_ context.Context, rows []int) error {
	if b.let != nil {
		<-b.let
	}
	b.commits = append(b.commits, slices.Clone(rows))
	if slices.Min(rows) < 0 {
		return errBad
	}
	return b.failing
}

// set makes a group of one writer. Its commits wait for let.
func set(change func(*Config[int])) (*table, *Group[int]) {
	b := &table{let: make(chan struct{})}
	c := Config[int]{Commit: b.commit, Alone: func(err error) bool { return errors.Is(err, errBad) }, Writers: 1, Batch: 3, Queue: 4}
	if change != nil {
		change(&c)
	}
	return b, New(c)
}

// run runs g until the function that it returns is called, which waits for the end.
func run(t *testing.T, g *Group[int]) (stop context.CancelFunc, ended chan error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	return cancel, ended
}

// put hands rows over, one after the other.
func put(t *testing.T, g *Group[int], rows ...int) (answers []chan error) {
	for _, row := range rows {
		answer := make(chan error, 1)
		go func() { answer <- g.Put(t.Context(), row) }()
		synctest.Wait()
		answers = append(answers, answer)
	}
	return answers
}

func TestGroup_whatWaitsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := set(nil)
		stop, ended := run(t, g)
		answers := put(t, g, 1, 2, 3, 4, 5)
		for i, a := range answers {
			if len(a) != 0 {
				t.Errorf("row %d is answered before its commit", i+1)
			}
		}
		if err := g.Put(t.Context(), 6); !errors.Is(err, ErrFull) {
			t.Errorf("beyond the queue: %v", err)
		}
		b.let <- struct{}{}
		synctest.Wait()
		if len(answers[0]) != 1 || len(answers[1]) != 0 {
			t.Error("after the first commit the first row alone is answered")
		}
		stop()
		synctest.Wait()
		if err := g.Put(t.Context(), 7); !errors.Is(err, ErrStopping) {
			t.Errorf("after the stop: %v", err)
		}
		close(b.let) // what was taken is written
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		for i, a := range answers {
			if err := <-a; err != nil {
				t.Errorf("row %d: %v", i+1, err)
			}
		}
		if want := [][]int{{1}, {2, 3, 4}, {5}}; !slices.EqualFunc(b.commits, want, slices.Equal) {
			t.Errorf("commits %v, want %v", b.commits, want)
		}
	})
}

// The second writer begins when its batch is as large as the first one's, when its first row has waited for long enough, or at the end.
func TestGroup_secondBatchWaitsForCompany(t *testing.T) {
	for name, c := range map[string]struct {
		then []int // rows that come while three are under way
		wait time.Duration
		stop bool
		want int // commits that have begun
	}{
		"one row":               {[]int{5}, 0, false, 1},
		"two rows for a while":  {[]int{5, 6}, DefaultPatience - time.Millisecond, false, 1},
		"as many":               {[]int{5, 6, 7}, 0, false, 2},
		"long enough":           {[]int{5}, DefaultPatience, false, 2},
		"no later for a second": {[]int{5, 6}, DefaultPatience, false, 2},
		"the end":               {[]int{5}, 0, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := make(chan []int, 10)
				end := make(chan struct{})
				_, g := set(func(c *Config[int]) {
					c.Writers, c.Batch, c.Queue = 2, 10, 10
					c.Commit = func(_ context.Context, rows []int) error {
						begun <- rows
						<-end
						return nil
					}
				})
				answers := make([]<-chan error, 0, 8)
				offer := func(rows ...int) {
					for _, row := range rows {
						a, err := g.Offer(row)
						if err != nil {
							t.Fatal(err)
						}
						answers = append(answers, a)
					}
				}
				offer(1, 2, 3)
				stop, ended := run(t, g)
				synctest.Wait()
				offer(c.then...)
				synctest.Wait()
				time.Sleep(c.wait)
				if c.stop {
					stop()
				}
				synctest.Wait()
				if len(begun) != c.want {
					t.Errorf("%d commits have begun, want %d", len(begun), c.want)
				}
				close(end)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				for _, a := range answers {
					if err := <-a; err != nil {
						t.Error(err)
					}
				}
				if first, second := <-begun, <-begun; len(first) != 3 || !slices.Equal(second, c.then) {
					t.Errorf("commits %v and %v", first, second)
				}
			})
		})
	}
}

func TestGroup_oneRowBesideAnotherIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := set(func(c *Config[int]) { c.Writers = 2 })
		b.let = nil
		end := make(chan struct{})
		begun := 0
		g.c.Commit = func(context.Context, []int) error { begun++; <-end; return nil }
		stop, ended := run(t, g)
		answers := put(t, g, 1, 2)
		if begun != 2 {
			t.Errorf("%d commits have begun, want both", begun)
		}
		close(end)
		stop()
		for _, a := range append(answers, ended) {
			if err := <-a; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestGroup_oneBadRowHurtsNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		failing error
		rows    []int
		bad     []bool
		commits int
	}{
		"a bad row":         {nil, []int{1, -2, 3}, []bool{false, true, false}, 5},
		"a bad row alone":   {nil, []int{-1}, []bool{true}, 2},
		"the table is away": {errors.New("away"), []int{1, 2, 3}, []bool{true, true, true}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, g := set(nil)
			_, _ = run(t, g)
			put(t, g, 0) // the writer is at work when they come
			answers := put(t, g, c.rows...)
			b.failing = c.failing
			close(b.let)
			for i, a := range answers {
				if err := <-a; (err != nil) != c.bad[i] {
					t.Errorf("%s: row %d: %v", name, c.rows[i], err)
				}
			}
			if len(b.commits) != c.commits {
				t.Errorf("%s: commits %v, want %d", name, b.commits, c.commits)
			}
		})
	}
}

func TestGroup_bytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := set(func(c *Config[int]) {
			c.Queue, c.Batch, c.QueueBytes, c.BatchBytes, c.Size = 100, 100, 10, 6, func(row int) int64 { return int64(row) }
		})
		_, _ = run(t, g)
		answers := append(put(t, g, 9), put(t, g, 4, 3, 2)...)
		if err := g.Put(t.Context(), 2); !errors.Is(err, ErrFull) || g.Waiting() != 3 {
			t.Errorf("11 bytes of 10: %v, %d wait", err, g.Waiting())
		}
		close(b.let)
		for _, a := range answers {
			if err := <-a; err != nil {
				t.Error(err)
			}
		}
		if err := g.Put(t.Context(), 10); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if want := [][]int{{9}, {4, 3}, {2}, {10}}; !slices.EqualFunc(b.commits, want, slices.Equal) {
			t.Errorf("commits %v, want %v", b.commits, want)
		}
	})
}

func TestPut_callersContextIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, g := set(nil)
		_, _ = run(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { answer <- g.Put(ctx, 1) }()
		synctest.Wait()
		cancel()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller's own end: %v", err)
		}
		close(b.let)
		if err := g.Put(t.Context(), 2); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

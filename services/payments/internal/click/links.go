package click

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	fresh    = 5 * time.Second // a link that was changed forwards to its new bot everywhere within this
	maxLinks = 50_000
)

// links remembers links, so that a known one forwards also while the database is away.
type links struct {
	store Store
	now   func() time.Time

	mu   sync.Mutex
	bySl map[string]known
}

type known struct {
	link store.ClickLink
	at   time.Time
}

func newLinks(s Store, now func() time.Time) *links {
	return &links{store: s, now: now, bySl: map[string]known{}}
}

// warm reads the newest links. What cannot be read is read when it is clicked.
func (l *links) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := l.store.NewestClickLinks(ctx, maxLinks/2)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return
		}
		slog.WarnContext(ctx, "click links not read at the start", slog.Any("error", err))
		return
	}
	for _, link := range list {
		l.keep(link)
	}
}

// find returns a link, or store.ErrNotFound, or another error when it is not known and the database is away.
func (l *links) find(ctx context.Context, slug string) (store.ClickLink, error) {
	l.mu.Lock()
	k, have := l.bySl[slug]
	l.mu.Unlock()
	if have && l.now().Sub(k.at) < fresh {
		return k.link, nil
	}
	link, err := l.store.FindClickLink(ctx, slug)
	switch {
	case err == nil:
		l.keep(link)
		return link, nil
	case errors.Is(err, store.ErrNotFound):
		l.mu.Lock()
		delete(l.bySl, slug)
		l.mu.Unlock()
		return store.ClickLink{}, store.ErrNotFound
	case have:
		l.keep(k.link) // and it is not asked for again at once
		return k.link, nil
	}
	return store.ClickLink{}, err
}

func (l *links) keep(link store.ClickLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bySl) >= maxLinks {
		for slug := range l.bySl { // any: what is clicked comes back
			delete(l.bySl, slug)
			break
		}
	}
	l.bySl[link.Slug] = known{link, l.now()}
}

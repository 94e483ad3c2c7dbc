package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	firstLook   = 2 * time.Millisecond   // after a notification whose row is not visible yet
	slowestLook = 500 * time.Millisecond // the same, while an older transaction goes on and on
	lookLimit   = 2 * time.Second
	reconnect   = 250 * time.Millisecond // first pause; doubles
	slowestTry  = 5 * time.Second
	backlog     = 1024 // notifications between the connection and the loop that looks
)

// notice is one notification: rows of transaction xid, of interest to key.
type notice struct {
	xid uint64
	key string
}

// Run listens until ctx ends, over lost connections, and returns ctx's error. Call it once per Log.
func (l *Log) Run(ctx context.Context) error {
	notices := make(chan notice, backlog)
	done := make(chan struct{})
	go func() { defer close(done); l.look(ctx, notices) }()
	defer func() { <-done }()
	pause := reconnect
	for ctx.Err() == nil {
		began := time.Now()
		err := l.listen(ctx, notices)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > slowestTry {
			pause = reconnect
		}
		slog.WarnContext(ctx, "event log listener lost its connection", slog.String("channel", l.channel),
			slog.Duration("retry_in", pause), slog.Any("error", err))
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, slowestTry)
	}
	return ctx.Err()
}

// listen holds one connection until it breaks. What was notified while nobody listened is lost, so everyone looks once
// when a connection stands.
func (l *Log) listen(ctx context.Context, notices chan<- notice) error {
	cfg := l.pool.Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] += " listen"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, `LISTEN `+l.channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	l.waiters.wakeAll()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		select {
		case notices <- parseNotice(n):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parseNotice reads what Notify sent. A notification from elsewhere (by hand, say) wakes everyone at once.
func parseNotice(n *pgconn.Notification) notice {
	left, key, found := strings.Cut(n.Payload, " ")
	xid, err := strconv.ParseUint(left, 10, 64)
	if !found || err != nil {
		return notice{}
	}
	return notice{xid: xid, key: key}
}

// look wakes followers when the rows they are told of can be read, which is later than the commit while an older
// transaction runs: it asks for the horizon, sooner at first, so that followers neither read in vain nor wait for their
// poll. One query serves all followers of the process.
func (l *Log) look(ctx context.Context, notices <-chan notice) {
	var (
		waiting []notice
		delay   = firstLook
		timer   = time.NewTimer(time.Hour)
	)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-notices:
			waiting = append(waiting, n)
			waiting = drain(notices, waiting)
			delay = firstLook
		case <-timer.C:
		}
		if waiting = l.wakeVisible(ctx, waiting); len(waiting) > 0 {
			timer.Reset(delay)
			delay = min(2*delay, slowestLook)
		}
	}
}

func drain(notices <-chan notice, waiting []notice) []notice {
	for len(waiting) < backlog {
		select {
		case n := <-notices:
			waiting = append(waiting, n)
		default:
			return waiting
		}
	}
	return waiting
}

// wakeVisible wakes the followers of all rows below the horizon and returns the notices above it. When the horizon cannot
// be had, everyone looks for himself.
func (l *Log) wakeVisible(ctx context.Context, waiting []notice) []notice {
	if len(waiting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	low, _, err := l.horizon(ctx)
	if err != nil || len(waiting) >= backlog {
		l.waiters.wakeAll()
		return nil
	}
	later := waiting[:0]
	for _, n := range waiting {
		if n.xid < low {
			l.waiters.wake(n.key)
		} else {
			later = append(later, n)
		}
	}
	return later
}

package purchase

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/internal/seal"
	"github.com/baixapay/baixa/services/delivery/internal/sale"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

const (
	workTimeout = 30 * time.Second
	workGrace   = 10 * time.Second
	// lease is how long what a dead process had begun stays with it; it is renewed while the work goes on.
	lease = 10 * time.Second
	// writeLimit is kept of a batch's time for the statement that writes its results.
	writeLimit = 5 * time.Second
	// pausedLook is how often a Purchase of a paused pixel is looked at: PutPixel makes them due at once, and age must be noticed.
	pausedLook = 10 * time.Minute
	// pullEvery is how often Purchases are looked for that a clock which went back has put out of reach.
	pullEvery = time.Minute
)

// Queue is what the worker needs of the store.
type Queue interface {
	ClaimPurchases(ctx context.Context, limit int, lease time.Duration) ([]store.Claim, error)
	RenewPurchases(ctx context.Context, claims []store.Claim, lease time.Duration) error
	WriteResults(ctx context.Context, results []store.Result) error
	PullPurchases(ctx context.Context, fresh, longest time.Duration) error
}

// WorkerConfig says what a Worker works with. Queue, Client, Sealer and SourceURL must be set.
type WorkerConfig struct {
	Queue     Queue
	Client    *Client
	Sealer    *seal.Sealer
	SourceURL string          // event_source_url: where the delivery pages are, without any token
	Wake      <-chan struct{} // a Purchase was queued or a pixel put; may be nil
	Batch     int             // requests at once per batch; 0 means 32
	Batches   int             // at once; 0 means 2
	Backoff   queue.Backoff   // between attempts; zero means from 5 s to 1 h
	Poll      time.Duration   // longest pause between two looks; 0 means 1 s
	Log       *slog.Logger    // nil means slog.Default()
}

// Worker sends what is queued. It may run on any number of replicas.
type Worker struct {
	cfg    WorkerConfig
	pulled time.Time // when Purchases were last pulled back; of the claiming goroutine alone
}

// NewWorker checks c.
func NewWorker(c WorkerConfig) (*Worker, error) {
	if c.Queue == nil || c.Client == nil || c.Sealer == nil || c.SourceURL == "" {
		return nil, errors.New("purchase worker: a queue, a client, a sealer and a source URL are needed")
	}
	if c.Batch < 0 || c.Batches < 0 || c.Poll < 0 {
		return nil, errors.New("purchase worker: a limit is negative")
	}
	if c.Batch == 0 {
		c.Batch = 32
	}
	if c.Batches == 0 {
		c.Batches = 2
	}
	if c.Backoff.Base == 0 && c.Backoff.Limit == 0 {
		c.Backoff.Base, c.Backoff.Limit = 5*time.Second, time.Hour
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Worker{cfg: c}, nil
}

// Run works until ctx is done; requests in flight may finish. A crash at any line is repaired by the end of the lease, and the
// event id makes a repetition harmless at Meta.
func (w *Worker) Run(ctx context.Context) error {
	loop := queue.Loop[store.Claim]{
		Name: "delivery.purchases",
		Claim: func(ctx context.Context, limit int) ([]store.Claim, error) {
			w.pull(ctx)
			return w.cfg.Queue.ClaimPurchases(ctx, limit, lease)
		},
		Work: func(ctx context.Context, claims []store.Claim) error {
			return queue.Hold(ctx, lease, func(ctx context.Context) error { return w.cfg.Queue.RenewPurchases(ctx, claims, lease) },
				func(ctx context.Context) error { return w.work(ctx, claims) })
		},
		Batch: w.cfg.Batch, Workers: w.cfg.Batches, Wake: w.cfg.Wake, Idle: w.cfg.Poll,
		Timeout: workTimeout, Grace: workGrace, Log: w.cfg.Log,
		Due:   func(c store.Claim) time.Time { return c.DueAt },
		Trace: func(c store.Claim) string { return c.Traceparent },
	}
	return loop.Run(ctx)
}

// pull makes due, now and then, what waits for longer than anything here lets it wait: the clock went back since.
func (w *Worker) pull(ctx context.Context) {
	if !w.pulled.IsZero() && time.Since(w.pulled) < pullEvery {
		return
	}
	w.pulled = time.Now()
	if err := w.cfg.Queue.PullPurchases(ctx, 2*pausedLook, 2*max(maxRetryAfter, w.cfg.Backoff.Limit)); err != nil && ctx.Err() == nil {
		w.cfg.Log.WarnContext(ctx, "purchases not pulled back; the next time is in a minute", slog.Any("error", err))
	}
}

// work sends a batch at once and writes what became of it in one transaction.
func (w *Worker) work(ctx context.Context, claims []store.Claim) error {
	requests, cancel := context.WithTimeout(ctx, workTimeout-writeLimit)
	defer cancel()
	results := make([]store.Result, len(claims))
	var wg sync.WaitGroup
	for i := range claims {
		wg.Go(func() { results[i] = w.attempt(requests, &claims[i]) })
	}
	wg.Wait()
	for _, r := range results {
		if r.Pause != "" {
			w.cfg.Log.WarnContext(ctx, "pixel paused", slog.String("merchant_id", r.Claim.Merchant.String()),
				slog.String("pixel_id", r.Claim.Pixel.PixelID), slog.String("reason", r.Pause))
		}
	}
	return w.cfg.Queue.WriteResults(ctx, results)
}

// attempt decides about one Purchase and, when it may be sent, sends it.
func (w *Worker) attempt(ctx context.Context, c *store.Claim) store.Result {
	switch {
	case c.Now.Sub(c.EventTime) > MaxAge:
		return fail(c, "older than 7 days, which Meta rejects")
	case c.UnsureSince != nil && c.Now.Sub(*c.UnsureSince) > dedupWindow:
		return fail(c, "no clear answer for 2 days; not repeated since Meta could count it twice")
	case c.Pixel.PausedBecause != "":
		return store.Paused(c, pausedLook)
	}
	token, err := w.cfg.Sealer.Open(c.Pixel.SealedToken, SealName(c.Pixel.Merchant, c.Pixel.Bot))
	if err != nil {
		r := store.Paused(c, pausedLook)
		r.Pause = "its token cannot be opened with this keyset: put the pixel again"
		return r
	}
	body, err := encode(c, w.cfg.SourceURL, string(token))
	if err != nil {
		return fail(c, "the event cannot be encoded")
	}
	return w.result(c, w.cfg.Client.send(ctx, c.Pixel.BaseURL, c.Pixel.APIVersion, c.Pixel.PixelID, body))
}

func (w *Worker) result(c *store.Claim, a answer) store.Result {
	r := store.Result{Claim: c, Asked: true, Reason: a.reason, Trace: a.trace, Unsure: a.unsure}
	switch a.verdict {
	case accepted:
		r.State, r.Reason = store.Sent, ""
	case refused:
		r.State = store.Failed
	case noEntry:
		r = store.Paused(c, pausedLook)
		r.Asked, r.Trace, r.Pause = true, a.trace, a.reason
	default:
		r.State, r.Retry = store.Queued, max(w.cfg.Backoff.Delay(int(c.Attempts)+1), a.wait)
	}
	return r
}

func fail(c *store.Claim, reason string) store.Result {
	return store.Result{Claim: c, State: store.Failed, Reason: reason}
}

// SealName is the name that a pixel's token is sealed under.
func SealName(m sale.MerchantID, b sale.BotID) string {
	return "pixel/" + m.String() + "/" + b.String()
}

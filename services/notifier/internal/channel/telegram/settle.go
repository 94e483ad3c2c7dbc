package telegram

import (
	"context"
	"log/slog"
	"time"

	"github.com/baixapay/baixa/internal/queue"
	"github.com/baixapay/baixa/services/notifier/internal/store"
)

// settled is a result on its way to the database, with what it says about its bot.
type settled struct {
	result store.Result
	notice *store.BotNotice
}

// result says what an answer means for the message and its bot.
func (s *Sender) result(m store.Message, a answer) settled {
	r := store.Result{MerchantID: m.MerchantID, ID: m.ID, PaymentID: m.PaymentID, BotID: m.BotID, Attempt: m.Attempt, State: store.Queued, Reason: a.reason,
		ChatID: a.chat, Forbidden: m.Forbidden}
	bot := store.BotNotice{MerchantID: m.MerchantID, BotID: m.BotID, Version: m.BotVersion}
	out := settled{}
	switch a.kind {
	case sent:
		r.State, r.MessageID, r.Wait = store.Sent, a.messageID, s.quiet(a.chat)
	case refused:
		r.State = store.Undeliverable
		r.Elsewhere = a.reason == ReasonNotStarted || a.reason == ReasonChatNotFound || a.reason == ReasonBlocked || a.reason == ReasonForbidden
	case unknown:
		r.State, r.Wait = store.MaybeSent, s.quiet(a.chat)
	case forbidden:
		if m.Forbidden {
			r.State, r.Elsewhere = store.Undeliverable, true
			break
		}
		r.Forbidden, r.Wait = true, s.cfg.ForbiddenWait
	case flood:
		bot.Wait = a.wait
		out.notice = &bot
	case badToken:
		bot.Refused = true
		out.notice = &bot
	default:
		r.Wait = s.cfg.Retry.Delay(int(m.Attempt))
	}
	// A bot that is refused has no age: its messages wait for the token.
	if r.State == store.Queued && a.kind != badToken && time.Since(m.CreatedAt)+r.Wait > s.cfg.MaxAge {
		r.State, r.Wait = store.Undeliverable, 0
	}
	out.result = r
	return out
}

func (s *Sender) quiet(chat int64) time.Duration {
	if chat < 0 && s.cfg.ChatWait > 0 {
		return max(groupWait, s.cfg.ChatWait)
	}
	return s.cfg.ChatWait
}

// settle writes results until done is closed: whatever came while the last ones were written goes together. While the database
// is away it holds them; their slots stay taken, so nothing more is claimed.
func (s *Sender) settle(ctx context.Context) {
	retry := queue.Backoff{Base: 20 * time.Millisecond, Limit: time.Second}
	for first := range s.done {
		batch := s.gather(first)
		var (
			results []store.Result
			notices []store.BotNotice
		)
		for _, x := range batch {
			results = append(results, x.result)
			if x.notice != nil {
				notices = append(notices, *x.notice)
			}
		}
		deadline := time.Now().Add(s.cfg.Timeout + leaseMargin)
		for attempt := 1; ; attempt++ {
			err := s.write(ctx, results, notices)
			if err == nil {
				break
			}
			slog.ErrorContext(ctx, "results of messages are not written", slog.Int("results", len(results)),
				slog.Int("attempt", attempt), slog.Any("error", err))
			if time.Now().After(deadline) { // their leases are over: they count as maybe sent
				break
			}
			time.Sleep(retry.Delay(attempt))
		}
		s.release(len(batch))
		s.ended.Store(true)
		s.waker.Wake()
	}
}

func (s *Sender) write(ctx context.Context, results []store.Result, notices []store.BotNotice) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.cfg.Store.Settle(ctx, results, notices)
}

func (s *Sender) gather(first settled) []settled {
	batch := []settled{first}
	for len(batch) < settleBatch {
		select {
		case x, open := <-s.done:
			if !open {
				return batch
			}
			batch = append(batch, x)
		default:
			return batch
		}
	}
	return batch
}

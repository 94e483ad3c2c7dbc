package diagnose

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The names under which the workers note their runs, and the work that effects of each kind belong to.
const (
	runLooks    = "poll"
	runWebhooks = "webhooks"
	runDeliver  = "deliver"
	runOwner    = "owner"
	runToken    = "token"
)

// kindsOf lists, for each line of work, its name in the report, the name of its runs and its kinds of effects.
var kindsOf = []struct {
	name, run string
	kinds     []string
}{
	{"deliver", runDeliver, []string{"deliver"}},
	{"notify", runOwner, []string{"owner"}},
	{"links", runToken, []string{"revoke", "restore", "resend", "group"}},
}

// schedules lists the work that runs by itself.
func (r *report) schedules() {
	for _, q := range r.Looks {
		line := &paymentsv1.ScheduleLine{Name: "poll " + q.Provider, Cadence: seconds(payment.DefaultPolicy(q.Provider).YoungEvery),
			Due: q.Due, Waiting: q.Waiting, Failing: q.Failing, NextRunAt: stamp(q.NextAt), About: q.About}
		for _, p := range r.Providers {
			if p.Provider == q.Provider {
				line.LastRunAt = stamp(p.LastPollAt)
			}
		}
		if line.LastRunAt == nil && len(r.Looks) == 1 {
			line.LastRunAt = r.ran(runLooks)
		}
		r.out.Schedules = append(r.out.Schedules, line)
	}
	r.out.Schedules = append(r.out.Schedules, &paymentsv1.ScheduleLine{Name: "inbox", LastRunAt: r.ran(runWebhooks), NextRunAt: stamp(r.Inbox.NextAt),
		Due: r.Inbox.Due, Waiting: r.Inbox.Waiting, Failing: r.Inbox.Failing})
	for _, k := range kindsOf {
		q := r.effects(k.kinds)
		r.out.Schedules = append(r.out.Schedules, &paymentsv1.ScheduleLine{Name: k.name, LastRunAt: r.ran(k.run), NextRunAt: stamp(q.NextAt),
			Due: q.Due, Waiting: q.Waiting, Failing: q.Failing})
	}
	for _, leaf := range []string{"follow delivery", "follow notifier"} {
		r.out.Schedules = append(r.out.Schedules, &paymentsv1.ScheduleLine{Name: leaf, LastRunAt: r.ran(leaf)})
	}
	if r.Health != nil {
		r.out.Schedules = append(r.out.Schedules, &paymentsv1.ScheduleLine{Name: "telegram", Waiting: r.Health.GetQueued()})
	}
}

func (r *report) ran(name string) *timestamppb.Timestamp {
	at, ok := r.Runs[name]
	if !ok {
		return nil
	}
	return timestamppb.New(at)
}

// idle reports whether a kind of work has not run for a while.
func (r *report) idle(name string) bool { return r.Now.Sub(r.Runs[name]) > idlePatience }

// effects sums the queues of some kinds.
func (r *report) effects(kinds []string) (sum store.EffectQueue) {
	for _, q := range r.Effects {
		for _, kind := range kinds {
			if q.Kind != kind {
				continue
			}
			sum.Due, sum.Waiting, sum.Failing, sum.Hopeless = sum.Due+q.Due, sum.Waiting+q.Waiting, sum.Failing+q.Failing, sum.Hopeless+q.Hopeless
			sum.NextAt, sum.OldestFreeAt = earliest(sum.NextAt, q.NextAt), earliest(sum.OldestFreeAt, q.OldestFreeAt)
			if q.LastError != "" {
				sum.LastError = q.LastError
			}
		}
	}
	return sum
}

func earliest(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0fs", d.Seconds()) }

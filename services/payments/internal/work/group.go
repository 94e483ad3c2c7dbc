package work

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/internal/telemetry"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Sales of a Telegram group: the notifier grants the access and makes the invite link, which becomes the delivery page's button. The
// group may be in disorder, and a paid buyer waits for no group for ever: after groupWait the page goes out with the contact text, the
// owner is told, and when the link comes the page shows it.

const (
	groupWait  = time.Minute
	groupCalls = 16 // at once of one batch
	pageWait   = 3 * time.Second
	pagePause  = 250 * time.Millisecond
)

func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// admit grants the accesses that the sales give and returns the deliveries that go on: those that give none, those whose link is there,
// and those that have waited long enough; and, with why, those whose access could not be asked for. The others are put off for a moment.
// Idempotency key: the payment.
func (w *Worker) admit(ctx context.Context, all []*handover) (ready, failed []*handover, err error) {
	var g errgroup.Group
	g.SetLimit(groupCalls)
	waits, errs := make([]bool, len(all)), make([]error, len(all))
	for i, h := range all {
		if h.sale.Group != nil {
			g.Go(func() error { waits[i], errs[i] = w.grant(ctx, h); return nil })
		}
	}
	_ = g.Wait() // the errors are the deliveries' own
	var later []store.Effect
	for i, h := range all {
		switch {
		case errs[i] != nil:
			failed, err = append(failed, h), firstOf(err, errs[i])
		case waits[i]:
			h.effect.DueAt = w.Now().Add(min(backoff(h.effect.Attempts), awayFor))
			later = append(later, h.effect)
		default:
			ready = append(ready, h)
		}
	}
	if len(later) > 0 {
		err = firstOf(err, w.Store.PostponeEffects(context.WithoutCancel(ctx), later, "group_link_not_ready"))
	}
	return ready, failed, err
}

// grant asks for one access and says whether its link is worth waiting for.
func (w *Worker) grant(ctx context.Context, h *handover) (wait bool, err error) {
	s := &h.sale
	if w.Access == nil {
		return false, status.Error(codes.Unavailable, "group access is not connected")
	}
	got, err := w.Access.GrantAccess(ctx, &notifierv1.GrantAccessRequest{MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), BotId: s.BotID.String(),
		ChatId: s.Group.ChatID, UserId: s.TelegramID, DurationUnit: s.Group.Unit, DurationValue: s.Group.Value, Traceparent: telemetry.Carrier(h.ctx)})
	if status.Code(err) == codes.InvalidArgument { // whoever paid gets the page and the contact text
		h.late = "invalid_request"
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("grant access: %w", err)
	}
	a := got.GetAccess()
	if h.group = a.GetInviteUrl(); h.group != "" {
		return false, nil
	}
	if w.Now().Sub(a.GetCreatedAt().AsTime()) < groupWait {
		return true, nil
	}
	h.late = firstText(a.GetLastError(), "not_ready")
	return false, nil
}

// showGroups puts the invite links onto pages that existed before: whoever made them had no link yet.
func (w *Worker) showGroups(ctx context.Context, all []*handover) (shown []*handover, err error) {
	for _, h := range all {
		if h.group != "" && !h.link.GetCreated() {
			if e := w.showLink(ctx, store.Key{MerchantID: h.sale.MerchantID, PaymentID: h.sale.ID}, h.group); e != nil {
				err = firstOf(err, e)
				continue
			}
		}
		shown = append(shown, h)
	}
	return shown, err
}

func (w *Worker) showLink(ctx context.Context, k store.Key, link string) error {
	_, err := w.Delivery.UpdateAccess(ctx, &deliveryv1.UpdateAccessRequest{MerchantId: k.MerchantID.String(), PaymentId: k.PaymentID.String(), AccessUrl: link})
	if status.Code(err) == codes.NotFound { // the page is still to be made, and will be made with the link
		return nil
	}
	if err != nil {
		return fmt.Errorf("show the group's link: %w", err)
	}
	return nil
}

// awaitGroup gives a sale's link a few seconds for a buyer who is looking at the page.
func (w *Worker) awaitGroup(ctx context.Context, h *handover) error {
	if h.sale.Group == nil {
		return nil
	}
	end := time.NewTimer(pageWait)
	defer end.Stop()
	for {
		wait, err := w.grant(ctx, h)
		if err != nil || !wait {
			return err
		}
		pause := time.NewTimer(pagePause)
		select {
		case <-pause.C:
		case <-end.C:
			pause.Stop()
			return nil
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// showGroup is the effect that a link became ready: the page shows what the access has now.
func (w *Worker) showGroup(ctx context.Context, e store.Effect, _ store.Sale) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if w.Access == nil {
		return status.Error(codes.Unavailable, "group access is not connected")
	}
	got, err := w.Access.GetAccess(call, &notifierv1.GetAccessRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String()})
	if err != nil && status.Code(err) != codes.NotFound {
		return fmt.Errorf("get access: %w", err)
	}
	if link := got.GetAccess().GetInviteUrl(); link != "" {
		if err := w.showLink(call, e.Key, link); err != nil {
			return err
		}
	}
	return pg.InTx(ctx, w.Store.Pool(), func(tx pgx.Tx) error { return store.FinishEffects(ctx, tx, []store.Effect{e}) })
}

// setGroup makes the access what the sale is. What payments closes without the money having gone back (a review, say) is given back when
// the sale is paid again, unlike what the owner closes by hand.
func (w *Worker) setGroup(ctx context.Context, e store.Effect, s store.Sale) (err error) {
	if s.Group == nil || w.Access == nil {
		return nil
	}
	if s.State == payment.Paid {
		_, err = w.Access.RestoreAccess(ctx, &notifierv1.RestoreAccessRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String()})
	} else {
		reason := ledger.ParseTokenOrder(e.Payload, s.State).Reason
		if reason == "manual" {
			reason = "disputed"
		}
		_, err = w.Access.RevokeAccess(ctx, &notifierv1.RevokeAccessRequest{MerchantId: e.MerchantID.String(), PaymentId: e.PaymentID.String(), Reason: reason})
	}
	if err != nil && status.Code(err) != codes.NotFound { // never granted: the delivery saw the state and did nothing
		return fmt.Errorf("change access: %w", err)
	}
	return nil
}

var groupKinds = map[string]payment.Kind{"ready": payment.GroupLinkReady, "started": payment.GroupJoined, "extended": payment.GroupExtended,
	"ended": payment.GroupEnded, "removed": payment.GroupRemoved, "cancelled": payment.GroupCancelled, "restored": payment.GroupRestored,
	"failed": payment.GroupFailed}

// appendGroup adds what happened to an access.
func appendGroup(entries []ledger.Entry, o *notifierv1.Outcome) []ledger.Entry {
	kind, known := groupKinds[o.GetAccess().GetWhat()]
	d := because(o.GetReason())
	if until := o.GetAccess().GetExpiresAt(); until != nil {
		d["until"] = until.AsTime().UTC().Format(time.RFC3339)
	}
	return appendOutcome(entries, known, outcome{o.GetMerchantId(), o.GetPaymentId(), kind, payment.SourceNotifier, o.GetAt(), o.GetTraceparent(), d})
}

package access

import (
	"context"
	"time"

	"github.com/baixapay/baixa/services/notifier/internal/store"
)

const (
	longestWait = 6 * time.Hour   // between two looks at one access that waits
	banLife     = 5 * time.Minute // of a ban that nobody lifts; Telegram takes less than 30 s for "for ever"
	nameDigits  = 12              // of the payment's id in a link's name, which has at most 32 characters
)

// admit brings a pending access to its link, and then looks for the buyer.
//
// A link whose making was not answered may exist, but nobody knows it: Telegram tells it to the one who asked, and a link lets in only who
// has it. It ends by its own date. So asking again leaves one usable link, the last one, and never two in anybody's hands.
func (k *Keeper) admit(ctx context.Context, b bot, a store.Access) error {
	if a.Now.Sub(a.CreatedAt) > k.cfg.Patience {
		_, err := k.cfg.Store.PutFault(ctx, a, FaultNeverJoined, -1)
		return err
	}
	if a.Link == nil || !a.LinkUntil.After(a.Now) {
		return k.invite(ctx, b, a)
	}
	seen := k.api.look(ctx, b, a.ChatID, a.UserID)
	if seen.kind != good && seen.fault != FaultNoUser {
		return k.settle(ctx, a, seen)
	}
	switch {
	case seen.status == "member", seen.status == "administrator", seen.status == "creator", seen.status == "restricted" && seen.member:
		wait, _, err := k.cfg.Store.ActivateAccess(ctx, a)
		if err == nil && wait {
			err = k.cfg.Store.Later(ctx, a, k.cfg.Soon)
		}
		return err
	case seen.status == "kicked":
		return k.banned(ctx, a)
	}
	return k.cfg.Store.WaitForBuyer(ctx, a, k.until(a))
}

// until is how long to wait before the next look at a buyer who has not come: dense while they are probably reading the page, rare later.
func (k *Keeper) until(a store.Access) time.Duration {
	wait, since := longestWait, a.CreatedAt
	if a.ExpectedAt != nil {
		since = *a.ExpectedAt
	}
	for _, at := range []struct{ age, wait time.Duration }{{3 * time.Minute, k.cfg.Soon}, {15 * time.Minute, 30 * time.Second}, {2 * time.Hour, 2 * time.Minute},
		{24 * time.Hour, 10 * time.Minute}, {7 * 24 * time.Hour, 30 * time.Minute}} {
		if a.Now.Sub(since) < at.age {
			wait = at.wait
			break
		}
	}
	if left := a.LinkUntil.Sub(a.Now); left > 0 { // a new link is due when this one ends
		wait = min(wait, left)
	}
	return wait
}

func (k *Keeper) invite(ctx context.Context, b bot, a store.Access) error {
	until := time.Now().Add(k.cfg.LinkLife)
	id := a.PaymentID.String()
	made := k.api.invite(ctx, b, a.ChatID, "Baixa "+id[len(id)-nameDigits:], until)
	if made.kind == good && made.link == "" {
		made = answer{kind: again, fault: FaultUnavailable}
	}
	if made.kind != good {
		return k.settle(ctx, a, made)
	}
	sealed, err := k.cfg.Sealer.Seal([]byte(made.link), linkName(a.ID))
	if err != nil {
		return err
	}
	kept, err := k.cfg.Store.PutLink(ctx, a, sealed, until, k.cfg.Soon)
	if err != nil || !kept { // nobody will ever be given this link: it is closed, and ends by itself if even that fails
		k.api.closeLink(context.WithoutCancel(ctx), b, a.ChatID, made.link)
	}
	return err
}

// banned is a buyer who was banned and paid. Our own bans are lifted at once, so after a moment it is the group's owner who did it.
func (k *Keeper) banned(ctx context.Context, a store.Access) error {
	if a.Tries < 3 {
		return k.cfg.Store.Later(ctx, a, k.cfg.Soon)
	}
	_, err := k.cfg.Store.PutFault(ctx, a, FaultBanned, k.cfg.Mend)
	return err
}

func (k *Keeper) closeLink(ctx context.Context, b bot, a store.Access) error {
	link, err := OpenLink(k.cfg.Sealer, a)
	if err != nil {
		return err
	}
	if closed := k.api.closeLink(ctx, b, a.ChatID, link); closed.kind != good && closed.kind != refused {
		return k.settle(ctx, a, closed)
	}
	return k.cfg.Store.DropLink(ctx, a) // refused: it was closed by hand, or the bot can do nothing there; it ends by itself
}

func (k *Keeper) expire(ctx context.Context, a store.Access) error {
	switch {
	case a.ExpiresAt == nil: // never, unless somebody changes it
		return k.cfg.Store.Later(ctx, a, longestWait)
	case a.ExpiresAt.After(a.Now):
		return k.cfg.Store.Later(ctx, a, a.ExpiresAt.Sub(a.Now))
	case !k.clock.trusted():
		return k.cfg.Store.Later(ctx, a, time.Minute)
	}
	done, err := k.cfg.Store.ExpireAccess(ctx, a, k.cfg.Grace, time.Minute)
	if err == nil && done {
		k.waker.Wake()
	}
	return err
}

// remove takes the buyer out: that it begins is committed, then they are banned, then the ban is lifted so that they may come back one day.
// A crash at any point leads here again, and each call may be made twice.
func (k *Keeper) remove(ctx context.Context, b bot, a store.Access) error {
	a, begun, done, err := k.cfg.Store.BeginRemoval(ctx, a)
	if err != nil || !begun || !done {
		return err
	}
	if out := k.api.ban(ctx, b, a.ChatID, a.UserID, time.Now().Add(banLife)); out.kind != good && out.fault != FaultNoUser {
		return k.settle(ctx, a, out)
	}
	if free := k.api.unban(ctx, b, a.ChatID, a.UserID); free.kind != good && free.fault != FaultNoUser {
		return k.settle(ctx, a, free)
	}
	_, err = k.cfg.Store.EndRemoval(ctx, a)
	return err
}

// settle writes what a refusal means for the access, its bot and its group.
func (k *Keeper) settle(ctx context.Context, a store.Access, got answer) error {
	notice := store.BotNotice{MerchantID: a.MerchantID, BotID: a.BotID}
	switch got.kind {
	case moved:
		return k.cfg.Store.MoveChat(ctx, a, got.movedTo)
	case flood, badBot:
		row, err := k.cfg.Store.Bot(ctx, a.MerchantID, a.BotID)
		if err != nil {
			return err
		}
		notice.Version, notice.Wait, notice.Refused = row.Version, got.wait, got.kind == badBot
		if err := k.cfg.Store.Settle(ctx, nil, []store.BotNotice{notice}); err != nil {
			return err
		}
		if got.kind == flood {
			return k.cfg.Store.Later(ctx, a, got.wait)
		}
		_, err = k.cfg.Store.PutFault(ctx, a, got.fault, min(time.Minute, k.cfg.Mend))
		return err
	case refused:
		wait := k.cfg.Mend
		if got.fault == FaultAdmin { // whom nobody can take out; the owner must
			wait = -1
		}
		_, err := k.cfg.Store.PutFault(ctx, a, got.fault, wait)
		return err
	}
	wait := min(k.cfg.Soon<<min(a.Tries, 6), k.cfg.Mend)
	if a.Tries >= 8 { // not a hiccup any more: the owner hears of it, and it goes on
		_, err := k.cfg.Store.PutFault(ctx, a, got.fault, wait)
		return err
	}
	return k.cfg.Store.Later(ctx, a, wait)
}

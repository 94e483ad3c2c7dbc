// Package accesses is what `baixa access` does: it asks for memberships of groups, shows them as lines of a terminal and changes one.
// It decides nothing.
package accesses

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
)

// Desk has what the commands need. Merchant is empty for a merchant's own key.
type Desk struct {
	Accesses notifierv1.AccessServiceClient
	Merchant string
	Out      io.Writer
}

// States are the words for states that List takes.
var States = map[string]notifierv1.AccessState{"": notifierv1.AccessState_ACCESS_STATE_UNSPECIFIED, "pending": notifierv1.AccessState_ACCESS_STATE_PENDING,
	"active": notifierv1.AccessState_ACCESS_STATE_ACTIVE, "expired": notifierv1.AccessState_ACCESS_STATE_EXPIRED, "removed": notifierv1.AccessState_ACCESS_STATE_REMOVED,
	"cancelled": notifierv1.AccessState_ACCESS_STATE_CANCELLED, "error": notifierv1.AccessState_ACCESS_STATE_ERROR}

// List prints a line for each access, newest first, at most limit of them.
func (d Desk) List(ctx context.Context, r *notifierv1.ListAccessesRequest, limit int) error {
	r.MerchantId = d.Merchant
	w := tabwriter.NewWriter(d.Out, 0, 0, 2, ' ', 0)
	for left := limit; left > 0; {
		r.PageSize = int32(min(left, 500))
		got, err := d.Accesses.ListAccesses(ctx, r)
		if err != nil {
			return err
		}
		for _, a := range got.GetAccesses() {
			fmt.Fprintln(w, line(a))
		}
		left -= len(got.GetAccesses())
		if r.PageToken = got.GetNextPageToken(); r.PageToken == "" {
			break
		}
	}
	return w.Flush()
}

// Extend moves an access's end to a later time.
func (d Desk) Extend(ctx context.Context, id string, until time.Time) error {
	got, err := d.Accesses.ExtendAccess(ctx, &notifierv1.ExtendAccessRequest{MerchantId: d.Merchant, AccessId: id, Until: timestamppb.New(until)})
	return d.show(got.GetAccess(), err)
}

// Revoke ends an access now.
func (d Desk) Revoke(ctx context.Context, id string) error {
	got, err := d.Accesses.RevokeAccess(ctx, &notifierv1.RevokeAccessRequest{MerchantId: d.Merchant, AccessId: id, Reason: "manual"})
	return d.show(got.GetAccess(), err)
}

// Restore gives a revoked access back, also one that was revoked by hand.
func (d Desk) Restore(ctx context.Context, id string) error {
	got, err := d.Accesses.RestoreAccess(ctx, &notifierv1.RestoreAccessRequest{MerchantId: d.Merchant, AccessId: id, ManualToo: true})
	return d.show(got.GetAccess(), err)
}

func (d Desk) show(a *notifierv1.Access, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(d.Out, strings.ReplaceAll(line(a), "\t", "  "))
	return err
}

// line is an access in cells.
func line(a *notifierv1.Access) string {
	state := strings.ToLower(strings.TrimPrefix(a.GetState().String(), "ACCESS_STATE_"))
	if why := a.GetLastError() + a.GetCancelledReason(); why != "" { // it has one or the other
		state += ": " + screen.Clean(why)
	}
	end := ""
	switch {
	case a.GetRemovedAt() != nil:
		end = "out since " + local(a.GetRemovedAt())
	case a.GetExpiresAt() != nil:
		end = "until " + local(a.GetExpiresAt())
	case a.GetStartedAt() != nil:
		end = "without end"
	}
	return fmt.Sprintf("%s\t%s\tgroup %d\tbuyer %d\tsale %s\t%s", a.GetId(), state, a.GetChatId(), a.GetUserId(), a.GetPaymentId(), end)
}

func local(t *timestamppb.Timestamp) string { return t.AsTime().Local().Format(time.DateTime) }

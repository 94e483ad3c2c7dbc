package notifier_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/pg/pgtest"
)

func accessOf(merchant string) *notifierv1.GrantAccessRequest {
	return &notifierv1.GrantAccessRequest{MerchantId: merchant, PaymentId: uuid.NewString(), BotId: uuid.NewString(), ChatId: -1001234567890, UserId: 700000001,
		DurationUnit: "days", DurationValue: 30}
}

func TestAccess_grantIsIdempotentAndFollowed(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	mine := uuid.NewString()
	r := accessOf(mine)
	first, err := h.accesses.GrantAccess(service(t), r)
	if err != nil || !first.GetCreated() || first.GetAccess().GetState() != notifierv1.AccessState_ACCESS_STATE_PENDING {
		t.Fatalf("grant %v, %v", first, err)
	}
	r.DurationValue = 60 // the payment decides, not the content
	again, err := h.accesses.GrantAccess(service(t), r)
	if err != nil || again.GetCreated() || again.GetAccess().GetId() != first.GetAccess().GetId() || again.GetAccess().GetDurationValue() != 30 {
		t.Errorf("again %v, %v", again, err)
	}
	// The bot has no token on file: the owner must mend it, and payments hears of it.
	got, cursor := follow(t, h, "", 1)
	if o := got[0]; o.GetChannel() != notifierv1.Channel_CHANNEL_GROUP || o.GetAccess().GetWhat() != "failed" || o.GetReason() != "no_bot" ||
		o.GetPaymentId() != r.GetPaymentId() || o.GetAccess().GetAccessId() != first.GetAccess().GetId() {
		t.Errorf("outcome %v", o)
	}
	if health, err := h.GetHealth(as(t, mine), &notifierv1.GetHealthRequest{}); err != nil || health.GetSent() != 0 || health.GetAccessesInError() != 1 ||
		health.GetAccessInErrorPaymentId() != r.GetPaymentId() {
		t.Errorf("health with an access in error and no message: %v, %v", health, err)
	}
	if health, err := h.GetHealth(as(t, uuid.NewString()), &notifierv1.GetHealthRequest{}); err != nil || health.GetAccessesInError() != 0 || health.GetAccessInErrorPaymentId() != "" {
		t.Errorf("a stranger's health: %v, %v", health, err)
	}
	revoked, err := h.accesses.RevokeAccess(service(t), &notifierv1.RevokeAccessRequest{MerchantId: mine, PaymentId: r.GetPaymentId(), Reason: "refunded"})
	if err != nil || revoked.GetAccess().GetState() != notifierv1.AccessState_ACCESS_STATE_CANCELLED || revoked.GetAccess().GetCancelledReason() != "refunded" {
		t.Errorf("revoke %v, %v", revoked, err)
	}
	if got, _ := follow(t, h, cursor, 1); got[0].GetAccess().GetWhat() != "cancelled" || got[0].GetReason() != "refunded" {
		t.Errorf("outcome %v", got[0])
	}
	restored, err := h.accesses.RestoreAccess(service(t), &notifierv1.RestoreAccessRequest{MerchantId: mine, PaymentId: r.GetPaymentId()})
	if err != nil || restored.GetAccess().GetState() != notifierv1.AccessState_ACCESS_STATE_PENDING {
		t.Errorf("restore %v, %v", restored, err)
	}
	for range 3 {
		if _, err := h.accesses.GrantAccess(service(t), accessOf(mine)); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for token := ""; ; {
		page, err := h.accesses.ListAccesses(as(t, mine), &notifierv1.ListAccessesRequest{UserId: 700000001, PageSize: 3, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.GetAccesses() {
			seen[a.GetId()] = true
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d accesses by pages", len(seen))
	}
}

func TestAccess_tenancyAndBadInput(t *testing.T) {
	h := newHouse(t, pgtest.New(t).DSN(), newSealer(t))
	mine := uuid.NewString()
	granted, err := h.accesses.GrantAccess(service(t), accessOf(mine))
	if err != nil {
		t.Fatal(err)
	}
	one := granted.GetAccess().GetId()
	calls := map[string]func(ctx context.Context, merchant string) error{
		"GrantAccess": func(ctx context.Context, m string) error {
			r := accessOf(m)
			r.PaymentId = granted.GetAccess().GetPaymentId()
			_, err := h.accesses.GrantAccess(ctx, r)
			return err
		},
		"GetAccess": func(ctx context.Context, m string) error {
			_, err := h.accesses.GetAccess(ctx, &notifierv1.GetAccessRequest{MerchantId: m, AccessId: one})
			return err
		},
		"ListAccesses": func(ctx context.Context, m string) error {
			_, err := h.accesses.ListAccesses(ctx, &notifierv1.ListAccessesRequest{MerchantId: m})
			return err
		},
		"RevokeAccess": func(ctx context.Context, m string) error {
			_, err := h.accesses.RevokeAccess(ctx, &notifierv1.RevokeAccessRequest{MerchantId: m, AccessId: one})
			return err
		},
		"RestoreAccess": func(ctx context.Context, m string) error {
			_, err := h.accesses.RestoreAccess(ctx, &notifierv1.RestoreAccessRequest{MerchantId: m, AccessId: one, ManualToo: true})
			return err
		},
		"ExtendAccess": func(ctx context.Context, m string) error {
			_, err := h.accesses.ExtendAccess(ctx, &notifierv1.ExtendAccessRequest{MerchantId: m, AccessId: one, Until: timestamppb.New(time.Now().Add(time.Hour))})
			return err
		},
	}
	if want := len(notifierv1.AccessService_ServiceDesc.Methods); len(calls) != want {
		t.Errorf("%d of %d RPCs are tried as the wrong merchant", len(calls), want)
	}
	theirs := as(t, uuid.NewString())
	for name, call := range calls {
		if err := call(theirs, mine); status.Code(err) != codes.PermissionDenied {
			t.Errorf("%s of another merchant: %v", name, err)
		}
		want := codes.NotFound
		if name == "ListAccesses" || name == "GrantAccess" { // their own, under whatever number
			want = codes.OK
		}
		if err := call(theirs, ""); status.Code(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := h.accesses.GetAccess(as(t, mine), &notifierv1.GetAccessRequest{AccessId: one})
	if err != nil || got.GetAccess().GetCancelledReason() != "" || got.GetAccess().GetInviteUrl() != "" {
		t.Errorf("mine: %v, %v", got, err)
	}
	grant := func(change func(*notifierv1.GrantAccessRequest)) error {
		r := accessOf(mine)
		change(r)
		_, err := h.accesses.GrantAccess(service(t), r)
		return err
	}
	extend := func(until *timestamppb.Timestamp) error {
		_, err := h.accesses.ExtendAccess(as(t, mine), &notifierv1.ExtendAccessRequest{AccessId: one, Until: until})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"chat":     {grant(func(r *notifierv1.GrantAccessRequest) { r.ChatId = 5 }), "chat_id: a group's or channel's id"},
		"no chat":  {grant(func(r *notifierv1.GrantAccessRequest) { r.ChatId = 0 }), "chat_id: a group's or channel's id"},
		"user":     {grant(func(r *notifierv1.GrantAccessRequest) { r.UserId = -5 }), "user_id: the buyer's Telegram id"},
		"unit":     {grant(func(r *notifierv1.GrantAccessRequest) { r.DurationUnit = "years" }), "duration_unit: hours"},
		"value":    {grant(func(r *notifierv1.GrantAccessRequest) { r.DurationValue = 0 }), "duration_value: 1 to 1000"},
		"too much": {grant(func(r *notifierv1.GrantAccessRequest) { r.DurationValue = 1001 }), "duration_value: 1 to 1000"},
		"forever":  {grant(func(r *notifierv1.GrantAccessRequest) { r.DurationUnit = "forever" }), "duration_value: 0 with forever"},
		"payment":  {grant(func(r *notifierv1.GrantAccessRequest) { r.PaymentId = "812" }), "payment_id: a UUID"},
		"reason": {func() error {
			_, err := h.accesses.RevokeAccess(as(t, mine), &notifierv1.RevokeAccessRequest{AccessId: one, Reason: "angry"})
			return err
		}(), "reason: refunded"},
		"which": {func() error {
			_, err := h.accesses.GetAccess(as(t, mine), &notifierv1.GetAccessRequest{})
			return err
		}(), "access_id: exactly one"},
		"no end":  {extend(nil), "until: the new end"},
		"far end": {extend(timestamppb.New(time.Now().Add(200_000 * time.Hour))), "until: the new end"},
		"page": {func() error {
			_, err := h.accesses.ListAccesses(as(t, mine), &notifierv1.ListAccessesRequest{PageToken: "x"})
			return err
		}(), "page_token: a UUID"},
	} {
		if status.Code(c.err) != codes.InvalidArgument || !strings.Contains(fmt.Sprint(c.err), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	if err := extend(timestamppb.New(time.Now().Add(time.Hour))); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a pending access was extended: %v", err)
	}
}

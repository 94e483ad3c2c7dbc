package work

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const invite = "https://t.me/+AbCdEfGh"

// groupSale is a paid sale of a group whose delivery is ordered.
func (b *bench) groupSale() store.Sale {
	b.t.Helper()
	b.Access = b.notifier.AccessClient(b.t)
	s := b.draft(b.account, "atomopay")
	s.Group, s.ContactText = &store.Group{ChatID: -1001, Unit: "days", Value: 30}, "@loja"
	s = b.record(s)
	b.gateways.Script(s.Charge.Hash, gatewaystest.Paid(1990))
	if _, err := b.looks(); err != nil {
		b.t.Fatal(err)
	}
	return b.get(s)
}

// access changes what the notifier granted, and lets payments follow what it says of it.
func (b *bench) access(s store.Sale, what, reason string, change func(*notifierv1.Access)) {
	b.t.Helper()
	if !b.notifier.SetAccess(s.MerchantID.String(), s.ID.String(), "", "", change) {
		b.t.Fatal("nothing was granted")
	}
	if what == "" {
		return
	}
	entries := appendGroup(nil, &notifierv1.Outcome{Id: uuid.NewString(), MerchantId: s.MerchantID.String(), PaymentId: s.ID.String(), Kind: "access",
		Channel: notifierv1.Channel_CHANNEL_GROUP, Reason: reason, At: timestamppb.New(b.clock()), Access: &notifierv1.AccessOutcome{What: what, ChatId: -1001}})
	if _, err := b.Ledger.Apply(b.t.Context(), entries); err != nil || len(entries) != 1 {
		b.t.Fatal(entries, err)
	}
}

func TestGroup_linkBecomesTheAccess(t *testing.T) {
	b := newBench(t)
	s := b.groupSale()
	if n, err := b.deliveries(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	granted := b.notifier.Access(s.MerchantID.String(), s.ID.String())
	if granted.GetChatId() != -1001 || granted.GetUserId() != s.TelegramID || granted.GetDurationUnit() != "days" || granted.GetDurationValue() != 30 ||
		granted.GetBotId() != s.BotID.String() {
		t.Fatalf("granted %v", granted)
	}
	if n := len(b.delivery.Issued()); n != 0 {
		t.Fatalf("%d links before the group's own was there", n)
	}
	b.access(s, "ready", "", func(a *notifierv1.Access) { a.InviteUrl, a.LinkReady = invite, true })
	b.pass(2 * time.Second)
	b.settle()
	if issued := b.delivery.Issued(); len(issued) != 1 || issued[0].GetAccessUrl() != invite {
		t.Errorf("issued %v", issued)
	}
	if buyer, _ := b.messages(s); buyer != 1 {
		t.Errorf("%d messages", buyer)
	}
	b.access(s, "started", "", func(a *notifierv1.Access) { a.State = notifierv1.AccessState_ACCESS_STATE_ACTIVE })
	b.settle()
	if k := b.kinds(s); k[payment.GroupLinkReady] != 1 || k[payment.GroupJoined] != 1 || k[payment.GroupLate] != 0 {
		t.Errorf("history %v", k)
	}
	if _, owner := b.messages(s); owner["access_update joined"] != 1 {
		t.Errorf("owner %v", owner)
	}
}

// A group in disorder keeps no paid buyer waiting: the page goes out, the owner is told, and the link comes onto the page later.
func TestGroup_inDisorderDoesNotHoldTheDeliveryBack(t *testing.T) {
	b := newBench(t)
	s := b.groupSale()
	if n, err := b.deliveries(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.access(s, "failed", "bot_not_admin", func(a *notifierv1.Access) {
		a.LastError, a.CreatedAt = "bot_not_admin", timestamppb.New(b.clock().Add(-groupWait))
	})
	b.pass(awayFor)
	b.settle()
	if issued := b.delivery.Issued(); len(issued) != 1 || issued[0].GetAccessUrl() != "" || issued[0].GetContactText() != "@loja" {
		t.Fatalf("issued %v", issued)
	}
	b.following(b.followDelivery)
	b.delivery.Emit(s.MerchantID.String(), s.ID.String(), deliveryv1.OutcomeKind_OUTCOME_KIND_ACCESS_MISSING, "no_access")
	b.until("delivery's own remark", func() bool { return b.kinds(s)[payment.AccessMissing] == 1 })
	b.settle()
	buyer, owner := b.messages(s)
	if buyer != 1 || owner["alert group_failed"] != 1 || owner["alert group_late"] != 1 || owner["alert access_missing"] != 0 {
		t.Errorf("%d messages, owner %v", buyer, owner)
	}
	b.access(s, "ready", "", func(a *notifierv1.Access) { a.InviteUrl, a.LinkReady = invite, true })
	b.settle()
	if got := b.delivery.Access(s.MerchantID.String(), s.ID.String()); got != invite {
		t.Errorf("the page leads to %q", got)
	}
}

func TestGroup_followsTheMoney(t *testing.T) {
	b := newBench(t)
	s := b.groupSale()
	if _, err := b.deliveries(); err != nil {
		t.Fatal(err)
	}
	b.access(s, "ready", "", func(a *notifierv1.Access) { a.InviteUrl, a.LinkReady = invite, true })
	b.pass(2 * time.Second)
	b.settle()
	b.reports(s, gatewaystest.Status(disputed, "med"))
	b.settle()
	if a := b.notifier.Access(s.MerchantID.String(), s.ID.String()); a.GetState() != notifierv1.AccessState_ACCESS_STATE_CANCELLED || a.GetCancelledReason() != "disputed" {
		t.Errorf("under dispute: %v", a)
	}
	b.reports(s, gatewaystest.Paid(1990))
	b.settle()
	if a := b.notifier.Access(s.MerchantID.String(), s.ID.String()); a.GetState() != notifierv1.AccessState_ACCESS_STATE_PENDING {
		t.Errorf("after the dispute was won: %v", a)
	}
	b.access(s, "ready", "", func(a *notifierv1.Access) { a.InviteUrl, a.LinkReady = invite+"2", true })
	b.settle()
	if got := b.delivery.Access(s.MerchantID.String(), s.ID.String()); got != invite+"2" {
		t.Errorf("the page leads to %q", got)
	}
}

// A refund while the group's link is awaited: nothing is delivered, and what was granted is taken back.
func TestGroup_refundWhileWaiting(t *testing.T) {
	b := newBench(t)
	s := b.groupSale()
	if _, err := b.deliveries(); err != nil {
		t.Fatal(err)
	}
	b.reports(s, gatewaystest.Status(gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED, "estornado"))
	b.pass(awayFor)
	b.settle()
	if a := b.notifier.Access(s.MerchantID.String(), s.ID.String()); a.GetState() != notifierv1.AccessState_ACCESS_STATE_CANCELLED {
		t.Errorf("access %v", a)
	}
	if n := len(b.delivery.Issued()); n != 0 {
		t.Errorf("%d links", n)
	}
}

// A checkout page that asks for the link first, and the delivery after it, agree on one page with one invite.
func TestGroup_pageAsksFirst(t *testing.T) {
	b := newBench(t)
	s := b.groupSale()
	asked := make(chan error, 1)
	go func() { _, err := b.Link(t.Context(), s); asked <- err }()
	b.until("an access is granted", func() bool { return b.notifier.Access(s.MerchantID.String(), s.ID.String()) != nil })
	b.access(s, "", "", func(a *notifierv1.Access) { a.InviteUrl, a.LinkReady = invite, true })
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	b.settle()
	if issued := b.delivery.Issued(); len(issued) != 1 || issued[0].GetAccessUrl() != invite {
		t.Errorf("issued %v", issued)
	}
}

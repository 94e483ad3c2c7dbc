package work

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// rows are a sale's open effects and what they carry.
func (b *bench) rows(s store.Sale) map[string]string {
	b.t.Helper()
	rows, err := b.Store.Pool().Query(b.t.Context(), `SELECT key, COALESCE(payload ->> 'tells', '') FROM effects WHERE payment_id = $1`, s.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	var key, tells string
	if _, err := pgx.ForEachRow(rows, []any{&key, &tells}, func() error { out[key] = tells; return nil }); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// riding is a paid sale whose news ride with its delivery.
func (b *bench) riding() store.Sale {
	b.t.Helper()
	b.keep()
	s := b.paid()
	if d := cmp.Diff(map[string]string{"deliver": "owner:2"}, b.rows(s)); d != "" {
		b.t.Fatalf("ordered (-want +got):\n%s", d)
	}
	return s
}

func (b *bench) wantTold(s store.Sale, messages, links int, rows map[string]string) {
	b.t.Helper()
	buyer, owner := b.messages(s)
	if owner["payment_update paid"] != 1 || buyer != messages || b.links(s) != links {
		b.t.Errorf("owner %v, %d messages, %d links; want the news, %d and %d", owner, buyer, b.links(s), messages, links)
	}
	if d := cmp.Diff(rows, b.rows(s)); d != "" {
		b.t.Errorf("effects (-want +got):\n%s", d)
	}
}

func TestRider_oneCallForTheOwnerAndTheBuyer(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	s := b.riding()
	if n, err := b.keptDeliveries(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.wantTold(s, 1, 1, map[string]string{})
	if n := b.notifier.Calls("BatchNotify"); n != 1 {
		t.Errorf("%d calls", n)
	}
	for _, r := range b.notifier.Requests() {
		if e := r.GetOwnerEvent(); e != nil && (r.GetKey() != "owner:2" || e.GetDetail() != "paid" || e.GetAt() == nil || e.GetCustomerName() != "Bia") {
			t.Errorf("told: %v", r)
		}
	}
	b.alertsWork()
	if n := len(b.toldOwner()); n != 1 {
		t.Errorf("%d alerts", n)
	}
}

func TestRider_linkThatCannotBeMadeKeepsNoOwnerWaiting(t *testing.T) {
	b := newBench(t)
	b.owned(nil)
	s := b.riding()
	b.delivery.FailNext("BatchIssueTokens", codes.Unavailable)
	if n, err := b.keptDeliveries(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	b.wantTold(s, 0, 0, map[string]string{"deliver": ""})
	b.alertsWork()
	b.pass(awayFor)
	b.settle()
	b.wantTold(s, 1, 1, map[string]string{})
	b.alertsWork()
	if n := len(b.toldOwner()); n != 1 {
		t.Errorf("%d alerts for one payment", n)
	}
}

// slowLinks holds links until it is let go.
type slowLinks struct {
	deliveryv1.DeliveryServiceClient
	free chan struct{}
}

func (d *slowLinks) BatchIssueTokens(ctx context.Context, r *deliveryv1.BatchIssueTokensRequest, opts ...grpc.CallOption) (*deliveryv1.BatchIssueTokensResponse, error) {
	<-d.free
	return d.DeliveryServiceClient.BatchIssueTokens(ctx, r, opts...)
}

func TestRider_ownerWaitsForNoSlowLink(t *testing.T) {
	b := newBench(t)
	s := b.riding()
	slow := &slowLinks{b.Delivery, make(chan struct{})}
	b.Delivery = slow
	done := make(chan error, 1)
	go func() { _, err := b.keptDeliveries(); done <- err }()
	b.until("the owner", func() bool { _, owner := b.messages(s); return owner["payment_update paid"] == 1 })
	if buyer, _ := b.messages(s); buyer != 0 {
		t.Error("a message without a link")
	}
	close(slow.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.wantTold(s, 1, 1, map[string]string{})
}

func TestRider_notifierAwayLosesNeither(t *testing.T) {
	b := newBench(t)
	s := b.riding()
	b.notifier.FailNext(1, "BatchNotify", codes.Unavailable)
	if n, err := b.keptDeliveries(); n != 1 || status.Code(err) != codes.Unavailable {
		t.Fatal(n, err)
	}
	if d := cmp.Diff(map[string]string{"deliver": "owner:2"}, b.rows(s)); d != "" {
		t.Errorf("effects (-want +got):\n%s", d)
	}
	b.pass(awayFor)
	b.settle()
	b.wantTold(s, 1, 1, map[string]string{})
}

func TestRider_refundBeforeTheDelivery(t *testing.T) {
	for _, away := range []bool{false, true} {
		b := newBench(t)
		s := b.riding()
		if _, err := b.Store.Pool().Exec(t.Context(), `UPDATE payments SET state = 'refunded' WHERE id = $1`, s.ID); err != nil {
			t.Fatal(err)
		}
		b.pass(freshFor)
		if away {
			b.notifier.FailNext(1, "BatchNotify", codes.Unavailable)
			if n, _ := b.keptDeliveries(); n != 1 {
				t.Fatal(n)
			}
			if d := cmp.Diff(map[string]string{"owner:2": "", "revoke:undelivered": ""}, b.rows(s)); d != "" {
				t.Errorf("effects (-want +got):\n%s", d)
			}
		}
		b.pass(awayFor)
		b.settle()
		if n, err := b.keptDeliveries(); !away && (n != 0 || err != nil) {
			t.Error(n, err)
		}
		b.wantTold(s, 0, 0, map[string]string{})
	}
}

func TestRider_refusedByTheNotifier(t *testing.T) {
	b := newBench(t)
	bad := b.riding()
	fine := b.paid()
	real := b.Notifier
	b.Notifier = &picky{real, bad.ID.String(), codes.InvalidArgument}
	if n, err := b.keptDeliveries(); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	b.wantTold(fine, 1, 1, map[string]string{})
	if rows := b.rows(bad); rows["deliver"] != "" || rows["owner:2"] != "" {
		t.Errorf("tried again: %v", rows)
	}
	if b.get(bad).Message != "undeliverable" {
		t.Errorf("the other: %+v", b.get(bad).Fulfilment)
	}
}

func TestRider_aSaleOfAGroupTellsByItself(t *testing.T) {
	b := newBench(t)
	b.keep()
	s := b.groupSale()
	if d := cmp.Diff(map[string]string{"deliver": "", "owner:2": ""}, b.rows(s)); d != "" {
		t.Errorf("ordered (-want +got):\n%s", d)
	}
}

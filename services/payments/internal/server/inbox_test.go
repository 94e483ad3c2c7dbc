package server

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

func (d *desk) posted(s seller, state string) string {
	d.t.Helper()
	id := uuid.Must(uuid.NewV7())
	var merchant any
	if s.id != "" {
		merchant = s.id
	}
	_, err := d.pool.Admin(d.t).Exec(d.t.Context(), `INSERT INTO payments.webhooks (id, provider, digest, body, state, merchant_id) VALUES ($1, 'atomopay', $2, 'x', $3, $4)`,
		id, id[:], state, merchant)
	if err != nil {
		d.t.Fatal(err)
	}
	return id.String()
}

func TestInbox_eachSeesItsOwn(t *testing.T) {
	d := newDesk(t)
	mine, theirs, nobodys := d.posted(d.one, "matched"), d.posted(d.two, "parked"), d.posted(seller{}, "not_understood")
	for name, c := range map[string]struct {
		ctx  context.Context
		want int
	}{"merchant": {d.one.ctx, 1}, "operator": {d.operator(), 3}} {
		r, err := d.ListWebhooks(c.ctx, &paymentsv1.ListWebhooksRequest{})
		if err != nil || len(r.GetWebhooks()) != c.want {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	page, err := d.ListWebhooks(d.operator(), &paymentsv1.ListWebhooksRequest{PageSize: 2})
	if err != nil || len(page.GetWebhooks()) != 2 || page.GetWebhooks()[0].GetId() != nobodys {
		t.Fatal(page, err)
	}
	if page, err = d.ListWebhooks(d.operator(), &paymentsv1.ListWebhooksRequest{PageSize: 2, PageToken: page.GetNextPageToken()}); err != nil || len(page.GetWebhooks()) != 1 || page.GetNextPageToken() != "" {
		t.Error(page, err)
	}
	for _, id := range []string{theirs, nobodys} {
		_, err := d.GetWebhook(d.one.ctx, &paymentsv1.GetWebhookRequest{WebhookId: id})
		if code, _ := said(err); code != codes.NotFound {
			t.Errorf("somebody else's: %v", err)
		}
		_, err = d.ReplayWebhooks(d.one.ctx, &paymentsv1.ReplayWebhooksRequest{WebhookIds: []string{mine, id}})
		if code, _ := said(err); code != codes.NotFound {
			t.Errorf("replay of somebody else's: %v", err)
		}
	}
	if got, err := d.GetWebhook(d.one.ctx, &paymentsv1.GetWebhookRequest{WebhookId: mine}); err != nil || got.GetWebhook().GetState() != "matched" {
		t.Errorf("mine is %v %v: a refused replay changed it", got, err)
	}
	r, err := d.ReplayWebhooks(d.one.ctx, &paymentsv1.ReplayWebhooksRequest{ReceivedFrom: timestamppb.New(time.Now().Add(-time.Hour)), ReceivedTo: timestamppb.New(time.Now().Add(time.Hour))})
	if err != nil || r.GetReplayed() != 1 || r.GetPurged() != 0 {
		t.Errorf("a window: %v %v", r, err)
	}
	if got, err := d.GetWebhook(d.one.ctx, &paymentsv1.GetWebhookRequest{WebhookId: mine}); err != nil || got.GetWebhook().GetState() != "new" || got.GetWebhook().GetDueAt() == nil {
		t.Errorf("replayed: %v %v", got, err)
	}
	if _, err := d.ListWebhooks(t.Context(), &paymentsv1.ListWebhooksRequest{}); err == nil {
		t.Error("nobody listed them")
	}
	_, err = d.ListWebhooks(d.two.ctx, &paymentsv1.ListWebhooksRequest{MerchantId: d.one.id})
	if code, _ := said(err); code != codes.PermissionDenied {
		t.Errorf("as the wrong merchant: %v", err)
	}
}

func TestInbox_badInputNamesTheField(t *testing.T) {
	d := newDesk(t)
	now := timestamppb.Now()
	for want, r := range map[string]*paymentsv1.ReplayWebhooksRequest{
		"received_from received_to received_to": {},
		"webhook_ids":                           {WebhookIds: []string{"1"}},
		"received_to":                           {ReceivedFrom: now, ReceivedTo: now},
		"state":                                 {ReceivedFrom: now, ReceivedTo: timestamppb.New(now.AsTime().Add(time.Second)), State: "lost"},
	} {
		_, err := d.ReplayWebhooks(d.operator(), r)
		if code, fields := said(err); code != codes.InvalidArgument || fields != want {
			t.Errorf("%v names %q, want %q", code, fields, want)
		}
	}
	_, err := d.ListWebhooks(d.operator(), &paymentsv1.ListWebhooksRequest{State: "x", PageSize: 501, PageToken: "x", PaymentId: "x"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "page_size state payment_id page_token" {
		t.Errorf("%v names %q", code, fields)
	}
	_, err = d.GetWebhook(d.operator(), &paymentsv1.GetWebhookRequest{WebhookId: "x"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "webhook_id" {
		t.Errorf("%v names %q", code, fields)
	}
}

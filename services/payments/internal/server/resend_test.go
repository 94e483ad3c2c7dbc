package server

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// delivered is a paid sale whose buyer could not be reached.
func (s *shop) delivered() store.Sale {
	s.t.Helper()
	sale := s.sells(0, nil)
	s.says(sale, payment.StatusPaid, 1990)
	s.note(sale, payment.TokenIssued, nil)
	return s.note(sale, payment.MessageFailed, map[string]string{"reason": "blocked"})
}

func (s *shop) orders(sale store.Sale) (out []string) {
	s.t.Helper()
	events, err := s.store.Events(s.t.Context(), sale.MerchantID, sale.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == payment.ResendOrdered {
			out = append(out, e.Details["order"]+" by "+e.Details["by"])
		}
	}
	return out
}

func TestResend_ownerGetsTheLinkOfASaleThatCannotBeDelivered(t *testing.T) {
	s := newShop(t)
	sale := s.delivered()
	r, err := s.server.ResendDelivery(s.of(0), &paymentsv1.ResendDeliveryRequest{PaymentId: sale.ID.String(), LinkOnly: true})
	if err != nil || r.GetUrl() != "https://pay.example/delivery/of-"+sale.ID.String() || r.GetPayment().GetFulfilment().GetMessage() != "undeliverable" {
		t.Errorf("link only: %v, %v", r, err)
	}
	r, err = s.server.ResendDelivery(s.operator(), &paymentsv1.ResendDeliveryRequest{PaymentId: sale.ID.String()})
	if err != nil || r.GetUrl() == "" || r.GetPayment().GetFulfilment().GetMessage() != "queued" {
		t.Errorf("sent again: %v, %v", r, err)
	}
	if got := strings.Join(s.orders(sale), ", "); got != "link by key k, send by key op" {
		t.Errorf("history: %s", got)
	}
	if _, err := s.server.ResendDelivery(s.of(1), &paymentsv1.ResendDeliveryRequest{PaymentId: sale.ID.String()}); err == nil {
		t.Error("another merchant got the link")
	}
}

func TestResend_sameKeyOrdersOnce(t *testing.T) {
	s := newShop(t)
	sale := s.delivered()
	req := &paymentsv1.ResendDeliveryRequest{PaymentId: sale.ID.String(), Regenerate: true, IdempotencyKey: "a"}
	for range 2 {
		r, err := s.server.ResendDelivery(s.of(0), req)
		if err != nil || r.GetUrl() != "https://pay.example/delivery/new-a" {
			t.Errorf("%v, %v", r, err)
		}
	}
	if got := s.orders(sale); len(got) != 1 || strings.Join(s.delivery.orders, " ") != "a a" {
		t.Errorf("%d orders in the history, asked delivery %v", len(got), s.delivery.orders)
	}
	req.Regenerate = false
	_, err := s.server.ResendDelivery(s.of(0), req)
	if code, _ := said(err); code != codes.AlreadyExists {
		t.Errorf("another order under the same key: %v", err)
	}
}

func TestResend_deliveryAwayOrdersAllTheSame(t *testing.T) {
	s := newShop(t)
	sale := s.delivered()
	s.delivery.err = errors.New("away")
	r, err := s.server.ResendDelivery(s.of(0), &paymentsv1.ResendDeliveryRequest{PaymentId: sale.ID.String()})
	if err != nil || r.GetUrl() != "" || len(s.orders(sale)) != 1 {
		t.Errorf("%v, %v, %v; want the order and no link", r, err, s.orders(sale))
	}
}

func TestResend_refusesWhatCannotBeSent(t *testing.T) {
	s := newShop(t)
	pending := s.sells(0, nil)
	fresh := s.sells(0, nil)
	s.says(fresh, payment.StatusPaid, 1990)
	elsewhere := s.sells(0, func(sale *store.Sale) { sale.DeliveredElsewhere, sale.DeliveredEver = true, true })
	s.says(elsewhere, payment.StatusPaid, 1990)
	refunded := s.delivered()
	s.says(refunded, payment.StatusRefunded, 1990)
	for name, c := range map[string]struct {
		sale store.Sale
		want string
	}{"pending": {pending, "pending"}, "not delivered yet": {fresh, "on its way"}, "elsewhere": {elsewhere, "imported"}, "refunded": {refunded, "refunded"}} {
		_, err := s.server.ResendDelivery(s.of(0), &paymentsv1.ResendDeliveryRequest{PaymentId: c.sale.ID.String()})
		if code, _ := said(err); code != codes.FailedPrecondition || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want FAILED_PRECONDITION that says %q", name, err, c.want)
		}
		if len(s.orders(c.sale)) != 0 {
			t.Errorf("%s: ordered all the same", name)
		}
	}
	_, err := s.server.ResendDelivery(s.of(0), &paymentsv1.ResendDeliveryRequest{PaymentId: pending.ID.String(), IdempotencyKey: strings.Repeat("x", 61)})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "idempotency_key" {
		t.Errorf("a long key: %v names %q", code, fields)
	}
}

func TestProduct_fileURL(t *testing.T) {
	d := newDesk(t)
	req := d.one.register(1)
	req.Product.FileUrl = "https://files.example/curso.pdf?v=2"
	made, err := d.RegisterPayment(d.one.ctx, req)
	if err != nil || made.GetPayment().GetProduct().GetFileUrl() != req.Product.FileUrl {
		t.Fatalf("%v, %v", made, err)
	}
	for _, bad := range []string{"http://files.example/a", "files.example", "https://u:p@files.example/a", "https://files.example/?baixa_key=1", "https://files.example/#x"} {
		req := d.one.register(2)
		req.Product.FileUrl = bad
		_, err := d.RegisterPayment(d.one.ctx, req)
		if code, fields := said(err); code != codes.InvalidArgument || fields != "product.file_url" {
			t.Errorf("%q: %v names %q", bad, code, fields)
		}
	}
	both := d.one.register(3)
	both.Product.AccessUrl, both.Product.FileUrl = "https://members.example", "https://files.example/a"
	_, err = d.RegisterPayment(d.one.ctx, both)
	if code, fields := said(err); code != codes.InvalidArgument || fields != "product.file_url" {
		t.Errorf("both: %v names %q", code, fields)
	}
}

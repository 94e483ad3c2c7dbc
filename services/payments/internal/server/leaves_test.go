package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// The leaves of these tests: clients that answer what the test put into them, within the caller's merchant, as the services do.

type deliveryLeaf struct {
	deliveryv1.DeliveryServiceClient
	byToken map[string]*deliveryv1.Delivery
	orders  []string // keys of new links
	err     error
}

func (d *deliveryLeaf) GetDelivery(ctx context.Context, r *deliveryv1.GetDeliveryRequest, _ ...grpc.CallOption) (*deliveryv1.GetDeliveryResponse, error) {
	m, err := auth.From(ctx).Scope(r.GetMerchantId())
	if err := cmp.Or(d.err, err); err != nil {
		return nil, err
	}
	for token, found := range d.byToken {
		if (r.GetToken() == token || r.GetPaymentId() == found.GetPaymentId()) && (m == "" || m == found.GetMerchantId()) {
			return &deliveryv1.GetDeliveryResponse{Delivery: found}, nil
		}
	}
	return nil, rpcerr.NotFound("delivery")
}

func (d *deliveryLeaf) FindUnissued(ctx context.Context, r *deliveryv1.FindUnissuedRequest, _ ...grpc.CallOption) (*deliveryv1.FindUnissuedResponse, error) {
	m, err := auth.From(ctx).Merchant(r.GetMerchantId())
	if err := cmp.Or(d.err, err); err != nil {
		return nil, err
	}
	out := &deliveryv1.FindUnissuedResponse{}
	for _, id := range r.GetPaymentIds() {
		issued := false
		for _, found := range d.byToken {
			issued = issued || found.GetPaymentId() == id && found.GetMerchantId() == m
		}
		if !issued {
			out.PaymentIds = append(out.PaymentIds, id)
		}
	}
	return out, nil
}

func (d *deliveryLeaf) GetLink(_ context.Context, r *deliveryv1.GetLinkRequest, _ ...grpc.CallOption) (*deliveryv1.GetLinkResponse, error) {
	return &deliveryv1.GetLinkResponse{Url: "https://pay.example/delivery/of-" + r.GetPaymentId()}, d.err
}

func (d *deliveryLeaf) RegenerateToken(_ context.Context, r *deliveryv1.RegenerateTokenRequest, _ ...grpc.CallOption) (*deliveryv1.RegenerateTokenResponse, error) {
	d.orders = append(d.orders, r.GetKey())
	return &deliveryv1.RegenerateTokenResponse{Url: "https://pay.example/delivery/new-" + r.GetKey()}, d.err
}

type notifierLeaf struct {
	notifierv1.NotifierServiceClient
	told   []*notifierv1.Notification
	health *notifierv1.GetHealthResponse
	err    error
	asked  []*notifierv1.NotifyRequest
	duties []int  // how many sales each FindUnrecorded named
	lost   string // the key that it does not know
}

func (n *notifierLeaf) Notify(ctx context.Context, r *notifierv1.NotifyRequest, _ ...grpc.CallOption) (*notifierv1.NotifyResponse, error) {
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); cmp.Or(n.err, err) != nil {
		return nil, cmp.Or(n.err, err)
	}
	n.asked = append(n.asked, r)
	return &notifierv1.NotifyResponse{Notification: &notifierv1.Notification{Id: r.GetKey()}, Created: true}, nil
}

func (n *notifierLeaf) GetNotifications(ctx context.Context, r *notifierv1.GetNotificationsRequest, _ ...grpc.CallOption) (*notifierv1.GetNotificationsResponse, error) {
	_, err := auth.From(ctx).Scope(r.GetMerchantId())
	return &notifierv1.GetNotificationsResponse{Notifications: n.told}, cmp.Or(n.err, err)
}

func (n *notifierLeaf) FindUntold(ctx context.Context, r *notifierv1.FindUntoldRequest, _ ...grpc.CallOption) (*notifierv1.FindUntoldResponse, error) {
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); cmp.Or(n.err, err) != nil {
		return nil, cmp.Or(n.err, err)
	}
	return &notifierv1.FindUntoldResponse{PaymentIds: r.GetPaymentIds()}, nil // nobody was told
}

func (n *notifierLeaf) FindUnrecorded(ctx context.Context, r *notifierv1.FindUnrecordedRequest, _ ...grpc.CallOption) (*notifierv1.FindUnrecordedResponse, error) {
	if _, err := auth.From(ctx).Merchant(r.GetMerchantId()); cmp.Or(n.err, err) != nil {
		return nil, cmp.Or(n.err, err)
	}
	n.duties = append(n.duties, len(r.GetSales()))
	out := &notifierv1.FindUnrecordedResponse{}
	for _, s := range r.GetSales() {
		for _, key := range s.GetKeys() {
			if n.lost == key {
				out.Unrecorded = append(out.Unrecorded, &notifierv1.Unrecorded{PaymentId: s.GetPaymentId(), Kind: "notice", Key: key})
			}
		}
	}
	return out, nil
}

func (n *notifierLeaf) GetHealth(ctx context.Context, r *notifierv1.GetHealthRequest, _ ...grpc.CallOption) (*notifierv1.GetHealthResponse, error) {
	if _, err := auth.From(ctx).Scope(r.GetMerchantId()); cmp.Or(n.err, err) != nil {
		return nil, cmp.Or(n.err, err)
	}
	return n.health, nil
}

type accountsLeaf struct {
	gatewaysv1.AccountsServiceClient
	list []*gatewaysv1.Account
	err  error
}

func (a *accountsLeaf) ListAccounts(ctx context.Context, r *gatewaysv1.ListAccountsRequest, _ ...grpc.CallOption) (*gatewaysv1.ListAccountsResponse, error) {
	m, err := auth.From(ctx).Scope(r.GetMerchantId())
	if err := cmp.Or(a.err, err); err != nil {
		return nil, err
	}
	out := &gatewaysv1.ListAccountsResponse{}
	for _, account := range a.list {
		if m == "" || m == account.GetMerchantId() {
			out.Accounts = append(out.Accounts, account)
		}
	}
	return out, nil
}

type gatewaysLeaf struct {
	gatewaysv1.GatewaysServiceClient
}

// shop is a server on a real database with two merchants, and a clock that the test moves.
type shop struct {
	t        *testing.T
	server   *Server
	store    *store.Store
	now      time.Time
	merchant [2]payment.MerchantID
	bot      [2]payment.BotID
	account  [2]payment.AccountID
	delivery *deliveryLeaf
	notifier *notifierLeaf
	accounts *accountsLeaf
	made     int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	pool := pgtest.New(t, store.Schema).Pool(t, store.Schema)
	s := &shop{t: t, store: store.New(pool), now: time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC),
		delivery: &deliveryLeaf{byToken: map[string]*deliveryv1.Delivery{}}, notifier: &notifierLeaf{health: &notifierv1.GetHealthResponse{}}, accounts: &accountsLeaf{}}
	clock := func() time.Time { return s.now }
	books, err := ledger.New(ledger.Config{Pool: pool, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	s.server, err = New(Config{Store: s.store, Ledger: books, Gateways: gatewaysLeaf{}, Accounts: s.accounts, Delivery: s.delivery, Notifier: s.notifier,
		Title:      func(name string) string { return map[string]string{"atomopay": "Átomo Pay"}[name] },
		WebhookURL: "https://baixa.example", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.merchant {
		s.merchant[i], s.bot[i], s.account[i] = payment.MerchantID(uuid.New()), payment.BotID(uuid.New()), payment.AccountID(uuid.New())
		if _, _, err := s.store.CreateMerchant(t.Context(), store.Merchant{ID: s.merchant[i], Name: fmt.Sprintf("Loja %d", i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.PutBot(t.Context(), store.Bot{MerchantID: s.merchant[i], ID: s.bot[i], ExternalID: "35"}); err != nil {
			t.Fatal(err)
		}
		s.accounts.list = append(s.accounts.list, &gatewaysv1.Account{Id: s.account[i].String(), MerchantId: s.merchant[i].String(), Provider: "atomopay",
			Label: "default", AccountKey: fmt.Sprintf("ak%d", i), State: gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE, Breaker: "closed", CallsPerMinute: 60})
	}
	return s
}

// operator and of are callers.
func (s *shop) operator() context.Context {
	return auth.With(s.t.Context(), auth.Principal{Operator: true, KeyID: "op"})
}

func (s *shop) of(i int) context.Context {
	return auth.With(s.t.Context(), auth.Principal{MerchantID: s.merchant[i].String(), KeyID: "k"})
}

// saleID is a UUID of version 7 made now, as the service makes them.
func (s *shop) saleID() payment.ID {
	s.made++
	ms := s.now.UnixMilli()
	id := payment.ID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80}
	id[14], id[15] = byte(s.made>>8), byte(s.made)
	return id
}

// sells records a sale of a merchant, changed as the test wants it.
func (s *shop) sells(i int, change func(*store.Sale)) store.Sale {
	s.t.Helper()
	sale := store.Sale{Payment: payment.Payment{ID: s.saleID(), MerchantID: s.merchant[i], State: payment.Pending, Amount: 1990, Currency: money.BRL,
		CreatedAt: s.now}, BotID: s.bot[i], AccountID: s.account[i], Provider: "atomopay", ProductName: "Curso", Tracking: json.RawMessage(`{}`)}
	n := s.made
	sale.SaleKey, sale.RequestHash = fmt.Sprintf("key%d", n), []byte{byte(n >> 8), byte(n)}
	sale.Charge = store.Charge{Hash: fmt.Sprintf("hash%d", n), ID: fmt.Sprintf("%d", 9000+n), Reference: fmt.Sprintf("ref%d", n)}
	if change != nil {
		change(&sale)
	}
	out, err := s.server.Ledger.Record(s.t.Context(), []ledger.Opening{{Sale: sale, Kind: payment.Registered, Source: payment.SourceAPI}})
	if err == nil {
		err = out[0].Err
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return out[0].Sale
}

func keyOf(sale store.Sale) store.Key {
	return store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
}

// says is a look at the provider that was answered.
func (s *shop) says(sale store.Sale, status payment.Status, amount money.Amount) store.Sale {
	s.t.Helper()
	e := ledger.Entry{Key: keyOf(sale), Details: map[string]string{"outcome": "status", "status": status.String(), "provider_status": status.String(), "http_status": "200"},
		Event: payment.Event{Kind: payment.Reported, At: s.now, Source: payment.SourcePoll, Reading: &payment.Reading{Status: status}},
		Look:  &ledger.Look{StartedAt: s.now, Outcome: payment.OutcomeStatus, ProviderStatus: status.String()}}
	if amount != 0 {
		e.Event.Reading.Amount = &amount
	}
	return s.applies(e)
}

// fails is a look that was not answered.
func (s *shop) fails(sale store.Sale, outcome payment.Outcome) store.Sale {
	s.t.Helper()
	return s.applies(ledger.Entry{Key: keyOf(sale), Details: map[string]string{"outcome": string(outcome)},
		Event: payment.Event{Kind: payment.PollFailed, At: s.now, Source: payment.SourcePoll}, Look: &ledger.Look{StartedAt: s.now, Outcome: outcome}})
}

// note is an event that only tells what happened.
func (s *shop) note(sale store.Sale, kind payment.Kind, details map[string]string) store.Sale {
	s.t.Helper()
	return s.applies(ledger.Entry{Key: keyOf(sale), Details: details, Event: payment.Event{Kind: kind, At: s.now, Source: payment.SourceSystem}})
}

func (s *shop) applies(e ledger.Entry) store.Sale {
	s.t.Helper()
	out, err := s.server.Ledger.Apply(s.t.Context(), []ledger.Entry{e})
	if err != nil {
		s.t.Fatal(err)
	}
	return out[e.Key]
}

// sql runs a statement as the service may, for states that only time brings.
func (s *shop) sql(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.store.Pool().Exec(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/gateways/gatewaystest"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// desk is a server whose gateways are their owner's fake, with two merchants.
type desk struct {
	*Server
	t        *testing.T
	gateways *gatewaystest.Fake
	pool     *pgtest.DB
	one, two seller
	// aBackfill is the id that calls about a backfill name.
	aBackfill string
}

// seller is a merchant with a bot and an account, and the caller that its key is.
type seller struct {
	id, bot, account string
	ctx              context.Context
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := pgtest.New(t, store.Schema)
	pool := db.Pool(t, store.Schema)
	d := &desk{t: t, gateways: gatewaystest.New(t, gatewaystest.Config{}), pool: db}
	books, err := ledger.New(ledger.Config{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	d.Server, err = New(Config{Store: store.New(pool), Ledger: books, Gateways: d.gateways.Gateways(), Accounts: d.gateways.Accounts(),
		Delivery: &deliveryLeaf{}, Notifier: &notifierLeaf{}, WebhookURL: "https://baixa.example", PublicURL: "https://baixa.example/"})
	if err != nil {
		t.Fatal(err)
	}
	d.one, d.two = d.seller("Loja"), d.seller("Outra")
	d.clicked(d.one, knownToken, "", 0, "")
	return d
}

func (d *desk) operator() context.Context {
	return auth.With(d.t.Context(), auth.Principal{Operator: true, KeyID: "op"})
}

func (d *desk) seller(name string) seller {
	d.t.Helper()
	m, err := d.CreateMerchant(d.operator(), &paymentsv1.CreateMerchantRequest{Name: name})
	if err != nil {
		d.t.Fatal(err)
	}
	s := seller{id: m.GetMerchant().GetId()}
	s.ctx = auth.With(d.t.Context(), auth.Principal{MerchantID: s.id, KeyID: "k-" + name})
	b, err := d.PutBot(s.ctx, &paymentsv1.PutBotRequest{ExternalId: "35", Name: "Bot"})
	if err != nil {
		d.t.Fatal(err)
	}
	s.bot = b.GetBot().GetId()
	s.account = d.gateways.AddAccount(gatewaystest.Account{MerchantID: s.id}).ID
	return s
}

const cpf = "39053344705" // invented

func (s seller) create(key string) *paymentsv1.CreatePaymentRequest {
	return &paymentsv1.CreatePaymentRequest{IdempotencyKey: key, BotId: "35", AccountId: s.account, Amount: &typev1.Money{Centavos: 1990},
		Buyer:   &paymentsv1.Buyer{TelegramId: 77, Name: "Bia Souza", Email: "bia@example.com", Phone: "11999990000", Document: cpf},
		Product: &paymentsv1.Product{Name: "Curso"}, Tracking: &typev1.Tracking{UtmSource: "fb", UtmCampaign: "verao"}, ExternalId: "x-" + key}
}

func (s seller) register(n int) *paymentsv1.RegisterPaymentRequest {
	return &paymentsv1.RegisterPaymentRequest{BotId: s.bot, AccountId: s.account, Amount: &typev1.Money{Centavos: 1990, Currency: "BRL"},
		Charge: &paymentsv1.Charge{Hash: fmt.Sprintf("hash%d", n)}, Product: &paymentsv1.Product{Name: "Curso"}, ExternalId: fmt.Sprintf("reg-%d", n)}
}

func (d *desk) registered(s seller, n int) string {
	d.t.Helper()
	r, err := d.RegisterPayment(s.ctx, s.register(n))
	if err != nil {
		d.t.Fatal(err)
	}
	return r.GetPayment().GetId()
}

// reads applies what a look at the provider found.
func (d *desk) reads(s seller, id string, word payment.Status, centavos int64) {
	d.t.Helper()
	m, _ := payment.ParseMerchantID(s.id)
	pid, err := payment.ParseID(id)
	if err != nil {
		d.t.Fatal(err)
	}
	now := time.Now()
	e := ledger.Entry{Key: store.Key{MerchantID: m, PaymentID: pid}, Look: &ledger.Look{StartedAt: now, Outcome: payment.OutcomeStatus},
		Event: payment.Event{Kind: payment.Reported, At: now, Source: payment.SourcePoll, Reading: &payment.Reading{Status: word}}}
	if centavos != 0 {
		e.Event.Reading.Amount = amount(centavos)
	}
	if _, err := d.Ledger.Apply(d.t.Context(), []ledger.Entry{e}); err != nil {
		d.t.Fatal(err)
	}
}

// said is the code of an error as it leaves the service, and the fields that it names.
func said(err error) (codes.Code, string) {
	err = Errors(err)
	var fields []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				if v.GetDescription() == "" {
					fields = append(fields, "(without a description)")
				}
				fields = append(fields, v.GetField())
			}
		}
	}
	return status.Code(err), strings.Join(fields, " ")
}

// everything reads all rows of all tables as text, the way a thief would.
func (d *desk) everything() string {
	d.t.Helper()
	var out strings.Builder
	admin := d.pool.Admin(d.t)
	for _, table := range []string{"payments", "payment_events", "looks", "effects", "webhooks", "statistics", "merchants", "bots", "api_keys", "click_links", "clicks", "click_starts"} {
		var text *string
		if err := admin.QueryRow(d.t.Context(), `SELECT string_agg(t::text, ' ') FROM payments.`+table+` t`).Scan(&text); err != nil {
			d.t.Fatal(err)
		}
		if text != nil {
			out.WriteString(*text)
		}
	}
	return out.String()
}

func unknownID() string { return uuid.NewString() }

// issued notes that a sale has its link.
func (d *desk) issued(s seller, id string) {
	d.t.Helper()
	m, _ := payment.ParseMerchantID(s.id)
	pid, err := payment.ParseID(id)
	if err != nil {
		d.t.Fatal(err)
	}
	e := ledger.Entry{Key: store.Key{MerchantID: m, PaymentID: pid}, Event: payment.Event{Kind: payment.TokenIssued, At: time.Now(), Source: payment.SourceSystem}}
	if _, err := d.Ledger.Apply(d.t.Context(), []ledger.Entry{e}); err != nil {
		d.t.Fatal(err)
	}
}

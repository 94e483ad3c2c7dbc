package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/sim"
)

// openAtOnce are buyers who open their links as soon as they get them.
var openAtOnce = sim.Buyers{Open: true}

// The origin system's providers.
var three = []sim.Provider{sim.Atomopay, sim.Paradise, sim.Pushinpay}

// document is a CPF of nobody that providers take: the one of every example. It is passed on and never shown.
const document = "12345678909"

var lastChat atomic.Int64

// newChat is a Telegram user that no other test knows.
func newChat() int64 { return 770_000_000 + lastChat.Add(1) }

// shop is a merchant with everything that it takes to sell: an API key, a bot, a pixel, and accounts at the providers.
type shop struct {
	d        deployment.Deployment
	name     string
	id       string
	key      string
	api      *deployment.Client // as the merchant
	operator *deployment.Client
	bot      string
	botToken string
	pixel    string
	accounts map[sim.Provider]*gatewaysv1.Account
}

// secret is a canary of the deployment that begins as its kind does.
func secret(d deployment.Deployment, prefix string) string {
	s := prefix + "segredo" + rand.Text()
	d.Canary(s)
	return s
}

// openShop makes a merchant through the front door, the outside first: who may sell must be known there.
func openShop(t *testing.T, d deployment.Deployment) *shop {
	t.Helper()
	s := &shop{d: d, name: "loja-" + strings.ToLower(rand.Text()[:10]), operator: deployment.NewClient(t, d, d.OperatorKey()),
		accounts: map[sim.Provider]*gatewaysv1.Account{}}
	d.Canary(document)
	merchant := &paymentsv1.CreateMerchantResponse{}
	s.operator.Must("POST", "/v1/merchants", &paymentsv1.CreateMerchantRequest{Name: "Loja de teste", ExternalId: s.name}, merchant)
	s.id = merchant.GetMerchant().GetId()
	s.key = newKey(t, s.operator, s.id)
	d.Canary(s.key)
	s.api = deployment.NewClient(t, d, s.key)

	bot := &paymentsv1.PutBotResponse{}
	s.api.Must("POST", "/v1/bots", &paymentsv1.PutBotRequest{ExternalId: "35", Name: "clube_" + s.name}, bot)
	s.bot = bot.GetBot().GetId()
	s.botToken = fmt.Sprintf("%d:AA-%s", 100_000_000+lastChat.Add(1), (rand.Text() + rand.Text())[:32])
	d.Canary(s.botToken)
	d.Canary(s.botToken[strings.IndexByte(s.botToken, ':')+1:])
	must(t, d.World().AddBot(sim.Bot{Token: s.botToken}))
	s.putBot()

	s.pixel = fmt.Sprint(900_000_000_000_000 + lastChat.Add(1))
	token := secret(d, "EAAtoken")
	must(t, d.World().AddPixel(sim.Pixel{ID: s.pixel, Token: token}))
	s.operator.Must("POST", "/v1/pixels", &deliveryv1.PutPixelRequest{MerchantId: s.id, BotId: s.bot, PixelId: s.pixel, AccessToken: token,
		BaseUrl: d.Sims().MetaURL()}, &deliveryv1.PutPixelResponse{}) // only operators may say another address
	for _, p := range three {
		s.accounts[p] = s.putAccount(t, p, "")
	}
	return s
}

// newKey asks for an API key in the way that puts nothing into a client that watches: the answer is the one place for it.
func newKey(t *testing.T, operator *deployment.Client, merchant string) string {
	t.Helper()
	resp, err := paymentsv1.NewMerchantsServiceClient(operator.Conn()).CreateAPIKey(context.Background(),
		&paymentsv1.CreateAPIKeyRequest{MerchantId: merchant, Name: "teste"})
	if err != nil {
		t.Fatalf("make an API key: %v", err)
	}
	return resp.GetSecret()
}

func (s *shop) putBot() {
	s.operator.Must("POST", "/v1/bots/"+s.bot+"/telegram", &notifierv1.PutBotRequest{MerchantId: s.id, Token: s.botToken,
		BaseUrl: s.d.Sims().TelegramURL()}, &notifierv1.PutBotResponse{})
}

// credentialNames are what each provider's account is opened with: the world's key, and its secret where there are two.
var credentialNames = map[sim.Provider][]string{sim.Atomopay: {"api_token"}, sim.Paradise: {"api_key"}, sim.Pushinpay: {"token"}, sim.Umbrellapag: {"api_key"},
	sim.Syncpay: {"client_id", "client_secret"}, sim.Babylon: {"secret_key", "company_id"}, sim.Bolt: {"secret_key", "company_id"}}

// putAccount opens an account at a provider, in the world under the shop's name and label, and tells Baixa.
func (s *shop) putAccount(t *testing.T, p sim.Provider, label string) *gatewaysv1.Account {
	t.Helper()
	prefix := map[sim.Provider]string{sim.Paradise: "sk_", sim.Pushinpay: "35|"}[p]
	account := sim.Account{Provider: p, Name: s.at(label), Key: secret(s.d, prefix)}
	credentials := map[string]string{}
	for i, name := range credentialNames[p] {
		if credentials[name] = account.Key; i == 1 {
			account.Secret = secret(s.d, "")
			credentials[name] = account.Secret
		}
	}
	must(t, s.d.World().AddAccount(account))
	if p == sim.Atomopay {
		credentials["offer_hash"], credentials["product_hash"] = "oferta1", "produto1"
	}
	resp := &gatewaysv1.PutAccountResponse{}
	s.operator.Must("POST", "/v1/accounts", &gatewaysv1.PutAccountRequest{MerchantId: s.id, Provider: string(p), Label: label,
		Credentials: credentials, BaseUrl: s.d.Sims().ProviderURL(p)}, resp)
	return resp.GetAccount()
}

// branch is the shop at one further account, with settings of its own (name=value).
func (s *shop) branch(t *testing.T, p sim.Provider, label string, settings ...string) *shop {
	t.Helper()
	out := *s
	out.name = s.at(label)
	out.accounts = map[sim.Provider]*gatewaysv1.Account{p: s.putAccount(t, p, label)}
	if len(settings) > 0 {
		env, args := s.as("policy", "set", "--account", out.accounts[p].GetId())
		if c := deployment.Run(t, env, append(args, settings...)...); c.Code != 0 {
			t.Fatalf("policy set %v: code %d\n%s%s", settings, c.Code, c.Stdout, c.Stderr)
		}
	}
	return &out
}

// at is the account's name in the world.
func (s *shop) at(label string) string { return s.name + label }

// sale is one with the chat of its buyer and its charge at the provider.
type sale struct {
	shop     *shop
	id       string
	provider sim.Provider
	charge   string // an identifier that the world knows
	chat     int64
	centavos int64
}

const price = 1990

// request is a sale at a provider, for a buyer of its own.
func (s *shop) request(p sim.Provider) *paymentsv1.CreatePaymentRequest {
	chat := newChat()
	return &paymentsv1.CreatePaymentRequest{IdempotencyKey: rand.Text(), BotId: "35", AccountId: s.accounts[p].GetId(),
		Amount: &typev1.Money{Centavos: price}, ExternalId: fmt.Sprintf("BOT35_%d", chat),
		Buyer:    &paymentsv1.Buyer{TelegramId: chat, Name: "Ana Exemplo", Email: "ana@exemplo.invalid", Phone: "11900000000", Document: document},
		Product:  &paymentsv1.Product{Name: "Acesso VIP <mensal> & mais", AccessUrl: "https://exemplo.invalid/acesso"},
		Tracking: &typev1.Tracking{UtmSource: "FB", UtmCampaign: "lançamento", CampaignCode: "c-35", Fbclid: "IwAR0EXEMPLO"}}
}

// sell makes a sale over REST and finds it at the provider.
func (s *shop) sell(t *testing.T, p sim.Provider) *sale {
	t.Helper()
	return s.sellAs(t, p, s.request(p))
}

func (s *shop) sellAs(t *testing.T, p sim.Provider, req *paymentsv1.CreatePaymentRequest) *sale {
	t.Helper()
	return s.sellIn(t, p, req, 3)
}

// sellIn is sellAs with so many more tries.
func (s *shop) sellIn(t *testing.T, p sim.Provider, req *paymentsv1.CreatePaymentRequest, tries int) *sale {
	t.Helper()
	must(t, s.d.World().AddChat(sim.Chat{ID: req.GetBuyer().GetTelegramId()}))
	resp := &paymentsv1.CreatePaymentResponse{}
	late := s.api.Must("POST", "/v1/payments", req, resp)
	made := resp.GetPayment()
	if !resp.GetCreated() && !late || made.GetStatus() != paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING {
		t.Fatalf("a new sale at %s: created %v, %v", p, resp.GetCreated(), made.GetStatus())
	}
	out := &sale{shop: s, id: made.GetId(), provider: p, chat: req.GetBuyer().GetTelegramId(), centavos: req.GetAmount().GetCentavos(), charge: made.GetCharge().GetId()}
	if out.charge == "" {
		out.charge = made.GetCharge().GetHash()
	}
	if out.charge == "" && tries > 0 { // whoever was not answered in time asks for another
		t.Logf("a new sale at %s has no charge: %v", p, made)
		again := proto.Clone(req).(*paymentsv1.CreatePaymentRequest)
		again.IdempotencyKey, again.ExternalId = rand.Text(), ""
		return s.sellIn(t, p, again, tries-1)
	}
	if out.charge == "" {
		t.Fatalf("a new sale at %s has no charge: %v", p, made)
	}
	if err := sim.CheckBRCode(made.GetCharge().GetCopyPaste()); err != nil {
		t.Errorf("the copy-and-paste code of a sale at %s: %v", p, err)
	}
	return out
}

// register puts a charge at the provider and tells Baixa of it, as the merchant's own program would. The charge tells nobody
// unless it says so.
func (s *shop) register(t *testing.T, p sim.Provider, c sim.Charge) *sale {
	t.Helper()
	made := s.placed(t, p, c)
	return s.follow(t, p, made)
}

// placed is a charge in the world that Baixa does not know yet.
func (s *shop) placed(t *testing.T, p sim.Provider, c sim.Charge) sim.Charge {
	t.Helper()
	c.Provider, c.Account = p, s.at("")
	if c.AmountCentavos == 0 {
		c.AmountCentavos = price
	}
	if c.Webhooks == nil {
		c.Webhooks = &sim.Webhooks{Mode: sim.WebhookNever}
	}
	if c.Reference == "" {
		c.Reference = "ref" + rand.Text()
	}
	made, err := s.d.World().AddCharge(c)
	must(t, err)
	return made
}

// follow registers a charge.
func (s *shop) follow(t *testing.T, p sim.Provider, c sim.Charge) *sale {
	t.Helper()
	return s.followOf(t, p, c, newChat(), &paymentsv1.Product{Name: "E-book"})
}

// followOf registers a charge of somebody's purchase of a product.
func (s *shop) followOf(t *testing.T, p sim.Provider, c sim.Charge, chat int64, product *paymentsv1.Product) *sale {
	t.Helper()
	must(t, s.d.World().AddChat(sim.Chat{ID: chat}))
	req := &paymentsv1.RegisterPaymentRequest{BotId: "35", AccountId: s.accounts[p].GetId(), Amount: &typev1.Money{Centavos: price},
		Charge: &paymentsv1.Charge{Id: c.ID, Hash: c.Hash, Reference: c.Reference}, Buyer: &paymentsv1.Buyer{TelegramId: chat, Name: "Rui Exemplo"},
		Product: product, ExternalId: c.Reference, CreatedAt: timestamppb.New(c.CreatedAt)}
	resp := &paymentsv1.RegisterPaymentResponse{}
	late := s.api.Must("POST", "/v1/payments:register", req, resp)
	if !resp.GetCreated() && !late {
		t.Fatalf("registered as known before: %v", resp)
	}
	return &sale{shop: s, id: resp.GetPayment().GetId(), provider: p, charge: c.ID, chat: chat, centavos: price}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

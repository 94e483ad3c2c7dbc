package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// attempt is what a merchant's key asks of another merchant's, and what it gets.
type attempt struct {
	in   proto.Message
	want codes.Code
}

// shows reports whether an answer that was given has anything of the victim's.
func (attempt) shows(victim *shop, s *sale, out proto.Message) bool {
	raw, _ := protojson.Marshal(out) // an answer that was decoded encodes
	return slices.ContainsFunc([]string{s.id, victim.id, victim.name, victim.accounts[sim.Atomopay].GetId()},
		func(part string) bool { return strings.Contains(string(raw), part) })
}

// attempts has a row for every method of every contract.
func attempts(victim, thief *shop, s *sale) map[string][]attempt {
	all := attemptsOnSales(victim, thief, s)
	maps.Copy(all, attemptsOnSettings(victim, s))
	return all
}

func attemptsOnSales(victim, thief *shop, s *sale) map[string][]attempt {
	const no, hidden, closed, ok = codes.PermissionDenied, codes.NotFound, codes.Unimplemented, codes.OK
	theirs := victim.id
	create := thief.request(sim.Atomopay)
	register := &paymentsv1.RegisterPaymentRequest{BotId: thief.bot, AccountId: thief.accounts[sim.Atomopay].GetId(),
		Amount: create.GetAmount(), Charge: &paymentsv1.Charge{Hash: "abc123"}, Product: &paymentsv1.Product{Name: "x"}}
	with := func(m proto.Message, change func(proto.Message)) proto.Message {
		out := proto.Clone(m)
		change(out)
		return out
	}
	asThem := func(m proto.Message) proto.Message {
		return with(m, func(m proto.Message) {
			r := m.ProtoReflect()
			r.Set(r.Descriptor().Fields().ByName("merchant_id"), protoreflect.ValueOfString(theirs))
		})
	}
	theirAccount := func(m proto.Message) proto.Message {
		return with(m, func(m proto.Message) {
			r := m.ProtoReflect()
			r.Set(r.Descriptor().Fields().ByName("account_id"), protoreflect.ValueOfString(victim.accounts[sim.Atomopay].GetId()))
		})
	}
	theirBot := func(m proto.Message) proto.Message {
		return with(m, func(m proto.Message) {
			r := m.ProtoReflect()
			r.Set(r.Descriptor().Fields().ByName("bot_id"), protoreflect.ValueOfString(victim.bot))
		})
	}
	return map[string][]attempt{
		paymentsv1.PaymentsService_CreatePayment_FullMethodName:     {{asThem(create), no}, {theirAccount(create), hidden}, {theirBot(create), hidden}},
		paymentsv1.PaymentsService_RegisterPayment_FullMethodName:   {{asThem(register), no}, {theirAccount(register), hidden}, {theirBot(register), hidden}},
		paymentsv1.PaymentsService_GetPayment_FullMethodName:        {{&paymentsv1.GetPaymentRequest{PaymentId: s.id}, hidden}},
		paymentsv1.PaymentsService_ListPaymentEvents_FullMethodName: {{&paymentsv1.ListPaymentEventsRequest{PaymentId: s.id}, hidden}},
		paymentsv1.PaymentsService_RecheckPayment_FullMethodName:    {{&paymentsv1.RecheckPaymentRequest{PaymentId: s.id}, hidden}},
		paymentsv1.PaymentsService_ResendDelivery_FullMethodName:    {{&paymentsv1.ResendDeliveryRequest{PaymentId: s.id, Regenerate: true}, hidden}},
		paymentsv1.PaymentsService_ReviewPayment_FullMethodName: {{&paymentsv1.ReviewPaymentRequest{PaymentId: s.id, Note: "x",
			Decision: paymentsv1.ReviewDecision_REVIEW_DECISION_REFUSE}, hidden}},
		paymentsv1.PaymentsService_BatchRegisterPayments_FullMethodName: {{&paymentsv1.BatchRegisterPaymentsRequest{
			Requests: []*paymentsv1.RegisterPaymentRequest{asThem(register).(*paymentsv1.RegisterPaymentRequest), theirAccount(register).(*paymentsv1.RegisterPaymentRequest)}}, ok}},
		paymentsv1.PaymentsService_ExplainPayment_FullMethodName: {{&paymentsv1.ExplainPaymentRequest{Query: s.id}, hidden},
			{&paymentsv1.ExplainPaymentRequest{Query: s.link()}, hidden}, {&paymentsv1.ExplainPaymentRequest{Query: s.charge}, hidden}},
		paymentsv1.PaymentsService_StartBackfill_FullMethodName: {{&paymentsv1.StartBackfillRequest{MerchantId: theirs, From: timestamppb.New(time.Now().Add(-time.Hour)),
			To: timestamppb.Now()}, no}},
		paymentsv1.PaymentsService_GetBackfill_FullMethodName:    {{&paymentsv1.GetBackfillRequest{BackfillId: s.id}, hidden}},
		paymentsv1.PaymentsService_CancelBackfill_FullMethodName: {{&paymentsv1.CancelBackfillRequest{BackfillId: s.id}, hidden}},
		paymentsv1.PaymentsService_ListBackfills_FullMethodName:  {{&paymentsv1.ListBackfillsRequest{MerchantId: theirs}, no}, {&paymentsv1.ListBackfillsRequest{}, ok}},
		paymentsv1.PaymentsService_ListTrust_FullMethodName:      {{&paymentsv1.ListTrustRequest{MerchantId: theirs}, no}, {&paymentsv1.ListTrustRequest{}, ok}},
		paymentsv1.PaymentsService_ListPayments_FullMethodName:   {{&paymentsv1.ListPaymentsRequest{MerchantId: theirs}, no}, {&paymentsv1.ListPaymentsRequest{BotId: victim.bot}, ok}},
		paymentsv1.PaymentsService_GetStatistics_FullMethodName:  {{&paymentsv1.GetStatisticsRequest{MerchantId: theirs}, no}, {&paymentsv1.GetStatisticsRequest{BotId: victim.bot}, ok}},
		paymentsv1.PaymentsService_Diagnose_FullMethodName:       {{&paymentsv1.DiagnoseRequest{MerchantId: theirs}, no}, {&paymentsv1.DiagnoseRequest{}, ok}},
		paymentsv1.WebhookService_ReceiveWebhook_FullMethodName: {{&paymentsv1.ReceiveWebhookRequest{Provider: "atomopay",
			AccountKey: victim.accounts[sim.Atomopay].GetAccountKey(), Body: []byte(`{"hash":"nobody"}`)}, ok}},

		paymentsv1.MerchantsService_CreateMerchant_FullMethodName: {{&paymentsv1.CreateMerchantRequest{Name: "x", ExternalId: victim.name}, no}},
		paymentsv1.MerchantsService_ListMerchants_FullMethodName:  {{&paymentsv1.ListMerchantsRequest{}, ok}},
		paymentsv1.MerchantsService_SetLookWeight_FullMethodName: {{&paymentsv1.SetLookWeightRequest{MerchantId: theirs, LookWeight: 1}, no},
			{&paymentsv1.SetLookWeightRequest{MerchantId: thief.id, LookWeight: 100}, no}},
		paymentsv1.MerchantsService_PutBot_FullMethodName:       {{&paymentsv1.PutBotRequest{MerchantId: theirs, ExternalId: "35"}, no}},
		paymentsv1.MerchantsService_ListBots_FullMethodName:     {{&paymentsv1.ListBotsRequest{MerchantId: theirs}, no}, {&paymentsv1.ListBotsRequest{}, ok}},
		paymentsv1.MerchantsService_CreateAPIKey_FullMethodName: {{&paymentsv1.CreateAPIKeyRequest{MerchantId: theirs, Name: "x"}, no}},
		paymentsv1.MerchantsService_ListAPIKeys_FullMethodName:  {{&paymentsv1.ListAPIKeysRequest{MerchantId: theirs}, no}, {&paymentsv1.ListAPIKeysRequest{}, ok}},
		paymentsv1.MerchantsService_RevokeAPIKey_FullMethodName: {{&paymentsv1.RevokeAPIKeyRequest{KeyId: keyID(victim.key)}, hidden}, {&paymentsv1.RevokeAPIKeyRequest{KeyId: keyID(victim.d.OperatorKey())}, hidden}},

		gatewaysv1.AccountsService_PutAccount_FullMethodName: {{&gatewaysv1.PutAccountRequest{MerchantId: theirs, Provider: "paradise", Credentials: map[string]string{"api_key": "sk_do_ladrao_0001"}}, no}},
		gatewaysv1.AccountsService_VerifyAccount_FullMethodName: {{&gatewaysv1.VerifyAccountRequest{AccountId: victim.accounts[sim.Atomopay].GetId()}, hidden},
			{&gatewaysv1.VerifyAccountRequest{MerchantId: theirs, AccountId: victim.accounts[sim.Atomopay].GetId()}, no}},
		gatewaysv1.AccountsService_ListAccounts_FullMethodName:          {{&gatewaysv1.ListAccountsRequest{MerchantId: theirs}, no}, {&gatewaysv1.ListAccountsRequest{}, ok}},
		gatewaysv1.AccountsService_ListShadowDifferences_FullMethodName: {{&gatewaysv1.ListShadowDifferencesRequest{AccountId: victim.accounts[sim.Atomopay].GetId()}, hidden}},
		gatewaysv1.GatewaysService_ListProviders_FullMethodName:         {{&gatewaysv1.ListProvidersRequest{}, ok}},
		gatewaysv1.GatewaysService_ListTransactions_FullMethodName: {{&gatewaysv1.ListTransactionsRequest{AccountId: victim.accounts[sim.Atomopay].GetId()}, hidden},
			{&gatewaysv1.ListTransactionsRequest{MerchantId: theirs, AccountId: victim.accounts[sim.Atomopay].GetId()}, no}},
		gatewaysv1.GatewaysService_GetPaymentStatus_FullMethodName:      {{&gatewaysv1.GetPaymentStatusRequest{MerchantId: theirs, AccountId: victim.accounts[sim.Atomopay].GetId()}, no}},
		gatewaysv1.GatewaysService_ParseWebhook_FullMethodName:          {{&gatewaysv1.ParseWebhookRequest{Provider: "atomopay"}, no}},
		gatewaysv1.GatewaysService_BatchGetPaymentStatus_FullMethodName: {{&gatewaysv1.BatchGetPaymentStatusRequest{}, closed}},
		gatewaysv1.GatewaysService_BatchParseWebhooks_FullMethodName:    {{&gatewaysv1.BatchParseWebhooksRequest{}, closed}},
		gatewaysv1.GatewaysService_CreateCharge_FullMethodName:          {{&gatewaysv1.CreateChargeRequest{MerchantId: theirs}, closed}},

		deliveryv1.PixelsService_PutPixel_FullMethodName:        {{&deliveryv1.PutPixelRequest{MerchantId: theirs, PixelId: "1", AccessToken: "EAAdoladrao"}, no}},
		deliveryv1.PixelsService_ListPixels_FullMethodName:      {{&deliveryv1.ListPixelsRequest{MerchantId: theirs}, no}, {&deliveryv1.ListPixelsRequest{}, ok}},
		deliveryv1.LinksService_PutLinkPolicy_FullMethodName:    {{&deliveryv1.PutLinkPolicyRequest{MerchantId: theirs, MaxOpens: 1}, no}},
		deliveryv1.LinksService_ListLinkPolicies_FullMethodName: {{&deliveryv1.ListLinkPoliciesRequest{MerchantId: theirs}, no}, {&deliveryv1.ListLinkPoliciesRequest{}, ok}},
		deliveryv1.LinksService_PutFileKey_FullMethodName:       {{&deliveryv1.PutFileKeyRequest{MerchantId: theirs, KeyId: "k", Secret: "segredo-do-ladrao-1"}, no}},
		deliveryv1.LinksService_ListFileKeys_FullMethodName:     {{&deliveryv1.ListFileKeysRequest{MerchantId: theirs}, no}, {&deliveryv1.ListFileKeysRequest{}, ok}},
		deliveryv1.DeliveryService_GetDelivery_FullMethodName: {{&deliveryv1.GetDeliveryRequest{PaymentId: s.id}, hidden},
			{&deliveryv1.GetDeliveryRequest{Token: tokenOf(s)}, hidden}, {&deliveryv1.GetDeliveryRequest{MerchantId: theirs, PaymentId: s.id}, no}},
		deliveryv1.DeliveryService_IssueToken_FullMethodName:       {{&deliveryv1.IssueTokenRequest{MerchantId: theirs, PaymentId: s.id}, closed}},
		deliveryv1.DeliveryService_BatchIssueTokens_FullMethodName: {{&deliveryv1.BatchIssueTokensRequest{}, closed}},
		deliveryv1.DeliveryService_GetLink_FullMethodName:          {{&deliveryv1.GetLinkRequest{MerchantId: theirs, PaymentId: s.id}, closed}},
		deliveryv1.DeliveryService_UpdateAccess_FullMethodName:     {{&deliveryv1.UpdateAccessRequest{MerchantId: theirs, PaymentId: s.id, AccessUrl: "https://ladrao.invalid"}, closed}},
		deliveryv1.DeliveryService_RegenerateToken_FullMethodName:  {{&deliveryv1.RegenerateTokenRequest{MerchantId: theirs, PaymentId: s.id, Key: "x"}, closed}},
		deliveryv1.DeliveryService_RevokeToken_FullMethodName:      {{&deliveryv1.RevokeTokenRequest{MerchantId: theirs, PaymentId: s.id, Reason: "manual"}, closed}},
		deliveryv1.DeliveryService_RestoreToken_FullMethodName:     {{&deliveryv1.RestoreTokenRequest{MerchantId: theirs, PaymentId: s.id}, closed}},
		deliveryv1.DeliveryService_FollowOutcomes_FullMethodName:   {{&deliveryv1.FollowOutcomesRequest{}, closed}},

		notifierv1.NotifierService_PutBot_FullMethodName: {{&notifierv1.PutBotRequest{MerchantId: theirs, BotId: victim.bot, Token: thief.botToken}, no}},
		notifierv1.NotifierService_CreateStreamTicket_FullMethodName: {{&notifierv1.CreateStreamTicketRequest{MerchantId: theirs}, no},
			{&notifierv1.CreateStreamTicketRequest{BotIds: []string{victim.bot}}, no}},
		notifierv1.NotifierService_GetNotifications_FullMethodName: {{&notifierv1.GetNotificationsRequest{MerchantId: theirs, PaymentId: s.id}, no},
			{&notifierv1.GetNotificationsRequest{PaymentId: s.id}, ok}},
		notifierv1.NotifierService_GetHealth_FullMethodName:      {{&notifierv1.GetHealthRequest{MerchantId: theirs}, no}},
		notifierv1.NotifierService_Notify_FullMethodName:         {{&notifierv1.NotifyRequest{MerchantId: theirs}, closed}},
		notifierv1.NotifierService_BatchNotify_FullMethodName:    {{&notifierv1.BatchNotifyRequest{}, closed}},
		notifierv1.NotifierService_FollowOutcomes_FullMethodName: {{&notifierv1.FollowOutcomesRequest{}, closed}},
	}
}

// keyID is the id in an API key, as the API writes ids.
func keyID(key string) string {
	hex := strings.Split(key, "_")[1]
	return strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-")
}

func tokenOf(s *sale) string {
	_, token, _ := strings.Cut(s.link(), "/delivery/")
	return token
}

// revokedKey: within five seconds nobody believes it any more.
func revokedKey(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	key := newKey(t, shop.operator, shop.id)
	c := deployment.NewClient(t, d, key)
	c.Must("GET", "/v1/payments", nil, &paymentsv1.ListPaymentsResponse{})
	shop.api.Must("POST", "/v1/keys/"+keyID(key)+":revoke", &paymentsv1.RevokeAPIKeyRequest{}, &paymentsv1.RevokeAPIKeyResponse{})
	revoked := time.Now()
	deployment.Eventually(t, deployment.Within, "the key is refused", func() bool {
		asked := time.Since(revoked) // an answer may take as long as it likes, it is the question that must not come too late
		if c.REST("GET", "/v1/payments", nil, nil).Code == http.StatusUnauthorized {
			return true
		}
		if asked > 5*time.Second+deployment.Slack {
			t.Fatalf("a key is believed %v after it was revoked", asked)
		}
		return false
	})
}

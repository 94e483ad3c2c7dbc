package e2e

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// attemptsOnSettings are attempts on what owners and operators set up and look through, beside the sales themselves.
func attemptsOnSettings(victim *shop, s *sale) map[string][]attempt {
	const no, hidden, closed, ok, invalid = codes.PermissionDenied, codes.NotFound, codes.Unimplemented, codes.OK, codes.InvalidArgument
	theirs, account := victim.id, victim.accounts[sim.Atomopay].GetId()
	hour := func(n int) *timestamppb.Timestamp {
		return timestamppb.New(time.Now().Add(time.Duration(n) * time.Hour))
	}
	return map[string][]attempt{
		paymentsv1.PaymentsService_StartBackfill_FullMethodName: {{&paymentsv1.StartBackfillRequest{MerchantId: theirs, From: hour(-2), To: hour(-1)}, no},
			{&paymentsv1.StartBackfillRequest{AccountId: account, From: hour(-2), To: hour(-1)}, hidden}},
		paymentsv1.PaymentsService_GetBackfill_FullMethodName:    {{&paymentsv1.GetBackfillRequest{BackfillId: s.id}, hidden}},
		paymentsv1.PaymentsService_CancelBackfill_FullMethodName: {{&paymentsv1.CancelBackfillRequest{BackfillId: s.id}, hidden}},
		paymentsv1.PaymentsService_ListTrust_FullMethodName:      {{&paymentsv1.ListTrustRequest{MerchantId: theirs}, no}, {&paymentsv1.ListTrustRequest{}, ok}},

		paymentsv1.PoliciesService_GetPolicy_FullMethodName: {{&paymentsv1.GetPolicyRequest{MerchantId: theirs}, no}, {&paymentsv1.GetPolicyRequest{AccountId: account}, hidden}},
		paymentsv1.PoliciesService_ChangePolicy_FullMethodName: {{&paymentsv1.ChangePolicyRequest{MerchantId: theirs, Set: map[string]string{"late": "hold"}}, no},
			{&paymentsv1.ChangePolicyRequest{AccountId: account, Set: map[string]string{"late": "hold"}}, hidden},
			{&paymentsv1.ChangePolicyRequest{Provider: "atomopay", Set: map[string]string{"late": "hold"}}, invalid}},
		paymentsv1.ProofService_Prove_FullMethodName:             {{&paymentsv1.ProveRequest{MerchantId: theirs}, no}},
		paymentsv1.ProofService_RebuildStatistics_FullMethodName: {{&paymentsv1.RebuildStatisticsRequest{MerchantId: theirs, Note: "x"}, no}},
		paymentsv1.ProofService_SetCommission_FullMethodName:     {{&paymentsv1.SetCommissionRequest{MerchantId: theirs, BasisPoints: 1}, no}},
		paymentsv1.ProofService_ListCommissions_FullMethodName:   {{&paymentsv1.ListCommissionsRequest{MerchantId: theirs}, no}, {&paymentsv1.ListCommissionsRequest{}, ok}},
		paymentsv1.InboxService_ListWebhooks_FullMethodName: {{&paymentsv1.ListWebhooksRequest{MerchantId: theirs}, no}, {&paymentsv1.ListWebhooksRequest{PaymentId: s.id}, ok},
			{&paymentsv1.ListWebhooksRequest{}, ok}},
		paymentsv1.InboxService_GetWebhook_FullMethodName:     {{&paymentsv1.GetWebhookRequest{WebhookId: s.id}, hidden}},
		paymentsv1.InboxService_ReplayWebhooks_FullMethodName: {{&paymentsv1.ReplayWebhooksRequest{MerchantId: theirs, ReceivedFrom: hour(-1)}, no}},

		paymentsv1.ClicksService_PutClickLink_FullMethodName:       {{&paymentsv1.PutClickLinkRequest{MerchantId: theirs, Slug: "ladrao", BotUsername: "loja_bot"}, no}},
		paymentsv1.ClicksService_ListClickLinks_FullMethodName:     {{&paymentsv1.ListClickLinksRequest{MerchantId: theirs}, no}, {&paymentsv1.ListClickLinksRequest{}, ok}},
		paymentsv1.ClicksService_AttachClick_FullMethodName:        {{&paymentsv1.AttachClickRequest{MerchantId: theirs, BotId: victim.bot, TelegramId: s.chat, ClickToken: "0123456789abcdef0123456789abcdef"}, no}},
		paymentsv1.ClicksService_ListClicks_FullMethodName:         {{&paymentsv1.ListClicksRequest{MerchantId: theirs, BotId: victim.bot, TelegramId: s.chat}, no}},
		paymentsv1.AlertsService_GetAlertSettings_FullMethodName:   {{&paymentsv1.GetAlertSettingsRequest{MerchantId: theirs}, no}, {&paymentsv1.GetAlertSettingsRequest{}, ok}},
		paymentsv1.AlertsService_PutAlertSettings_FullMethodName:   {{&paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{MerchantId: theirs, ChatId: 1, BotId: victim.bot}}, no}},
		paymentsv1.AlertsService_SendTestAlert_FullMethodName:      {{&paymentsv1.SendTestAlertRequest{MerchantId: theirs}, no}},
		notifierv1.TemplatesService_PutTemplate_FullMethodName:     {{&notifierv1.PutTemplateRequest{MerchantId: theirs, Kind: "delivery", Text: "{link}"}, no}},
		notifierv1.TemplatesService_ListTemplates_FullMethodName:   {{&notifierv1.ListTemplatesRequest{MerchantId: theirs}, no}, {&notifierv1.ListTemplatesRequest{}, ok}},
		notifierv1.TemplatesService_PreviewTemplate_FullMethodName: {{&notifierv1.PreviewTemplateRequest{Kind: "delivery"}, ok}},

		notifierv1.NotifierService_FindUnrecorded_FullMethodName: {{&notifierv1.FindUnrecordedRequest{MerchantId: theirs,
			Sales: []*notifierv1.Recorded{{PaymentId: s.id}}}, closed}},
		notifierv1.NotifierService_FindUntold_FullMethodName:   {{&notifierv1.FindUntoldRequest{MerchantId: theirs, PaymentIds: []string{s.id}}, closed}},
		deliveryv1.DeliveryService_FindUnissued_FullMethodName: {{&deliveryv1.FindUnissuedRequest{MerchantId: theirs, PaymentIds: []string{s.id}}, closed}},

		notifierv1.AccessService_GrantAccess_FullMethodName:  {{&notifierv1.GrantAccessRequest{MerchantId: theirs, PaymentId: s.id}, closed}},
		notifierv1.AccessService_GetAccess_FullMethodName:    {{&notifierv1.GetAccessRequest{AccessId: s.id}, hidden}, {&notifierv1.GetAccessRequest{MerchantId: theirs, PaymentId: s.id}, no}},
		notifierv1.AccessService_ListAccesses_FullMethodName: {{&notifierv1.ListAccessesRequest{MerchantId: theirs}, no}, {&notifierv1.ListAccessesRequest{}, ok}},
		notifierv1.AccessService_RevokeAccess_FullMethodName: {{&notifierv1.RevokeAccessRequest{AccessId: s.id, Reason: "manual"}, hidden},
			{&notifierv1.RevokeAccessRequest{MerchantId: theirs, PaymentId: s.id, Reason: "manual"}, no}},
		notifierv1.AccessService_RestoreAccess_FullMethodName: {{&notifierv1.RestoreAccessRequest{AccessId: s.id}, hidden}, {&notifierv1.RestoreAccessRequest{MerchantId: theirs, PaymentId: s.id}, no}},
		notifierv1.AccessService_ExtendAccess_FullMethodName: {{&notifierv1.ExtendAccessRequest{AccessId: s.id, Until: hour(1)}, hidden},
			{&notifierv1.ExtendAccessRequest{MerchantId: theirs, AccessId: s.id, Until: hour(1)}, no}},

		notifierv1.EndpointsService_PutEndpoint_FullMethodName: {{&notifierv1.PutEndpointRequest{MerchantId: theirs, Url: "https://ladrao.invalid/"}, no},
			{&notifierv1.PutEndpointRequest{Url: victim.d.URL()}, invalid}},
		notifierv1.EndpointsService_ListEndpoints_FullMethodName:  {{&notifierv1.ListEndpointsRequest{MerchantId: theirs}, no}, {&notifierv1.ListEndpointsRequest{}, ok}},
		notifierv1.EndpointsService_RotateSecret_FullMethodName:   {{&notifierv1.RotateSecretRequest{EndpointId: s.id}, hidden}, {&notifierv1.RotateSecretRequest{MerchantId: theirs, EndpointId: s.id}, no}},
		notifierv1.EndpointsService_DeleteEndpoint_FullMethodName: {{&notifierv1.DeleteEndpointRequest{EndpointId: s.id}, hidden}, {&notifierv1.DeleteEndpointRequest{MerchantId: theirs, EndpointId: s.id}, no}},
		notifierv1.EndpointsService_ListAttempts_FullMethodName:   {{&notifierv1.ListAttemptsRequest{EndpointId: s.id}, hidden}, {&notifierv1.ListAttemptsRequest{MerchantId: theirs, EndpointId: s.id}, no}},
		notifierv1.EndpointsService_Redeliver_FullMethodName:      {{&notifierv1.RedeliverRequest{EndpointId: s.id, EventId: s.id}, hidden}, {&notifierv1.RedeliverRequest{MerchantId: theirs, EndpointId: s.id, EventId: s.id}, no}},
		notifierv1.EndpointsService_SendTestEvent_FullMethodName:  {{&notifierv1.SendTestEventRequest{EndpointId: s.id}, hidden}, {&notifierv1.SendTestEventRequest{MerchantId: theirs, EndpointId: s.id}, no}},
	}
}

package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// calls are all RPCs of this server that are about one merchant's things, made by whoever ctx says about the first merchant's.
func (d *desk) calls(sale, key string) map[string]func(context.Context) error {
	accept := paymentsv1.ReviewDecision_REVIEW_DECISION_ACCEPT
	about := d.one
	return map[string]func(context.Context) error{
		"CreatePayment": func(ctx context.Context) error {
			r := about.create("t")
			r.MerchantId = about.id
			_, err := d.CreatePayment(ctx, r)
			return err
		},
		"RegisterPayment": func(ctx context.Context) error {
			r := about.register(77)
			r.MerchantId = about.id
			_, err := d.RegisterPayment(ctx, r)
			return err
		},
		"GetPayment": func(ctx context.Context) error {
			_, err := d.GetPayment(ctx, &paymentsv1.GetPaymentRequest{PaymentId: sale})
			return err
		},
		"ListPayments": func(ctx context.Context) error {
			_, err := d.ListPayments(ctx, &paymentsv1.ListPaymentsRequest{MerchantId: about.id})
			return err
		},
		"RecheckPayment": func(ctx context.Context) error {
			_, err := d.RecheckPayment(ctx, &paymentsv1.RecheckPaymentRequest{PaymentId: sale})
			return err
		},
		"ReviewPayment": func(ctx context.Context) error {
			_, err := d.ReviewPayment(ctx, &paymentsv1.ReviewPaymentRequest{PaymentId: sale, Decision: accept, Note: "x"})
			return err
		},
		"ResendDelivery": func(ctx context.Context) error {
			_, err := d.ResendDelivery(ctx, &paymentsv1.ResendDeliveryRequest{PaymentId: sale})
			return err
		},
		"ListPaymentEvents": func(ctx context.Context) error {
			_, err := d.ListPaymentEvents(ctx, &paymentsv1.ListPaymentEventsRequest{PaymentId: sale})
			return err
		},
		"GetStatistics": func(ctx context.Context) error {
			_, err := d.GetStatistics(ctx, &paymentsv1.GetStatisticsRequest{MerchantId: about.id})
			return err
		},
		"StartBackfill": func(ctx context.Context) error {
			_, err := d.StartBackfill(ctx, &paymentsv1.StartBackfillRequest{MerchantId: about.id, From: timestamppb.New(pixDay), To: timestamppb.New(pixDay.Add(time.Hour))})
			return err
		},
		"GetBackfill": func(ctx context.Context) error {
			_, err := d.GetBackfill(ctx, &paymentsv1.GetBackfillRequest{BackfillId: d.aBackfill})
			return err
		},
		"ListBackfills": func(ctx context.Context) error {
			r, err := d.ListBackfills(ctx, &paymentsv1.ListBackfillsRequest{MerchantId: about.id})
			if err == nil && slices.ContainsFunc(r.GetBackfills(), func(b *paymentsv1.Backfill) bool { return b.GetMerchantId() != about.id }) {
				d.t.Error("ListBackfills shows another merchant's")
			}
			return err
		},
		"CancelBackfill": func(ctx context.Context) error {
			_, err := d.CancelBackfill(ctx, &paymentsv1.CancelBackfillRequest{BackfillId: d.aBackfill})
			return err
		},
		"ListTrust": func(ctx context.Context) error {
			_, err := d.ListTrust(ctx, &paymentsv1.ListTrustRequest{MerchantId: about.id})
			return err
		},
		"PutBot": func(ctx context.Context) error {
			_, err := d.PutBot(ctx, &paymentsv1.PutBotRequest{MerchantId: about.id, ExternalId: "99"})
			return err
		},
		"ListBots": func(ctx context.Context) error {
			_, err := d.ListBots(ctx, &paymentsv1.ListBotsRequest{MerchantId: about.id})
			return err
		},
		"GetAlertSettings": func(ctx context.Context) error {
			_, err := d.GetAlertSettings(ctx, &paymentsv1.GetAlertSettingsRequest{MerchantId: about.id})
			return err
		},
		"PutAlertSettings": func(ctx context.Context) error {
			_, err := d.PutAlertSettings(ctx, &paymentsv1.PutAlertSettingsRequest{Settings: &paymentsv1.AlertSettings{MerchantId: about.id, ChatId: 5, BotId: about.bot}})
			return err
		},
		"SendTestAlert": func(ctx context.Context) error {
			_, err := d.SendTestAlert(ctx, &paymentsv1.SendTestAlertRequest{MerchantId: about.id})
			return err
		},
		"CreateAPIKey": func(ctx context.Context) error {
			_, err := d.CreateAPIKey(ctx, &paymentsv1.CreateAPIKeyRequest{MerchantId: about.id, Name: "x"})
			return err
		},
		"ListAPIKeys": func(ctx context.Context) error {
			_, err := d.ListAPIKeys(ctx, &paymentsv1.ListAPIKeysRequest{MerchantId: about.id})
			return err
		},
		"PutClickLink": func(ctx context.Context) error {
			_, err := d.PutClickLink(ctx, &paymentsv1.PutClickLinkRequest{MerchantId: about.id, Slug: "promo", BotUsername: "clube_bot"})
			return err
		},
		"ListClickLinks": func(ctx context.Context) error {
			_, err := d.ListClickLinks(ctx, &paymentsv1.ListClickLinksRequest{MerchantId: about.id})
			return err
		},
		"AttachClick": func(ctx context.Context) error {
			_, err := d.AttachClick(ctx, &paymentsv1.AttachClickRequest{MerchantId: about.id, BotId: "35", TelegramId: 77, ClickToken: knownToken})
			return err
		},
		"ListClicks": func(ctx context.Context) error {
			_, err := d.ListClicks(ctx, &paymentsv1.ListClicksRequest{MerchantId: about.id, BotId: "35", TelegramId: 77})
			return err
		},
		"GetPolicy": func(ctx context.Context) error {
			_, err := d.GetPolicy(ctx, &paymentsv1.GetPolicyRequest{MerchantId: about.id, AccountId: about.account})
			return err
		},
		"ChangePolicy": func(ctx context.Context) error {
			_, err := d.ChangePolicy(ctx, &paymentsv1.ChangePolicyRequest{MerchantId: about.id, Set: map[string]string{"late": "ask"}})
			return err
		},
		"Prove": func(ctx context.Context) error {
			return d.Prove(&paymentsv1.ProveRequest{MerchantId: about.id, SkipLeaves: true}, &proofStream{ctx: ctx})
		},
		"ListCommissions": func(ctx context.Context) error {
			_, err := d.ListCommissions(ctx, &paymentsv1.ListCommissionsRequest{MerchantId: about.id})
			return err
		},
		"RevokeAPIKey": func(ctx context.Context) error {
			_, err := d.RevokeAPIKey(ctx, &paymentsv1.RevokeAPIKeyRequest{KeyId: key})
			return err
		},
	}
}

func TestTenancy_everyCallByEveryone(t *testing.T) {
	d := newDesk(t)
	sale := d.registered(d.one, 1)
	d.reads(d.one, sale, payment.StatusPaid, 1000)
	key, err := d.CreateAPIKey(d.one.ctx, &paymentsv1.CreateAPIKeyRequest{Name: "site"})
	if err != nil {
		t.Fatal(err)
	}
	d.issued(d.one, sale)
	d.alerted()
	begun, err := d.StartBackfill(d.one.ctx, &paymentsv1.StartBackfillRequest{From: timestamppb.New(d.Now().Add(-9 * time.Hour)), To: timestamppb.New(d.Now().Add(-8 * time.Hour))})
	if err != nil {
		t.Fatal(err)
	}
	d.aBackfill = begun.GetBackfill().GetId()
	before := d.everything()
	unscoped := map[string]bool{"GetBackfill": true, "CancelBackfill": true, "GetPayment": true, "RecheckPayment": true, "ReviewPayment": true, "ResendDelivery": true, "ListPaymentEvents": true, "RevokeAPIKey": true}
	for name, call := range d.calls(sale, key.GetKey().GetId()) {
		want := codes.PermissionDenied
		if unscoped[name] {
			want = codes.NotFound // what belongs to someone else does not exist
		}
		if code, _ := said(call(d.two.ctx)); code != want {
			t.Errorf("%s as the wrong merchant: %v, want %v", name, code, want)
		}
		if code, _ := said(call(t.Context())); code != codes.Unauthenticated {
			t.Errorf("%s as nobody: %v", name, code)
		}
	}
	if d.everything() != before {
		t.Error("one of the refused calls changed something")
	}
	for name, call := range d.calls(sale, key.GetKey().GetId()) {
		if name == "ReviewPayment" || name == "ResendDelivery" {
			continue // decided once, below, and sent only then
		}
		if err := call(d.one.ctx); err != nil {
			t.Errorf("%s as the merchant: %v", name, err)
		}
		if err := call(d.operator()); err != nil {
			t.Errorf("%s as an operator: %v", name, err)
		}
	}
	if err := d.calls(sale, "")["ReviewPayment"](d.one.ctx); err != nil {
		t.Errorf("ReviewPayment as the merchant: %v", err)
	}
	for who, ctx := range map[string]context.Context{"the merchant": d.one.ctx, "an operator": d.operator()} {
		if err := d.calls(sale, "")["ResendDelivery"](ctx); err != nil {
			t.Errorf("ResendDelivery as %s: %v", who, err)
		}
	}
}

func TestTenancy_unknownIDsAreNotFoundAndOddOnesRefused(t *testing.T) {
	d := newDesk(t)
	d.alerted()
	d.aBackfill = unknownID()
	for name, call := range d.calls(unknownID(), unknownID()) {
		if code, _ := said(call(d.operator())); code != codes.OK && code != codes.NotFound {
			t.Errorf("%s of what is nowhere: %v", name, code)
		}
	}
	d.aBackfill = "1"
	for name, call := range d.calls("1", "1") {
		if code, fields := said(call(d.operator())); code == codes.InvalidArgument && fields != "payment_id" && fields != "key_id" && fields != "backfill_id" || code == codes.Internal {
			t.Errorf("%s with an odd id: %v names %q", name, code, fields)
		}
	}
}

func TestMerchants_operatorsOnly(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		ctx  context.Context
		code codes.Code
	}{"nobody": {t.Context(), codes.Unauthenticated}, "merchant": {d.one.ctx, codes.PermissionDenied}} {
		_, err := d.CreateMerchant(c.ctx, &paymentsv1.CreateMerchantRequest{Name: "x"})
		if code, _ := said(err); code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := d.CreateMerchant(d.operator(), &paymentsv1.CreateMerchantRequest{ExternalId: strings.Repeat("x", 101)})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "name external_id" {
		t.Errorf("%v names %q", code, fields)
	}
	first, err := d.CreateMerchant(d.operator(), &paymentsv1.CreateMerchantRequest{Name: "x", ExternalId: "1"})
	if err != nil || !first.GetCreated() {
		t.Fatal(first, err)
	}
	again, err := d.CreateMerchant(d.operator(), &paymentsv1.CreateMerchantRequest{Name: "x", ExternalId: "1"})
	if err != nil || again.GetCreated() || again.GetMerchant().GetId() != first.GetMerchant().GetId() {
		t.Errorf("again: %v, %v", again, err)
	}
	all, err := d.ListMerchants(d.operator(), nil)
	mine, err2 := d.ListMerchants(d.one.ctx, nil)
	_, err3 := d.ListMerchants(t.Context(), nil)
	if err != nil || err2 != nil || len(all.GetMerchants()) != 3 || len(mine.GetMerchants()) != 1 || mine.GetMerchants()[0].GetId() != d.one.id {
		t.Errorf("all %v %v, mine %v %v", all, err, mine, err2)
	}
	if code, _ := said(err3); code != codes.Unauthenticated {
		t.Errorf("nobody: %v", err3)
	}
}

func TestSetLookWeight_operatorsOnly(t *testing.T) {
	d := newDesk(t)
	before := d.everything()
	for name, c := range map[string]struct {
		ctx    context.Context
		id     string
		weight int32
		code   codes.Code
		fields string
	}{
		"nobody":                {t.Context(), d.one.id, 2, codes.Unauthenticated, ""},
		"the merchant":          {d.one.ctx, d.one.id, 2, codes.PermissionDenied, ""},
		"another":               {d.two.ctx, d.one.id, 2, codes.PermissionDenied, ""},
		"an unknown merchant":   {d.operator(), unknownID(), 2, codes.NotFound, ""},
		"nobody is meant":       {d.operator(), "", 2, codes.InvalidArgument, "merchant_id"},
		"nothing":               {d.operator(), d.one.id, 0, codes.InvalidArgument, "look_weight"},
		"too much":              {d.operator(), d.one.id, 101, codes.InvalidArgument, "look_weight"},
		"neither who, nor what": {d.operator(), "7", -1, codes.InvalidArgument, "merchant_id look_weight"},
	} {
		_, err := d.SetLookWeight(c.ctx, &paymentsv1.SetLookWeightRequest{MerchantId: c.id, LookWeight: c.weight})
		if code, fields := said(err); code != c.code || fields != c.fields {
			t.Errorf("%s: %v names %q, want %v and %q", name, err, fields, c.code, c.fields)
		}
	}
	if d.everything() != before {
		t.Error("a refused call changed something")
	}
	for range 2 {
		r, err := d.SetLookWeight(d.operator(), &paymentsv1.SetLookWeightRequest{MerchantId: d.one.id, LookWeight: 100})
		if err != nil || r.GetMerchant().GetId() != d.one.id || r.GetMerchant().GetLookWeight() != 100 {
			t.Errorf("%v, %v", r, err)
		}
	}
	for who, want := range map[context.Context]int32{d.one.ctx: 100, d.two.ctx: 1} {
		if list, err := d.ListMerchants(who, nil); err != nil || list.GetMerchants()[0].GetLookWeight() != want {
			t.Errorf("%v, %v, want %d", list, err, want)
		}
	}
}

func TestBots_putAndList(t *testing.T) {
	d := newDesk(t)
	renamed, err := d.PutBot(d.one.ctx, &paymentsv1.PutBotRequest{ExternalId: "35", Name: "Novo"})
	if err != nil || renamed.GetCreated() || renamed.GetBot().GetId() != d.one.bot || renamed.GetBot().GetName() != "Novo" {
		t.Errorf("renamed: %v, %v", renamed, err)
	}
	list, err := d.ListBots(d.one.ctx, &paymentsv1.ListBotsRequest{})
	if err != nil || len(list.GetBots()) != 1 || list.GetBots()[0].GetMerchantId() != d.one.id {
		t.Errorf("list: %v, %v", list, err)
	}
	_, err = d.PutBot(d.operator(), &paymentsv1.PutBotRequest{MerchantId: unknownID(), ExternalId: "1"})
	if code, _ := said(err); code != codes.NotFound || !strings.Contains(err.Error(), "merchant") {
		t.Errorf("unknown merchant: %v", err)
	}
	_, err = d.PutBot(d.one.ctx, &paymentsv1.PutBotRequest{Name: "\x00"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "external_id name" {
		t.Errorf("%v names %q", code, fields)
	}
	_, err = d.PutBot(d.operator(), &paymentsv1.PutBotRequest{ExternalId: "1"})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "merchant_id" {
		t.Errorf("an operator who names nobody: %v names %q", code, fields)
	}
}

func TestKeys_secretIsShownOnce(t *testing.T) {
	d := newDesk(t)
	made, err := d.CreateAPIKey(d.one.ctx, &paymentsv1.CreateAPIKeyRequest{Name: "site"})
	if err != nil || made.GetSecret() == "" || made.GetKey().GetMerchantId() != d.one.id {
		t.Fatal(made, err)
	}
	if strings.Contains(d.everything(), made.GetSecret()) {
		t.Error("the secret is in the database")
	}
	operators, err := d.CreateAPIKey(d.operator(), &paymentsv1.CreateAPIKeyRequest{Name: "op"})
	if err != nil || operators.GetKey().GetMerchantId() != "" {
		t.Errorf("operator's key: %v, %v", operators, err)
	}
	for i, c := range []struct {
		ctx  context.Context
		of   string
		want string
	}{{d.one.ctx, "", "site"}, {d.operator(), d.one.id, "site"}, {d.operator(), "", "op"}} {
		list, err := d.ListAPIKeys(c.ctx, &paymentsv1.ListAPIKeysRequest{MerchantId: c.of})
		if err != nil || len(list.GetKeys()) != 1 || list.GetKeys()[0].GetName() != c.want {
			t.Errorf("%d: %v, %v", i, list, err)
		}
	}
	_, err = d.CreateAPIKey(d.operator(), &paymentsv1.CreateAPIKeyRequest{MerchantId: unknownID(), Name: "x"})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("unknown merchant: %v", err)
	}
	_, err = d.CreateAPIKey(d.one.ctx, &paymentsv1.CreateAPIKeyRequest{})
	if code, fields := said(err); code != codes.InvalidArgument || fields != "name" {
		t.Errorf("%v names %q", code, fields)
	}
	_, err = d.RevokeAPIKey(d.one.ctx, &paymentsv1.RevokeAPIKeyRequest{KeyId: operators.GetKey().GetId()})
	if code, _ := said(err); code != codes.NotFound {
		t.Errorf("a merchant revokes an operator's key: %v", err)
	}
	first, err := d.RevokeAPIKey(auth.With(t.Context(), auth.Principal{Operator: true}), &paymentsv1.RevokeAPIKeyRequest{KeyId: made.GetKey().GetId()})
	again, err2 := d.RevokeAPIKey(d.one.ctx, &paymentsv1.RevokeAPIKeyRequest{KeyId: made.GetKey().GetId()})
	if err != nil || err2 != nil || first.GetKey().GetRevokedAt() == nil || first.GetKey().GetRevokedAt().AsTime() != again.GetKey().GetRevokedAt().AsTime() {
		t.Errorf("revoked: %v %v, again: %v %v", first, err, again, err2)
	}
}

func TestNew_namesWhatIsMissing(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}

// pixDay is a day long gone.
var pixDay = time.Date(2025, 12, 5, 0, 0, 0, 0, time.UTC)

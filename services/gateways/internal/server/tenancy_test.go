package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpc"
)

// everyCall is each RPC of both services about a's rows, as its owner would make it; lists is an account of the same owner
// whose provider has a listing.
func everyCall(a, lists *gatewaysv1.Account) map[string]proto.Message {
	look := question(a, hash("h1"))
	return map[string]proto.Message{
		gatewaysv1.GatewaysService_GetPaymentStatus_FullMethodName:      look,
		gatewaysv1.GatewaysService_BatchGetPaymentStatus_FullMethodName: &gatewaysv1.BatchGetPaymentStatusRequest{Requests: []*gatewaysv1.GetPaymentStatusRequest{look}},
		gatewaysv1.GatewaysService_ParseWebhook_FullMethodName:          hook("atomopay", a.GetAccountKey(), atomoHook),
		gatewaysv1.GatewaysService_BatchParseWebhooks_FullMethodName:    &gatewaysv1.BatchParseWebhooksRequest{Requests: []*gatewaysv1.ParseWebhookRequest{hook("atomopay", a.GetAccountKey(), atomoHook)}},
		gatewaysv1.GatewaysService_CreateCharge_FullMethodName:          order(a, "ref-t"),
		gatewaysv1.GatewaysService_ListTransactions_FullMethodName:      list(lists, ""),
		gatewaysv1.GatewaysService_ListProviders_FullMethodName:         &gatewaysv1.ListProvidersRequest{},
		gatewaysv1.AccountsService_PutAccount_FullMethodName: &gatewaysv1.PutAccountRequest{MerchantId: a.GetMerchantId(), Provider: "atomopay",
			Credentials: map[string]string{"api_token": "stolen"}},
		gatewaysv1.AccountsService_VerifyAccount_FullMethodName:         &gatewaysv1.VerifyAccountRequest{MerchantId: a.GetMerchantId(), AccountId: a.GetId()},
		gatewaysv1.AccountsService_ListShadowDifferences_FullMethodName: &gatewaysv1.ListShadowDifferencesRequest{MerchantId: a.GetMerchantId(), AccountId: a.GetId()},
		gatewaysv1.AccountsService_ListAccounts_FullMethodName:          &gatewaysv1.ListAccountsRequest{MerchantId: a.GetMerchantId()},
	}
}

// answerOf makes an empty answer of a method.
func answerOf(t *testing.T, full string) proto.Message {
	t.Helper()
	part := strings.Split(strings.TrimPrefix(full, "/"), "/")
	for _, file := range []protoreflect.FileDescriptor{gatewaysv1.File_baixa_gateways_v1_gateways_service_proto, gatewaysv1.File_baixa_gateways_v1_accounts_service_proto} {
		for i := range file.Services().Len() {
			if s := file.Services().Get(i); string(s.FullName()) == part[0] {
				if m := s.Methods().ByName(protoreflect.Name(part[1])); m != nil {
					return newMessage(t, m.Output().FullName())
				}
			}
		}
	}
	t.Fatalf("no method %s", full)
	return nil
}

func TestTenancy_everyRPCIsCovered(t *testing.T) {
	calls := everyCall(&gatewaysv1.Account{}, &gatewaysv1.Account{})
	for _, d := range []grpc.ServiceDesc{gatewaysv1.GatewaysService_ServiceDesc, gatewaysv1.AccountsService_ServiceDesc} {
		for _, m := range d.Methods {
			if calls["/"+d.ServiceName+"/"+m.MethodName] == nil {
				t.Errorf("%s/%s has no call in everyCall", d.ServiceName, m.MethodName)
			}
		}
	}
}

func TestTenancy_nobodyIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t)
	a, lists := w.account("atomopay"), w.account("bolt")
	open := w.serve(func(s *tuning) { s.open = true }) // without the interceptor: the handlers refuse by themselves
	for full, req := range everyCall(a, lists) {
		for _, memory := range []*rpc.Memory{w.memory, open.memory} {
			if err := unsigned(t, memory).Invoke(t.Context(), full, req, answerOf(t, full)); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%s without a principal: %v, want Unauthenticated", full, err)
			}
		}
	}
}

func TestTenancy_anotherMerchantReachesNothing(t *testing.T) {
	w := newWorld(t)
	w.on(says(200, `{"payment_status":"paid"}`))
	a, lists := w.account("atomopay"), w.account("bolt")
	ctx := merchantCtx(t, beto)
	for full, req := range everyCall(a, lists) {
		answer := answerOf(t, full)
		err := w.conn.Invoke(ctx, full, req, answer)
		switch {
		case strings.Contains(full, "ParseWebhook"), strings.Contains(full, "ListProviders"):
			if err != nil {
				t.Errorf("%s: %v", full, err)
			}
		case status.Code(err) != codes.PermissionDenied:
			t.Errorf("%s in another's name: %v, want PermissionDenied", full, err)
		}
		if text := answer.(interface{ String() string }).String(); strings.Contains(text, a.GetId()) || strings.Contains(text, lists.GetId()) || strings.Contains(text, ana) {
			t.Errorf("%s tells another merchant of the account: %s", full, text)
		}
		// In his own name, with the other's account.
		own := proto.Clone(req)
		rename(own, beto)
		answer = answerOf(t, full)
		err = w.conn.Invoke(ctx, full, own, answer)
		switch full {
		case gatewaysv1.GatewaysService_GetPaymentStatus_FullMethodName, gatewaysv1.GatewaysService_CreateCharge_FullMethodName, gatewaysv1.AccountsService_VerifyAccount_FullMethodName,
			gatewaysv1.GatewaysService_ListTransactions_FullMethodName, gatewaysv1.AccountsService_ListShadowDifferences_FullMethodName:
			if status.Code(err) != codes.NotFound {
				t.Errorf("%s with another's account: %v, want NotFound", full, err)
			}
		default:
			if err != nil {
				t.Errorf("%s: %v", full, err)
			}
		}
		if text := answer.(interface{ String() string }).String(); strings.Contains(text, a.GetId()) || strings.Contains(text, lists.GetId()) || strings.Contains(text, ana) {
			t.Errorf("%s tells of another merchant's account: %s", full, text)
		}
	}
	if n := w.count(); n != 0 {
		t.Errorf("the provider was asked %d times with another's account", n)
	}
	if got := w.find(t, a.GetId()); got.GetUpdatedAt().AsTime() != a.GetUpdatedAt().AsTime() {
		t.Error("another merchant changed the account")
	}
}

func TestTenancy_merchantsNeedNotNameThemselves(t *testing.T) {
	w := newWorld(t)
	w.on(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/transactions" && r.Method == http.MethodGet {
			twoPages(rw, r)
			return
		}
		says(201, charged(77, 1990))(rw, r)
	})
	a, lists := w.account("atomopay"), w.account("bolt")
	for full, req := range everyCall(a, lists) {
		unnamed := proto.Clone(req)
		rename(unnamed, "")
		if err := w.conn.Invoke(merchantCtx(t, ana), full, unnamed, answerOf(t, full)); err != nil {
			t.Errorf("%s by its owner: %v", full, err)
		}
		if strings.Contains(full, "ParseWebhook") || strings.Contains(full, "/ListProviders") || strings.Contains(full, "/ListAccounts") {
			continue
		}
		err := w.conn.Invoke(context.Background(), full, unnamed, answerOf(t, full))
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s by an operator who names no merchant: %v, want InvalidArgument", full, err)
		}
	}
}

// rename sets every merchant_id in a request.
func rename(m proto.Message, id string) {
	fields := m.ProtoReflect().Descriptor().Fields()
	if f := fields.ByName("merchant_id"); f != nil {
		m.ProtoReflect().Set(f, protoreflect.ValueOfString(id))
	}
	if f := fields.ByName("requests"); f != nil {
		list := m.ProtoReflect().Get(f).List()
		for i := range list.Len() {
			rename(list.Get(i).Message().Interface(), id)
		}
	}
}

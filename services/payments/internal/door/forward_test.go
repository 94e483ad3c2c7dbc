package door

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// reached is what a leaf saw of a call.
type reached struct {
	method string
	who    auth.Principal
	md     metadata.MD
}

// leaf is any leaf service: it checks the signed principal as they all do, notes the call and answers with an empty message.
func leaf(t *testing.T, signer *auth.Signer, calls chan<- reached) *grpc.ClientConn {
	t.Helper()
	m := rpc.NewMemory()
	serve(t, rpc.ServerConfig{Name: "leaf", Register: func(grpc.ServiceRegistrar) {},
		Stream: []grpc.StreamServerInterceptor{signer.StreamServer},
		Unknown: func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
				return err
			}
			md, _ := metadata.FromIncomingContext(stream.Context())
			calls <- reached{method, auth.From(stream.Context()), md}
			return stream.SendMsg(&emptypb.Empty{})
		}}, m.Listener())
	return dial(t, rpc.ClientConfig{Memory: m, Unary: []grpc.UnaryClientInterceptor{signer.UnaryClient}, Stream: []grpc.StreamClientInterceptor{signer.StreamClient}})
}

// front is a door that forwards.
func front(t *testing.T) (h *house, conn *grpc.ClientConn, calls chan reached) {
	t.Helper()
	h = build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	calls = make(chan reached, 100)
	c := leaf(t, h.signer, calls)
	unknown, err := h.door.Forward(Leaves{Gateways: c, Delivery: c, Notifier: c})
	if err != nil {
		t.Fatal(err)
	}
	m := rpc.NewMemory()
	serve(t, rpc.ServerConfig{Name: "payments", Register: func(grpc.ServiceRegistrar) {}, Unknown: unknown,
		Unary: []grpc.UnaryServerInterceptor{h.door.UnaryServer}, Stream: []grpc.StreamServerInterceptor{h.door.StreamServer},
		Status: func(err error) error { return rpcerr.Final(err, nil) }}, m.Listener())
	return h, dial(t, rpc.ClientConfig{Memory: m}), calls
}

// call makes an empty request of any method, streaming or not, and returns its end.
func call(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor) error {
	full := "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
	if !m.IsStreamingServer() {
		return conn.Invoke(ctx, full, dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output()))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, full)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(proto.Message(dynamicpb.NewMessage(m.Input()))); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(dynamicpb.NewMessage(m.Output()))
}

// Every method of every leaf, for every kind of caller: what is not in this list is not reachable.
func TestForward_onlyWhatIsListed(t *testing.T) {
	h, conn, calls := front(t)
	key, _, merchant := h.newKey(t, false)
	root, _, _ := h.newKey(t, true)
	merchants := strings.Fields(`AccountsService/PutAccount AccountsService/VerifyAccount AccountsService/ListAccounts AccountsService/ListShadowDifferences GatewaysService/ListProviders GatewaysService/ListTransactions
		PixelsService/PutPixel PixelsService/ListPixels DeliveryService/GetDelivery
		LinksService/PutLinkPolicy LinksService/ListLinkPolicies LinksService/PutFileKey LinksService/ListFileKeys
		NotifierService/PutBot NotifierService/CreateStreamTicket NotifierService/GetNotifications`)
	operators := strings.Fields(`GatewaysService/GetPaymentStatus GatewaysService/ParseWebhook NotifierService/GetHealth`)
	seen := 0
	for _, file := range []protoreflect.FileDescriptor{gatewaysv1.File_baixa_gateways_v1_accounts_service_proto, gatewaysv1.File_baixa_gateways_v1_gateways_service_proto,
		deliveryv1.File_baixa_delivery_v1_delivery_service_proto, deliveryv1.File_baixa_delivery_v1_pixels_service_proto,
		deliveryv1.File_baixa_delivery_v1_links_service_proto,
		notifierv1.File_baixa_notifier_v1_notifier_service_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				name := string(m.Parent().Name()) + "/" + string(m.Name())
				forMerchants, forOperators := slices.Contains(merchants, name), slices.Contains(operators, name)
				for who, c := range map[string]struct {
					pairs []string
					want  codes.Code
				}{
					"nobody":     {nil, codes.Unauthenticated},
					"a merchant": {[]string{"authorization", "Bearer " + key}, pick(forMerchants, codes.OK, pick(forOperators, codes.PermissionDenied, codes.Unimplemented))},
					"operator":   {[]string{"authorization", "Bearer " + root}, pick(forMerchants || forOperators, codes.OK, codes.Unimplemented)},
				} {
					pairs := append([]string{"x-inner", "1", "baixa-client-addr", "203.0.113.1"}, c.pairs...)
					err := call(metadata.NewOutgoingContext(within(t), metadata.Pairs(pairs...)), conn, m)
					if status.Code(err) != c.want {
						t.Errorf("%s as %s: got %v, want %s", name, who, err, c.want)
					}
					if err != nil {
						continue
					}
					seen++
					got := <-calls
					want := auth.Principal{Operator: true}
					if who == "a merchant" {
						want = auth.Principal{MerchantID: merchant}
					}
					want.KeyID = got.who.KeyID
					if got.who != want || got.who.KeyID == "" || !strings.HasSuffix(got.method, name) {
						t.Errorf("%s as %s: the leaf saw %s by %+v", name, who, got.method, got.who)
					}
					for _, hidden := range []string{"authorization", "x-inner", "baixa-client-addr"} {
						if len(got.md[hidden]) > 0 {
							t.Errorf("%s as %s: %s reached the leaf", name, who, hidden)
						}
					}
				}
			}
		}
	}
	if want := 2*len(merchants) + len(operators); seen != want || len(calls) != 0 {
		t.Errorf("%d calls reached a leaf, want %d; %d more than were answered", seen, want, len(calls))
	}
}

func pick[T any](ok bool, yes, no T) T {
	if ok {
		return yes
	}
	return no
}

func TestForward_listNamesRealMethods(t *testing.T) {
	for full := range passed {
		name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(full, "/"), "/", "."))
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err != nil {
			t.Errorf("%s: %v", full, err)
		}
	}
}

// Without the door's interceptor there is no caller, and a call must not go out as the service's own.
func TestForward_withoutCallerGoesNowhere(t *testing.T) {
	if _, err := direct(context.Background(), gatewaysv1.AccountsService_ListAccounts_FullMethodName); status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v", err)
	}
}

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/baixapay/baixa/e2e/deployment"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// accessStories are about who may do what.
func accessStories() []story {
	return []story{{"nobody gets in without a key", withoutKey}, {"nobody reaches another merchant's rows", wrongMerchant},
		{"leaves answer only the services", leavesAlone}, {"a revoked key ends", revokedKey},
		{"only operators say other addresses", otherAddresses}}
}

// methods are all that the contracts know, by full name such as /baixa.payments.v1.PaymentsService/GetPayment.
func methods(t *testing.T) map[string]protoreflect.MethodDescriptor {
	t.Helper()
	out := map[string]protoreflect.MethodDescriptor{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "baixa.") {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				out[fmt.Sprintf("/%s/%s", s.FullName(), m.Name())] = m
			}
		}
		return true
	})
	if len(out) < 40 {
		t.Fatalf("the contracts have only %d methods: the test would pass for nothing", len(out))
	}
	return out
}

// public are the methods that need no key, by design: nobody signs webhooks.
func public(method string) bool {
	return strings.HasPrefix(method, "/baixa.payments.v1.WebhookService/")
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	must(t, err)
	return kind.New().Interface()
}

func withoutKey(t *testing.T, d deployment.Deployment) {
	nobody := deployment.NewClient(t, d, "")
	for name, m := range methods(t) {
		if public(name) {
			continue
		}
		err := nobody.Invoke(name, newMessage(t, m.Input()), newMessage(t, m.Output()))
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s without a key: %v, want UNAUTHENTICATED", name, err)
		}
		if method, path, _, ok := restCall(t, m, newMessage(t, m.Input())); ok {
			a, err := nobody.Do(method, path, []byte("{}"), "Content-Type", "application/json")
			must(t, err)
			if a.Code != http.StatusUnauthorized || a.Problem().Code != "UNAUTHENTICATED" || a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s without a key: %d %s, want 401", method, path, a.Code, a.Body)
			}
		}
	}
	wrong := deployment.NewClient(t, d, "bxk_00000000000000000000000000000000_"+strings.Repeat("A", 43))
	if a := wrong.REST("GET", "/v1/payments", nil, nil); a.Code != http.StatusUnauthorized {
		t.Errorf("an unknown key: %d %s, want 401", a.Code, a.Body)
	}
}

// restCall is how a call is made over REST; ok is false when the contract has no URL for it.
func restCall(t *testing.T, m protoreflect.MethodDescriptor, in proto.Message) (method, path string, body []byte, ok bool) {
	t.Helper()
	rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return "", "", nil, false
	}
	method, path = "GET", rule.GetGet()
	if path == "" {
		method, path = "POST", rule.GetPost()
	}
	rest := proto.Clone(in)
	path = regexp.MustCompile(`\{([a-z_]+)\}`).ReplaceAllStringFunc(path, func(name string) string {
		field := rest.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(name, "{}")))
		value := rest.ProtoReflect().Get(field).String()
		rest.ProtoReflect().Clear(field)
		if value == "" {
			value = "01920000-0000-7000-8000-000000000000"
		}
		return url.PathEscape(value)
	})
	if method == "POST" {
		raw, err := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(rest)
		must(t, err)
		return method, path, raw, true
	}
	query := url.Values{}
	rest.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		query.Set(string(f.Name()), v.String()) // the table's are texts
		return true
	})
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return method, path, nil, true
}

// httpCode is the HTTP status of a gRPC code in the API.
var httpCode = map[codes.Code]int{codes.OK: 200, codes.InvalidArgument: 400, codes.NotFound: 404, codes.PermissionDenied: 403}

func wrongMerchant(t *testing.T, d deployment.Deployment) {
	victim, thief := openShop(t, d), openShop(t, d)
	s := victim.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	s.awaitHint(t) // nothing more is to come by itself
	before := s.history(t)
	table := attempts(victim, thief, s)
	for name, m := range methods(t) {
		list, ok := table[name]
		if !ok {
			t.Errorf("%s is in no row of the table of attempts: say what a stranger gets", name)
		}
		for n, a := range list {
			out := newMessage(t, m.Output())
			if err := thief.api.Invoke(name, a.in, out); status.Code(err) != a.want {
				t.Errorf("%s, attempt %d: %v, want %v", name, n+1, err, a.want)
			} else if err == nil && a.shows(victim, s, out) {
				t.Errorf("%s, attempt %d shows what is somebody else's: %v", name, n+1, out)
			}
			method, path, body, ok := restCall(t, m, a.in)
			if !ok {
				continue
			}
			answer, err := thief.api.Do(method, path, body, "Content-Type", "application/json")
			must(t, err)
			if answer.Code != httpCode[a.want] {
				t.Errorf("%s %s, attempt %d: %d %s, want %d", method, path, n+1, answer.Code, answer.Body, httpCode[a.want])
			}
			if answer.Code == http.StatusOK && strings.Contains(answer.Body, s.id) {
				t.Errorf("%s %s, attempt %d shows what is somebody else's: %s", method, path, n+1, answer.Body)
			}
		}
	}
	if after := s.history(t); after != before {
		t.Errorf("the attempts left something in the history:%s", after)
	}
	list := &paymentsv1.ListPaymentsResponse{}
	if thief.api.Must("GET", "/v1/payments", nil, list); len(list.GetPayments()) != 0 {
		t.Errorf("the thief has sales now: %v", list.GetPayments())
	}
	victim.checkStatistics(t, 1)
	thief.checkStatistics(t, 0)
	if key := newKey(t, victim.operator, victim.id); key == "" {
		t.Error("no new key for the victim")
	}
}

// leavesAlone calls the services behind the front door directly, as somebody who has reached their ports.
func leavesAlone(t *testing.T, d deployment.Deployment) {
	for leaf, address := range d.Leaves() {
		c := deployment.NewLeafClient(t, d, address)
		for name, m := range methods(t) {
			if !strings.HasPrefix(name, "/baixa."+leaf+".") {
				continue
			}
			for what, pairs := range map[string][]string{
				"nothing":            nil,
				"an API key":         {"authorization", "Bearer " + d.OperatorKey()},
				"a forged principal": {"baixa-principal", "o...zzzzzz.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
			} {
				ctx := metadata.NewOutgoingContext(context.Background(), metadata.Pairs(pairs...))
				err := c.Conn().Invoke(ctx, name, newMessage(t, m.Input()), newMessage(t, m.Output()))
				if status.Code(err) != codes.Unauthenticated {
					t.Errorf("%s at its own port with %s: %v, want UNAUTHENTICATED", name, what, err)
				}
			}
		}
	}
}

// An address of a merchant's choice would let the merchant reach what only our network reaches.
func otherAddresses(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	inside := d.URL()
	for path, in := range map[string]proto.Message{
		"/v1/accounts":                       &gatewaysv1.PutAccountRequest{Provider: "atomopay", Label: "x", Credentials: map[string]string{"api_token": secret(d, "")}, BaseUrl: inside},
		"/v1/bots/" + shop.bot + "/telegram": &notifierv1.PutBotRequest{Token: shop.botToken, BaseUrl: inside},
		"/v1/pixels":                         &deliveryv1.PutPixelRequest{PixelId: "90000035", AccessToken: secret(d, "EAA"), BaseUrl: inside},
	} {
		if a := shop.api.REST("POST", path, in, nil); a.Code != http.StatusForbidden || a.Problem().Code != "PERMISSION_DENIED" || !strings.Contains(a.Body, "base_url") {
			t.Errorf("%s with an address inside: %d %s, want 403 that names base_url", path, a.Code, a.Body)
		}
	}
}

package door

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/pg/pgtest"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// ask calls as the holder of the given metadata, pairs of key and value, and returns who the server took it for.
func ask(ctx context.Context, conn *grpc.ClientConn, pairs ...string) (who string, err error) {
	resp, err := paymentsv1.NewPaymentsServiceClient(conn).GetPayment(metadata.NewOutgoingContext(ctx, metadata.Pairs(pairs...)), &paymentsv1.GetPaymentRequest{})
	if err != nil {
		return "", err
	}
	p := resp.GetPayment()
	return p.GetId() + " " + p.GetMerchantId() + " " + p.GetExternalId(), nil
}

func TestDoor_knowsItsCallers(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, id, merchant := h.newKey(t, false)
	root, rootID, _ := h.newKey(t, true)
	signed := h.signer.Sign(auth.Principal{MerchantID: "m1"}, h.clock.now())
	for name, c := range map[string]struct {
		want  string
		pairs []string
	}{
		"merchant's key":       {"merchant " + merchant + " " + uuid.UUID(id).String(), []string{"authorization", "Bearer " + key}},
		"scheme in lower case": {"merchant " + merchant + " " + uuid.UUID(id).String(), []string{"authorization", "bearer " + key}},
		"operator's key":       {"operator  " + uuid.UUID(rootID).String(), []string{"authorization", "Bearer " + root}},
		"another service":      {"merchant m1 ", []string{principalName, signed}},
	} {
		for wire, conn := range map[string]*grpc.ClientConn{"memory": h.memory, "tcp": h.tcp} {
			for range 2 { // the second time it is remembered
				if who, err := ask(within(t), conn, c.pairs...); err != nil || who != c.want {
					t.Errorf("%s over %s: got %q, %v, want %q", name, wire, who, err, c.want)
				}
			}
		}
	}
}

func TestDoor_refusesAllOthersAlike(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, _, _ := h.newKey(t, false)
	other, _, _ := h.newKey(t, false)
	ended, endedID, _ := h.newKey(t, false)
	if _, err := h.store.RevokeKey(within(t), endedID, nil); err != nil {
		t.Fatal(err)
	}
	unknown, _ := auth.NewKey(uuid.New())
	secret := func(k string) string { return k[strings.LastIndexByte(k[:len("bxk_")+33], '_')+1:] }
	forged := strings.TrimSuffix(key, secret(key)) + secret(other) // a real id with another key's secret
	now := h.clock.now()
	for name, pairs := range map[string][]string{
		"nothing":                      nil,
		"empty":                        {"authorization", ""},
		"no scheme":                    {"authorization", key},
		"another scheme":               {"authorization", "Basic " + key},
		"garbage":                      {"authorization", "Bearer bxk_zz"},
		"unknown":                      {"authorization", "Bearer " + unknown},
		"revoked":                      {"authorization", "Bearer " + ended},
		"another's secret":             {"authorization", "Bearer " + forged},
		"last letter differs":          {"authorization", "Bearer " + key[:len(key)-2] + "__"},
		"two keys":                     {"authorization", "Bearer " + key, "authorization", "Bearer " + other},
		"key and principal":            {"authorization", "Bearer " + key, principalName, h.signer.Sign(auth.Principal{Operator: true}, now)},
		"principal of another signer":  {principalName, newSigner(t, "x").Sign(auth.Principal{Operator: true}, now)},
		"principal of long ago":        {principalName, h.signer.Sign(auth.Principal{Operator: true}, now.Add(-time.Hour))},
		"principal that is no text":    {principalName, "o...."},
		"principal given twice":        {principalName, h.signer.Sign(auth.Principal{Operator: true}, now), principalName, "o"},
		"nobody, signed":               {principalName, h.signer.Sign(auth.Principal{}, now)},
		"operator in the address only": {ClientAddrKey, "127.0.0.1"},
	} {
		who, err := ask(within(t), h.tcp, pairs...)
		if d := cmp.Diff(status.New(codes.Unauthenticated, noEntry).Err().Error(), fmt.Sprint(err)); d != "" || who != "" {
			t.Errorf("%s: let in as %q, or told apart (-want +got):\n%s", name, who, d)
		}
	}
	if who, err := ask(within(t), h.tcp, "authorization", "Bearer "+key); err != nil || !strings.HasPrefix(who, "merchant") {
		t.Errorf("the good key afterwards: %q, %v", who, err)
	}
}

func TestDoor_revokedKeyEndsWithinItsLifetime(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	key, id, _ := h.newKey(t, false)
	ask := func() error { _, err := ask(within(t), h.memory, "authorization", "Bearer "+key); return err }
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.RevokeKey(within(t), id, nil); err != nil {
		t.Fatal(err)
	}
	h.clock.add(KeyLifetime - time.Millisecond)
	if err := ask(); err != nil {
		t.Fatalf("within its lifetime a key is not looked up again: %v", err)
	}
	h.clock.add(time.Millisecond)
	if err := ask(); status.Code(err) != codes.Unauthenticated {
		t.Fatalf("after its lifetime: %v", err)
	}

	key, id, _ = h.newKey(t, false)
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.RevokeKey(within(t), id, nil); err != nil {
		t.Fatal(err)
	}
	h.door.Forget(id)
	if err := ask(); status.Code(err) != codes.Unauthenticated {
		t.Fatalf("after Forget: %v", err)
	}
}

func TestDoor_boundsWrongKeysPerAddress(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	good, _, _ := h.newKey(t, false)
	newcomer, _, _ := h.newKey(t, false)
	from := func(addr, key string) codes.Code {
		_, err := ask(within(t), h.memory, ClientAddrKey, addr, "authorization", "Bearer "+key)
		return status.Code(err)
	}
	if c := from("203.0.113.7", good); c != codes.OK {
		t.Fatalf("good key: %s", c)
	}
	for n := range attempts {
		if c := from("203.0.113.7", "bxk_wrong"); c != codes.Unauthenticated {
			t.Fatalf("attempt %d: %s", n, c)
		}
	}
	_, err := ask(within(t), h.memory, ClientAddrKey, "203.0.113.7", "authorization", "Bearer bxk_wrong")
	if status.Code(err) != codes.ResourceExhausted || len(status.Convert(err).Details()) != 1 {
		t.Fatalf("beyond the bound: %v", err)
	}
	if c := from("203.0.113.7", newcomer); c != codes.ResourceExhausted {
		t.Errorf("a key that was never seen good, from there: %s", c)
	}
	h.clock.add(KeyLifetime)
	if c := from("203.0.113.7", good); c != codes.OK {
		t.Errorf("a key that was good lately, from there: %s", c)
	}
	if c := from("203.0.113.8", newcomer); c != codes.OK {
		t.Errorf("from elsewhere: %s", c)
	}
	h.clock.add(attemptEvery)
	if c := from("203.0.113.7", "bxk_wrong"); c != codes.Unauthenticated {
		t.Errorf("one more after a pause: %s", c)
	}
	for n := range attempts { // one /64 is one visitor
		from(fmt.Sprintf("2001:db8::%x", n+1), "bxk_wrong")
	}
	if c := from("2001:db8::ffff", "bxk_wrong"); c != codes.ResourceExhausted {
		t.Errorf("another address of the same /64: %s", c)
	}
}

// Over a network nobody can choose the address for which attempts are counted.
func TestDoor_believesAddressesOnlyFromThisProcess(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	var err error
	for n := range attempts + 1 {
		_, err = ask(within(t), h.tcp, ClientAddrKey, fmt.Sprintf("203.0.113.%d", n), "authorization", "Bearer bxk_wrong")
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("after %d attempts from one peer: %v", attempts+1, err)
	}
}

func TestDoor_opensToEverybodyWhatIsPublic(t *testing.T) {
	h := build(t, store.New(pgtest.New(t, store.Schema).Pool(t, store.Schema)))
	ctx := within(t)
	if _, err := healthpb.NewHealthClient(h.tcp).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	stream, err := reflectionpb.NewServerReflectionClient(h.tcp).ServerReflectionInfo(ctx)
	if err == nil {
		err = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Errorf("reflection: %v", err)
	}
	if _, err := paymentsv1.NewWebhookServiceClient(h.tcp).ReceiveWebhook(ctx, &paymentsv1.ReceiveWebhookRequest{Provider: "atomopay", Body: []byte("{}")}); err != nil {
		t.Errorf("webhook: %v", err)
	}
}

type brokenKeys struct{ err error }

func (k brokenKeys) GetKey(context.Context, [16]byte) (store.APIKey, error) {
	return store.APIKey{}, k.err
}

func TestDoor_databaseAwayIsUnavailable(t *testing.T) {
	server := pgtest.Server(t, store.Schema)
	h := build(t, store.New(server.Pool(t, store.Schema)))
	key, _, _ := h.newKey(t, false)
	server.Stop(t)
	if _, err := ask(within(t), h.tcp, "authorization", "Bearer "+key); status.Code(err) != codes.Unavailable {
		t.Errorf("database away: %v", err)
	}
	server.Start(t)
	if _, err := ask(within(t), h.tcp, "authorization", "Bearer "+key); err != nil {
		t.Errorf("database back: %v", err)
	}

	d, err := New(Config{Keys: brokenKeys{errors.New("password=hunter2 refused")}, Signer: h.signer})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.byKey(within(t), "Bearer "+key, clientAddr(within(t)))
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("any other trouble: %v", err)
	}
}

func TestGoodKeys_areBounded(t *testing.T) {
	g, now := newGoodKeys(10), time.Now()
	for n := range 100 {
		g.keep([16]byte{byte(n)}, []byte("hash"), auth.Principal{Operator: true}, now)
	}
	if len(g.keys) > 10 {
		t.Errorf("%d keys are kept", len(g.keys))
	}
	if _, fresh, _ := g.find([16]byte{99}, []byte("hash"), now); !fresh {
		t.Error("the newest key is forgotten")
	}
	if _, fresh, known := g.find([16]byte{99}, []byte("other"), now); fresh || known {
		t.Error("another secret of a known key is known")
	}
	if _, fresh, _ := g.find([16]byte{99}, []byte("hash"), now.Add(-time.Second)); fresh {
		t.Error("a clock that went back makes keys last for ever")
	}
}

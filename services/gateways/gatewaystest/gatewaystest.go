// Package gatewaystest is the gateways service for the tests of others: both of its gRPC services in memory, over the same
// transport, interceptors and mapping of errors as in production, answering what the test scripts.
//
//	fake := gatewaystest.New(t, gatewaystest.Config{})
//	account := fake.AddAccount(gatewaystest.Account{MerchantID: merchant, Provider: "atomopay"})
//	fake.Script("h-1", gatewaystest.NotFound(), gatewaystest.Pending(), gatewaystest.Paid(1990)) // the last one stays
//	client := fake.Gateways()                          // signed as the caller in ctx, else as an operator
//	fake.FailNext(gatewaystest.CreateCharge, 2, codes.Unavailable)
//	fake.LoseNext(gatewaystest.CreateCharge, 1)        // it happens, the answer is UNAVAILABLE
//	release := fake.Hold(gatewaystest.GetPaymentStatus) // calls wait until release()
//	fake.Looks("h-1")                                  // how often h-1 was asked about
//	fake.WaitLooks(t, "h-1", 3)                        // wait for that
//	fake.Calls(gatewaystest.ParseWebhook)              // the requests as they came
//	fake.ScriptTransactions(account.ID, page1, page2)  // what ListTransactions tells; only providers with can_list (bolt)
//
// What is not scripted is as with a provider that knows nothing: NOT_FOUND. A charge made through CreateCharge is known at
// once under its reference, under ID "id-<reference>" and hash "h-<reference>", and pending until Script says otherwise.
// ParseWebhook understands the JSON object {"id", "hash", "reference", "status", "amount"}, status being one of our
// words in lower case; {"test": true} is INVALID_REQUEST, anything else CONTRACT.
// Accounts, tenancy and idempotency keys behave as the contract says. No provider is called, nothing is stored.
package gatewaystest

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/rpcerr"
)

// Method is an RPC of the gateways, by its short name.
type Method string

// The methods that switches and Calls know.
const (
	GetPaymentStatus      Method = "GetPaymentStatus"
	BatchGetPaymentStatus Method = "BatchGetPaymentStatus"
	ParseWebhook          Method = "ParseWebhook"
	BatchParseWebhooks    Method = "BatchParseWebhooks"
	CreateCharge          Method = "CreateCharge"
	ListTransactions      Method = "ListTransactions"
	ListProviders         Method = "ListProviders"
	PutAccount            Method = "PutAccount"
	VerifyAccount         Method = "VerifyAccount"
	ListAccounts          Method = "ListAccounts"
)

// Config describes a Fake; the zero value is a usable one.
type Config struct {
	// Signer checks the callers. Nil makes one with a key of its own, for callers that use Gateways and Accounts.
	Signer *auth.Signer
	// Memory is what the fake serves. Nil makes one.
	Memory *rpc.Memory
}

// Fake is the gateways service. It is safe for concurrent use.
type Fake struct {
	memory *rpc.Memory
	signer *auth.Signer
	conn   *grpc.ClientConn

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something was recorded
	accounts map[string]*account
	scripts  map[string][]*gatewaysv1.PollResult
	lists    map[string][][]*gatewaysv1.Reading // pages by account
	unlisted map[string]*gatewaysv1.PollResult
	webhooks map[string]*gatewaysv1.ParseWebhookResponse
	refusals []string // of the next charges
	charges  map[chargeKey]charge
	looks    map[string]int
	calls    map[Method][]proto.Message
	switches map[Method]*toggles
}

// toggles are the faults of one method.
type toggles struct {
	fail   []codes.Code
	lose   int
	delay  time.Duration
	hold   chan struct{}
	always codes.Code
}

// New serves a Fake until the test ends.
func New(t testing.TB, c Config) *Fake {
	t.Helper()
	f := &Fake{memory: c.Memory, signer: c.Signer, changed: make(chan struct{}), accounts: map[string]*account{},
		scripts: map[string][]*gatewaysv1.PollResult{}, lists: map[string][][]*gatewaysv1.Reading{}, unlisted: map[string]*gatewaysv1.PollResult{}, webhooks: map[string]*gatewaysv1.ParseWebhookResponse{},
		charges: map[chargeKey]charge{}, looks: map[string]int{}, calls: map[Method][]proto.Message{}, switches: map[Method]*toggles{}}
	if f.memory == nil {
		f.memory = rpc.NewMemory()
	}
	var err error
	if f.signer == nil {
		if f.signer, err = auth.NewSigner([]byte("the key of a fake that nobody else has")); err != nil {
			t.Fatal(err)
		}
	}
	server, err := rpc.NewServer(rpc.ServerConfig{
		Name: "gatewaystest", Unary: []grpc.UnaryServerInterceptor{f.signer.UnaryServer, f.intercept},
		Status: func(err error) error { return rpcerr.Final(err, nil) },
		Register: func(r grpc.ServiceRegistrar) {
			gatewaysv1.RegisterGatewaysServiceServer(r, &gatewaysServer{f: f})
			gatewaysv1.RegisterAccountsServiceServer(r, &accountsServer{f: f})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.conn, err = rpc.Dial(rpc.ClientConfig{Memory: f.memory, Unary: []grpc.UnaryClientInterceptor{f.signer.UnaryClient}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, f.memory.Listener()) }()
	t.Cleanup(func() {
		f.release()
		if err := f.conn.Close(); err != nil {
			t.Errorf("close gatewaystest: %v", err)
		}
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve gatewaystest: %v", err)
		}
	})
	return f
}

// Gateways is a client of the fake, closed with it.
func (f *Fake) Gateways() gatewaysv1.GatewaysServiceClient {
	return gatewaysv1.NewGatewaysServiceClient(f.conn)
}

// Accounts is a client of the fake, closed with it.
func (f *Fake) Accounts() gatewaysv1.AccountsServiceClient {
	return gatewaysv1.NewAccountsServiceClient(f.conn)
}

// Memory is what the fake serves, for callers that dial themselves with the Config's Signer.
func (f *Fake) Memory() *rpc.Memory { return f.memory }

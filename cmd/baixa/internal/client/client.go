// Package client is how the command line asks a running Baixa: through the payments service's front door with an API key, like
// anybody else.
package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/cmd/baixa/internal/secrets"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/config"
	"github.com/baixapay/baixa/internal/rpc"
)

// Flags say where the system is and who asks.
type Flags struct {
	Address  string         `env:"BAIXA_ADDRESS" default:"127.0.0.1:7001" help:"The payments service's gRPC address."`
	APIKey   config.Secret  `env:"BAIXA_API_KEY" help:"API key. Without one, the operator's key that 'baixa up' keeps in its data folder."`
	Data     secrets.Folder `env:"BAIXA_DATA" help:"Data folder of 'baixa up' on this machine." placeholder:"FOLDER"`
	CertFile string         `env:"BAIXA_TLS_CERT" help:"Certificate for TLS, PEM." placeholder:"FILE"`
	KeyFile  string         `env:"BAIXA_TLS_KEY" help:"Its private key, PEM." placeholder:"FILE"`
	CAFile   string         `env:"BAIXA_TLS_CA" help:"Who signs the other side's certificate, PEM." placeholder:"FILE"`
}

// Client has the services that an API key reaches.
type Client struct {
	Payments  paymentsv1.PaymentsServiceClient
	Merchants paymentsv1.MerchantsServiceClient
	Policies  paymentsv1.PoliciesServiceClient
	Proof     paymentsv1.ProofServiceClient
	Inbox     paymentsv1.InboxServiceClient
	Alerts    paymentsv1.AlertsServiceClient
	Accounts  gatewaysv1.AccountsServiceClient
	Gateways  gatewaysv1.GatewaysServiceClient
	Pixels    deliveryv1.PixelsServiceClient
	Notifier  notifierv1.NotifierServiceClient
	Endpoints notifierv1.EndpointsServiceClient
	Accesses  notifierv1.AccessServiceClient
	conn      *grpc.ClientConn
}

// Open makes the client; it connects with the first call. The caller closes it.
func (f Flags) Open() (*Client, error) {
	key := f.APIKey.Reveal()
	if key == "" {
		folder := f.Data
		var err error
		if folder == "" {
			if folder, err = secrets.Default(); err != nil {
				return nil, err
			}
		}
		if key, err = folder.OperatorKey(); err != nil {
			return nil, err
		}
		if key == "" {
			return nil, fmt.Errorf("an API key is needed: --api-key, $BAIXA_API_KEY, or the folder of `baixa up` with --data (there is none in %s)", folder)
		}
	}
	return Dial(f.Address, key, f.tls())
}

func (f Flags) tls() *rpc.TLSConfig {
	if f.CertFile == "" && f.KeyFile == "" && f.CAFile == "" {
		return nil
	}
	return &rpc.TLSConfig{CertFile: f.CertFile, KeyFile: f.KeyFile, CAFile: f.CAFile}
}

// Dial is Open with everything known.
func Dial(address, key string, tls *rpc.TLSConfig) (*Client, error) {
	with := func(ctx context.Context) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	conn, err := rpc.Dial(rpc.ClientConfig{Target: address, TLS: tls, FailFast: true, Timeout: 30 * time.Second,
		Unary: []grpc.UnaryClientInterceptor{func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(with(ctx), method, req, reply, cc, opts...)
		}}, Stream: []grpc.StreamClientInterceptor{func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return stream(with(ctx), d, cc, method, opts...)
		}}})
	if err != nil {
		return nil, err
	}
	return &Client{Payments: paymentsv1.NewPaymentsServiceClient(conn), Merchants: paymentsv1.NewMerchantsServiceClient(conn),
		Policies: paymentsv1.NewPoliciesServiceClient(conn), Proof: paymentsv1.NewProofServiceClient(conn), Inbox: paymentsv1.NewInboxServiceClient(conn),
		Alerts:   paymentsv1.NewAlertsServiceClient(conn),
		Accounts: gatewaysv1.NewAccountsServiceClient(conn), Gateways: gatewaysv1.NewGatewaysServiceClient(conn),
		Pixels: deliveryv1.NewPixelsServiceClient(conn), Notifier: notifierv1.NewNotifierServiceClient(conn),
		Endpoints: notifierv1.NewEndpointsServiceClient(conn), Accesses: notifierv1.NewAccessServiceClient(conn), conn: conn}, nil
}

// Close ends the connection.
func (c *Client) Close() { _ = c.conn.Close() } // nothing is in flight

// Explain turns a call's error into a sentence for who typed the command.
func Explain(err error, address string) error {
	switch st, _ := status.FromError(err); st.Code() {
	case codes.OK:
		return nil
	case codes.Unavailable:
		return fmt.Errorf("nobody answers at %s: is `baixa up` running? (%s)", address, st.Message())
	case codes.Unknown:
		return err
	default:
		return errors.New(st.Message())
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/baixapay/baixa/internal/auth"
	"github.com/baixapay/baixa/internal/rpc"
	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/internal/seal"
)

// serviceFlags are what every service that runs alone needs.
type serviceFlags struct {
	logFlags
	Listen     string `env:"BAIXA_LISTEN" required:"" help:"Address of gRPC, such as 127.0.0.1:7002." placeholder:"ADDRESS"`
	Keyset     string `env:"BAIXA_KEYSET" required:"" help:"Keyset that seals secrets, as 'baixa keyset' writes it." placeholder:"FILE"`
	ServiceKey string `env:"BAIXA_SERVICE_KEY_FILE" required:"" help:"Key that the services share, as 'baixa keyset' writes it." placeholder:"FILE"`
	CertFile   string `env:"BAIXA_TLS_CERT" help:"Certificate for mutual TLS, PEM." placeholder:"FILE"`
	KeyFile    string `env:"BAIXA_TLS_KEY" help:"Its private key, PEM." placeholder:"FILE"`
	CAFile     string `env:"BAIXA_TLS_CA" help:"Who signs the other services' certificates, PEM." placeholder:"FILE"`
	Insecure   bool   `env:"BAIXA_INSECURE" help:"Allow plain TCP beyond loopback: only inside a network that encrypts by itself."`
	NoMigrate  bool   `env:"BAIXA_NO_MIGRATE" help:"Do not migrate at start; refuse to start with another version's database."`
}

// opened is what the flags name.
type opened struct {
	listener net.Listener
	signer   *auth.Signer
	sealer   *seal.Sealer
	tls      *rpc.TLSConfig
	insecure bool
}

// run is a service's process: start makes the service from what the flags name.
func (f serviceFlags) run(ctx context.Context, name string, start func(context.Context, opened) (run.Part, error)) error {
	tel, err := f.setUp(ctx, name)
	if err != nil {
		return err
	}
	defer tel.end()
	return run.Main(ctx, name, func(ctx context.Context) (run.Part, error) {
		o, err := f.open()
		if err != nil {
			return nil, err
		}
		return start(ctx, o)
	})
}

func (f serviceFlags) open() (o opened, err error) {
	o.insecure = f.Insecure
	if f.CertFile != "" || f.KeyFile != "" || f.CAFile != "" {
		o.tls = &rpc.TLSConfig{CertFile: f.CertFile, KeyFile: f.KeyFile, CAFile: f.CAFile}
		if err := o.tls.Check(); err != nil {
			return o, err
		}
	}
	if o.signer, err = auth.SignerFromFile(f.ServiceKey); err != nil {
		return o, err
	}
	if o.sealer, err = seal.Open(f.Keyset, false); err != nil {
		return o, err
	}
	o.listener, err = listen("listen", f.Listen)
	return o, err
}

func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: expected an address such as 127.0.0.1:7002 that nobody else uses: %w", flag, address, err)
	}
	return l, nil
}

// dial connects to a leaf, with every call signed.
func (o opened) dial(target string) (*grpc.ClientConn, error) {
	if target == "" {
		return nil, errors.New("expected the address of a service")
	}
	return rpc.Dial(rpc.ClientConfig{Target: target, TLS: o.tls, Insecure: o.insecure,
		Unary: []grpc.UnaryClientInterceptor{o.signer.UnaryClient}, Stream: []grpc.StreamClientInterceptor{o.signer.StreamClient}})
}

package rpc_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/baixapay/baixa/internal/rpc"
)

func TestTLSConfig_errorsNameTheField(t *testing.T) {
	dir := t.TempDir()
	good := newAuthority(t).issue(t, dir)
	other := newAuthority(t).issue(t, t.TempDir())
	empty, junk := filepath.Join(dir, "empty"), filepath.Join(dir, "junk")
	write(t, empty, nil)
	write(t, junk, []byte("not a certificate"))
	old := newAuthority(t).issueUntil(t, t.TempDir(), time.Now().Add(-time.Hour))
	for _, c := range []struct {
		name   string
		files  rpc.TLSConfig
		fields []string
	}{
		{"nothing", rpc.TLSConfig{}, []string{"CertFile: no file", "KeyFile: no file", "CAFile: no file"}},
		{"missing", rpc.TLSConfig{CertFile: filepath.Join(dir, "absent"), KeyFile: good.KeyFile, CAFile: good.CAFile}, []string{"CertFile: open"}},
		{"empty", rpc.TLSConfig{CertFile: good.CertFile, KeyFile: empty, CAFile: good.CAFile}, []string{"KeyFile: ", "is empty"}},
		{"junk", rpc.TLSConfig{CertFile: good.CertFile, KeyFile: good.KeyFile, CAFile: junk}, []string{"CAFile: ", "no PEM certificate"}},
		{"key of another", rpc.TLSConfig{CertFile: good.CertFile, KeyFile: other.KeyFile, CAFile: good.CAFile}, []string{"CertFile ", "KeyFile ", "match"}},
		{"expired", *old, []string{"CertFile: ", "expired on"}},
	} {
		err := c.files.Check()
		for _, f := range c.fields {
			if err == nil || !strings.Contains(err.Error(), f) {
				t.Errorf("%s: %v, want an error with %q", c.name, err, f)
			}
		}
	}
	if err := good.Check(); err != nil {
		t.Errorf("good files: %v", err)
	}
}

func TestTLS_strangersAreRefused(t *testing.T) {
	authority := newAuthority(t)
	files := authority.issue(t, t.TempDir())
	l := listen(t)
	w := wire{"mtls", func(testing.TB) (net.Listener, rpc.ClientConfig, *rpc.TLSConfig) {
		return l, rpc.ClientConfig{Target: l.Addr().String(), TLS: files}, files
	}}
	j := w.join(t, rpc.ServerConfig{Register: (&fake{}).register}, rpc.ClientConfig{})
	if _, err := j.client().UnaryCall(within(t), &testpb.SimpleRequest{}); err != nil {
		t.Fatalf("with a certificate of the same authority: %v", err)
	}
	stranger := newAuthority(t).issue(t, t.TempDir())
	roots := x509.NewCertPool()
	roots.AddCert(authority.cert)
	for name, dial := range map[string]func() (*grpc.ClientConn, error){
		"stranger's certificate": func() (*grpc.ClientConn, error) {
			return rpc.Dial(rpc.ClientConfig{Target: l.Addr().String(), FailFast: true,
				TLS: &rpc.TLSConfig{CertFile: stranger.CertFile, KeyFile: stranger.KeyFile, CAFile: files.CAFile}})
		},
		"server that a client does not trust": func() (*grpc.ClientConn, error) {
			return rpc.Dial(rpc.ClientConfig{Target: l.Addr().String(), FailFast: true,
				TLS: &rpc.TLSConfig{CertFile: files.CertFile, KeyFile: files.KeyFile, CAFile: stranger.CAFile}})
		},
		"no certificate": func() (*grpc.ClientConn, error) {
			return grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
		},
		"plain text": func() (*grpc.ClientConn, error) {
			return rpc.Dial(rpc.ClientConfig{Target: l.Addr().String(), FailFast: true})
		},
	} {
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		_, err = testpb.NewTestServiceClient(conn).UnaryCall(within(t), &testpb.SimpleRequest{})
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v, want Unavailable", name, err)
		}
		_ = conn.Close()
	}
}

// TestTLS_rotationNeedsNoRestart replaces the whole set of files, authority included: connections made afterwards use it, and
// a broken set in between changes nothing.
func TestTLS_rotationNeedsNoRestart(t *testing.T) {
	dir := t.TempDir()
	files := newAuthority(t).issue(t, dir)
	l := listen(t)
	s, err := rpc.NewServer(rpc.ServerConfig{Name: "test", Register: (&fake{}).register, TLS: files, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	call := func(files *rpc.TLSConfig) error {
		conn, err := rpc.Dial(rpc.ClientConfig{Target: l.Addr().String(), TLS: files, FailFast: true, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = testpb.NewTestServiceClient(conn).UnaryCall(within(t), &testpb.SimpleRequest{})
		return err
	}
	if err := call(files); err != nil {
		t.Fatalf("before: %v", err)
	}

	write(t, files.KeyFile, []byte("half a key"))
	old := newAuthority(t).issue(t, t.TempDir()) // a caller of an authority that was never trusted
	if err := call(old); err == nil {
		t.Error("a stranger was let in while the files were broken")
	}

	fresh := newAuthority(t).issue(t, dir)
	// File times may be coarser than this test is fast.
	for _, f := range []string{fresh.CertFile, fresh.KeyFile, fresh.CAFile} {
		if err := os.Chtimes(f, time.Now(), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	for begin := time.Now(); ; {
		err := call(fresh)
		if err == nil {
			break
		}
		if time.Since(begin) > limit {
			t.Fatalf("the rotated certificates are still refused: %v", err)
		}
	}
	cancel()
	if err := await(t, served, "the stop"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

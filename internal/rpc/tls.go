package rpc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// TLSConfig names PEM files for mutual TLS: both sides show a certificate and accept only what CAFile signed. The files are
// read again when they change, so a rotation needs no restart; while a new set is broken the last good one stays in use
// and the log says so.
type TLSConfig struct {
	// CertFile is the certificate chain, leaf first; KeyFile its private key.
	CertFile, KeyFile string
	// CAFile are the authorities whose certificates are accepted.
	CAFile string
}

// Check reads the files and reports everything that is wrong, each error beginning with the field's name.
func (t TLSConfig) Check() error {
	_, err := t.load(time.Now())
	return err
}

// recheck is how long a look at the files is good for.
const recheck = time.Second

type keyMaterial struct {
	cert  tls.Certificate
	roots *x509.CertPool
}

func (t TLSConfig) load(now time.Time) (*keyMaterial, error) {
	var errs []error
	read := func(field, path string) []byte {
		if path == "" {
			errs = append(errs, fmt.Errorf("%s: no file is named", field))
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		} else if len(text) == 0 {
			errs = append(errs, fmt.Errorf("%s: %s is empty", field, path))
		}
		return text
	}
	cert, key, ca := read("CertFile", t.CertFile), read("KeyFile", t.KeyFile), read("CAFile", t.CAFile)
	m := &keyMaterial{roots: x509.NewCertPool()}
	if len(ca) > 0 && !m.roots.AppendCertsFromPEM(ca) {
		errs = append(errs, fmt.Errorf("CAFile: %s holds no PEM certificate", t.CAFile))
	}
	if len(cert) > 0 && len(key) > 0 {
		if err := m.pair(t, cert, key, now); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return m, nil
}

func (m *keyMaterial) pair(t TLSConfig, cert, key []byte, now time.Time) (err error) {
	if m.cert, err = tls.X509KeyPair(cert, key); err != nil {
		return fmt.Errorf("CertFile %s and KeyFile %s: %w", t.CertFile, t.KeyFile, err)
	}
	if leaf := m.cert.Leaf; now.After(leaf.NotAfter) {
		return fmt.Errorf("CertFile: %s expired on %s", t.CertFile, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// certs keeps the material of one TLSConfig fresh. It has no goroutine: handshakes look at the files.
type certs struct {
	files TLSConfig
	log   *slog.Logger

	mu      sync.Mutex
	now     *keyMaterial
	stamp   [3]stamp
	checked time.Time
}

type stamp struct {
	at   time.Time
	size int64
}

func loadCerts(t TLSConfig, log *slog.Logger) (*certs, error) {
	c := &certs{files: t, log: log, stamp: t.stamps(), checked: time.Now()}
	var err error
	c.now, err = t.load(c.checked)
	return c, err
}

func (t TLSConfig) stamps() (s [3]stamp) {
	for i, path := range []string{t.CertFile, t.KeyFile, t.CAFile} {
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// current returns the newest material that was whole.
func (c *certs) current() *keyMaterial {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < recheck {
		return c.now
	}
	c.checked = now
	s := c.files.stamps()
	if s == c.stamp {
		return c.now
	}
	fresh, err := c.files.load(now)
	if err != nil {
		c.log.Error("certificates changed but cannot be used", slog.Any("error", err))
		return c.now
	}
	c.now, c.stamp = fresh, s
	c.log.Info("certificates reloaded", slog.Time("expires", fresh.cert.Leaf.NotAfter))
	return c.now
}

func (c *certs) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := c.current()
		return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{m.cert},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: m.roots}, nil
	}}
}

// clientTLS are transport credentials that use the newest material for each handshake.
type clientTLS struct{ certs *certs }

func (c *clientTLS) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	m := c.certs.current()
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}, RootCAs: m.roots}).
		ClientHandshake(ctx, authority, conn)
}

func (c *clientTLS) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("client credentials cannot serve")
}

func (c *clientTLS) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (c *clientTLS) Clone() credentials.TransportCredentials { return &clientTLS{c.certs} }

// OverrideServerName belongs to the interface and is deprecated; the authority is always the target's.
func (c *clientTLS) OverrideServerName(string) error {
	return errors.New("the server's name is the target's")
}

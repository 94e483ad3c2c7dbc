package e2e

import (
	"encoding/csv"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/baixapay/baixa"
	"github.com/baixapay/baixa/e2e/deployment"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/sim"
)

// commandStories are about the commands that speak to a running system.
func commandStories() []story {
	return []story{{"import", importing}, {"explain", explaining}, {"doctor", doctoring}}
}

// as are the flags and the environment with which a command speaks as the shop.
func (s *shop) as(args ...string) ([]string, []string) {
	return []string{"BAIXA_API_KEY=" + s.key}, append(args, "--address", s.d.GRPC())
}

// look fails when a command's output has what it must not.
func (s *shop) look(t *testing.T, c deployment.Command) {
	t.Helper()
	for _, key := range []string{s.key, s.botToken, document} {
		if strings.Contains(c.Stdout+c.Stderr, key) {
			t.Errorf("a command prints a secret (%s…)", key[:4])
		}
	}
	if strings.Contains(c.Stderr, "goroutine ") || strings.Contains(c.Stderr, "panic:") {
		t.Errorf("a command shows a defect: %s", c.Stderr)
	}
}

// exported is the origin system's file with the times of today and three rows that nobody can read.
func exported(t *testing.T) (path string, good int) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(string(baixa.GrimbotsPayments))).ReadAll()
	must(t, err)
	column := map[string]int{}
	for i, name := range all[0] {
		column[name] = i
	}
	rows := all[:26]
	for i, row := range rows[1:] {
		row[column["created_at"]] = time.Now().UTC().Add(-3*time.Hour - time.Duration(i+2)*time.Minute).Format("2006-01-02 15:04:05") // as in Brazil
		row[column["paid_at"]], row[column["status"]] = "", "pending"
	}
	rows[4][column["amount"]] = "dezenove"
	rows[9][column["created_at"]] = "ontem"
	rows[14][column["gateway_type"]] = "pagaqui"
	path = filepath.Join(t.TempDir(), "payments.csv")
	f, err := os.Create(path)
	must(t, err)
	w := csv.NewWriter(f)
	must(t, w.WriteAll(rows))
	must(t, f.Close())
	return path, len(rows) - 1 - 3
}

func importing(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	path, good := exported(t)
	env, args := shop.as("import", "--from", "grimbots-csv")
	for n, first := range []string{"22 new, 0 known before", "0 new, 22 known before"} {
		c := deployment.Run(t, env, append(args, path)...)
		shop.look(t, c)
		if c.Code != 1 || !strings.Contains(c.Stdout, first) {
			t.Errorf("import, run %d: code %d, %q, want 1 and %q\n%s", n+1, c.Code, c.Stdout, first, c.Stderr)
		}
		for _, place := range []string{"line 5, column amount:", "line 10, column created_at:", "line 15, column gateway_type:"} {
			if strings.Count(c.Stderr, place) != 1 {
				t.Errorf("import, run %d does not name %q once:\n%s", n+1, place, c.Stderr)
			}
		}
	}
	list := &paymentsv1.ListPaymentsResponse{}
	if shop.api.Must("GET", "/v1/payments?page_size=500", nil, list); len(list.GetPayments()) != good {
		t.Errorf("after two imports there are %d sales, want %d", len(list.GetPayments()), good)
	}
	empty := filepath.Join(t.TempDir(), "empty.csv")
	must(t, os.WriteFile(empty, nil, 0o600))
	if c := deployment.Run(t, env, append(args, empty)...); c.Code != 1 || !strings.Contains(c.Stderr, "line 1: expected a header") {
		t.Errorf("import of an empty file: code %d, %s", c.Code, c.Stderr)
	}
}

func explaining(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	env, args := shop.as("explain", s.charge)
	for lang, word := range map[string]string{"pt-BR": "paga", "en": "paid"} {
		c := deployment.Run(t, env, append(args, "--lang", lang)...)
		shop.look(t, c)
		if c.Code != 0 || !strings.Contains(strings.ToLower(c.Stdout), word) || len(strings.Split(c.Stdout, "\n")) < 8 {
			t.Errorf("explain in %s: code %d, want a story with %q\n%s%s", lang, c.Code, word, c.Stdout, c.Stderr)
		}
	}
	c := deployment.Run(t, env, append(args, "--json")...)
	story := &paymentsv1.ExplainPaymentResponse{}
	if err := protojson.Unmarshal([]byte(c.Stdout), story); err != nil || story.GetPayment().GetId() != s.id {
		t.Errorf("explain --json: %v\n%s%s", err, c.Stdout, c.Stderr)
	}
	_, args = shop.as("explain", "naoexiste")
	if c := deployment.Run(t, env, args...); c.Code != 1 || strings.Count(c.Stderr, "\n") != 1 || !strings.Contains(c.Stderr, "payment") {
		t.Errorf("explain of nothing: code %d, %q, want 1 and one line", c.Code, c.Stderr)
	}
}

// A shop with a sale that settled is well; one with a sale that nobody can deliver is not.
func doctoring(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	env, args := shop.as("doctor")
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	if c := deployment.Run(t, env, args...); c.Code != 0 || !strings.Contains(c.Stdout, "atomopay") {
		t.Errorf("doctor of a healthy shop: code %d\n%s%s", c.Code, c.Stdout, c.Stderr)
	}
	doubt := shop.register(t, sim.Atomopay, sim.Charge{Status: sim.Paid, AmountCentavos: 1, CreatedAt: minutesAgo(2)})
	doubt.awaitStatus(t, deployment.Within, review)
	c := deployment.Run(t, env, append(args, "--lang", "en")...)
	shop.look(t, c)
	if !strings.Contains(c.Stdout, "review") {
		t.Errorf("doctor does not speak of the sale in review: code %d\n%s%s", c.Code, c.Stdout, c.Stderr)
	}
}

// TestStart_refuses: what cannot work says so in one clear line, and ends with a code.
func TestStart_refuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	free := deployment.Addresses(t, 8)
	data := func() string { return filepath.Join(t.TempDir(), "data") }
	other := data() // was written by a PostgreSQL that nobody has
	must(t, os.MkdirAll(filepath.Join(other, "postgres", "data"), 0o700))
	must(t, os.WriteFile(filepath.Join(other, "postgres", "data", "PG_VERSION"), []byte("99\n"), 0o600))
	keys := t.TempDir()
	if c := deployment.Run(t, nil, "keyset", keys); c.Code != 0 {
		t.Fatalf("keyset: %s", c.Stderr)
	}
	leaf := []string{"--keyset", filepath.Join(keys, "keyset.json"), "--service-key", filepath.Join(keys, "service.key")}
	empty := t.TempDir()
	for name, c := range map[string]struct {
		env  []string
		args []string
		says []string
	}{
		"no database there":  {nil, []string{"up", "--data", data(), "--dsn", "postgres://baixa:canarinho-da-senha@127.0.0.1:1/baixa", "--http", free[0], "--grpc", free[1]}, []string{"127.0.0.1:1"}},
		"a DSN that is none": {nil, []string{"up", "--data", data(), "--dsn", "postgres://baixa:canarinho-da-senha@127.0.0.1:nao/baixa", "--http", free[0], "--grpc", free[1]}, []string{"dsn"}},
		"a leaf without its database": {nil, append([]string{"gateways", "--listen", free[2], "--dsn", "postgres://baixa:canarinho-da-senha@127.0.0.1:1/baixa"}, leaf...),
			[]string{"127.0.0.1:1"}},
		"a leaf without a DSN": {nil, append([]string{"gateways", "--listen", free[3]}, leaf...), []string{"dsn"}},
		"PostgreSQL is missing": {[]string{"PATH=" + empty, "PGBIN=", "HOME=" + empty, "XDG_CACHE_HOME=" + empty},
			[]string{"up", "--data", other, "--http", free[4], "--grpc", free[5]}, []string{"PostgreSQL", "DSN", "PGBIN", "apt"}},
		"PGBIN holds nothing":      {[]string{"PGBIN=" + empty}, []string{"up", "--data", data(), "--http", free[6], "--grpc", free[7]}, []string{"PGBIN"}},
		"no such command":          {nil, []string{"subir"}, []string{"subir"}},
		"bytes kept for too short": {nil, []string{"up", "--data", data(), "--keep-webhooks", "5m"}, []string{"--keep-webhooks", "24h"}},
		"no wait for a sale":       {[]string{"BAIXA_PARK_FOR=-1h"}, []string{"up", "--data", data()}, []string{"--park-for", "BAIXA_PARK_FOR", "at least 1h"}},
		"clicks gone in an hour":   {[]string{"BAIXA_KEEP_CLICKS=1h"}, []string{"up", "--data", data()}, []string{"--keep-clicks", "BAIXA_KEEP_CLICKS", "at least 24h"}},
		"a time that is none":      {nil, []string{"up", "--data", data(), "--park-for", "um mês"}, []string{"--park-for"}},
		"no such flag":             {nil, []string{"up", "--porta", "1"}, []string{"--porta"}},
		"a leaf without keys":      {nil, []string{"gateways", "--listen", free[3], "--dsn", "postgres://x@127.0.0.1:1/x", "--keyset", empty + "/nao", "--service-key", empty + "/nao"}, []string{"/nao"}},
		"nobody answers":           {nil, []string{"explain", "x", "--address", free[0], "--api-key", "bxk_x"}, []string{free[0]}},
		"no key":                   {nil, []string{"explain", "x", "--address", free[0], "--data", empty}, []string{"--api-key"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { refuses(t, c.env, c.args, c.says) })
	}
	d := deployment.New(t, deployment.OneProcess)
	t.Run("port_taken", func(t *testing.T) {
		refuses(t, nil, []string{"up", "--data", data(), "--dsn", d.Database().DSN(), "--http", taken.Addr().String(), "--grpc", free[1]}, []string{"--http", taken.Addr().String()})
	})
	openShop(t, d) // something is sealed now
	t.Run("another_keyset", func(t *testing.T) {
		refuses(t, nil, []string{"up", "--data", data(), "--dsn", d.Database().DSN(), "--http", free[0], "--grpc", free[1]}, []string{"keyset"})
	})
	own := deployment.Addresses(t, 4)
	managed := data()
	first := deployment.Background(t, "up", "--data", managed, "--http", own[0], "--grpc", own[1])
	deployment.Eventually(t, deployment.Within, "`baixa up` with a PostgreSQL of its own is up", func() bool { return strings.Contains(first.Output(), "Baixa is up") },
		first.Output)
	t.Run("folder_in_use", func(t *testing.T) {
		refuses(t, nil, []string{"up", "--data", managed, "--http", own[2], "--grpc", own[3]}, []string{"in use", managed})
	})
}

// refuses fails unless a command ends with a code and one clear error.
func refuses(t *testing.T, env, args, says []string) {
	t.Helper()
	c := deployment.Run(t, env, args...)
	out := c.Stdout + c.Stderr
	if c.Code == 0 || c.Code > 2 {
		t.Errorf("baixa %q ends with %d, want 1 or 2:\n%s", args, c.Code, out)
	}
	for _, word := range says {
		if !strings.Contains(strings.ToLower(c.Stderr), strings.ToLower(word)) {
			t.Errorf("baixa %q does not speak of %q:\n%s", args, word, out)
		}
	}
	if strings.Contains(out, "canarinho") || strings.Contains(out, "goroutine ") || strings.Contains(out, "panic:") {
		t.Errorf("baixa %q shows what it must not:\n%s", args, out)
	}
	if n := strings.Count(c.Stderr, "baixa: "); n != 1 || strings.Count(strings.TrimSpace(c.Stderr), "\n") > 12 {
		t.Errorf("baixa %q says %d errors, want one clear one:\n%s", args, n, out)
	}
}

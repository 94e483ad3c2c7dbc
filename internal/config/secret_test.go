package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/config"
)

func TestSecret_sourcesAndPrecedence(t *testing.T) {
	var files world
	flag, env, yaml := files.write(t, "flag", "  from-flag-file\n"), files.write(t, "env", "from-env-file\n"), files.write(t, "yaml", "from-yaml-file\n")
	all := map[string]string{"BAIXA_PAYMENTS_KEY": "from-env"}
	allFile := map[string]string{"BAIXA_PAYMENTS_KEY_FILE": env}
	for _, c := range []struct {
		name string
		w    world
		args []string
		want string
	}{
		{"none", world{}, nil, ""},
		{"flag", world{env: all}, []string{"--key=from-flag"}, "from-flag"},
		{"flag file", world{env: all}, []string{"--key-file=" + flag}, "from-flag-file"},
		{"environment", world{env: all, file: "payments-key: from-yaml"}, nil, "from-env"},
		{"environment file", world{env: allFile, file: "payments-key: from-yaml"}, nil, "from-env-file"},
		{"file", world{file: "payments-key: from-yaml"}, nil, "from-yaml"},
		{"file's file", world{file: "payments: {key-file: " + yaml + "}"}, nil, "from-yaml-file"},
	} {
		got, err := c.w.parse(t, append([]string{"payments"}, c.args...)...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Payments.Key.Reveal() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got.Payments.Key.Reveal(), c.want)
		}
	}
}

func TestSecret_refusals(t *testing.T) {
	var files world
	good, empty := files.write(t, "good", "CANARY-1234"), files.write(t, "empty", " \n\t")
	absent := filepath.Join(t.TempDir(), "absent")
	for _, c := range []struct {
		name string
		w    world
		args []string
		want string
	}{
		{"both flags", world{}, []string{"--key=CANARY-1234", "--key-file=" + good}, "only one of --key and --key-file"},
		{"both variables", world{env: map[string]string{"BAIXA_PAYMENTS_KEY": "CANARY-1234", "BAIXA_PAYMENTS_KEY_FILE": good}}, nil,
			"only one of BAIXA_PAYMENTS_KEY and BAIXA_PAYMENTS_KEY_FILE"},
		{"both keys", world{file: "payments: {key: CANARY-1234, key-file: " + good + "}"}, nil, "only one of payments-key and payments-key-file"},
		{"empty file", world{}, []string{"--key-file=" + empty}, "want a value of 1 to 65536 bytes in " + empty + ", found 0"},
		{"absent file", world{env: map[string]string{"BAIXA_PAYMENTS_KEY_FILE": absent}}, nil, "want a readable file: open " + absent},
	} {
		_, err := c.w.parse(t, append([]string{"payments"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--key ($BAIXA_PAYMENTS_KEY, key payments-key)") {
			t.Errorf("%s: %v, want an error with %q and all names", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error prints the secret: %v", c.name, err)
		}
	}
}

func TestSecret_isNeverPrinted(t *testing.T) {
	s := config.NewSecret("CANARY")
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, &s, struct{ Key config.Secret }{s})
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"a": s, "b": &s}); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", slog.Any("key", s), slog.Any("in", struct{ Key config.Secret }{s}))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("key", s), slog.Any("in", struct{ Key config.Secret }{s}))
	if strings.Contains(out.String(), "CANARY") || strings.Contains(out.String(), fmt.Sprintf("%x", "CANARY")) {
		t.Errorf("the secret was printed:\n%s", out.String())
	}
	if got := config.NewSecret("").String(); got != "" {
		t.Errorf("no secret prints as %q, want nothing", got)
	}
}

func TestReference_isMarkdownOfTheWholeGrammar(t *testing.T) {
	got, err := config.Reference(&cli{}, config.Options{Name: "baixa", EnvPrefix: "BAIXA_"})
	if err != nil {
		t.Fatal(err)
	}
	want := "### `baixa`\n\n" +
		"| Flag | Variable | File key | Default | Meaning |\n|---|---|---|---|---|\n" +
		"| `--config` | `BAIXA_CONFIG` |  | `baixa.yaml` | Configuration file. |\n\n" +
		"### `baixa payments`\n\n" +
		"| Flag | Variable | File key | Default | Meaning |\n|---|---|---|---|---|\n" +
		"| `--listen` | `BAIXA_PAYMENTS_LISTEN` | `payments-listen` | `:9001` | Address of the gRPC server. |\n" +
		"| `--batch` | `BAIXA_PAYMENTS_BATCH` | `payments-batch` | `50` | Rows of one claim. |\n" +
		"| `--every` | `BAIXA_PAYMENTS_EVERY` | `payments-every` | `1s` | Pause between claims. |\n" +
		"| `--names` | `BAIXA_PAYMENTS_NAMES` | `payments-names` |  | Providers to use. |\n" +
		"| `--labels` | `BAIXA_PAYMENTS_LABELS` | `payments-labels` |  | Labels. |\n" +
		"| `--dry` | `BAIXA_PAYMENTS_DRY` | `payments-dry` |  | Change nothing. |\n" +
		"| `--level` | `BAIXA_PAYMENTS_LEVEL` | `payments-level` | `info` | Least level. One of debug, info, warn. |\n" +
		"| `--key`, `--key-file` | `BAIXA_PAYMENTS_KEY` | `payments-key` |  | Sealing key. |\n" +
		"| `--once` |  |  |  | End when nothing is left. |\n\n"
	head, _, _ := strings.Cut(got, "### `baixa up`")
	if d := cmp.Diff(want, head); d != "" {
		t.Errorf("reference (-want +got):\n%s", d)
	}
	if !strings.Contains(got, "| `--payments-batch` | `BAIXA_PAYMENTS_BATCH` | `payments-batch` |") {
		t.Errorf("the reference lacks up's settings:\n%s", got)
	}
	again, err := config.Reference(&cli{}, config.Options{Name: "baixa", EnvPrefix: "BAIXA_"})
	if err != nil || again != got {
		t.Errorf("the reference is not the same twice (%v)", err)
	}
}

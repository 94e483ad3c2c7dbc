package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/config"
)

// service is the configuration of one service, as its own package would declare it.
type service struct {
	Listen string            `default:":9001" env:"LISTEN" help:"Address of the gRPC server."`
	Batch  int               `default:"50" env:"BATCH" help:"Rows of one claim."`
	Every  time.Duration     `default:"1s" env:"EVERY" help:"Pause between claims."`
	Names  []string          `env:"NAMES" help:"Providers to use."`
	Labels map[string]string `env:"LABELS" help:"Labels."`
	Dry    bool              `env:"DRY" help:"Change nothing."`
	Level  string            `default:"info" enum:"debug,info,warn" env:"LEVEL" help:"Least level."`
	Key    config.Secret     `env:"KEY" help:"Sealing key."`
}

func (s *service) Check(r *config.Report) {
	r.Want(&s.Batch, s.Batch >= 1 && s.Batch <= 1000, "1 to 1000")
	r.Want(&s.Key, s.Key.IsZero() || len(s.Key.Reveal()) >= 4, "at least 4 characters")
}

// cli is a program with two ways to run the service, as `baixa payments` and `baixa up` are.
type cli struct {
	Config   config.File `default:"baixa.yaml" env:"BAIXA_CONFIG" help:"Configuration file."`
	Payments struct {
		service
		Once bool `help:"End when nothing is left."`
	} `cmd:"" envprefix:"BAIXA_PAYMENTS_" help:"Run payments."`
	Up struct {
		Payments service `embed:"" prefix:"payments-" envprefix:"PAYMENTS_"`
	} `cmd:"" envprefix:"BAIXA_" help:"Run everything."`
}

// world is what a program finds: environment and files.
type world struct {
	env  map[string]string
	file string // content; empty: none
	dir  string
}

func (w *world) parse(t *testing.T, args ...string) (*cli, error) {
	t.Helper()
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	env := map[string]string{}
	for k, v := range w.env {
		env[k] = v
	}
	if w.file != "" {
		env["BAIXA_CONFIG"] = w.write(t, "baixa.yaml", w.file)
	}
	var c cli
	_, err := config.Parse(&c, args, config.Options{Name: "baixa", EnvPrefix: "BAIXA_", Exit: func(code int) { t.Errorf("exit %d", code) },
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	return &c, err
}

func (w *world) write(t *testing.T, name, text string) string {
	t.Helper()
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse_precedence(t *testing.T) {
	file := "payments: {batch: 4}\n"
	env := map[string]string{"BAIXA_PAYMENTS_BATCH": "3"}
	for _, c := range []struct {
		name string
		w    world
		args []string
		want int
	}{
		{"default", world{}, nil, 50},
		{"file over default", world{file: file}, nil, 4},
		{"environment over file", world{file: file, env: env}, nil, 3},
		{"flag over environment", world{file: file, env: env}, []string{"--batch=2"}, 2},
		{"empty variable is none", world{file: file, env: map[string]string{"BAIXA_PAYMENTS_BATCH": ""}}, nil, 4},
	} {
		got, err := c.w.parse(t, append([]string{"payments"}, c.args...)...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Payments.Batch != c.want {
			t.Errorf("%s: batch is %d, want %d", c.name, got.Payments.Batch, c.want)
		}
	}
}

func TestParse_oneFileServesAllCommands(t *testing.T) {
	w := world{file: `
payments:
  listen: ":7001"
  every: 250ms
  names: [atomopay, paradise]
  labels: {region: sa, tier: one}
  dry: yes
  level: debug
  key: sealing
`}
	want := service{Listen: ":7001", Batch: 50, Every: 250 * time.Millisecond, Names: []string{"atomopay", "paradise"},
		Labels: map[string]string{"region": "sa", "tier": "one"}, Dry: true, Level: "debug", Key: config.NewSecret("sealing")}
	alone, err := w.parse(t, "payments")
	if err != nil {
		t.Fatal(err)
	}
	up, err := w.parse(t, "up")
	if err != nil {
		t.Fatal(err)
	}
	secrets := cmp.Comparer(func(a, b config.Secret) bool { return a.Reveal() == b.Reveal() })
	if d := cmp.Diff(want, alone.Payments.service, secrets); d != "" {
		t.Errorf("payments (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, up.Up.Payments, secrets); d != "" {
		t.Errorf("up (-want +got):\n%s", d)
	}
}

func TestParse_keysMayBeNestedAnywhereAndUnderscored(t *testing.T) {
	for _, file := range []string{"payments-batch: 7", "payments: {batch: 7}", "payments_batch: 7", "Payments:\n  Batch: '7'\n", "x: &b 7\n"} {
		w := world{file: file}
		got, err := w.parse(t, "payments")
		if strings.HasPrefix(file, "x:") {
			if err == nil {
				t.Errorf("%q: an unknown key was accepted", file)
			}
			continue
		}
		if err != nil || got.Payments.Batch != 7 {
			t.Errorf("%q: batch %d, %v, want 7", file, got.Payments.Batch, err)
		}
	}
}

// TestParse_errorsSayEverything compares whole texts: they are what an operator reads.
func TestParse_errorsSayEverything(t *testing.T) {
	for _, c := range []struct {
		name string
		w    world
		args []string
		want []string
	}{
		{"unknown key with line", world{file: "payments:\n  batch: 5\n  batsh: 6\n"}, nil,
			[]string{"key payments-batsh, from FILE line 3: want a known setting, perhaps payments-batch"}},
		{"several at once", world{file: "zzz: 1\npayments:\n  qqqqqqqq: 2\n"}, nil,
			[]string{"key zzz, from FILE line 1: want a known setting", "key payments-qqqqqqqq, from FILE line 3: want a known setting"}},
		{"twice in the file", world{file: "payments-batch: 5\npayments:\n  batch: 6\n"}, nil,
			[]string{"key payments-batch, from FILE line 3: want one value, it has one on line 1 already"}},
		{"section that is a value", world{file: "payments: 5\n"}, nil,
			[]string{"key payments, from FILE line 1: want settings below it, as key: value"}},
		{"list instead of settings", world{file: "- 1\n"}, nil,
			[]string{"the settings, from FILE line 1: want settings below it, as key: value"}},
		{"wrong type in the file", world{file: "payments:\n  every: soon\n"}, nil,
			[]string{`--every ($BAIXA_PAYMENTS_EVERY, key payments-every), from FILE line 2: expected duration but got "soon": time: invalid duration "soon"`}},
		{"wrong type in the environment", world{env: map[string]string{"BAIXA_PAYMENTS_BATCH": "many"}}, nil,
			[]string{`--batch ($BAIXA_PAYMENTS_BATCH, key payments-batch), from environment: expected a valid 64 bit int but got "many"`}},
		{"wrong type on the command line", world{}, []string{"--batch=many"},
			[]string{`--batch ($BAIXA_PAYMENTS_BATCH, key payments-batch): expected a valid 64 bit int but got "many"`}},
		{"out of the enum", world{env: map[string]string{"BAIXA_PAYMENTS_LEVEL": "loud"}}, nil,
			[]string{`--level ($BAIXA_PAYMENTS_LEVEL, key payments-level), from environment: must be one of "debug","info","warn" but got "loud"`}},
		{"checked value from the file", world{file: "payments: {batch: 0}\n"}, nil,
			[]string{`--batch ($BAIXA_PAYMENTS_BATCH, key payments-batch), from FILE line 1: got 0, want 1 to 1000`}},
		{"checked secret", world{env: map[string]string{"BAIXA_PAYMENTS_KEY": "abc"}}, nil,
			[]string{`--key ($BAIXA_PAYMENTS_KEY, key payments-key), from environment: got [redacted], want at least 4 characters`}},
	} {
		_, err := c.w.parse(t, append([]string{"payments"}, c.args...)...)
		var own *config.Error
		if !errors.As(err, &own) {
			t.Errorf("%s: got %T %v, want an *Error", c.name, err, err)
			continue
		}
		got := strings.ReplaceAll(err.Error(), filepath.Join(c.w.dir, "baixa.yaml"), "FILE")
		if d := cmp.Diff(strings.Join(c.want, "\n"), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestParse_embeddedSettingsAreCheckedToo(t *testing.T) {
	w := world{env: map[string]string{"BAIXA_PAYMENTS_BATCH": "5000"}}
	_, err := w.parse(t, "up")
	if err == nil || !strings.HasPrefix(err.Error(), "--payments-batch ($BAIXA_PAYMENTS_BATCH, key payments-batch), from environment: got 5000") {
		t.Errorf("up with a batch of 5000: %v", err)
	}
}

func TestParse_otherCommandsSettingsDoNotMatter(t *testing.T) {
	type both struct {
		A struct {
			N int `env:"BAIXA_N"`
		} `cmd:""`
		B struct {
			Word string `env:"BAIXA_N"`
			Must string `required:"" env:"BAIXA_MUST" help:"Must be there."`
		} `cmd:""`
	}
	env := func(name string) (string, bool) { return "word", name == "BAIXA_N" }
	var c both
	o := config.Options{Name: "x", EnvPrefix: "BAIXA_", LookupEnv: env}
	_, err := config.Parse(&c, []string{"b"}, o)
	if want := "--must ($BAIXA_MUST, key must): want a value, Must be there ($BAIXA_MUST)."; err == nil || err.Error() != want {
		t.Errorf("a required setting is missing: %v, want %s", err, want)
	}
	if _, err := config.Parse(&c, []string{"b", "--must=x"}, o); err != nil || c.B.Word != "word" {
		t.Errorf("b: %v, word %q", err, c.B.Word)
	}
}

func TestParse_fileTroubles(t *testing.T) {
	w := world{}
	if _, err := w.parse(t, "payments"); err != nil {
		t.Errorf("the default file may be absent: %v", err)
	}
	absent := filepath.Join(t.TempDir(), "absent.yaml")
	_, err := w.parse(t, "payments", "--config="+absent)
	if err == nil || !strings.HasPrefix(err.Error(), "--config ($BAIXA_CONFIG): want a readable file: open ") {
		t.Errorf("a file that was asked for may not be absent: %v", err)
	}
	for name, text := range map[string]string{"not YAML": "a: [", "two documents": "payments-batch: 1\n---\npayments-batch: 2\n"} {
		w := world{file: text}
		if _, err := w.parse(t, "payments"); err == nil || !strings.Contains(err.Error(), "baixa.yaml") {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
	for name, text := range map[string]string{"empty": "# nothing\n", "empty section": "payments:\n", "empty value": "payments:\n  batch:\n"} {
		w := world{file: text}
		got, err := w.parse(t, "payments")
		if err != nil || got.Payments.Batch != 50 {
			t.Errorf("%s: batch %d, %v, want the default", name, got.Payments.Batch, err)
		}
	}
	w = world{file: "payments-batch: 8\n"}
	got, err := w.parse(t, "payments")
	if err != nil || filepath.Base(string(got.Config)) != "baixa.yaml" {
		t.Errorf("the file's path in the struct is %q, %v", got.Config, err)
	}
}

func TestParse_unknownFlagIsKongsOwnError(t *testing.T) {
	w := world{}
	if _, err := w.parse(t, "payments", "--nonsense"); err == nil || !strings.Contains(err.Error(), "--nonsense") {
		t.Errorf("unknown flag: %v", err)
	}
}

func TestParse_helpShowsVariables(t *testing.T) {
	var out bytes.Buffer
	exited := false
	var c cli
	_, _ = config.Parse(&c, []string{"payments", "--help"}, config.Options{Name: "baixa", EnvPrefix: "BAIXA_", Stdout: &out, Exit: func(int) { exited = true }})
	if !exited {
		t.Error("help does not exit")
	}
	for _, want := range []string{"--batch=50", "($BAIXA_PAYMENTS_BATCH)", "--key-file=PATH"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %s:\n%s", want, out.String())
		}
	}
}

func ExampleReport_Want() {
	c := &service{Batch: 0}
	fmt.Println(config.Check(c))
	// Output: service.Batch: got 0, want 1 to 1000
}

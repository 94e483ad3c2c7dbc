package notifier

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/config"
)

func TestConfig_flagsAndZeroValuesHaveTheSameDefaults(t *testing.T) {
	var cli struct {
		Notifier Config `embed:"" envprefix:"BAIXA_NOTIFIER_"`
	}
	env := map[string]string{"BAIXA_NOTIFIER_DSN": "postgres://x@localhost/y"}
	if _, err := config.Parse(&cli, nil, config.Options{Name: "notifier", EnvPrefix: "BAIXA_", LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}); err != nil {
		t.Fatal(err)
	}
	zero := &Config{DSN: cli.Notifier.DSN, MaxConns: 8}
	if diff := cmp.Diff(zero.withDefaults(), cli.Notifier); diff != "" {
		t.Errorf("zero value (-) and flags (+) differ:\n%s", diff)
	}
}

func TestConfig_everySettingIsExplained(t *testing.T) {
	for f := range reflect.TypeFor[Config]().Fields() {
		if f.Tag.Get("help") == "" || f.Tag.Get("env") == "" || !strings.HasSuffix(f.Tag.Get("help"), ".") {
			t.Errorf("%s: help %q, env %q", f.Name, f.Tag.Get("help"), f.Tag.Get("env"))
		}
	}
}

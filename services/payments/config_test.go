package payments

import (
	"strings"
	"testing"
	"time"
)

func TestConfig_everyWrongFieldIsNamed(t *testing.T) {
	good := Config{DSN: "postgres://user:secret@localhost/db", MaxConns: 5, PublicURL: "https://pay.example.com/", TrustedProxies: []string{"10.0.0.0/8", "::1"}}
	if err := good.Validate(); err != nil {
		t.Fatalf("a good configuration: %v", err)
	}
	for field, change := range map[string]func(*Config){
		"Config.DSN":            func(c *Config) { c.DSN = "" },
		"Config.MaxConns":       func(c *Config) { c.MaxConns = -1 },
		"Config.PublicURL":      func(c *Config) { c.PublicURL = "pay.example.com" },
		"Config.KeepClicks":     func(c *Config) { c.KeepClicks = time.Hour },
		"Config.TrustedProxies": func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "proxy"} },
	} {
		c := good
		change(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), field) || strings.Count(err.Error(), "\n") > 0 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, url := range []string{"https://pay.example.com/path", "ftp://pay.example.com", "https://", "https://u:p@pay.example.com", "https://pay.example.com?x=1", "https://pay.example.com#x"} {
		c := good
		if c.PublicURL = url; c.Validate() == nil {
			t.Errorf("%s is taken", url)
		}
	}
	both := Config{MaxConns: -1}
	if err := both.Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two wrong fields: %v", err)
	}
}

package baixa

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/baixapay/baixa/"

// rule says what the packages that match from may never import, directly or through others of this repository. Groups of from
// stand in deny as $1.
type rule struct {
	from, deny string
	allow      string // exceptions to deny
	why        string
	but        string // exceptions to from
}

var rules = []rule{
	{`^gen/`, `^(internal|services|cmd|sim|console|e2e)/`, ``, "generated code depends on nothing of ours", ``},
	{`^internal/`, `^(services|cmd|sim|console|e2e)/`, ``, "internal serves everybody and knows nobody", ``},
	{`^services/([a-z]+)(/|$)`, `^services/`, `^services/$1(/|$)`, "services speak gRPC to each other", ``},
	{`^services/`, `^(cmd|sim|console|e2e)/`, ``, "services do not know who runs them", ``},
	{`^services/payments/internal/payment$`, `^(gen|internal|services)/`, `^(internal/money|services/payments/internal/payment)$`, "the domain is pure", ``},
	{`^services/gateways/internal/provider/([a-z0-9]+)$`, `^services/gateways/internal/provider/`, `^services/gateways/internal/provider(/$1)?$`, "one provider never knows another", `/(registry|declarative|providertest)$`},
	{`^sim$`, `^`, `^sim$`, "the simulators must be able to disagree", ``},
	{`^console(/|$)`, `^(services|cmd|sim|e2e)/`, ``, "the console speaks only gRPC", ``},
}

// foreign rules are about packages of other modules.
var foreign = []rule{
	{`^services/payments/internal/payment$`, `^[a-z0-9-]+\.[a-z]+/`, `^github\.com/baixapay/`, "the domain is the standard library and money", ``},
	{`^sim$`, `^[a-z0-9-]+\.[a-z]+/`, `^github\.com/baixapay/`, "the simulators are the standard library alone", ``},
	{`^services/gateways(/|$)`, `^github\.com/go-telegram/`, ``, "gateways does not link a Telegram client", ``},
	{`^services/[a-z]+/internal/(store|payment|ledger)$`, `^google\.golang\.org/grpc(/|$)`, ``, "domain and store never import grpc", ``},
}

func TestImports_followTheHouse(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range rules {
			check(t, r, from, p.Deps, func(path string) (string, bool) { return strings.CutPrefix(path, module) })
		}
		for _, r := range foreign {
			list := p.Deps
			if strings.Contains(r.deny, "google") {
				list = p.Imports // what others link for their own reasons is theirs
			}
			check(t, r, from, list, func(path string) (string, bool) { return path, true })
		}
	}
}

func check(t *testing.T, r rule, from string, imports []string, name func(string) (string, bool)) {
	t.Helper()
	match := regexp.MustCompile(r.from).FindStringSubmatch(from)
	if match == nil || r.but != "" && regexp.MustCompile(r.but).MatchString(from) {
		return
	}
	fill := func(pattern string) *regexp.Regexp {
		for i, group := range match[1:] {
			pattern = strings.ReplaceAll(pattern, "$"+string(rune('1'+i)), group)
		}
		return regexp.MustCompile(pattern)
	}
	deny := fill(r.deny)
	for _, path := range imports {
		local, ok := name(path)
		if ok && deny.MatchString(local) && (r.allow == "" || !fill(r.allow).MatchString(local)) {
			t.Errorf("%s depends on %s: %s", from, local, r.why)
		}
	}
}

// Packages whose names say nothing are refused.
func TestPackages_haveNames(t *testing.T) {
	nothing := regexp.MustCompile(`(^|/)(utils?|common|helpers?|shared|models?|types|base|misc|manager)(/|$)`)
	for _, p := range packages(t) {
		local := strings.TrimPrefix(p.ImportPath, module)
		if !strings.HasPrefix(local, "gen/") && nothing.MatchString(local) {
			t.Errorf("%s: the name says nothing", local)
		}
	}
}

// What internal holds is shared: at least two packages outside of it, or of other internal packages, import it.
func TestInternal_isShared(t *testing.T) {
	importers := map[string]int{}
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			importers[path]++
		}
	}
	for _, p := range packages(t) {
		local := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(local, "internal/") && !strings.HasSuffix(local, "test") && importers[p.ImportPath] < 2 {
			t.Errorf("%s has %d importers: move it to the one that needs it", local, importers[p.ImportPath])
		}
	}
}

type pkg struct {
	ImportPath    string
	Imports, Deps []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 20 {
		t.Fatalf("only %d packages: the rules would pass for nothing", len(list))
	}
	return list
}

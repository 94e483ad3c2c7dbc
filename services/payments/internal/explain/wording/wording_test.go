package wording

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

func TestSay_values(t *testing.T) {
	s := Sentence{PT: "a {x}[, b {y:money}][, c {z:time}] {{w:state}.", EN: "e {x}"}
	for _, c := range []struct {
		name string
		v    Values
		want string
	}{
		{"all", Values{"x": "1", "y": "123456", "z": "2026-11-23T17:00:00Z"}, "a 1, b R$ 1.234,56, c 23/11/2026 14:00:00 ?."},
		{"missing ones are left out", Values{"x": "1"}, "a 1 ?."},
		{"unreadable ones as well", Values{"x": "1", "y": "many", "z": "soon"}, "a 1 ?."},
		{"a needed one is missing", nil, "a ? ?."},
		{"a value is never a template", Values{"x": "{y} [z]"}, "a {y} [z] ?."},
	} {
		if got := s.Say(Portuguese, c.v); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := s.Say(English, Values{"x": "1"}); got != "e 1" {
		t.Errorf("english: %q", got)
	}
}

func TestParse_tags(t *testing.T) {
	for tag, want := range map[string]Lang{"": Portuguese, "pt-BR": Portuguese, "PT_br": Portuguese, "en": English, "en-US": English} {
		if got, ok := Parse(tag); !ok || got != want {
			t.Errorf("%q: %v, %v", tag, got, ok)
		}
	}
	if _, ok := Parse("fr"); ok {
		t.Error("French is taken")
	}
}

func TestDuration_twoLargestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", -time.Hour: "0 s", 1400 * time.Millisecond: "1 s", 61 * time.Second: "1 min 1 s",
		26*time.Hour + 3*time.Minute + 4*time.Second: "1 d 2 h", 24*time.Hour + 5*time.Minute: "1 d", time.Hour + 5*time.Second: "1 h"} {
		if got := Duration(Portuguese, d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestCounted_nouns(t *testing.T) {
	for _, noun := range []string{"looks", "sales", "webhooks", "messages", "failures"} {
		for _, l := range []Lang{Portuguese, English} {
			one, two := counted(noun, l, 1), counted(noun, l, 2)
			if !strings.HasPrefix(one, "1 ") || !strings.HasPrefix(two, "2 ") || one[2:] == two[2:] && noun != "" && !strings.HasSuffix(one, "failed") {
				t.Errorf("%s: %q, %q", noun, one, two)
			}
		}
	}
}

func TestPlain_fitForEverybody(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[31mb\nc\td":                "a [31mb c d",
		"x\u202ey\u200bz":                 "xyz",
		"CPF 529.982.247-25":              "CPF [redacted]",
		"\xff\xfe":                        "",
		strings.Repeat("é", 200):          strings.Repeat("é", 159) + "…",
		"https://h/delivery/abcdefghijkl": "https://h/delivery/[redacted]",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestVocabularies_everyWord reads the source of every vocabulary, so that a word added there and not put into words here is found.
func TestVocabularies_everyWord(t *testing.T) {
	wanted := map[string][]string{}
	for _, s := range payment.States() {
		wanted["state"] = append(wanted["state"], s.String())
	}
	for _, s := range payment.Statuses() {
		wanted["status"] = append(wanted["status"], s.String())
	}
	for _, r := range payment.ReviewReasons() {
		wanted["review"] = append(wanted["review"], string(r))
	}
	for _, n := range payment.Notices() {
		wanted["notice"] = append(wanted["notice"], string(n))
	}
	for _, s := range payment.Sources() {
		wanted["source"] = append(wanted["source"], string(s))
	}
	domain := constants(t, "../../payment", func(typ, _ string) bool { return typ == "Outcome" || typ == "LookReason" || typ == "LatePolicy" })
	wanted["outcome"], wanted["look"], wanted["late"] = domain["Outcome"], domain["LookReason"], domain["LatePolicy"]
	telegram := "../../../../notifier/internal/channel/telegram"
	reasons := func(_, name string) bool {
		return strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "reason")
	}
	wanted["told"] = slices.Concat(constants(t, telegram, reasons)[""], constants(t, "../../../../notifier/internal/store", reasons)[""])
	wanted["group"] = constants(t, "../../../../notifier/internal/access", func(_, name string) bool { return strings.HasPrefix(name, "Fault") })[""]
	for form, list := range wanted {
		if len(list) < 3 {
			t.Errorf("%s: only %q found", form, list)
		}
		for _, word := range list {
			if _, ok := vocabularies[form][word]; !ok && word != "" {
				t.Errorf("%s %q has no words", form, word)
			}
		}
	}
	for form, list := range vocabularies {
		for word, s := range list {
			if s.PT == "" || s.EN == "" || strings.ContainsAny(s.PT+s.EN, "{}[]?") {
				t.Errorf("%s %q: %+v", form, word, s)
			}
		}
	}
	if got := vocabularies["told"].say(English, "a\x1bnew_reason"); got != "a new_reason" {
		t.Errorf("a word of a newer service: %q", got)
	}
}

// constants finds the text constants of a folder that are wanted, by their type's name.
func constants(t *testing.T, folder string, wanted func(typ, name string) bool) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", folder, err)
	}
	out := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ := ""
			if id, ok := spec.Type.(*ast.Ident); ok {
				typ = id.Name
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING && wanted(typ, spec.Names[0].Name) {
				out[typ] = append(out[typ], strings.Trim(lit.Value, `"`))
			}
			return true
		})
	}
	return out
}

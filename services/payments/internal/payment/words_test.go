package payment

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestID_sameAsUUID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u uuid.UUID
		copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		if got := ID(u).String(); got != u.String() {
			t.Fatalf("%s, want %s", got, u)
		}
		back, err := ParseID(strings.ToUpper(u.String()))
		if err != nil || back != ID(u) {
			t.Fatalf("parse back: %v, %v", back, err)
		}
	})
}

func TestID_refused(t *testing.T) {
	for _, s := range []string{"", "0", "0193b5d2-0000-7000-8000-00000000000", "0193b5d2-0000-7000-8000-0000000000000", "0193b5d2000070008000000000000000",
		"{0193b5d2-0000-7000-8000-00000000000}", "0193b5d2-0000-7000-8000-00000000000g", "0193b5d2_0000-7000-8000-000000000000", "0193b5d2-0000-7000-8000-00000000 00"} {
		if id, err := ParseID(s); !errors.Is(err, ErrBadID) || !id.IsZero() {
			t.Errorf("%q: %v, %v", s, id, err)
		}
	}
}

func TestID_typesInJSON(t *testing.T) {
	const text = `{"P":"0193b5d2-0000-7000-8000-000000000001","M":"0193b5d2-0000-7000-8000-000000000002","B":"0193b5d2-0000-7000-8000-000000000003","A":"0193b5d2-0000-7000-8000-000000000004"}`
	var v struct {
		P ID
		M MerchantID
		B BotID
		A AccountID
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(v); err != nil || string(got) != text {
		t.Errorf("%s, %v", got, err)
	}
	if v.P.IsZero() || v.M.IsZero() || v.B.IsZero() || v.A.IsZero() || !(BotID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if err := json.Unmarshal([]byte(`{"M":"no"}`), &v); !errors.Is(err, ErrBadID) {
		t.Errorf("bad id: %v", err)
	}
}

func TestState_words(t *testing.T) {
	for _, s := range States() {
		back, err := ParseState(s.String())
		if err != nil || back != s {
			t.Errorf("%v: %v, %v", s, back, err)
		}
		var scanned State
		if err := scanned.Scan(s.String()); err != nil || scanned != s {
			t.Errorf("scan %v: %v, %v", s, scanned, err)
		}
	}
	for _, w := range []string{"", "PAID", " paid", "unknown", "state(0)"} {
		if s, err := ParseState(w); !errors.Is(err, ErrUnknownWord) || s != 0 {
			t.Errorf("%q: %v, %v", w, s, err)
		}
	}
	var s State
	for _, src := range []any{nil, 2, "settled", []byte("settled")} {
		if err := s.Scan(src); !errors.Is(err, ErrUnknownWord) {
			t.Errorf("scan %v: %v", src, err)
		}
	}
	if err := s.Scan([]byte("paid")); err != nil || s != Paid {
		t.Errorf("scan bytes: %v, %v", s, err)
	}
	if _, err := json.Marshal(State(0)); err == nil {
		t.Error("no state was marshalled")
	}
}

func TestStatus_words(t *testing.T) {
	for _, s := range Statuses() {
		back, err := ParseStatus(s.String())
		if err != nil || back != s {
			t.Errorf("%v: %v, %v", s, back, err)
		}
	}
	if s, err := ParseStatus("approved"); !errors.Is(err, ErrUnknownWord) || s != StatusUnknown {
		t.Errorf("a provider's word: %v, %v", s, err)
	}
	var zero Status
	if zero != StatusUnknown {
		t.Error("the zero status is not unknown")
	}
}

func TestVocabulary_complete(t *testing.T) {
	seen := map[Kind]bool{}
	for _, m := range Vocabulary() {
		if seen[m.Kind] || m.Kind == "" || m.Text == "" {
			t.Errorf("%q is listed twice or says nothing", m.Kind)
		}
		seen[m.Kind] = true
		if m.Kind.Decides() != m.Decides {
			t.Errorf("%s decides: %t by list, %t by method", m.Kind, m.Decides, m.Kind.Decides())
		}
	}
	words := map[string]bool{}
	for _, in := range inputWords {
		if in == "" || words[in] {
			t.Errorf("input word %q is empty or used twice", in)
		}
		words[in] = true
	}
	for _, m := range Metrics() {
		if m.String() == "" {
			t.Errorf("metric %d has no word", int(m))
		}
	}
}

// TestVocabulary_everyConstantListed reads the source, so that a word added without its place in a list is found.
func TestVocabulary_everyConstantListed(t *testing.T) {
	listed := map[string]map[string]bool{"Kind": {}, "WhyKey": {}, "Notice": {}, "ReviewReason": {}, "Source": {}}
	for _, m := range Vocabulary() {
		listed["Kind"][string(m.Kind)] = true
	}
	for _, w := range WhyKeys() {
		listed["WhyKey"][string(w)] = true
	}
	for _, n := range Notices() {
		listed["Notice"][string(n)] = true
	}
	for _, r := range ReviewReasons() {
		listed["ReviewReason"][string(r)] = true
	}
	for _, s := range Sources() {
		listed["Source"][string(s)] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, ok := spec.Type.(*ast.Ident)
			if !ok || listed[typ.Name] == nil {
				return true
			}
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found[typ.Name]++
			if !listed[typ.Name][word] {
				t.Errorf("%s %q is in no list", typ.Name, word)
			}
			return true
		})
	}
	for typ, words := range listed {
		if found[typ] != len(words) {
			t.Errorf("%s: %d constants, %d listed", typ, found[typ], len(words))
		}
	}
}

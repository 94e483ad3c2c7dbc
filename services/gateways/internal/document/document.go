// Package document reads provider answers and webhook bodies without deciding what they mean: JSON or form text
// becomes an ordered tree whose numbers keep every digit that was sent.
//
// It refuses to guess: no floating point, no case folding of keys, no repair of broken text, and no more than
// MaxNodes values, so that a hostile body costs bounded memory.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxNodes bounds how many values one document may hold. Real answers have fewer than two hundred.
const MaxNodes = 20_000

// What Parse reports. Callers tell a provider that is ill (ErrEmpty, ErrHTML, ErrTruncated, ErrText) from one that
// speaks another language than expected (ErrSyntax, ErrTooLarge).
var (
	ErrEmpty     = errors.New("empty body")
	ErrHTML      = errors.New("html instead of json")
	ErrText      = errors.New("plain text instead of json")
	ErrTruncated = errors.New("truncated json")
	ErrSyntax    = errors.New("malformed json")
	ErrForm      = errors.New("malformed form") // of ParseForm and Sniff alone
	ErrTooLarge  = errors.New("json with too many values")
)

// Kind is the sort of a Value.
type Kind uint8

// The sorts of values. Absent is the zero Value: what Get returns for a key that is not there.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

type node struct {
	kind           Kind
	escaped        bool // the key is not spelled by its bytes: a backslash, or wrong UTF-8
	keyAt, keyEnd  int32
	from, to       int32
	next, firstKid int32 // 0 means none: node 0 is the root and nobody's sibling
}

type tree struct {
	src   []byte
	nodes []node
}

// Value is one place in a document. It keeps the document's bytes alive and must not be used after they change.
// Every method is safe on the zero Value.
type Value struct {
	t *tree
	i int32
}

// Parse reads one complete JSON document. A UTF-8 byte order mark and surrounding white space are ignored; anything
// else after the document is ErrSyntax. The body must not be changed while the Value is in use.
func Parse(body []byte) (Value, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf")))
	if len(body) == 0 {
		return Value{}, ErrEmpty
	}
	if !json.Valid(body) {
		return Value{}, diagnose(body)
	}
	t := &tree{src: body, nodes: make([]node, 0, min(8+len(body)/16, 256))}
	p := parser{t: t}
	if !p.value(0, 0, false) {
		return Value{}, ErrTooLarge
	}
	return Value{t: t}, nil
}

// LooksHTML reports whether a body begins as a web page does, whatever its content type says.
func LooksHTML(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))), []byte("<"))
}

func diagnose(body []byte) error {
	if LooksHTML(body) {
		return ErrHTML
	}
	if body[0] != '{' && body[0] != '[' && body[0] != '"' {
		return ErrText
	}
	var discard json.RawMessage
	err := json.NewDecoder(bytes.NewReader(body)).Decode(&discard)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return ErrSyntax
}

// Kind tells what the value is; Absent for the zero Value.
func (v Value) Kind() Kind {
	if v.t == nil {
		return Absent
	}
	return v.t.nodes[v.i].kind
}

// Present reports whether there is a value and it is neither null nor an empty string.
func (v Value) Present() bool {
	switch v.Kind() {
	case Absent, Null:
		return false
	case String:
		if raw := v.Raw(); bytes.IndexByte(raw, '\\') < 0 {
			return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0 // asked of every field of every answer: no copy
		}
		return strings.TrimSpace(v.Text()) != ""
	default:
		return true
	}
}

// Get follows a dotted path of object keys and array positions ("data.items.0.hash"). Keys are matched exactly, the
// last of two equal keys wins as in encoding/json. A path that leads nowhere gives the zero Value.
func (v Value) Get(path string) Value {
	for path != "" && v.t != nil {
		key, rest, _ := strings.Cut(path, ".")
		v, path = v.step(key), rest
	}
	return v
}

func (v Value) step(key string) Value {
	n := v.t.nodes[v.i]
	found := Value{}
	switch n.kind {
	case Object:
		for k := n.firstKid; k != 0; k = v.t.nodes[k].next {
			if v.t.keyIs(k, key) {
				found = Value{v.t, k}
			}
		}
	case Array:
		want, err := strconv.Atoi(key)
		if err != nil || want < 0 {
			return Value{}
		}
		for k := n.firstKid; k != 0; k = v.t.nodes[k].next {
			if want == 0 {
				return Value{v.t, k}
			}
			want--
		}
	}
	return found
}

// Text is a string's content, or a number exactly as it was written; "" for everything else.
func (v Value) Text() string {
	switch v.Kind() {
	case String:
		return unquote(v.Raw())
	case Number:
		return string(v.Raw())
	default:
		return ""
	}
}

// IsTrue and IsFalse report a JSON boolean; text such as "true" is neither.
func (v Value) IsTrue() bool { return v.Kind() == Bool && v.Raw()[0] == 't' }

// IsFalse is described at IsTrue.
func (v Value) IsFalse() bool { return v.Kind() == Bool && v.Raw()[0] == 'f' }

// Raw is the value's bytes as sent, quotes included; nil when absent. It aliases the document.
func (v Value) Raw() []byte {
	if v.t == nil {
		return nil
	}
	n := v.t.nodes[v.i]
	return v.t.src[n.from:n.to]
}

// Key is the name under which the value stands in its object; "" for array elements and the root.
func (v Value) Key() string {
	if v.t == nil {
		return ""
	}
	n := v.t.nodes[v.i]
	if n.escaped {
		return unquote(v.t.src[n.keyAt-1 : n.keyEnd+1])
	}
	return string(v.t.src[n.keyAt:n.keyEnd])
}

// RawKey is Key as it was sent, without its quotes and without a copy; plain is false when it holds escapes or wrong UTF-8.
func (v Value) RawKey() (raw []byte, plain bool) {
	if v.t == nil {
		return nil, false
	}
	n := v.t.nodes[v.i]
	return v.t.src[n.keyAt:n.keyEnd], !n.escaped
}

// Children yields an object's members or an array's elements in the order in which they were sent.
func (v Value) Children(yield func(Value) bool) {
	if k := v.Kind(); k != Object && k != Array {
		return
	}
	for k := v.t.nodes[v.i].firstKid; k != 0; k = v.t.nodes[k].next {
		if !yield(Value{v.t, k}) {
			return
		}
	}
}

// Strings yields every string value of the document below v, in order, keys excluded.
func (v Value) Strings(yield func(Value) bool) {
	if v.t == nil || v.i != 0 {
		v.walk(yield)
		return
	}
	for i := range v.t.nodes { // of the whole document: nodes stand in the order in which they were sent
		if v.t.nodes[i].kind == String && !yield(Value{v.t, int32(i)}) {
			return
		}
	}
}

func (v Value) walk(yield func(Value) bool) bool {
	if v.Kind() == String {
		return yield(v)
	}
	for c := range v.Children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

func (t *tree) keyIs(i int32, key string) bool {
	n := t.nodes[i]
	if n.escaped {
		return Value{t, i}.Key() == key
	}
	return string(t.src[n.keyAt:n.keyEnd]) == key
}

func unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		text := string(raw[1 : len(raw)-1])
		if !utf8.ValidString(text) {
			text = string([]rune(text)) // each wrong byte becomes U+FFFD, as in encoding/json
		}
		return text
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// document is the configuration file, flattened to keys.
type document struct {
	path   string
	values map[string]entry
}

type entry struct {
	value any // string, []any or map[string]any
	line  int
}

func (d *document) at(e entry) string { return fmt.Sprintf("%s line %d", d.path, e.line) }

// document loads the file named by flag, environment or default, once.
func (b *binder) document(ctx *kong.Context) (*document, error) {
	if b.file != nil {
		return b.file, nil
	}
	b.file = &document{}
	if b.config == nil {
		return b.file, nil
	}
	path, asked := b.filePath(ctx)
	if path == "" {
		return b.file, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return b.file, nil
	}
	if err != nil {
		return nil, &Error{[]Problem{b.config.problem("", "a readable file: "+err.Error())}}
	}
	known := make(map[string]bool, len(b.byKey))
	for key := range b.byKey {
		known[key] = true
	}
	doc, err := parseFile(path, text, known)
	if err != nil {
		return nil, err
	}
	b.file = doc
	return doc, nil
}

// filePath returns the path and whether somebody asked for it.
func (b *binder) filePath(ctx *kong.Context) (string, bool) {
	flag := b.config.flag
	for _, p := range ctx.Path {
		if p.Flag == flag {
			f, _ := ctx.FlagValue(flag).(File)
			return string(f), true
		}
	}
	if v, ok := b.env(b.config.env); b.config.env != "" && ok {
		flag.Target.SetString(v)
		return v, true
	}
	return flag.Default, false
}

// parseFile flattens the YAML text to the known keys and reports every other one, and every one given twice, with its line.
func parseFile(path string, text []byte, known map[string]bool) (*document, error) {
	d := &document{path: path, values: map[string]entry{}}
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); errors.Is(err, io.EOF) {
		return d, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one YAML document", path)
	}
	e := &Error{}
	d.flatten("", root.Content[0], known, e)
	if len(e.Problems) > 0 {
		return nil, e
	}
	return d, nil
}

func (d *document) flatten(prefix string, n *yaml.Node, known map[string]bool, e *Error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" { // an empty section is fine
			e.Problems = append(e.Problems, d.problem(prefix, n.Line, "settings below it, as key: value"))
		}
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key := strings.ReplaceAll(strings.ToLower(k.Value), "_", "-")
		if prefix != "" {
			key = prefix + "-" + key
		}
		switch {
		case known[key]:
			d.set(key, k.Line, v, e)
		case hasBelow(known, key):
			d.flatten(key, v, known, e)
		default:
			e.Problems = append(e.Problems, d.problem(key, k.Line, "a known setting"+nearest(key, known)))
		}
	}
}

func (d *document) set(key string, line int, n *yaml.Node, e *Error) {
	if old, twice := d.values[key]; twice {
		e.Problems = append(e.Problems, d.problem(key, line, fmt.Sprintf("one value, it has one on line %d already", old.line)))
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return
	}
	value := any(n.Value)
	if n.Kind != yaml.ScalarNode {
		if err := n.Decode(&value); err != nil {
			e.Problems = append(e.Problems, d.problem(key, line, "a YAML value: "+err.Error()))
			return
		}
	}
	d.values[key] = entry{value, line}
}

func (d *document) problem(key string, line int, want string) Problem {
	return Problem{Key: key, Source: fmt.Sprintf("%s line %d", d.path, line), Want: want}
}

func hasBelow(known map[string]bool, key string) bool {
	for k := range known {
		if strings.HasPrefix(k, key+"-") {
			return true
		}
	}
	return false
}

// nearest suggests the known key that is at most a quarter of its letters away.
func nearest(key string, known map[string]bool) string {
	best, least := "", max(2, len(key)/4)+1
	for k := range known {
		if d := distance(k, key); d < least || (d == least && best != "" && k < best) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ", perhaps " + best
}

// distance counts the letters to insert, delete or replace to make a of b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

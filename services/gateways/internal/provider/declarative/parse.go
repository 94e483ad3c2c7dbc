package declarative

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 256 << 10

// Error is one mistake in a file.
type Error struct {
	// File is the name that the caller gave.
	File string
	// Line counts from 1; 0 when the mistake has no line.
	Line int
	// Field is the dotted path ("poll.cadence", "notes.2.text"); "" when there is none.
	Field string
	// Reason says what is wrong, and with a wrong word which ones are right.
	Reason string
}

// Error is "file:line: field: reason".
func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += ":" + strconv.Itoa(e.Line)
	}
	if e.Field != "" {
		text += ": " + e.Field
	}
	return text + ": " + e.Reason
}

// source is a file with the line of each of its fields.
type source struct {
	file     string
	lines    map[string]int
	mistakes []*Error
}

// wrong notes a mistake at a field, or at the nearest field above it that the file has.
func (s *source) wrong(field, format string, args ...any) {
	line := 0
	for at := field; line == 0; {
		line = s.lines[at]
		cut := strings.LastIndexByte(at, '.')
		if cut < 0 {
			break
		}
		at = at[:cut]
	}
	s.mistakes = append(s.mistakes, &Error{File: s.file, Line: line, Field: field, Reason: fmt.Sprintf(format, args...)})
}

// err is every mistake, in the order of lines; nil when there is none.
func (s *source) err() error {
	slices.SortStableFunc(s.mistakes, func(a, b *Error) int { return a.Line - b.Line })
	all := make([]error, len(s.mistakes))
	for i, m := range s.mistakes {
		all[i] = m
	}
	return errors.Join(all...)
}

// parse reads a file strictly: one document, known keys only, each once, values of the right type.
func parse(file string, text []byte) (*source, spec, error) {
	src := &source{file: file, lines: map[string]int{}}
	var out spec
	if len(text) > MaxFile {
		src.wrong("", "file larger than %d bytes", MaxFile)
		return nil, out, src.err()
	}
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		src.wrong("", "empty file")
		return nil, out, src.err()
	case err != nil:
		src.translate(err)
		return nil, out, src.err()
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		src.wrong("", "more than one document in the file")
		return nil, out, src.err()
	}
	src.index("", &root, 0)
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&out); err != nil {
		src.translate(err)
		return nil, out, src.err()
	}
	return src, out, nil
}

// index notes the line of every field.
func (s *source) index(path string, n *yaml.Node, depth int) {
	if depth > 20 {
		return
	}
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch n.Kind {
	case yaml.DocumentNode:
		s.index(path, n.Content[0], depth+1)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			s.lines[join(n.Content[i].Value)] = n.Content[i].Line
			s.index(join(n.Content[i].Value), n.Content[i+1], depth+1)
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			s.lines[join(strconv.Itoa(i))] = e.Line
			s.index(join(strconv.Itoa(i)), e, depth+1)
		}
	}
}

var (
	lineMessage    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownMessage = regexp.MustCompile(`^field (.+) not found in type `)
	typeMessage    = regexp.MustCompile(`^cannot unmarshal !!(\w+) .*into (\S+)$`)
)

// translate makes mistakes of the YAML library's messages, in this package's words.
func (s *source) translate(err error) {
	messages := []string{err.Error()}
	if wrongTypes := (*yaml.TypeError)(nil); errors.As(err, &wrongTypes) {
		messages = wrongTypes.Errors
	}
	for _, message := range messages {
		m := &Error{File: s.file, Reason: strings.TrimPrefix(message, "yaml: ")}
		if part := lineMessage.FindStringSubmatch(message); part != nil {
			m.Line, _ = strconv.Atoi(part[1])
			m.Reason = part[2]
		}
		m.Field = s.fieldAt(m.Line)
		if part := unknownMessage.FindStringSubmatch(m.Reason); part != nil {
			m.Reason = "unknown field"
			if last := m.Field[strings.LastIndexByte(m.Field, '.')+1:]; last != part[1] {
				m.Field = part[1]
			}
		} else if part := typeMessage.FindStringSubmatch(m.Reason); part != nil {
			m.Reason = "want " + wanted(part[2]) + ", not " + map[string]string{"str": "text", "int": "a number", "float": "a decimal number",
				"bool": "true or false", "seq": "a list", "map": "a mapping", "null": "nothing"}[part[1]]
		}
		s.mistakes = append(s.mistakes, m)
	}
}

func wanted(goType string) string {
	switch {
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case goType == "string":
		return "text"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	default:
		return "a mapping"
	}
}

// fieldAt is the field that begins on a line; the outermost of several.
func (s *source) fieldAt(line int) string {
	found := ""
	for field, at := range s.lines {
		if at == line && (found == "" || len(field) < len(found) || len(field) == len(found) && field < found) {
			found = field
		}
	}
	return found
}

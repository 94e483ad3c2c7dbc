package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Checker is a configuration struct that knows what its values must be. Parse calls Check of all of them, outer before inner.
type Checker interface {
	// Check reports wrong values to r, naming each by a pointer to its field.
	Check(r *Report)
}

// Problem is one wrong setting.
type Problem struct {
	// Flag, Env and Key are the setting's names without dashes or dollar; those that it does not have are empty.
	Flag, Env, Key string
	// Field is the Go field, when the struct was checked without having been parsed.
	Field string
	// Source says where the wrong value stands: "environment", "<file> line 7", or empty for flag and default.
	Source string
	// Got is the value, empty when it is secret or when Want tells it. Want says what was expected.
	Got, Want string
}

// String reads like `--batch (BAIXA_BATCH, batch in the file), from environment: got 0, want 1 to 1000`.
func (p Problem) String() string {
	var names []string
	if p.Flag != "" {
		names = append(names, "--"+p.Flag)
	}
	if p.Env != "" {
		names = append(names, "$"+p.Env)
	}
	if p.Key != "" {
		names = append(names, "key "+p.Key)
	}
	if p.Field != "" {
		names = append(names, p.Field)
	}
	if len(names) == 0 {
		names = []string{"the settings"} // the file as a whole
	}
	s := names[0]
	if len(names) > 1 {
		s += " (" + strings.Join(names[1:], ", ") + ")"
	}
	if p.Source != "" {
		s += ", from " + p.Source
	}
	if p.Got != "" {
		return s + ": got " + p.Got + ", want " + p.Want
	}
	if strings.HasPrefix(p.Want, "expected ") || strings.HasPrefix(p.Want, "must be ") {
		return s + ": " + p.Want
	}
	return s + ": want " + p.Want
}

// Error is everything that is wrong with the settings.
type Error struct{ Problems []Problem }

// Error returns a line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (f *field) problem(got, want string) Problem {
	if f.goName != "" {
		return Problem{Field: f.goName, Got: got, Want: want}
	}
	return Problem{Flag: f.flag.Name, Env: f.env, Key: f.key, Source: f.source, Got: got, Want: want}
}

// Report collects the problems that Checkers find.
type Report struct {
	fields   map[uintptr]*field
	problems []Problem
}

// Want notes a problem unless ok holds. field is a pointer to the field, want says what was expected, in words that follow
// "want": "1 to 1000", "an address like :8080". A Secret's value is never part of the note.
func (r *Report) Want(field any, ok bool, want string) {
	if ok {
		return
	}
	v := reflect.ValueOf(field)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic("config: Want needs a pointer to the field")
	}
	got := fmt.Sprint(v.Elem().Interface())
	if got == "" {
		got = "nothing"
	}
	if f := r.fields[v.Pointer()]; f != nil {
		r.problems = append(r.problems, f.problem(got, want))
		return
	}
	r.problems = append(r.problems, Problem{Field: v.Elem().Type().String(), Got: got, Want: want})
}

// Err returns the *Error of what was noted, or nil.
func (r *Report) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{r.problems}
}

// Check checks a struct that was filled without Parse, by tests or an embedding program. Problems name Go fields.
func Check(c Checker) error {
	r := &Report{fields: map[uintptr]*field{}}
	v := reflect.ValueOf(c)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
		name(r.fields, v, v.Type().Name())
	}
	r.visit(v)
	return r.Err()
}

func name(fields map[uintptr]*field, v reflect.Value, path string) {
	if v.Kind() != reflect.Struct {
		fields[v.Addr().Pointer()] = &field{goName: path}
		return
	}
	if v.Type() == secretType {
		fields[v.Addr().Pointer()] = &field{goName: path}
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			name(fields, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	}
}

// visit calls Check of v and of the structs in it, except commands: they are visited when selected.
func (r *Report) visit(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	if v.CanAddr() {
		if c, ok := v.Addr().Interface().(Checker); ok {
			c.Check(r)
		}
	} else if c, ok := v.Interface().(Checker); ok {
		c.Check(r)
	}
	for i := range v.NumField() {
		t := v.Type().Field(i)
		_, command := t.Tag.Lookup("cmd")
		_, argument := t.Tag.Lookup("arg")
		if t.IsExported() && !command && !argument {
			r.visit(v.Field(i))
		}
	}
}

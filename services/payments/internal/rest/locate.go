package rest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

type descriptor = protoreflect.MessageDescriptor

// step is one part of the way to a value: an object's name, or a list's index (name empty, index from 0).
type step struct {
	name  string
	index int
}

// way leads to a value; it reads as "requests[3].amount.centavos".
type way []step

func (p way) String() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.index >= 0:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// locate finds what stands at an index of well-formed JSON: the way to it, and whether it is a name and not a value.
func locate(raw []byte, at int) (path way, isName bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var inList []bool // of each open object or list
	named := false    // the last step's name was read, its value comes
	for {
		start := int(dec.InputOffset())
		for start < len(raw) && strings.IndexByte(" \t\r\n,:", raw[start]) >= 0 {
			start++
		}
		token, err := dec.Token()
		if err != nil {
			return path, false
		}
		depth := len(inList)
		delim, isDelim := token.(json.Delim)
		switch {
		case isDelim && (delim == '}' || delim == ']'):
			inList, path = inList[:depth-1], path[:depth-1]
		case depth > 0 && inList[depth-1]:
			path = nextItem(path, depth)
		case depth > 0 && !named:
			path, named = append(path[:depth-1], step{token.(string), -1}), true
			if start >= at {
				return path, true
			}
			continue
		}
		named = false
		if start >= at || int(dec.InputOffset()) > at {
			return path, false
		}
		if isDelim && (delim == '{' || delim == '[') {
			inList = append(inList, delim == '[')
		}
	}
}

// nextItem goes to the next item of the list that is open at depth.
func nextItem(path way, depth int) way {
	if len(path) < depth {
		return append(path, step{"", 0})
	}
	path = path[:depth]
	path[depth-1].index++
	return path
}

// resolve finds the field that a way leads to, nil when there is none, and the message in which the last name was looked for.
func resolve(in descriptor, path way) (f protoreflect.FieldDescriptor, parent descriptor) {
	parent = in
	for _, s := range path {
		switch {
		case s.index >= 0: // an item of f
		case f != nil && f.IsMap(): // a value of f, under any name
			f = f.MapValue()
			parent = f.Message()
		default:
			if f != nil {
				parent = f.Message()
			}
			if parent == nil {
				return nil, nil
			}
			if f = fieldOf(parent, s.name); f == nil {
				return nil, parent
			}
		}
	}
	return f, parent
}

// fieldOf finds a field by its name in the contract or in JSON.
func fieldOf(in descriptor, name string) protoreflect.FieldDescriptor {
	if f := in.Fields().ByName(protoreflect.Name(name)); f != nil {
		return f
	}
	return in.Fields().ByJSONName(name)
}

func isTime(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == "google.protobuf.Timestamp"
}

// expected says what a field's value is; item asks for one of a list.
func expected(f protoreflect.FieldDescriptor, item bool) string {
	switch {
	case f.IsMap():
		return "an object"
	case f.IsList() && !item:
		return "a list"
	case isTime(f):
		return `a time such as "2026-01-31T12:00:00Z"`
	}
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return "an object"
	case protoreflect.EnumKind:
		var names []string
		for i := range f.Enum().Values().Len() {
			if v := f.Enum().Values().Get(i); v.Number() != 0 {
				names = append(names, string(v.Name()))
			}
		}
		return "one of " + strings.Join(names, ", ")
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.StringKind:
		return "a text"
	case protoreflect.BytesKind:
		return "base64"
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "a number"
	}
	return "a whole number"
}

func listFields(in descriptor) string {
	if in == nil || in.Fields().Len() == 0 {
		return ""
	}
	names := make([]string, in.Fields().Len())
	for i := range names {
		names[i] = string(in.Fields().Get(i).Name())
	}
	return "; there are " + strings.Join(names, ", ")
}

func oneofNames(f protoreflect.FieldDescriptor) string {
	o := f.ContainingOneof()
	if o == nil {
		return string(f.Name())
	}
	names := make([]string, o.Fields().Len())
	for i := range names {
		names[i] = string(o.Fields().Get(i).Name())
	}
	return strings.Join(names, ", ")
}

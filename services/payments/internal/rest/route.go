package rest

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/baixapay/baixa/internal/rpcerr"
)

// routes is what the contracts' HTTP annotations say.
type routes struct {
	byPattern map[string]*route // "GET " and the gateway's way to write the pattern
	list      []*route
}

// route is one method's URL.
type route struct {
	method string // of HTTP
	path   string // as the contract writes it, "/v1/payments/{payment_id}"
	match  *regexp.Regexp
	input  protoreflect.MessageDescriptor
	inBody bool // the fields are in the body and none in the query
}

var variable = regexp.MustCompile(`\{([a-z_.]+)\}`)

// newRoutes reads the annotations of services that are linked into the program.
func newRoutes(services ...string) (*routes, error) {
	table := &routes{byPattern: map[string]*route{}}
	for _, name := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			return nil, fmt.Errorf("find service %s: %w", name, err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			m := methods.Get(i)
			rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			if !ok || rule == nil {
				continue
			}
			way := &route{input: m.Input(), inBody: rule.GetBody() == "*"}
			switch {
			case rule.GetGet() != "":
				way.method, way.path = "GET", rule.GetGet()
			case rule.GetPost() != "":
				way.method, way.path = "POST", rule.GetPost()
			default:
				return nil, fmt.Errorf("%s: only get and post are served", m.FullName())
			}
			way.match = regexp.MustCompile("^" + variable.ReplaceAllString(strings.ReplaceAll(way.path, ".", `\.`), `[^/]+`) + "$")
			table.byPattern[way.method+" "+variable.ReplaceAllString(way.path, "{$1=*}")] = way
			table.list = append(table.list, way)
		}
	}
	return table, nil
}

// allowed are the HTTP methods of a path, for Allow.
func (t *routes) allowed(path string) string {
	var methods []string
	for _, way := range t.list {
		if way.match.MatchString(path) && !slices.Contains(methods, way.method) {
			methods = append(methods, way.method)
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// checkQuery names every query parameter that the method does not have or cannot read.
func (r *route) checkQuery(raw string, inPath map[string]string) (faults rpcerr.Fields) {
	if raw == "" {
		return nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return rpcerr.Fields{{Path: "query", Expected: "name=value pairs joined by &, percent-encoded"}}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := r.parameter(name)
		_, taken := inPath[name]
		switch {
		case f == nil || taken || r.inBody:
			faults = append(faults, rpcerr.Field{Path: cmp.Or(printable(name), "query"), Expected: r.known(inPath)})
		case !f.IsList() && len(values[name]) > 1:
			faults = append(faults, rpcerr.Field{Path: name, Expected: "given once"})
		case !slices.ContainsFunc(values[name], func(v string) bool { return !readable(f, v) }):
		default:
			faults = append(faults, rpcerr.Field{Path: name, Expected: expected(f, true)})
		}
	}
	return faults
}

// parameter finds a field by its name, or of a message by its path.
func (r *route) parameter(name string) protoreflect.FieldDescriptor {
	at := r.input
	var f protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(name, ".") {
		if at == nil {
			return nil
		}
		if f = fieldOf(at, part); f == nil {
			return nil
		}
		if at = f.Message(); isTime(f) || f.IsList() {
			at = nil // the gateway looks into neither
		}
	}
	if f.IsMap() || f.Message() != nil && !isTime(f) {
		return nil
	}
	return f
}

func (r *route) known(inPath map[string]string) string {
	var names []string
	for i := range r.input.Fields().Len() {
		name := string(r.input.Fields().Get(i).Name())
		if _, taken := inPath[name]; !taken && !r.inBody {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no such query parameter; there are none here"
	}
	return "no such query parameter; there are " + strings.Join(names, ", ")
}

// readable tells whether the gateway can make a field's value of text.
func readable(f protoreflect.FieldDescriptor, text string) (ok bool) {
	var err error
	switch f.Kind() {
	case protoreflect.BoolKind:
		_, err = strconv.ParseBool(text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		_, err = strconv.ParseInt(text, 10, 32)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		_, err = strconv.ParseInt(text, 10, 64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		_, err = strconv.ParseUint(text, 10, 32)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		_, err = strconv.ParseUint(text, 10, 64)
	case protoreflect.EnumKind:
		if f.Enum().Values().ByName(protoreflect.Name(text)) == nil {
			n, err := strconv.ParseInt(text, 10, 32)
			return err == nil && f.Enum().Values().ByNumber(protoreflect.EnumNumber(n)) != nil
		}
	case protoreflect.MessageKind: // a time, or it were no parameter
		_, err = time.Parse(time.RFC3339Nano, text)
	}
	return err == nil
}

// printable is what a client wrote, fit for an answer.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '�' {
			return -1
		}
		return r
	}, name)
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	return name
}

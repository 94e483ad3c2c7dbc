package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// field is one setting: a flag with its other names.
type field struct {
	flag   *kong.Flag
	env    string
	key    string // in the file; empty with env
	secret bool
	file   *kong.Flag // --x-file of a secret
	source string     // where the value in use came from: "" means flag or default
	goName string     // stands for the names when there is no flag
}

// binder gives every flag its names and resolves its value. It takes the variables away from kong, which would print the
// value of a wrong one, and would let the file win over them.
type binder struct {
	o      Options
	byFlag map[*kong.Flag]*field
	byAddr map[uintptr]*field
	byKey  map[string][]*field // a key may belong to flags of several commands
	config *field              // the flag of type File
	file   *document           // loaded when first needed
}

var (
	secretType = reflect.TypeFor[Secret]()
	fileType   = reflect.TypeFor[File]()
)

func (b *binder) bind(k *kong.Kong) error { return b.bindNode(k.Model.Node) }

func (b *binder) bindNode(n *kong.Node) error {
	for _, flag := range n.Flags {
		f := &field{flag: flag, secret: flag.Target.Type() == secretType}
		b.byFlag[flag] = f
		if flag.Target.CanAddr() {
			b.byAddr[flag.Target.Addr().Pointer()] = f
		}
		if len(flag.Envs) > 1 {
			return fmt.Errorf("--%s has %d variables, want one", flag.Name, len(flag.Envs))
		}
		if len(flag.Envs) == 1 {
			f.env = flag.Envs[0]
			flag.Envs, flag.Tag.Envs = nil, nil
			flag.Help = strings.TrimSuffix(flag.Help, ".") + " ($" + f.env + ")."
		}
		if flag.Target.Type() == fileType {
			if b.config != nil {
				return fmt.Errorf("--%s and --%s are both configuration files", b.config.flag.Name, flag.Name)
			}
			b.config = f
			continue // the file cannot name itself
		}
		if f.env != "" {
			f.key = strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(f.env, b.o.EnvPrefix)), "_", "-")
			b.byKey[f.key] = append(b.byKey[f.key], f)
		}
		if f.secret {
			f.file = secretFileFlag(flag)
			n.Flags = append(n.Flags, f.file)
			if f.key != "" {
				b.byKey[f.key+"-file"] = append(b.byKey[f.key+"-file"], f)
			}
		}
	}
	for _, child := range n.Children {
		if err := b.bindNode(child); err != nil {
			return err
		}
	}
	return nil
}

// secretFileFlag makes the --x-file beside --x.
func secretFileFlag(of *kong.Flag) *kong.Flag {
	target := reflect.New(reflect.TypeFor[string]()).Elem()
	v := &kong.Value{Name: of.Name + "-file", Help: "File that holds --" + of.Name + ".", Tag: &kong.Tag{TypeName: "path"},
		Target: target, DefaultValue: reflect.ValueOf(""), Mapper: kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
			var path string
			if err := ctx.Scan.PopValueInto("path", &path); err != nil {
				return err
			}
			target.SetString(path)
			return nil
		})}
	f := &kong.Flag{Value: v, Group: of.Group, PlaceHolder: "PATH"}
	v.Flag = f
	return f
}

// Validate belongs to kong.Resolver; the file is checked when it is loaded.
func (b *binder) Validate(*kong.Application) error { return nil }

// Resolve is asked for every flag that the command line leaves open: the environment, then the file.
func (b *binder) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	doc, err := b.document(ctx)
	if err != nil {
		return nil, err
	}
	f := b.byFlag[flag]
	if f == nil || f == b.config {
		return nil, nil
	}
	if f.secret {
		path, _ := ctx.FlagValue(f.file).(string)
		if path != "" {
			return b.secret(f, path, "flag --"+f.file.Name)
		}
	}
	if f.env == "" {
		return nil, nil
	}
	if v, ok := b.env(f.env); ok {
		if _, both := b.env(f.env + "_FILE"); f.secret && both {
			return nil, &Error{[]Problem{f.problem("", "only one of "+f.env+" and "+f.env+"_FILE")}}
		}
		return b.typed(f, v, "environment")
	}
	if path, ok := b.env(f.env + "_FILE"); f.secret && ok {
		return b.secret(f, path, "environment")
	}
	if e, ok := doc.values[f.key]; ok {
		if _, both := doc.values[f.key+"-file"]; f.secret && both {
			return nil, &Error{[]Problem{f.problem("", fmt.Sprintf("only one of %s and %s-file in %s", f.key, f.key, doc.path))}}
		}
		return b.typed(f, e.value, doc.at(e))
	}
	if e, ok := doc.values[f.key+"-file"]; f.secret && ok {
		return b.secret(f, fmt.Sprint(e.value), doc.at(e))
	}
	return nil, nil
}

func (b *binder) env(name string) (string, bool) {
	v, ok := b.o.LookupEnv(name)
	return v, ok && v != ""
}

// typed tries the value on the flag's type, so that a wrong one is explained with all names.
func (b *binder) typed(f *field, v any, source string) (any, error) {
	f.source = source
	try := reflect.New(f.flag.Target.Type()).Elem()
	if try.Kind() == reflect.Map {
		try.Set(reflect.MakeMap(try.Type()))
	}
	if err := f.flag.Parse(kong.Scan().PushTyped(v, kong.FlagValueToken), try); err != nil {
		return nil, &Error{[]Problem{f.problem("", strings.TrimPrefix(err.Error(), "--"+f.flag.Name+": "))}}
	}
	return v, nil
}

// maxSecret bounds a secret's file; keys and tokens are far smaller.
const maxSecret = 64 << 10

func (b *binder) secret(f *field, path, source string) (any, error) {
	f.source = source
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{[]Problem{f.problem("", "a readable file: "+err.Error())}}
	}
	value := strings.TrimSpace(string(text))
	if value == "" || len(value) > maxSecret {
		return nil, &Error{[]Problem{f.problem("", fmt.Sprintf("a value of 1 to %d bytes in %s, found %d", maxSecret, path, len(value)))}}
	}
	return value, nil
}

// bothGiven refuses --x together with --x-file.
func (b *binder) bothGiven(ctx *kong.Context) error {
	given := map[*kong.Flag]bool{}
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag] = true
		}
	}
	e := &Error{}
	for flag := range given {
		if f := b.byFlag[flag]; f != nil && f.file != nil && given[f.file] {
			e.Problems = append(e.Problems, f.problem("", "only one of --"+flag.Name+" and --"+f.file.Name))
		}
	}
	if len(e.Problems) > 0 {
		return e
	}
	return nil
}

// Package config reads a program's settings from flags, the environment and one YAML file, in that order of precedence, and
// says precisely what is wrong with them: by flag, variable and file key, with the line, and what was expected.
//
// A setting is a kong flag. Its `env` tag (with the `envprefix` of the structs around it) is also its name in the file:
// BAIXA_PAYMENTS_POLL_BATCH is payments-poll-batch, where any dash may be a level of nesting, so that `payments: {poll:
// {batch: 50}}` means the same. A flag without an `env` tag is set on the command line only.
//
// What it refuses to do: it reads no second file and merges nothing; it has no settings of its own; it never prints a Secret;
// a key of the file that no command knows is an error, so a typing mistake cannot silently mean the default.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// File is the type of the flag that names the configuration file. A program has one at most. Its default, if any, may be
// absent from the disk; a file that was asked for may not.
type File string

// Options says who parses. Name must be set.
type Options struct {
	// Name and Description head the help text.
	Name, Description string
	// EnvPrefix is cut from variables to make file keys, for example "BAIXA_".
	EnvPrefix string
	// Vars are kong's ${name} in tags.
	Vars map[string]string
	// Kong are further kong options.
	Kong []kong.Option
	// Stdout and Stderr receive help texts. Nil means the process's.
	Stdout, Stderr io.Writer
	// Exit ends the program after a help text. Nil means os.Exit.
	Exit func(code int)
	// LookupEnv reads the environment. Nil means os.LookupEnv. A variable that is set but empty counts as not set.
	LookupEnv func(name string) (string, bool)
}

// Parse fills cli, a pointer to a kong grammar, from args, the environment and the file, and calls Check of every struct of
// the selected command that is a Checker. The returned context runs the command. A wrong setting is an *Error that
// lists all problems found; a command line that cannot be understood is kong's own error.
func Parse(cli any, args []string, o Options) (*kong.Context, error) {
	b, parser, err := newBinder(cli, o)
	if err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return nil, b.explain(err)
	}
	if err := b.bothGiven(ctx); err != nil {
		return nil, err
	}
	r := &Report{fields: b.byAddr}
	for _, p := range ctx.Path {
		if n := p.Node(); n != nil && n.Target.IsValid() && p.Flag == nil {
			r.visit(n.Target)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return ctx, nil
}

// newBinder builds the parser and collects its settings.
func newBinder(cli any, o Options) (*binder, *kong.Kong, error) {
	if o.Name == "" {
		return nil, nil, errors.New("config: Name is empty")
	}
	b := &binder{o: o, byFlag: map[*kong.Flag]*field{}, byAddr: map[uintptr]*field{}, byKey: map[string][]*field{}}
	if b.o.LookupEnv == nil {
		b.o.LookupEnv = os.LookupEnv
	}
	opts := []kong.Option{kong.Name(o.Name), kong.Description(o.Description), kong.Vars(o.Vars), kong.Resolvers(b),
		kong.PostBuild(b.bind)}
	if o.Stdout != nil || o.Stderr != nil {
		opts = append(opts, kong.Writers(orElse(o.Stdout, os.Stdout), orElse(o.Stderr, os.Stderr)))
	}
	if o.Exit != nil {
		opts = append(opts, kong.Exit(o.Exit))
	}
	parser, err := kong.New(cli, append(opts, o.Kong...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	return b, parser, nil
}

func orElse(w io.Writer, otherwise io.Writer) io.Writer {
	if w == nil {
		return otherwise
	}
	return w
}

// explain turns kong's errors about settings into an *Error.
func (b *binder) explain(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil {
		return err
	}
	text := err.Error()
	missing := strings.HasPrefix(text, "missing flags: ")
	found := &Error{}
	for _, flag := range parse.Context.Flags() {
		f := b.byFlag[flag]
		if f == nil {
			continue
		}
		if missing && flag.Required && !flag.Set {
			found.Problems = append(found.Problems, f.problem("", "a value, "+flag.Help))
		}
		rest, ok := strings.CutPrefix(text, "--"+flag.Name)
		if ok && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, " must be")) {
			found.Problems = append(found.Problems, f.problem("", strings.TrimLeft(rest, ": ")))
		}
	}
	if len(found.Problems) == 0 {
		return err
	}
	return found
}

package config

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Reference returns the settings of the grammar as Markdown: a table for the whole program and one per command, with flag,
// variable, file key, default and meaning. Hidden flags and commands are left out. The text depends on the grammar alone.
func Reference(cli any, o Options) (string, error) {
	b, parser, err := newBinder(cli, o)
	if err != nil {
		return "", err
	}
	var s strings.Builder
	b.table(&s, parser.Model.Node, o.Name)
	return strings.TrimSpace(s.String()) + "\n", nil
}

func (b *binder) table(s *strings.Builder, n *kong.Node, title string) {
	if n.Hidden {
		return
	}
	head := false
	for _, flag := range n.Flags {
		f := b.byFlag[flag]
		if f == nil || flag.Hidden || flag.Name == "help" {
			continue // --x-file is told beside --x
		}
		if !head {
			fmt.Fprintf(s, "### `%s`\n\n| Flag | Variable | File key | Default | Meaning |\n|---|---|---|---|---|\n", title)
			head = true
		}
		names := code("--" + flag.Name)
		if f.file != nil {
			names += ", " + code("--"+f.file.Name)
		}
		help := strings.TrimSuffix(flag.Help, " ($"+f.env+").")
		if help != flag.Help {
			help += "."
		}
		if flag.Required {
			help = "Required. " + help
		}
		if flag.Enum != "" {
			help += " One of " + strings.Join(flag.EnumSlice(), ", ") + "."
		}
		fmt.Fprintf(s, "| %s | %s | %s | %s | %s |\n", names, code(f.env), code(f.key), code(flag.Default), cell(help))
	}
	if head {
		s.WriteString("\n")
	}
	for _, child := range n.Children {
		b.table(s, child, title+" "+child.Name)
	}
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
}

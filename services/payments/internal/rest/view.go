package rest

import (
	"cmp"
	"slices"
	"strings"
)

// apiView is as much of OpenAPI 2 as the page shows.
type apiView struct {
	Info struct{ Title, Version, Description string }
	Tags []struct{ Name, Description string }

	Paths       map[string]map[string]operationView
	Definitions map[string]schemaView
}

type operationView struct {
	Summary, Description string
	Tags                 []string
	Parameters           []parameterView
	Responses            map[string]struct{ Schema schemaView }
}

type parameterView struct {
	Name, In, Description, Type string
	Required                    bool
	Schema                      schemaView
}

type schemaView struct {
	Ref         string `json:"$ref"`
	Type        string
	Format      string
	Description string
	Enum        []string
	Items       *schemaView
	Properties  map[string]schemaView
}

// pageView is what the template gets.
type pageView struct {
	Title, Version, Description string
	Sections                    []sectionView
	Types                       []typeView
}

type sectionView struct {
	Name, Description string
	Operations        []entryView
}

type entryView struct {
	Method, Path, Text string
	Parameters         []parameterView
	Body, Answer       *schemaView
}

type typeView struct {
	Name, Description string
	Enum              []string
	Fields            []fieldView
}

type fieldView struct {
	Name   string
	Schema schemaView
}

// sections orders the description for reading: services as they are declared, their URLs by path.
func (v apiView) sections() pageView {
	out := pageView{Title: v.Info.Title, Version: v.Info.Version, Description: v.Info.Description}
	for _, tag := range v.Tags {
		s := sectionView{Name: tag.Name, Description: tag.Description}
		for path, operations := range v.Paths {
			for method, o := range operations {
				if slices.Contains(o.Tags, tag.Name) {
					s.Operations = append(s.Operations, entryOf(method, path, o))
				}
			}
		}
		slices.SortFunc(s.Operations, func(a, b entryView) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		out.Sections = append(out.Sections, s)
	}
	for name, d := range v.Definitions {
		t := typeView{Name: name, Description: d.Description, Enum: d.Enum}
		for field, schema := range d.Properties {
			t.Fields = append(t.Fields, fieldView{field, schema})
		}
		slices.SortFunc(t.Fields, func(a, b fieldView) int { return cmp.Compare(a.Name, b.Name) })
		out.Types = append(out.Types, t)
	}
	slices.SortFunc(out.Types, func(a, b typeView) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func entryOf(method, path string, o operationView) entryView {
	e := entryView{Method: method, Path: path, Text: strings.TrimSpace(o.Summary + "\n\n" + o.Description)}
	for _, p := range o.Parameters {
		if p.In == "body" {
			e.Body = &p.Schema
		} else {
			e.Parameters = append(e.Parameters, p)
		}
	}
	if ok, has := o.Responses["200"]; has {
		e.Answer = &ok.Schema
	}
	return e
}

package payment

import (
	"strings"
	"testing"
)

func TestDiagram_docs(t *testing.T) {
	golden(t, "../../../../docs/state-machine.md", Diagram())
}

func TestDiagram_namesEverything(t *testing.T) {
	doc := Diagram()
	for _, s := range States() {
		if !strings.Contains(doc, "| "+s.String()+" |") {
			t.Errorf("no row for state %v", s)
		}
	}
	for in := InNothing; in < inputEnd; in++ {
		if inputMeanings[in] == "" {
			t.Errorf("input %v has no meaning", in)
		}
	}
	for _, m := range Vocabulary() {
		if !strings.Contains(doc, "| "+string(m.Kind)+" |") {
			t.Errorf("no row for kind %s", m.Kind)
		}
	}
}

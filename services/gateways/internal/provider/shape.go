package provider

import (
	"slices"
	"strings"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/emv"
)

// Shape is how one provider writes a charge, as data. Paths are dotted (document.Value.Get); of several the first one
// present wins. Fields are looked for in the innermost object first and then in the envelopes around it, so a status
// inside always beats a status outside.
type Shape struct {
	// Wrappers are the keys under which the charge may lie, at any depth. LooseWrappers are tried only in an object that
	// has no status word of its own: beside one, a key such as "order" is another thing with a status of its own.
	Wrappers, LooseWrappers []string
	// Status fields in order of authority.
	Status []string
	// ID, Hash, Reference name the charge. Outer replaces ID in the envelopes, where "id" may be an event's; nil means
	// that ID is good everywhere.
	ID, Hash, Reference []string
	OuterID             []string
	Amount              []string
	CreatedAt, PaidAt   []string
	EndToEnd            []string
	ExpiresAt           []string
	Reason              []string
	Currency            []string
	Event               []string
	// TestEvents are values of Event, folded, with which the provider tries our address out: no hint comes of them.
	TestEvents []string
	// Producer, Offer, Product route a webhook to an account; Token is a secret in its body.
	Producer, Offer, Product, Token []string

	Unit       Unit
	Vocabulary Vocabulary
	// LowerCaseIDs folds ID and Hash.
	LowerCaseIDs bool
}

// chain is one charge in its envelopes, innermost first.
type chain []document.Value

const (
	maxDepth   = 6
	maxCharges = 1000
)

// chains finds every charge in an answer: the object itself, what lies under the wrappers, and array elements.
func (s *Shape) chains(v document.Value) []chain { return s.find(v, maxDepth) }

func (s *Shape) find(v document.Value, depth int) []chain {
	switch {
	case depth == 0:
		return nil
	case v.Kind() == document.Array:
		var all []chain
		for e := range v.Children {
			if all = append(all, s.find(e, depth-1)...); len(all) >= maxCharges {
				break
			}
		}
		return all
	case v.Kind() != document.Object:
		return nil
	}
	keys := s.Wrappers
	if len(s.LooseWrappers) > 0 && s.decide(chain{v}).word == "" {
		keys = slices.Concat(keys, s.LooseWrappers)
	}
	for _, key := range keys {
		inner := s.find(v.Get(key), depth-1)
		if len(inner) == 0 || !s.substantial(inner[0]) {
			continue
		}
		for i := range inner {
			inner[i] = append(inner[i], v)
		}
		return inner
	}
	return []chain{{v}}
}

// substantial reports whether a candidate says anything about a charge.
func (s *Shape) substantial(c chain) bool {
	for _, paths := range [][]string{s.Status, s.ID, s.Hash, s.Reference, s.Amount} {
		if first(c[0], paths).Present() {
			return true
		}
	}
	return false
}

// field is the first present value of paths, innermost object first.
func (c chain) field(paths []string) document.Value {
	for _, level := range c {
		if v := first(level, paths); v.Present() {
			return v
		}
	}
	return document.Value{}
}

func first(v document.Value, paths []string) document.Value {
	for _, path := range paths {
		if got := v.Get(path); got.Present() {
			return got
		}
	}
	return document.Value{}
}

func (s *Shape) identifiers(c chain) Ref {
	fold := strings.TrimSpace
	if s.LowerCaseIDs {
		fold = func(t string) string { return lowerASCII(strings.TrimSpace(t)) }
	}
	ref := Ref{Hash: fold(c.field(s.Hash).Text()), Reference: strings.TrimSpace(c.field(s.Reference).Text())}
	id := first(c[0], s.ID)
	outer := s.OuterID
	if outer == nil {
		outer = s.ID
	}
	if !id.Present() && len(c) > 1 {
		id = c[1:].field(outer)
	}
	ref.ID = fold(id.Text())
	return ref
}

// verdict is what the status fields of a charge say together.
type verdict struct {
	status Status
	word   string // as sent; "" when there is none
	fault  bool   // the word says that the call failed
}

// decide reads the status fields. Words of the envelope ("success") never count. The first other word decides, known
// or not, with one exception: when it means paid and a later field, beside it or in an envelope, says that the money
// went back, the later one is believed, since giving goods away is the dearer mistake.
func (s *Shape) decide(c chain) verdict {
	v := verdict{status: StatusUnknown}
	for _, level := range c {
		for _, path := range s.Status {
			word := level.Get(path)
			if word.Kind() != document.String || !word.Present() {
				continue
			}
			text := strings.TrimSpace(word.Text())
			folded := Fold(text)
			if s.Vocabulary.envelopes[folded] {
				continue
			}
			status := s.Vocabulary.Status(text)
			if v.word == "" {
				v = verdict{status: status, word: text, fault: s.Vocabulary.faults[folded]}
			} else if status.takesBack() {
				return verdict{status: status, word: text}
			}
			if v.status != StatusPaid {
				return v
			}
		}
	}
	return v
}

// code finds a PIX code anywhere in a document by its content.
func code(doc document.Value) (string, bool) {
	broken := false
	found := ""
	for v := range doc.Strings {
		if raw := v.Raw(); len(raw) < 20 || raw[1] != '0' && raw[1] != ' ' {
			continue
		}
		text := v.Text()
		if !emv.Looks(text) {
			continue
		}
		if emv.Valid(text) {
			found = strings.TrimSpace(text)
			break
		}
		broken = true
	}
	return found, broken && found == ""
}

// amountOf reads the amount; unread tells that one is there which cannot be understood.
func (s *Shape) amountOf(c chain) (amount *money.Amount, unread bool) {
	amount, err := readAmount(c.field(s.Amount), s.Unit)
	return amount, err != nil
}

// reason is the provider's words for a failure: text, or the first text within an object or array.
func (s *Shape) reason(c chain, safe func(string) string) string {
	v := c.field(s.Reason)
	for text := range v.Strings {
		return safe(text.Text())
	}
	return ""
}

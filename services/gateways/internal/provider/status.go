package provider

import (
	"fmt"
	"slices"
	"strings"
)

// Status is what a provider says about a charge, in our words.
type Status string

// The statuses. StatusUnknown means that an answer came whose word is not in the provider's vocabulary; it is not
// StatusPending, which is the provider's own "not yet".
const (
	StatusUnknown     Status = "unknown"
	StatusPending     Status = "pending"
	StatusPaid        Status = "paid"
	StatusFailed      Status = "failed"
	StatusExpired     Status = "expired"
	StatusCancelled   Status = "cancelled"
	StatusRefunded    Status = "refunded"
	StatusChargedBack Status = "charged_back"
	StatusDisputed    Status = "disputed"
)

// Statuses lists every status, StatusUnknown first.
func Statuses() []Status {
	return []Status{StatusUnknown, StatusPending, StatusPaid, StatusFailed, StatusExpired, StatusCancelled,
		StatusRefunded, StatusChargedBack, StatusDisputed}
}

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// takesBack reports whether s means that money which came has gone again or is contested.
func (s Status) takesBack() bool {
	return s == StatusRefunded || s == StatusChargedBack || s == StatusDisputed
}

// Confidence says how well a fact about a provider is founded.
type Confidence string

// The confidences: official text or three independent integrations agree; one or two; a single outlier or inference.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// Word is one entry of a provider's vocabulary: the word as it is written on the wire and what it means there.
// The same word may mean something else at another provider.
type Word struct {
	Raw        string
	Status     Status
	Confidence Confidence
}

// Words makes entries of one meaning; it keeps vocabularies readable as tables.
func Words(status Status, confidence Confidence, raw ...string) []Word {
	words := make([]Word, len(raw))
	for i, r := range raw {
		words[i] = Word{Raw: r, Status: status, Confidence: confidence}
	}
	return words
}

// Vocabulary maps words to statuses by exact match after Fold. The zero Vocabulary knows nothing.
type Vocabulary struct {
	statuses  map[string]Status
	envelopes map[string]bool
	faults    map[string]bool
}

// NewVocabulary checks that no word has two meanings and that every meaning is a Status other than StatusUnknown.
// envelopes are words that tell how a call went and never how a payment is ("success"); faults are words that tell
// that a call went wrong though the HTTP code says otherwise ("error").
func NewVocabulary(words []Word, envelopes, faults []string) (Vocabulary, error) {
	v := Vocabulary{statuses: make(map[string]Status, len(words)), envelopes: map[string]bool{}, faults: map[string]bool{}}
	for _, w := range words {
		folded := Fold(w.Raw)
		if folded == "" || !w.Status.Valid() || w.Status == StatusUnknown {
			return Vocabulary{}, fmt.Errorf("vocabulary: word %q has no meaning (%q)", w.Raw, w.Status)
		}
		if old, twice := v.statuses[folded]; twice && old != w.Status {
			return Vocabulary{}, fmt.Errorf("vocabulary: word %q means both %s and %s", w.Raw, old, w.Status)
		}
		v.statuses[folded] = w.Status
	}
	for set, list := range map[*map[string]bool][]string{&v.envelopes: envelopes, &v.faults: faults} {
		for _, raw := range list {
			if _, twice := v.statuses[Fold(raw)]; twice {
				return Vocabulary{}, fmt.Errorf("vocabulary: word %q is both a status and an envelope", raw)
			}
			(*set)[Fold(raw)] = true
		}
	}
	return v, nil
}

// MustVocabulary is NewVocabulary for the tables compiled into adapters; it panics on a table that contradicts
// itself, which every test of the adapter would show.
func MustVocabulary(c Capabilities) Vocabulary {
	v, err := NewVocabulary(c.Words, c.EnvelopeWords, c.ErrorWords)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", c.Name, err))
	}
	return v
}

// Webhook is the shape of webhooks that look like answers: it knows the words that webhooks alone have, too.
func (s Shape) Webhook(c Capabilities) Shape {
	c.Words = c.AllWords()
	s.Vocabulary = MustVocabulary(c)
	return s
}

// Status looks a raw word up. A word that is not in the vocabulary is StatusUnknown.
func (v Vocabulary) Status(raw string) Status {
	if s, ok := v.statuses[Fold(raw)]; ok {
		return s
	}
	return StatusUnknown
}

// Fold is the form in which words are compared: trimmed, ASCII lower case, "-" and spaces as "_". It never maps two
// letters onto one another otherwise, so no foreign letter can pass for a known word.
func Fold(raw string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		case r == '-' || r == ' ':
			return '_'
		}
		return r
	}, strings.TrimSpace(raw))
}

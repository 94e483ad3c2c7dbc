package declarative

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

func (s *source) vocabulary(f spec, a *Adapter) {
	c := &a.capabilities
	c.Words, c.WebhookWords = s.meanings("words", f.Words), s.meanings("webhook_words", f.WebhookWords)
	paid := slices.ContainsFunc(c.Words, func(w provider.Word) bool { return w.Status == provider.StatusPaid })
	if !paid {
		s.wrong("words", "no word means paid")
	}
	a.answer.Vocabulary = s.words(f, c.Words)
	for i, raw := range f.Unsafe {
		if !slices.ContainsFunc(c.Words, func(w provider.Word) bool { return provider.Fold(w.Raw) == provider.Fold(raw) }) {
			s.wrong("unsafe."+strconv.Itoa(i), "%q is not among the words", raw)
		}
	}
}

func (s *source) words(f spec, words []provider.Word) provider.Vocabulary {
	v, err := provider.NewVocabulary(words, f.EnvelopeWords, f.ErrorWords)
	if err != nil && len(s.mistakes) == 0 {
		s.wrong("words", "%v", err)
	}
	return v
}

// meanings flattens status → confidence → words, in a fixed order.
func (s *source) meanings(at string, table map[string]map[string][]string) []provider.Word {
	var words []provider.Word
	seen := map[string]string{}
	for _, status := range slices.SortedFunc(maps.Keys(table), byMeaning) {
		if known := provider.Status(status); !known.Valid() || known == provider.StatusUnknown {
			s.wrong(at+"."+status, "want one of %v", provider.Statuses()[1:])
			continue
		}
		for _, level := range []string{"high", "medium", "low"} {
			for i, raw := range table[status][level] {
				place := at + "." + status + "." + level + "." + strconv.Itoa(i)
				folded := provider.Fold(raw)
				if other, twice := seen[folded]; twice {
					s.wrong(place, "word %q occurs twice (%s)", raw, other)
				}
				if folded == "" {
					s.wrong(place, "empty word")
				}
				seen[folded] = status
				words = append(words, provider.Words(provider.Status(status), provider.Confidence(level), raw)...)
			}
		}
		for level := range table[status] {
			s.confidence(at+"."+status+"."+level, level)
		}
	}
	return words
}

func byMeaning(a, b string) int {
	all := provider.Statuses()
	return cmp.Or(cmp.Compare(slices.Index(all, provider.Status(a)), slices.Index(all, provider.Status(b))), strings.Compare(a, b))
}

func (s *source) accountFields(at string, list []fieldSpec, secret bool) []provider.Field {
	var out []provider.Field
	for i, f := range list {
		place := at + "." + strconv.Itoa(i)
		if !fieldForm.MatchString(f.Name) {
			s.wrong(place+".name", "want lower-case letters, digits and _, got %q", f.Name)
		}
		if slices.ContainsFunc(out, func(o provider.Field) bool { return o.Name == f.Name }) {
			s.wrong(place+".name", "%q occurs twice", f.Name)
		}
		s.filled(place+".pt", f.PT)
		s.filled(place+".en", f.EN)
		out = append(out, provider.Field{Name: f.Name, Required: f.Required, Secret: secret, PT: f.PT, EN: f.EN})
	}
	return out
}

// path checks a path below the base URL with least to most places.
func (s *source) path(at, path string, least, most int) {
	n := countPlaces(path)
	if pathForm.MatchString(path) && !strings.Contains(path, "..") && n >= least && n <= most &&
		!strings.ContainsAny(placeForm.ReplaceAllString(path, ""), "{}") {
		return
	}
	want := "a path such as /charges, without a place"
	switch {
	case least == 1:
		want = "a path such as /charges/{id}, with one place"
	case most == 1:
		want = "a path such as /account or /charges/{none}"
	}
	s.wrong(at, "want %s, got %q", want, path)
}

func (s *source) duration(at, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		s.wrong(at, "want a time such as 60s or 5m, got %q", text)
		return time.Minute
	}
	return d
}

func (s *source) confidence(at, text string) provider.Confidence {
	c := provider.Confidence(text)
	oneOf(s, at, c, provider.High, provider.Medium, provider.Low)
	return c
}

func (s *source) filled(at, text string) {
	if strings.TrimSpace(text) == "" {
		s.wrong(at, "must not be empty")
	}
}

func oneOf[T ~string](s *source, at string, got T, known ...T) {
	if !slices.Contains(known, got) {
		s.wrong(at, "want one of %v, got %q", known, string(got))
	}
}

package payment

import "errors"

// Origin says where the value of a setting comes from.
type Origin string

// The origins, weakest first. What is nearer to the sale wins.
const (
	FromDefault  Origin = "default"
	FromProvider Origin = "provider"
	FromMerchant Origin = "merchant"
	FromAccount  Origin = "account"
	// FromRule means that the value that was set would break the provider's own rule and was lifted to it.
	FromRule Origin = "provider_rule"
)

// Layer is what was set at one place, by the names of settings.
type Layer struct {
	Origin Origin
	Values map[string]string
}

// Resolved is what applies to a sale, and why.
type Resolved struct {
	Settings
	// Origins has one for every setting that is not FromDefault.
	Origins map[string]Origin
	// Ignored are layers that no longer make sense together with the rest, as what they were set on was changed later. They do not count.
	Ignored []Origin
}

// Resolve lays the layers over the provider's defaults, weakest first. It never fails and never breaks the provider's rule: a layer
// that makes no sense is left out as a whole, and distances under the rule are lifted to it.
func Resolve(provider string, layers ...Layer) Resolved {
	r := Resolved{Settings: DefaultSettings(provider)}
	for _, l := range layers {
		next, err := r.with(provider, l)
		if err != nil {
			r.Ignored = append(r.Ignored, l.Origin)
			continue
		}
		r = next
	}
	return r
}

// with lays one layer over what there is.
func (r Resolved) with(provider string, l Layer) (Resolved, error) {
	if len(l.Values) == 0 {
		return r, nil
	}
	out := Resolved{Settings: r.Settings, Origins: make(map[string]Origin, len(r.Origins)+len(l.Values)), Ignored: r.Ignored}
	for name, o := range r.Origins {
		out.Origins[name] = o
	}
	for name, text := range l.Values {
		f, ok := FindSetting(name)
		if !ok {
			return r, &FieldError{Field: name, Problem: "there is no such setting"}
		}
		if err := f.Set(&out.Settings, text); err != nil {
			return r, err
		}
		out.Origins[name] = l.Origin
	}
	if l.Origin == FromMerchant { // one value for accounts at several providers: each keeps its own rule
		out.lift(provider)
	}
	return out, out.Validate(provider)
}

// lift raises distances that a merchant set for all its providers to what this one tolerates.
func (r *Resolved) lift(provider string) {
	rule := ProviderRule(provider)
	for _, name := range []string{settingMinInterval, "dense_every", "young_every", "open_max", "rare_min", "watch_disputed_every"} {
		f, _ := FindSetting(name)
		d, err := ParseSpan(f.Value(r.Settings))
		if err == nil && d < rule && r.Origins[name] == FromMerchant {
			if f.Set(&r.Settings, Span(rule)) == nil {
				r.Origins[name] = FromRule
			}
		}
	}
}

// Validate reports every setting that makes no sense at the provider, as joined *FieldError values.
func (s Settings) Validate(provider string) error {
	return errors.Join(s.Policy.Validate(), s.Poll.ValidateFor(provider))
}

// CheckLayer reports what is wrong with a layer that is to be laid over the weaker ones at the provider, as joined *FieldError values.
// Nothing is lifted here: who sets a value that breaks the provider's rule is told.
func CheckLayer(provider string, l Layer, weaker ...Layer) error {
	base := Resolve(provider, weaker...)
	var errs []error
	for name, text := range l.Values {
		f, ok := FindSetting(name)
		if !ok {
			errs = append(errs, &FieldError{Field: name, Problem: "there is no such setting"})
			continue
		}
		if err := f.Set(&base.Settings, text); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return base.Validate(provider)
}

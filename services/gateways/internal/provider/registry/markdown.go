package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Markdown is docs/providers.md: every provider's facts, contradictions and confidence, the refused ones, and how a
// provider is added without Go.
func (r *Registry) Markdown() string {
	var b strings.Builder
	b.WriteString(preamble)
	b.WriteString("| provider | asked by | unit | one sale at most every | webhook's secret | creates | lists | splits |\n|---|---|---|---|---|---|---|---|\n")
	for _, a := range r.All() {
		c := a.Capabilities()
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s | %s | %s |\n", c.Title, c.Name, kinds(c), c.Unit, span(c.Poll.MinInterval),
			trust(c.Webhook), yes(c.Create), yes(c.List), yes(c.Split))
	}
	b.WriteString("\n")
	for _, a := range r.All() {
		section(&b, a.Capabilities())
	}
	b.WriteString("## Refused\n\n")
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		fmt.Fprintf(&b, "- **%s**: %s\n", name, refused[name])
	}
	b.WriteString("\n" + epilogue)
	return b.String()
}

func section(b *strings.Builder, c provider.Capabilities) {
	fmt.Fprintf(b, "## %s\n\n**%s**\n\n", c.Name, c.Title)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(b, "- %s: %s\n", what, text)
		}
	}
	line("also called", join(c.Aliases))
	line("base URL", code(c.BaseURL))
	line("sandbox", code(c.Sandbox))
	line("authentication", c.Auth)
	for i, id := range c.Identifiers {
		line(fmt.Sprintf("asked by (%d)", i+1), fmt.Sprintf("**%s**, %s *(%s)*", id.Kind, id.Meaning, id.Confidence))
	}
	line("ids", map[bool]string{true: "in either case, kept in lower case"}[c.LowerCaseIDs])
	line("amounts", bounds(c))
	line("a charge needs the buyer's", join(c.CustomerFields))
	line("polling", fmt.Sprintf("one sale at most every %s, as a rule every %s, %d calls a minute for an account *(%s)*",
		span(c.Poll.MinInterval), span(c.Poll.Cadence), c.Poll.CallsPerMinute, c.Poll.Confidence))
	if len(c.Unsafe) > 0 {
		line("unsafe", fmt.Sprintf("%s; a second look after %s must agree", words(c.Unsafe), span(c.Recheck)))
	}
	line("final", join(c.Final))
	line("webhooks", hook(c.Webhook))
	b.WriteString("\n| status | words of answers | further words of webhooks |\n|---|---|---|\n")
	for _, status := range provider.Statuses() {
		answers, hooks := meaning(c.Words, status), meaning(c.WebhookWords, status)
		if answers+hooks != "" {
			fmt.Fprintf(b, "| %s | %s | %s |\n", status, answers, hooks)
		}
	}
	fmt.Fprintf(b, "\nAbout the call, never the payment: %s. The call went wrong: %s.\n\n", none(words(c.EnvelopeWords)), none(words(c.ErrorWords)))
	b.WriteString("| field | secret | required | português | English |\n|---|---|---|---|---|\n")
	for _, f := range slices.Concat(c.Credentials, c.Settings) {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", code(f.Name), yes(f.Secret), yes(f.Required), f.PT, f.EN)
	}
	for _, open := range []bool{false, true} {
		title := map[bool]string{false: "\nFacts:\n\n", true: "\nWhere sources disagree, or nobody tells, and what we do:\n\n"}[open]
		for _, n := range c.Notes {
			if n.Open == open {
				fmt.Fprintf(b, "%s- %s *(%s)*\n", title, n.Text, n.Confidence)
				title = ""
			}
		}
	}
	b.WriteString("\n")
}

func kinds(c provider.Capabilities) string {
	all := make([]provider.IDKind, len(c.Identifiers))
	for i, id := range c.Identifiers {
		all[i] = id.Kind
	}
	return join(all)
}

func bounds(c provider.Capabilities) string {
	text := "in " + string(c.Unit)
	if c.MinAmount > 0 {
		text += ", at least " + c.MinAmount.String()
	}
	if c.MaxAmount > 0 {
		text += ", at most " + c.MaxAmount.String()
	}
	return text
}

func hook(w provider.WebhookRule) string {
	text := join(w.Formats)
	switch w.Trust {
	case provider.TrustHeader:
		text += "; a shared secret in the header " + code(w.Header) + " where the merchant configures one"
	case provider.TrustBodyToken:
		text += "; a shared secret in the body"
	default:
		text += "; nothing proves the sender"
	}
	if w.Attempts > 0 {
		text += fmt.Sprintf("; %d attempts", w.Attempts)
	}
	if w.Panel {
		text += "; the address is set in the provider's panel"
	}
	return text
}

func trust(w provider.WebhookRule) string { return strings.ReplaceAll(string(w.Trust), "_", " ") }

func meaning(list []provider.Word, status provider.Status) string {
	var parts []string
	for _, level := range []provider.Confidence{provider.High, provider.Medium, provider.Low} {
		var raw []string
		for _, w := range list {
			if w.Status == status && w.Confidence == level {
				raw = append(raw, w.Raw)
			}
		}
		if len(raw) > 0 {
			parts = append(parts, fmt.Sprintf("%s *(%s)*", words(raw), level))
		}
	}
	return strings.Join(parts, ", ")
}

func words(list []string) string {
	quoted := make([]string, len(list))
	for i, w := range list {
		quoted[i] = code(w)
	}
	return strings.Join(quoted, " ")
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func join[T ~string](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = string(v)
	}
	return strings.Join(parts, ", ")
}

func none(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

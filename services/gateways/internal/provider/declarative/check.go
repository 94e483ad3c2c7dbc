package declarative

import (
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9]{1,30}$`)
	versionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,30}$`)
	fieldForm   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)
	headerForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,60}$`)
	pathForm    = regexp.MustCompile(`^/[A-Za-z0-9_\-./{}?=&%]*$`)
	fieldPath   = regexp.MustCompile(`^[^.\s]+(\.[^.\s]+)*$`)
	placeForm   = regexp.MustCompile(`\{[^{}]*\}`)
)

func countPlaces(path string) int { return len(placeForm.FindAllString(path, -1)) }

// adapter checks everything that a file says and makes what it can of it; mistakes are noted in s.
func (s *source) adapter(f spec) *Adapter {
	a := &Adapter{auth: f.Auth, headers: f.Headers, ask: map[provider.IDKind]string{}}
	c := &a.capabilities
	*c = provider.Capabilities{
		Name: provider.Name(f.Name), Version: f.Version, Title: f.Title, BaseURL: f.BaseURL, Sandbox: f.Sandbox, LowerCaseIDs: f.LowerCaseIDs,
		Unit: provider.Unit(f.Unit), EnvelopeWords: f.EnvelopeWords, ErrorWords: f.ErrorWords, Unsafe: f.Unsafe,
		FreeReads: f.FreeReads, Create: f.Create != nil, Verify: f.Verify != nil,
	}
	s.identity(f, c)
	c.Credentials = s.accountFields("credentials", f.Credentials, true)
	c.Settings = s.accountFields("settings", f.Settings, false)
	c.Auth = s.auth(f)
	s.askings(f, a)
	s.vocabulary(f, a)
	s.pace(f, c)
	s.hook(f, a)
	s.creation(f, a)
	if f.Verify != nil {
		a.verify = f.Verify.Path
		s.path("verify.path", a.verify, 0, 1)
	}
	for i, n := range f.Notes {
		at := "notes." + strconv.Itoa(i)
		s.filled(at+".text", n.Text)
		c.Notes = append(c.Notes, provider.Note{Text: n.Text, Confidence: s.confidence(at+".confidence", n.Confidence), Open: n.Open})
	}
	return a
}

func (s *source) identity(f spec, c *provider.Capabilities) {
	if !nameForm.MatchString(f.Name) {
		s.wrong("name", "want one lower-case word of letters and digits, got %q", f.Name)
	}
	if f.Version != "" && !versionForm.MatchString(f.Version) {
		s.wrong("version", "want up to 31 lower-case letters, digits, dots and dashes, such as v2, got %q", f.Version)
	}
	if f.Version != "" && len(f.Aliases) > 0 {
		s.wrong("aliases", "a version has none: accounts name it as their shadow")
	}
	for i, alias := range f.Aliases {
		if !nameForm.MatchString(alias) {
			s.wrong("aliases."+strconv.Itoa(i), "want one lower-case word of letters and digits, got %q", alias)
		}
		c.Aliases = append(c.Aliases, provider.Name(alias))
	}
	s.filled("title", f.Title)
	if err := provider.CheckBaseURL(f.BaseURL); err != nil {
		s.wrong("base_url", "%v", err)
	}
	if f.Sandbox != "" {
		if err := provider.CheckBaseURL(f.Sandbox); err != nil {
			s.wrong("sandbox", "%v", err)
		}
	}
	oneOf(s, "unit", c.Unit, provider.Centavos, provider.Reais)
	for name := range f.Headers {
		if !headerForm.MatchString(name) || textproto.CanonicalMIMEHeaderKey(name) == "Authorization" {
			s.wrong("headers."+name, "not a header that a file may set")
		}
	}
}

// auth checks how calls are authenticated and says it in words.
func (s *source) auth(f spec) string {
	want := 1
	if f.Auth.Kind == "basic" {
		want = 2
	}
	declared := map[string]bool{}
	for _, field := range f.Credentials {
		declared[field.Name] = field.Required
	}
	for i, name := range f.Auth.Credentials {
		if required, known := declared[name]; !known || !required {
			s.wrong("auth.credentials."+strconv.Itoa(i), "%q is not a required credential of this file", name)
		}
	}
	if len(f.Auth.Credentials) != want {
		s.wrong("auth.credentials", "want %d for %s, got %d", want, f.Auth.Kind, len(f.Auth.Credentials))
	}
	switch f.Auth.Kind {
	case "query":
		s.filled("auth.name", f.Auth.Name)
		return "query parameter " + f.Auth.Name + " on every call"
	case "header":
		if !headerForm.MatchString(f.Auth.Name) {
			s.wrong("auth.name", "want the name of a header, got %q", f.Auth.Name)
		}
		return "header " + f.Auth.Name
	case "basic":
		return "header Authorization: Basic, " + strings.Join(f.Auth.Credentials, ":")
	case "bearer":
		return "header Authorization: Bearer"
	}
	s.wrong("auth.kind", "want query, header, basic or bearer, got %q", f.Auth.Kind)
	return ""
}

func (s *source) askings(f spec, a *Adapter) {
	if len(f.Identifiers) == 0 {
		s.wrong("identifiers", "want at least one")
	}
	for i, id := range f.Identifiers {
		at := "identifiers." + strconv.Itoa(i)
		kind := provider.IDKind(id.Kind)
		oneOf(s, at+".kind", kind, provider.ByHash, provider.ByID, provider.ByReference)
		if _, twice := a.ask[kind]; twice {
			s.wrong(at+".kind", "%s occurs twice", kind)
		}
		s.path(at+".path", id.Path, 1, 1)
		s.filled(at+".meaning", id.Meaning)
		a.ask[kind] = id.Path
		a.capabilities.Identifiers = append(a.capabilities.Identifiers, provider.Identifier{
			Kind: kind, Meaning: id.Meaning, Confidence: s.confidence(at+".confidence", id.Confidence)})
		if paths := map[provider.IDKind][]string{provider.ByHash: f.Answer.Hash, provider.ByID: f.Answer.ID, provider.ByReference: f.Answer.Reference}[kind]; len(paths) == 0 {
			s.wrong("answer", "no path for %s, so that an answer about another charge would go unnoticed", kind)
		}
	}
	if len(f.Answer.Status) == 0 {
		s.wrong("answer.status", "want at least one path")
	}
	a.answer = f.Answer.over(provider.Shape{Unit: a.capabilities.Unit, LowerCaseIDs: f.LowerCaseIDs})
	s.fieldPaths("answer", f.Answer)
}

func (s *source) pace(f spec, c *provider.Capabilities) {
	c.Poll = provider.PollRule{MinInterval: s.duration("poll.min_interval", f.Poll.MinInterval), Cadence: s.duration("poll.cadence", f.Poll.Cadence),
		CallsPerMinute: f.Poll.CallsPerMinute, Confidence: s.confidence("poll.confidence", f.Poll.Confidence)}
	if c.Poll.Cadence < c.Poll.MinInterval {
		s.wrong("poll.cadence", "%s is denser than min_interval %s", c.Poll.Cadence, c.Poll.MinInterval)
	}
	if f.Poll.CallsPerMinute < 1 || f.Poll.CallsPerMinute > 100_000 {
		s.wrong("poll.calls_per_minute", "want 1 to 100000, got %d", f.Poll.CallsPerMinute)
	}
	for i, raw := range f.Final {
		status := provider.Status(raw)
		oneOf(s, "final."+strconv.Itoa(i), status, provider.StatusRefunded, provider.StatusChargedBack, provider.StatusFailed,
			provider.StatusExpired, provider.StatusCancelled)
		c.Final = append(c.Final, status)
	}
	if len(f.Unsafe) > 0 {
		c.Recheck = s.duration("recheck", f.Recheck)
	} else if f.Recheck != "" {
		s.wrong("recheck", "nothing is unsafe")
	}
}

func (s *source) hook(f spec, a *Adapter) {
	w := f.Webhook
	c := &a.capabilities
	c.Webhook = provider.WebhookRule{Trust: provider.Trust(w.Trust), Header: w.Header, Formats: w.Formats, Attempts: w.Attempts, Panel: w.Panel}
	oneOf(s, "webhook.trust", c.Webhook.Trust, provider.TrustNone, provider.TrustHeader, provider.TrustBodyToken)
	switch {
	case c.Webhook.Trust == provider.TrustHeader && !headerForm.MatchString(w.Header):
		s.wrong("webhook.header", "want the name of a header, got %q", w.Header)
	case c.Webhook.Trust == provider.TrustBodyToken && len(w.Fields.Token) == 0:
		s.wrong("webhook.fields.token", "want the path of the secret")
	}
	if c.Webhook.Trust == provider.TrustHeader || c.Webhook.Trust == provider.TrustBodyToken {
		if !slices.ContainsFunc(f.Credentials, func(f fieldSpec) bool { return f.Name == provider.CredentialWebhookSecret }) {
			s.wrong("credentials", "%s is not declared, and nothing else could be compared", provider.CredentialWebhookSecret)
		}
	}
	if w.Attempts < 0 {
		s.wrong("webhook.attempts", "must not be negative")
	}
	for i, format := range w.Formats {
		oneOf(s, "webhook.formats."+strconv.Itoa(i), format, "json", "form")
	}
	a.hook = w.Fields.over(a.answer)
	a.hook.Vocabulary = s.words(f, c.AllWords())
	s.fieldPaths("webhook.fields", w.Fields)
}

func (s *source) creation(f spec, a *Adapter) {
	if f.Create == nil {
		return
	}
	k := f.Create
	c := &a.capabilities
	c.MinAmount, c.MaxAmount, c.CustomerFields = money.Amount(k.MinAmount), money.Amount(k.MaxAmount), k.CustomerFields
	s.path("create.path", k.Path, 0, 0)
	if k.MinAmount < 0 || k.MaxAmount < 0 || k.MaxAmount > 0 && k.MaxAmount < k.MinAmount {
		s.wrong("create.min_amount", "bounds %d to %d cannot be", k.MinAmount, k.MaxAmount)
	}
	for i, field := range k.CustomerFields {
		oneOf(s, "create.customer_fields."+strconv.Itoa(i), field, "name", "email", "phone", "document")
	}
	settings := map[string]bool{}
	for _, field := range f.Settings {
		settings[field.Name] = true
	}
	body := s.template("create.body", &k.Body, settings, 0)
	days := daysSpec{}
	switch {
	case body.keys == nil:
		s.wrong("create.body", "want a mapping")
	case !body.uses("amount"):
		s.wrong("create.body", "$amount is nowhere in it")
	case body.uses("webhook_url") == f.Webhook.Panel:
		s.wrong("create.body", "want $webhook_url in it, or webhook.panel: true, and not both")
	}
	if body.uses("expires_in_days") != (k.ExpiresInDays != nil) {
		s.wrong("create.expires_in_days", "goes together with $expires_in_days in the body")
	} else if k.ExpiresInDays != nil {
		if days = *k.ExpiresInDays; days.Min < 1 || days.Max < days.Min {
			s.wrong("create.expires_in_days", "want 1 ≤ min ≤ max")
		}
	}
	a.create = &creation{path: k.Path, body: body, answer: k.Answer.over(a.answer), days: days}
	s.fieldPaths("create.answer", k.Answer)
}

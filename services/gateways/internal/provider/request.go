package provider

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Request is one call to a provider.
type Request struct {
	Provider Name
	Op       Op
	// Account gives base URL and the secrets to keep out of every text.
	Account Account
	// DefaultBase is the documented base URL, used when the account has none.
	DefaultBase string
	// Method is GET when "".
	Method string
	// Path is a template below the base URL, query included ("/query.php?id={id}"); each {…} takes the next of Args,
	// escaped for its place.
	Path string
	Args []string
	// SecretQuery is added to the query and to the secrets.
	SecretQuery map[string]Secret
	// Header is added to Accept, Content-Type and User-Agent. Values that are secret must come from Account or Secrets.
	Header map[string]string
	// Body is sent as JSON; nil sends none.
	Body any
	// Secrets are further ones, such as tokens derived from the account's.
	Secrets []Secret
}

func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r Request) endpoint() string { return r.method() + " " + r.Path }

// redactor knows every secret that the call may carry.
func (r Request) redactor(cache *formCache) redactor {
	red := redactor{all: make([]*forms, 0, 2)}
	for _, s := range r.Account.Credentials {
		red.add(cache, s)
	}
	for _, s := range r.SecretQuery {
		red.add(cache, s)
	}
	for _, s := range r.Secrets {
		red.add(cache, s)
	}
	return red
}

func (r Request) invalid(reason string) *Error {
	return &Error{Kind: KindInvalidRequest, Provider: r.Provider, Op: r.Op, Endpoint: r.endpoint(), Reason: reason}
}

// target builds the URL. Its errors never quote it.
func (r Request) target() (*url.URL, error) {
	base := r.Account.BaseURL
	if base == "" {
		base = r.DefaultBase
	}
	path, reason := fill(r.Path, r.Args)
	if reason != "" {
		return nil, r.invalid(reason)
	}
	u, err := url.Parse(strings.TrimRight(base, "/") + path)
	if err != nil || strings.ContainsAny(base, "?#") {
		u = nil // what is wrong with it is told below
	}
	if err := checkBase(u); err != nil {
		return nil, r.invalid(err.Error())
	}
	for name, value := range r.SecretQuery {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += url.QueryEscape(name) + "=" + url.QueryEscape(value.Reveal())
	}
	return u, nil
}

// fill puts args into the template's places, path-escaped before the "?" and query-escaped after it.
func fill(template string, args []string) (path, reason string) {
	var b strings.Builder
	inQuery := false
	for {
		before, rest, found := strings.Cut(template, "{")
		inQuery = inQuery || strings.Contains(before, "?")
		b.WriteString(before)
		if !found {
			break
		}
		_, rest, closed := strings.Cut(rest, "}")
		if !closed || len(args) == 0 {
			return "", "path template and arguments differ"
		}
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "" || len(arg) > 200 || arg == "." || arg == "..":
			return "", "identifier is empty, too long or not one"
		case strings.ContainsFunc(arg, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return "", "identifier holds control characters"
		case inQuery:
			b.WriteString(url.QueryEscape(arg))
		default:
			b.WriteString(url.PathEscape(arg))
		}
		template = rest
	}
	if len(args) > 0 {
		return "", "path template and arguments differ"
	}
	return b.String(), ""
}

type baseError string

func (e baseError) Error() string { return string(e) }

// CheckBaseURL accepts absolute https URLs, and http ones of the loopback interface, without user, query or fragment.
// Its errors do not quote the URL.
func CheckBaseURL(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		u = nil
	}
	if u != nil && strings.ContainsAny(base, "?#") {
		return baseError("base url must not hold user, query or fragment")
	}
	return checkBase(u)
}

// checkBase judges a base URL, or one that was made of it; nil stands for one that cannot be read.
func checkBase(u *url.URL) error {
	switch {
	case u == nil || u.Host == "" || u.Opaque != "":
		return baseError("base url is not an absolute url")
	case u.User != nil:
		return baseError("base url must not hold user, query or fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return baseError("base url must be https")
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return baseError("base url must be https: plain http is only for the loopback interface")
}

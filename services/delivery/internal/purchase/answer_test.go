package purchase

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	const secret = "EAAinventedtoken"
	for name, c := range map[string]struct {
		status int
		body   string
		want   verdict
		unsure bool
	}{
		"taken":                 {200, `{"events_received":1,"messages":[],"fbtrace_id":"AbC"}`, accepted, false},
		"taken nothing":         {200, `{"events_received":0}`, again, true},
		"other words":           {200, `<html>`, again, true},
		"empty":                 {200, ``, again, true},
		"error in a 200":        {200, `{"error":{"code":190}}`, noEntry, false},
		"token invalid":         {400, `{"error":{"code":190,"error_subcode":460,"message":"token ` + secret + ` expired"}}`, noEntry, false},
		"token invalid by 401":  {401, ``, noEntry, false},
		"permission":            {403, `{"error":{"code":200}}`, noEntry, false},
		"pixel unknown":         {400, `{"error":{"code":100,"error_subcode":33}}`, noEntry, false},
		"invalid parameter":     {400, `{"error":{"code":100,"error_subcode":2804019}}`, refused, false},
		"invalid without words": {400, `bad request`, refused, false},
		"rate limit by code":    {400, `{"error":{"code":80004}}`, again, false},
		"rate limit by app":     {400, `{"error":{"code":4}}`, again, false},
		"rate limit by status":  {429, ``, again, false},
		"server error":          {500, `{"error":{"code":2}}`, again, true},
		"bad gateway in HTML":   {502, `<html>`, again, true},
		"redirect":              {302, ``, again, false},
	} {
		a := read(c.status, http.Header{}, []byte(c.body))
		if a.verdict != c.want || a.unsure != c.unsure {
			t.Errorf("%s: verdict %v, unsure %v; want %v, %v", name, a.verdict, a.unsure, c.want, c.unsure)
		}
		if (a.verdict == accepted) != (a.reason == "") {
			t.Errorf("%s: reason %q", name, a.reason)
		}
		if strings.Contains(a.reason, secret) {
			t.Errorf("%s: reason %q repeats the token", name, a.reason)
		}
	}
}

func TestRead_retryAfter(t *testing.T) {
	for in, want := range map[string]time.Duration{"": 0, "30": 30 * time.Second, "-1": 0, "soon": 0, "99999999": maxRetryAfter} {
		if got := read(429, http.Header{"Retry-After": {in}}, nil).wait; got != want {
			t.Errorf("Retry-After %q: wait %v, want %v", in, got, want)
		}
	}
}

func TestRead_traceIsChecked(t *testing.T) {
	if got := read(200, nil, []byte(`{"events_received":1,"fbtrace_id":"AzC_9-x"}`)).trace; got != "AzC_9-x" {
		t.Errorf("trace = %q", got)
	}
	if got := read(200, nil, []byte(`{"events_received":1,"fbtrace_id":"<b>access_token=1</b>"}`)).trace; got != "" {
		t.Errorf("trace = %q, want nothing of what does not look like one", got)
	}
}

func TestCheckBaseURL(t *testing.T) {
	for in, ok := range map[string]bool{
		"https://graph.facebook.com": true, "http://127.0.0.1:9/meta": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://graph.facebook.com": false, "http://10.0.0.1": false, "ftp://127.0.0.1": false, "https://u:p@h.example": false,
		"https://h.example?x=1": false, "": false, "https://": false,
	} {
		if err := CheckBaseURL(in); (err == nil) != ok {
			t.Errorf("CheckBaseURL(%q) = %v, want ok %v", in, err, ok)
		}
	}
}

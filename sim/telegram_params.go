package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// readParams flattens whatever form the parameters came in to texts; nested
// JSON stays JSON.
func readParams(r *http.Request) (url.Values, error) {
	p := r.URL.Query()
	if r.Method != http.MethodPost {
		return p, nil
	}
	ctype, opts, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if ctype == "multipart/form-data" {
		mr := multipart.NewReader(io.LimitReader(r.Body, maxBody), opts["boundary"])
		for {
			part, err := mr.NextPart()
			if errors.Is(err, io.EOF) && (errors.Unwrap(err) == nil || len(p) == 0) { // NextPart wraps an end that comes too early
				return p, nil // clients announce multipart even without parameters
			}
			if err != nil {
				return p, err
			}
			v, err := io.ReadAll(part)
			if err != nil {
				return p, err
			}
			p.Set(part.FormName(), string(v))
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil || len(body) == 0 {
		return p, err
	}
	if ctype == "application/x-www-form-urlencoded" {
		f, err := url.ParseQuery(string(body))
		for k, v := range f {
			p[k] = v
		}
		return p, err
	}
	var m map[string]param
	if err := json.Unmarshal(body, &m); err != nil {
		return p, err
	}
	for k, v := range m {
		if v.given {
			p.Set(k, v.text)
		}
	}
	return p, nil
}

// param is one parameter of a JSON body: a text as it is, anything else as its JSON; null is as if it were not there.
type param struct {
	text          string
	given, quoted bool // not null; a text
}

func (p *param) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		p.given, p.quoted = true, true
		if inside := raw[1 : len(raw)-1]; utf8.Valid(inside) && bytes.IndexByte(inside, '\\') < 0 {
			p.text = string(inside)
			return nil
		}
		return json.Unmarshal(raw, &p.text)
	}
	p.text, p.given = string(raw), string(raw) != "null"
	return nil
}

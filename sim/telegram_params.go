package sim

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
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
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return p, err
	}
	for k, v := range m {
		var s string
		if json.Unmarshal(v, &s) == nil {
			p.Set(k, s)
		} else if string(v) != "null" {
			p.Set(k, string(v))
		}
	}
	return p, nil
}

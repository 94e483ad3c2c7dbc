package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// poster is one HTTP client that posts webhooks over a connection that it keeps.
type poster struct{ http *http.Client }

func newPoster() *poster {
	return &poster{&http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}}}
}

func (p *poster) close() { p.http.CloseIdleConnections() }

// receipt is the answer to a webhook.
type receipt struct {
	Received, Duplicate bool
	took                time.Duration
}

// post sends one webhook; anything but 200 is an error.
func (p *poster) post(ctx context.Context, url, contentType string, body []byte) (r receipt, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return r, fmt.Errorf("make webhook: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	start := time.Now()
	resp, err := p.http.Do(req)
	if err != nil {
		return r, fmt.Errorf("post webhook: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	r.took = time.Since(start)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", resp.Status)
	}
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err == nil && !r.Received {
		err = fmt.Errorf("not received")
	}
	if err != nil {
		return r, fmt.Errorf("post webhook: %w", err)
	}
	return r, nil
}

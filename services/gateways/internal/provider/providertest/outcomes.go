package providertest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const page = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"

type outcome struct {
	name   string
	code   int
	body   string
	header []string
	kind   provider.Kind
	after  time.Duration
}

func outcomes() []outcome {
	transient, limited, credential := provider.KindTransient, provider.KindRateLimited, provider.KindCredential
	contract, invalid, missing := provider.KindContract, provider.KindInvalidRequest, provider.KindNotFound
	return []outcome{
		{"500", 500, `{"message":"cURL error 35"}`, nil, transient, 0},
		{"502 page", 502, page, nil, transient, 0},
		{"503 with Retry-After", 503, `{}`, []string{"Retry-After", "7"}, transient, 7 * time.Second},
		{"504 empty", 504, "", nil, transient, 0},
		{"408", 408, "", nil, transient, 0},
		{"200 page", 200, page, nil, transient, 0},
		{"200 page with bom", 200, "\xef\xbb\xbf\n " + page, nil, transient, 0},
		{"403 page of a wall", 403, page, nil, transient, 0},
		{"404 page", 404, page, nil, transient, 0},
		{"200 empty", 200, "", nil, transient, 0},
		{"200 blank", 200, " \r\n\t", nil, transient, 0},
		{"200 plain text", 200, "Service temporarily unavailable", nil, transient, 0},
		{"200 truncated", 200, `{"status":"paid","payment_status":"paid","id":1,"da`, nil, transient, 0},
		{"200 success false", 200, `{"success":false,"message":"acquirer down"}`, nil, transient, 0},
		{"200 broken json", 200, `{"status":paid,"id":1}`, nil, contract, 0},
		{"200 other json", 200, `{"hello":"world"}`, nil, contract, 0},
		{"200 number", 200, `42`, nil, contract, 0},
		{"200 string paid", 200, `"paid"`, nil, contract, 0},
		{"200 true", 200, `true`, nil, contract, 0},
		{"429 seconds", 429, `{}`, []string{"Retry-After", "30"}, limited, 30 * time.Second},
		{"429 date", 429, `{}`, []string{"Retry-After", Now.Add(90 * time.Second).Format(http.TimeFormat)}, limited, 90 * time.Second},
		{"429 date gone by", 429, `{}`, []string{"Retry-After", Now.Add(-time.Hour).Format(http.TimeFormat)}, limited, 0},
		{"429 bare", 429, ``, nil, limited, 0},
		{"429 page", 429, page, nil, limited, 0},
		{"429 field in body", 429, `{"message":"Too Many Attempts.","retry_after":45}`, nil, limited, 45 * time.Second},
		{"429 nested field", 429, `{"error":{"retryAfter":"12"}}`, nil, limited, 12 * time.Second},
		{"429 words in body", 429, `{"message":"Muitas tentativas, aguarde 60 segundos."}`, nil, limited, time.Minute},
		{"429 short words", 429, `{"error":"try again in 5s"}`, nil, limited, 5 * time.Second},
		{"429 nonsense header", 429, `{}`, []string{"Retry-After", "soon"}, limited, 0},
		{"401", 401, `{"message":"Unauthenticated."}`, nil, credential, 0},
		{"401 page", 401, page, nil, credential, 0},
		{"403", 403, `{"message":"Forbidden"}`, nil, credential, 0},
		{"404", 404, `{"message":"not found"}`, nil, missing, 0},
		{"404 null", 404, `null`, nil, missing, 0},
		{"404 empty", 404, ``, nil, missing, 0},
		{"410", 410, `{}`, nil, missing, 0},
		{"200 null", 200, `null`, nil, missing, 0},
		{"200 empty list", 200, `[]`, nil, missing, 0},
		{"400", 400, `{"message":"bad"}`, nil, invalid, 0},
		{"422", 422, `{"message":"x","errors":{"value":["min"]}}`, nil, invalid, 0},
		{"405", 405, `{}`, nil, contract, 0},
		{"418", 418, `{}`, nil, contract, 0},
		{"302 without a place", 302, ``, nil, contract, 0},
	}
}

// testOutcomes gives every answer of the table to a status call and checks kind, code, wait and excerpt.
func (s Subject) testOutcomes(t *testing.T) {
	for _, o := range outcomes() {
		t.Run(o.name, func(t *testing.T) {
			b := s.newBench(t, answer(o.code, o.body, o.header...))
			_, ref := s.first(b.adapter.Capabilities())
			reading, err := b.adapter.GetStatus(context.Background(), b.account, ref)
			var e *provider.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %+v, %v; want a *provider.Error", reading, err)
			}
			if e.Kind != o.kind || e.HTTPStatus != o.code || e.RetryAfter != o.after {
				t.Errorf("got kind %s, http %d, retry after %s; want %s, %d, %s", e.Kind, e.HTTPStatus, e.RetryAfter, o.kind, o.code, o.after)
			}
			if e.Provider != b.adapter.Name() || e.Op != provider.OpStatus || e.Endpoint == "" || len(e.Excerpt) > 512 {
				t.Errorf("error %+v does not tell provider, operation and endpoint in at most 512 bytes", e)
			}
			if strings.TrimSpace(o.body) != "" && e.Excerpt == "" {
				t.Error("no excerpt of a body that was there")
			}
		})
	}
	t.Run("no credentials", func(t *testing.T) {
		b := s.newBench(t, func(http.ResponseWriter, *http.Request) { t.Error("a call without credentials") })
		_, ref := s.first(b.adapter.Capabilities())
		b.account.Credentials = nil
		if _, err := b.adapter.GetStatus(context.Background(), b.account, ref); provider.KindOf(err) != provider.KindCredential {
			t.Errorf("got %v, want credential", err)
		}
	})
}

// testTimeAndSize covers answers that come late, never, in part, or in excess.
func (s Subject) testTimeAndSize(t *testing.T) {
	release := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"status":"pa`))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	defer close(release)
	t.Run("slow body meets the deadline", func(t *testing.T) {
		b := s.newBench(t, hang)
		_, ref := s.first(b.adapter.Capabilities())
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := b.adapter.GetStatus(ctx, b.account, ref)
		if provider.KindOf(err) != provider.KindTransient || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want transient by deadline", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		b := s.newBench(t, hang)
		_, ref := s.first(b.adapter.Capabilities())
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := b.adapter.GetStatus(ctx, b.account, ref)
		if provider.KindOf(err) != provider.KindTransient || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want transient by cancellation", err)
		}
	})
	t.Run("connection cut", func(t *testing.T) {
		b := s.newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"status":"paid"}`))
		})
		_, ref := s.first(b.adapter.Capabilities())
		if _, err := b.adapter.GetStatus(context.Background(), b.account, ref); provider.KindOf(err) != provider.KindTransient {
			t.Errorf("got %v, want transient", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		b := s.newBench(t, answer(200, "{}"))
		b.server.Close()
		_, ref := s.first(b.adapter.Capabilities())
		_, err := b.adapter.GetStatus(context.Background(), b.account, ref)
		if provider.KindOf(err) != provider.KindTransient || strings.Contains(err.Error(), "://") {
			t.Errorf("got %v, want transient without a URL", err)
		}
	})
	t.Run("ten megabytes", func(t *testing.T) {
		filler := strings.Repeat("x", 10<<20)
		b := s.newBench(t, answer(200, `{"filler":"`+filler+`",`+strings.TrimPrefix(fillWord(s.Status, "paid"), "{")))
		_, ref := s.first(b.adapter.Capabilities())
		reading, err := b.adapter.GetStatus(context.Background(), b.account, ref)
		if provider.KindOf(err) != provider.KindContract {
			t.Errorf("got %+v, %v; want contract", reading, err)
		}
	})
}

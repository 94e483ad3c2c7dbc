package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// Golden runs the cases of a text file, each of the form
//
//	=== status by id: what is special about it
//	ref: hash=tx1 id=9
//	http: 200
//	{"the": "body"}
//	--> paid word="paid" amount=1990 id=9
//
// The first word is status, webhook or create. ref (status only) defaults to the subject's, http to 200; $CODE in the body
// is a valid PIX code. Several --> lines are several hints in order. What is empty is left out of a line; an error is
// written as "error", its kind, and its reason.
func Golden(t *testing.T, s Subject, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read golden cases: %v", err)
	}
	cases := strings.Split("\n"+string(text), "\n=== ")
	if len(cases) < 2 {
		t.Fatalf("%s holds no cases", file)
	}
	for _, c := range cases[1:] {
		title, rest, _ := strings.Cut(c, "\n")
		t.Run(title, func(t *testing.T) { s.golden(t, title, rest) })
	}
}

func (s Subject) golden(t *testing.T, title, rest string) {
	ref, code := s.Ref, 200
	var body, want []string
	for line := range strings.SplitSeq(rest, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "--> "):
			want = append(want, strings.TrimPrefix(line, "--> "))
		case strings.HasPrefix(line, "ref: ") && len(body) == 0:
			ref = provider.Ref{}
			for _, part := range strings.Fields(line)[1:] {
				kind, value, _ := strings.Cut(part, "=")
				ref = ref.With(provider.IDKind(kind), value)
			}
		case strings.HasPrefix(line, "http: ") && len(body) == 0:
			if _, err := fmt.Sscanf(line, "http: %d", &code); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
		default:
			body = append(body, line)
		}
	}
	if len(want) == 0 {
		t.Fatal("case without an expectation")
	}
	text := strings.ReplaceAll(strings.TrimSpace(strings.Join(body, "\n")), "$CODE", ValidCode())
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) { answer(code, text)(w, r) })
	var got []string
	switch verb, _, _ := strings.Cut(title, " "); strings.TrimSuffix(verb, ":") {
	case "status":
		reading, err := b.adapter.GetStatus(context.Background(), b.account, ref)
		got = append(got, Line(reading, err))
	case "webhook":
		hints, err := b.adapter.ParseWebhook(provider.Webhook{Body: []byte(text)})
		for _, h := range hints {
			got = append(got, Line(h, nil))
		}
		if err != nil || len(hints) == 0 {
			got = append(got, Line(nil, err))
		}
	case "create":
		charge, err := b.adapter.CreateCharge(context.Background(), b.account, s.Request)
		got = append(got, Line(charge, err))
	default:
		t.Fatalf("case %q: want status, webhook or create", title)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome differs (-want +got):\n%s", diff)
	}
}

// Line writes a Reading, Hint, Charge or error as golden files do. nil without an error is "nothing".
func Line(v any, err error) string {
	if err != nil {
		var e *provider.Error
		if !errors.As(err, &e) {
			return "error of another type: " + err.Error()
		}
		return strings.TrimSpace("error " + string(e.Kind) + " " + e.Reason)
	}
	var l line
	switch v := v.(type) {
	case provider.Reading:
		l.status(v.Status, v.ProviderStatus, v.Amount, v.Identifiers, v.PaidAt, v.EndToEndID)
		l.time("created_at", v.CreatedAt)
		if v.Currency != money.BRL {
			l.add("currency", v.Currency)
		}
		l.code(v.Code)
		l.add("reason", v.Reason)
	case provider.Hint:
		l.status(v.Status, v.ProviderStatus, v.Amount, v.Identifiers, v.PaidAt, v.EndToEndID)
		l.add("event", v.Event)
		l.routing(v.Routing)
		if !v.BodyToken.IsZero() {
			l.add("token", v.BodyToken.Reveal())
		}
	case provider.Charge:
		l.status(v.Status, v.ProviderStatus, v.Amount, v.Identifiers, nil, "")
		l.code(v.Code)
		l.time("expires_at", v.ExpiresAt)
		l.routing(v.Routing)
		l.add("reason", v.Reason)
	default:
		return "nothing"
	}
	return strings.Join(l, " ")
}

type line []string

func (l *line) add(name, value string) {
	if value != "" {
		*l = append(*l, name+"="+value)
	}
}

func (l *line) status(s provider.Status, word string, amount *money.Amount, ids provider.Ref, paidAt *time.Time, e2e string) {
	*l = append(*l, string(s))
	if word != "" {
		*l = append(*l, fmt.Sprintf("word=%q", word))
	}
	if amount != nil {
		*l = append(*l, fmt.Sprintf("amount=%d", int64(*amount)))
	}
	l.add("hash", ids.Hash)
	l.add("id", ids.ID)
	l.add("reference", ids.Reference)
	l.time("paid_at", paidAt)
	l.add("e2e", e2e)
}

func (l *line) routing(r provider.Routing) {
	l.add("producer", r.ProducerHash)
	l.add("offer", r.OfferHash)
	l.add("product", r.ProductHash)
}

func (l *line) time(name string, at *time.Time) {
	if at != nil {
		l.add(name, at.Format(time.RFC3339))
	}
}

func (l *line) code(code string) {
	switch code {
	case "":
	case ValidCode():
		l.add("code", "$CODE")
	default:
		l.add("code", code)
	}
}

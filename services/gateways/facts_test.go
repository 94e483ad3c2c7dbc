package gateways

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every body that our notes quote, by the same doors as `baixa gateway parse` and `baixa gateway try`.
func TestFacts_bodies(t *testing.T) {
	file, err := os.Open("testdata/facts.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var title string
	var body []string
	cases := 0
	for scan := bufio.NewScanner(file); scan.Scan(); {
		line := scan.Text()
		switch {
		case title == "" && (line == "" || strings.HasPrefix(line, "#")):
		case title == "":
			title = line
		case !strings.HasPrefix(line, "=> "):
			body = append(body, line)
		default:
			cases++
			fact(t, title, strings.Join(body, "\n"), strings.TrimPrefix(line, "=> "))
			title, body = "", nil
		}
	}
	if title != "" || cases < 80 {
		t.Errorf("%d cases, the last one %q: the file was not read to its end", cases, title)
	}
}

// fact runs one case of the file.
func fact(t *testing.T, title, body, want string) {
	t.Helper()
	head, _, _ := strings.Cut(title, ": ")
	part := strings.Fields(head)
	var f Finding
	var err error
	if part[1] == "parse" {
		// Nothing is believed of the header.
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", ""} {
			if f, err = Parse(part[0], contentType, nil, []byte(body)); err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			if got := inWords(f); got != want {
				t.Errorf("%s, as %q:\n got %s (%s)\nwant %s", title, contentType, got, f.Reason, want)
			}
		}
		return
	}
	kind, ref, _ := strings.Cut(part[2], "=")
	code, err := strconv.Atoi(part[3])
	if err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	if f, err = ask(t, part[0], kind, ref, code, body); err != nil {
		t.Fatalf("%s: %v", title, err)
	}
	if got := inWords(f); got != want || f.HTTPStatus != code {
		t.Errorf("%s:\n got %s, HTTP %d (%s)\nwant %s, HTTP %d", title, got, f.HTTPStatus, f.Reason, want, code)
	}
}

// inWords is a finding as the file writes it.
func inWords(f Finding) string {
	out := []string{f.Outcome, f.Status, "-"}
	if f.AmountCentavos != nil {
		out[2] = fmt.Sprint(*f.AmountCentavos)
	}
	for _, kind := range []string{"hash", "id", "reference"} {
		if v := f.Identifiers[kind]; v != "" {
			out = append(out, kind+"="+v)
		}
	}
	if f.PaidAt != nil {
		out = append(out, "paid_at="+f.PaidAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(out, " ")
}

// Retry-After in each of the ways in which it was seen.
func TestFacts_retryAfter(t *testing.T) {
	for _, c := range []struct {
		name, body string
		header     []string
		want       float64
	}{
		{"header", `{}`, []string{"Retry-After", "30"}, 30},
		{"body", `{"message":"Too Many Requests","retry_after":45}`, nil, 45},
		{"words", `{"message":"Aguarde 20 segundos"}`, nil, 20},
		{"header before body", `{"retry_after":45}`, []string{"Retry-After", "7"}, 7},
	} {
		f, err := ask(t, "pushinpay", "id", "x", 429, c.body, c.header...)
		if err != nil {
			t.Fatal(err)
		}
		if f.Outcome != "rate_limited" || f.RetryAfterSeconds == nil || *f.RetryAfterSeconds != c.want {
			t.Errorf("%s: %s after %v, want %v", c.name, f.Outcome, f.RetryAfterSeconds, c.want)
		}
	}
}

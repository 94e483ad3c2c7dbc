package providertest

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// ListPage is one answer to a listing, and how many of its charges lie in the day before Now.
type ListPage struct {
	Body   string
	Inside int
}

// List walks all of Subject.Pages and checks what comes of each, then what comes of an ill provider. Run does it for
// every adapter that declares List.
func List(t *testing.T, s Subject) {
	var calls atomic.Int64
	b := s.newBench(t, func(w http.ResponseWriter, r *http.Request) {
		n := int(calls.Add(1))
		if n > len(s.Pages) {
			t.Errorf("page %d was asked for: there are %d", n, len(s.Pages))
			n = len(s.Pages)
		}
		answer(200, s.Pages[n-1].Body)(w, r)
	})
	lister, is := b.adapter.(provider.Lister)
	if declared := b.adapter.Capabilities().List; declared != is {
		t.Fatalf("capability list is %v, the method is there: %v", declared, is)
	}
	if !is {
		return
	}
	if len(s.Pages) < 2 {
		t.Fatal("a subject that lists needs at least two pages")
	}
	from, to, cursor := Now.Add(-24*time.Hour), Now, ""
	for i, want := range s.Pages {
		page, err := lister.ListTransactions(context.Background(), b.account, from, to, cursor)
		if err != nil {
			t.Fatalf("page %d: %v", i+1, err)
		}
		if len(page.Readings) != want.Inside {
			t.Errorf("page %d: %d charges, want %d", i+1, len(page.Readings), want.Inside)
		}
		for _, r := range page.Readings {
			if r.Identifiers.IsZero() || !r.Status.Valid() || r.Evidence == "" || len(r.Evidence) > 512 {
				t.Errorf("page %d: reading %+v lacks a name, a status or its evidence", i+1, r)
			}
		}
		if last := i == len(s.Pages)-1; last != (page.Next == "") {
			t.Errorf("page %d of %d: next is %q", i+1, len(s.Pages), page.Next)
		}
		cursor = page.Next
	}
	for _, o := range outcomes() {
		if o.kind == provider.KindNotFound {
			continue
		}
		ill := s.newBench(t, answer(o.code, o.body, o.header...))
		page, err := ill.adapter.(provider.Lister).ListTransactions(context.Background(), ill.account, from, to, "")
		if provider.KindOf(err) != o.kind {
			t.Errorf("%s: got %+v, %v; want %s", o.name, page, err, o.kind)
		}
	}
	if _, err := lister.ListTransactions(context.Background(), b.account, from, to, "no such cursor"); provider.KindOf(err) != provider.KindInvalidRequest {
		t.Errorf("strange cursor: got %v, want invalid_request", err)
	}
}

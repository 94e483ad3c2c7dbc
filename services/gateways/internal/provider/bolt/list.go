package bolt

import (
	"context"
	"strconv"
	"time"

	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

const (
	pageSize = 100
	maxPage  = 100_000
)

// ListTransactions asks GET /transactions page by page; cursor is a page's number. The provider is not asked to filter:
// charges created outside [from, to) are left out here, those whose date is not told are kept. A page may be empty and
// still have a Next.
func (a *Adapter) ListTransactions(ctx context.Context, account provider.Account, from, to time.Time, cursor string) (provider.Page, error) {
	page := 1
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 1 || n > maxPage {
			return provider.Page{}, &provider.Error{Kind: provider.KindInvalidRequest, Provider: Name, Op: provider.OpList, Reason: "cursor is not a page's number"}
		}
		page = n
	}
	response, err := a.do(ctx, account, provider.Request{Op: provider.OpList, Path: "/transactions?page={page}&limit={limit}",
		Args: []string{strconv.Itoa(page), strconv.Itoa(pageSize)}})
	if err != nil {
		return provider.Page{}, err
	}
	readings, err := a.answer.ReadAll(response)
	if err != nil {
		return provider.Page{}, err
	}
	out := provider.Page{Endpoint: response.Endpoint, HTTPStatus: response.HTTPStatus}
	for _, r := range readings {
		if at := r.CreatedAt; at == nil || !at.Before(from) && at.Before(to) {
			out.Readings = append(out.Readings, r)
		}
	}
	doc, err := response.Document()
	if err != nil {
		return provider.Page{}, err
	}
	if more(doc, page) {
		out.Next = strconv.Itoa(page + 1)
	}
	return out, nil
}

// more reports whether a page follows: by the number of pages where it is told, else because this one is full.
func more(doc document.Value, page int) bool {
	for _, path := range []string{"pagination.totalPages", "pagination.pages", "meta.totalPages", "totalPages"} {
		if total, err := strconv.Atoi(doc.Get(path).Text()); err == nil {
			return page < total
		}
	}
	list := doc
	if doc.Kind() == document.Object {
		list = doc.Get("data")
	}
	n := 0
	for range list.Children {
		n++
	}
	return n >= pageSize
}

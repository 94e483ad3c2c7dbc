package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// Count is what became of some sales.
type Count struct {
	Imported      int     `json:"imported"`
	Paid          int     `json:"paid"`
	Delivered     int     `json:"delivered"`
	MessagesSent  int     `json:"messages_sent"`
	Purchases     int     `json:"purchases"`
	Pending       int     `json:"pending"`
	Expired       int     `json:"expired"`
	Failed        int     `json:"failed"`
	NeedsReview   int     `json:"needs_review"`
	Refunded      int     `json:"refunded"`
	Elsewhere     int     `json:"delivered_elsewhere"`
	ProviderCalls int64   `json:"provider_calls"`
	Seconds       float64 `json:"seconds"`
}

// Result is what became of all. Sales are counted as the API shows them, events as they came through a socket, and duplicates and
// provider calls by the simulators.
type Result struct {
	Count
	WSEvents   int              `json:"ws_events"`
	Duplicates int              `json:"duplicates"`
	Providers  map[string]Count `json:"providers"`
}

func (d *Demo) result(sales []*paymentsv1.Payment, imported int, took time.Duration) Result {
	r := Result{Providers: map[string]Count{}, WSEvents: d.owner.count(), Duplicates: d.duplicates(sales)}
	for _, s := range sales {
		c := r.Providers[s.GetProvider()]
		c.add(s)
		r.Count.add(s)
		r.Providers[s.GetProvider()] = c
	}
	seconds := float64(took.Milliseconds()) / 1000
	for name, calls := range d.world.Counters().Providers {
		c := r.Providers[string(name)]
		c.ProviderCalls, c.Seconds = calls.Calls(), float64(d.took[string(name)].Milliseconds())/1000
		if c.Imported > 0 || c.ProviderCalls > 0 {
			r.Providers[string(name)] = c
		}
		r.ProviderCalls += c.ProviderCalls
	}
	r.Imported, r.Seconds = imported, seconds
	return r
}

func (c *Count) add(s *paymentsv1.Payment) {
	c.Imported++
	f := s.GetFulfilment()
	if f.GetDeliveredElsewhere() {
		c.Elsewhere++
	}
	if f.GetTokenIssuedAt() != nil {
		c.Delivered++
	}
	if f.GetMessage() == "sent" {
		c.MessagesSent++
	}
	if f.GetPurchase() == "sent" {
		c.Purchases++
	}
	switch s.GetStatus() {
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID:
		c.Paid++
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING:
		c.Pending++
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_EXPIRED:
		c.Expired++
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_FAILED:
		c.Failed++
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW:
		c.NeedsReview++
	case paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED:
		c.Refunded++
	}
}

// duplicates is what somebody received twice: messages of a buyer beyond the one, and Purchases that Meta's server side got
// again. Every buyer of the file has bought once.
func (d *Demo) duplicates(sales []*paymentsv1.Payment) (n int) {
	for _, s := range sales {
		n += max(0, len(d.world.Messages(s.GetBuyer().GetTelegramId()))-1)
	}
	seen := map[string]bool{}
	for _, e := range d.world.Events("") {
		if e.Name != "Purchase" || e.Source != "server" {
			continue
		}
		if seen[e.Pixel+"/"+e.ID] {
			n++
		}
		seen[e.Pixel+"/"+e.ID] = true
	}
	return n + d.owner.twice()
}

// twice is how many events came to the owner's socket more than once.
func (o *owner) twice() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.copies
}

// Write tells the result as a table.
func (r Result) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, c Count) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%d\t\n", name, c.Imported, c.Paid, c.Delivered, c.MessagesSent, c.Purchases,
			c.Pending, c.NeedsReview, c.Expired+c.Failed+c.Refunded, c.Seconds, c.ProviderCalls)
	}
	fmt.Fprintln(t, strings.Join([]string{"provedor", "vendas", "pagas", "entregues", "mensagens", "purchases", "pendentes", "revisão", "outras", "segundos", "consultas", ""}, "\t"))
	fmt.Fprintln(t, strings.Join([]string{"provider", "sales", "paid", "delivered", "messages", "purchases", "pending", "review", "other", "seconds", "calls", ""}, "\t"))
	for _, name := range slices.Sorted(maps.Keys(r.Providers)) {
		if r.Providers[name].Imported > 0 {
			line(name, r.Providers[name])
		}
	}
	line("", r.Count)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d eventos no socket do dono, %d em dobro. / %d events at the owner's socket, %d twice.\n"+
		"%d vendas já tinham sido entregues pelo sistema de origem. / %d sales had been delivered by the origin system.\n",
		r.WSEvents, r.Duplicates, r.WSEvents, r.Duplicates, r.Elsewhere, r.Elsewhere)
	return err
}

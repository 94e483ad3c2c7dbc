package payment

import (
	"fmt"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Metric names one statistic; each has a count of sales and a sum in centavos.
type Metric int

// The metrics. Sales still pending are those of MetricCreated in no other state; they are counted from the sales themselves.
const (
	// MetricCreated counts every sale with its price.
	MetricCreated Metric = iota
	// MetricPaid is gross: sales that were settled, with all money that counts as theirs. A later refund does not take it away.
	MetricPaid
	// MetricRefunded counts refunded sales, with the money that had been counted as paid.
	MetricRefunded
	// MetricChargedBack counts charged-back sales, with the money that had been counted as paid.
	MetricChargedBack
	// MetricDisputed counts sales under dispute, with the money that had been counted as paid and is blocked.
	MetricDisputed
	// MetricNeedsReview counts sales with an open question, with the money under review, which is in no other metric.
	MetricNeedsReview
	// MetricFailed counts failed sales with their price.
	MetricFailed
	// MetricExpired counts expired sales with their price.
	MetricExpired
	// MetricCancelled counts cancelled sales with their price.
	MetricCancelled

	metricEnd
)

var metricWords = [metricEnd]string{"created", "paid", "refunded", "charged_back", "disputed", "needs_review", "failed", "expired", "cancelled"}

// Metrics lists every metric.
func Metrics() []Metric {
	all := make([]Metric, 0, metricEnd)
	for m := MetricCreated; m < metricEnd; m++ {
		all = append(all, m)
	}
	return all
}

// String is the stored word.
func (m Metric) String() string {
	if m < 0 || m >= metricEnd {
		return fmt.Sprintf("metric(%d)", int(m))
	}
	return metricWords[m]
}

// StatDelta is one entry of the statistics. Entries are only ever added; what turns out otherwise later is compensated by a negative one.
type StatDelta struct {
	Metric Metric
	Count  int64
	Amount money.Amount
	// At is the moment, and so the day, to which the entry is booked: the payment's for the first entry of MetricPaid, the event's for
	// every other.
	At time.Time
}

// Tally is a count of sales and a sum in centavos.
type Tally struct {
	Count  int64
	Amount money.Amount
}

// Totals are the sums of entries, by metric.
type Totals [metricEnd]Tally

// Add adds an entry. A metric outside the list is a programmer's error and panics.
func (t *Totals) Add(d StatDelta) {
	t[d.Metric].Count += d.Count
	t[d.Metric].Amount += d.Amount
}

// Net is what remains in centavos: gross less what went back and what is blocked.
func (t Totals) Net() money.Amount {
	return t[MetricPaid].Amount - t[MetricRefunded].Amount - t[MetricChargedBack].Amount - t[MetricDisputed].Amount
}

// Contribution is what one sale adds to the statistics as it stands now. The sum of all entries of a sale equals it at any time, so the
// statistics can be rebuilt from the sales, and proved against the history.
func Contribution(p Payment) Totals {
	var t Totals
	t[MetricCreated] = Tally{1, p.Amount}
	var believed money.Amount
	if p.State == Paid || p.DeliveredEver && (p.State.Returned() || p.State == Disputed) {
		believed = p.ReceivedAmount()
		t[MetricPaid] = Tally{1, believed}
	}
	switch p.State {
	case Refunded:
		t[MetricRefunded] = Tally{1, believed}
	case ChargedBack:
		t[MetricChargedBack] = Tally{1, believed}
	case Disputed:
		t[MetricDisputed] = Tally{1, believed}
	case Failed:
		t[MetricFailed] = Tally{1, p.Amount}
	case Expired:
		t[MetricExpired] = Tally{1, p.Amount}
	case Cancelled:
		t[MetricCancelled] = Tally{1, p.Amount}
	}
	if p.ReviewOpen() {
		t[MetricNeedsReview] = Tally{1, p.ReviewAmount()}
	}
	return t
}

// Opening gives the entries of a sale that has just been stored in whatever state: pending, or as another system left it.
func Opening(p Payment) []StatDelta {
	at := p.CreatedAt
	if !p.StateSince.IsZero() {
		at = p.StateSince
	}
	entries := entries(Totals{}, Contribution(p), p, at)
	for i := range entries {
		if entries[i].Metric == MetricCreated {
			entries[i].At = p.CreatedAt
		}
	}
	return entries
}

// entries gives the difference of two contributions; first is the sale after the change.
func entries(before, after Totals, p Payment, at time.Time) []StatDelta {
	var out []StatDelta
	for m := range metricEnd {
		d := StatDelta{Metric: m, Count: after[m].Count - before[m].Count, Amount: after[m].Amount - before[m].Amount, At: at}
		if d.Count == 0 && d.Amount == 0 {
			continue
		}
		if m == MetricPaid && before[m] == (Tally{}) && p.PaidAt != nil {
			d.At = *p.PaidAt
		}
		out = append(out, d)
	}
	return out
}

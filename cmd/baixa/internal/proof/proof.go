// Package proof shows what came of a proof: what contradicts the history, sale by sale, and how much was read.
package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// Report is what `--json` prints.
type Report struct {
	Proved          bool            `json:"proved"`
	Counts          json.RawMessage `json:"counts"`
	CounterExamples []Example       `json:"counter_examples"`
}

// Example is one contradiction.
type Example struct {
	Kind       string `json:"kind"`
	MerchantID string `json:"merchant_id,omitempty"`
	PaymentID  string `json:"payment_id,omitempty"`
	Text       string `json:"text"`
}

// Read reads a proof to its end. While it goes on, a line a second goes to progress, which may be nil. A stream that ends without an
// answer is an error: nothing is proved then.
func Read(stream grpc.ServerStreamingClient[paymentsv1.ProveResponse], only func(kind string) bool, progress io.Writer) (*Report, error) {
	out := &Report{CounterExamples: []Example{}}
	var last *paymentsv1.ProveResponse
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		last = r
		for _, x := range r.GetCounterExamples() {
			if only(x.GetKind()) {
				out.CounterExamples = append(out.CounterExamples, Example{x.GetKind(), x.GetMerchantId(), x.GetPaymentId(), x.GetText()})
			}
		}
		if progress != nil && !r.GetDone() {
			fmt.Fprintf(progress, "%d sales, %d events\n", r.GetCounts().GetSales(), r.GetCounts().GetEvents())
		}
	}
	if !last.GetDone() {
		return nil, errors.New("the proof broke off; nothing is proved")
	}
	for kind := range last.GetCounts().GetFound() {
		if !only(kind) {
			delete(last.GetCounts().GetFound(), kind)
		}
	}
	out.Proved = len(last.GetCounts().GetFound()) == 0
	var err error
	out.Counts, err = protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(last.GetCounts())
	return out, err
}

// Write prints a report for people.
func Write(w io.Writer, r *Report) error {
	var c struct {
		Sales, Events, Deliveries, Looks, Effects, Webhooks string
		Lines                                               string `json:"statistics_lines"`
		Asked                                               string `json:"asked_of_leaves"`
		Older                                               string `json:"older_sales"`
		Found                                               map[string]string
	}
	if err := json.Unmarshal(r.Counts, &c); err != nil {
		return err
	}
	for _, x := range r.CounterExamples {
		fmt.Fprintf(w, "%-22s %s  %s\n", x.Kind, x.PaymentID, screen.Clean(x.Text))
	}
	fmt.Fprintf(w, "read %s sales, %s events, %s deliveries, %s statistics lines, %s looks, %s effects, %s webhooks; asked the leaves about %s\n",
		c.Sales, c.Events, c.Deliveries, c.Lines, c.Looks, c.Effects, c.Webhooks, c.Asked)
	if c.Older != "0" {
		fmt.Fprintf(w, "%s sales began before the history kept decisions; their states are proved, their statistics are taken from the sales\n", c.Older)
	}
	if r.Proved {
		_, err := fmt.Fprintln(w, "proved: everything follows from the history")
		return err
	}
	fmt.Fprint(w, "NOT proved:")
	for _, kind := range slices.Sorted(maps.Keys(c.Found)) {
		fmt.Fprintf(w, " %s %s", c.Found[kind], kind)
	}
	_, err := fmt.Fprintln(w)
	return err
}

package payment

import (
	"fmt"
	"slices"
	"strings"
)

//go:generate go test -run ^TestDiagram_docs$ . -args -write

// Diagram gives the state machine as a Markdown document with a Mermaid diagram, made of the table that decides. It is what
// docs/state-machine.md holds; a test keeps the two equal.
func Diagram() string {
	var b strings.Builder
	b.WriteString(`# The state machine of a sale

<!-- Made of services/payments/internal/payment/table.go by "go generate ./services/payments/internal/payment". Do not edit. -->

An event is first judged by guards, which need the sale, the event and the policy; their answer is the *input*. The table below says
what an input does in a state. A pair that it does not name changes nothing. Every decision, also one that changes nothing, is kept
in the sale's history with its reason.

` + "```mermaid\n" + `stateDiagram-v2
    [*] --> pending
`)
	for _, from := range States() {
		for _, to := range States() {
			if words := arrow(from, to); words != "" {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", from, to, words)
			}
		}
	}
	b.WriteString("```\n\n## What an input does in a state\n\n| state | input | next | effects |\n|---|---|---|---|\n")
	for _, s := range States() {
		for in := InNothing; in < inputEnd; in++ {
			if c := table[s][in]; c.next != 0 {
				next := "**" + c.next.String() + "**"
				if c.next == s {
					next = "stays"
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s, in, next, orderWords(c.orders))
			}
		}
	}
	b.WriteString(`
` + "`deliver`" + ` happens once in a sale's life; where the sale was delivered before, ` + "`restore_token`" + ` opens the same link again instead.

## Inputs

| input | meaning |
|---|---|
`)
	for in := InNothing; in < inputEnd; in++ {
		fmt.Fprintf(&b, "| %s | %s |\n", in, inputMeanings[in])
	}
	b.WriteString(`
## Rules that the guards keep

- **One delivery.** It follows from entering paid the first time, and from nothing else.
- **Only a person moves money out of a review.** A sale under review is never delivered before it was accepted. After a refusal it is
  cancelled and keeps the reason; the same money reported again changes nothing, other money asks again.
- **A second payment of a settled sale leaves it paid.** The further money is kept beside it with its own identity, counted as under
  review, and a person says whether it is kept or given back. The first delivery stays. If the sale's own money then goes back, the
  sale follows it, and accepting the second payment settles it anew.
- **An absent amount is no mismatch**; another amount or currency goes to review. After delivery another amount is booked, since it is
  the provider's truth, and a person is asked.
- **Late is what was paid late.** A sale that our clock expired and that was paid before its end is settled whatever the merchant's
  policy on late money says.
- **Refunds of sales that were never seen paid** are kept as such, without a delivery and without money in the statistics.
- **A reading about another charge of the sale** closes nothing.
- **Our clock ends a pending sale** after the QR code's end and the grace, once the provider was asked after the end; when it could not
  be asked, later.

## The vocabulary of a history

| kind | may change the state | meaning |
|---|---|---|
`)
	for _, m := range Vocabulary() {
		decides := ""
		if m.Decides {
			decides = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Kind, decides, m.Text)
	}
	return b.String()
}

// arrow names the inputs that lead from one state to another.
func arrow(from, to State) string {
	var words []string
	for in := InNothing; in < inputEnd; in++ {
		if from != to && table[from][in].next == to {
			words = append(words, in.String())
		}
	}
	return strings.Join(words, ", ")
}

func orderWords(orders []Effect) string {
	words := make([]string, 0, len(orders))
	for _, o := range orders {
		w := string(o.Kind)
		if o.Notice != "" {
			w += " (" + string(o.Notice) + ")"
		}
		words = append(words, w)
	}
	return strings.Join(slices.Compact(words), ", ")
}

var inputMeanings = [inputEnd]string{
	InNothing:         "a note, a repetition, a reading about something else: nothing to do",
	InUnknown:         "a look that learned no status",
	InPending:         "the provider says \"not yet\"",
	InPaid:            "money that agrees with the sale",
	InPaidUnproven:    "\"paid\" that still needs a second agreeing look, or the end-to-end id",
	InPaidDoubtful:    "money that a person must judge: another amount or currency, after a refund or a refusal, late, without end-to-end id",
	InPaidExtra:       "a further payment of a sale that has its money",
	InAmountCorrected: "another amount for money that was already believed",
	InFailed:          "the provider says that the charge failed",
	InExpired:         "the provider says that the charge expired",
	InCancelled:       "the provider says that the charge was cancelled",
	InRefunded:        "the sale's money went back",
	InChargedBack:     "the sale's money was taken back",
	InDisputed:        "the sale's money is blocked by a dispute (MED)",
	InExtraReturned:   "a further payment went back",
	InExpiryReached:   "our clock passed the end",
	InExpiryUnseen:    "our clock passed the end, and the provider was not asked since",
	InChargeFailed:    "the charge was never made",
	InReviewAccepted:  "a person accepted the money under review",
	InReviewRefused:   "a person refused the money under review",
	InDeliveryOrdered: "a sale that came to us as paid and undelivered is to be delivered",
}

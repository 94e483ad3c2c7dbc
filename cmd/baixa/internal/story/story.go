// Package story writes a sale's story for whoever typed `baixa explain`: the summary, the timeline day by day, and what comes
// next.
//
// It refuses to let a text that somebody else wrote steer the terminal: control characters are taken out.
package story

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// width is where lines are broken, in columns.
const width = 100

// brasilia is the zone of all times shown.
var brasilia = time.FixedZone("-03", -3*3600)

// Write writes the story in a language ("en"; anything else is Brazilian Portuguese), with colour when the reader is a
// terminal. The error is the writer's own.
func Write(w io.Writer, resp *paymentsv1.ExplainPaymentResponse, lang string, color bool) error {
	p := &page{words: portuguese, days: "02/01/2006", color: color}
	if strings.HasPrefix(strings.ToLower(lang), "en") {
		p.words, p.days = english, "2006-01-02"
	}
	p.head(resp)
	p.timeline(resp.GetTimeline())
	p.tail(resp)
	_, err := w.Write(p.out.Bytes())
	return err
}

// page is one story being written.
type page struct {
	out   bytes.Buffer
	words words
	days  string // layout of a day
	color bool
}

func (p *page) head(r *paymentsv1.ExplainPaymentResponse) {
	pay := r.GetPayment()
	p.line(p.bold(p.words.sale+" "+screen.Clean(pay.GetId())) + p.faint("  "+p.words.status[pay.GetStatus()]+", "+p.foundBy(r.GetMatchedBy())))
	if pay.GetExternalId() != "" {
		p.line(p.faint(p.words.external + " " + screen.Clean(pay.GetExternalId())))
	}
	p.line("")
	p.paragraph("", r.GetSummary())
}

func (p *page) foundBy(by string) string {
	if text, ok := p.words.matched[by]; ok {
		return text
	}
	return screen.Clean(by)
}

func (p *page) timeline(entries []*paymentsv1.TimelineEntry) {
	day := ""
	for _, e := range entries {
		at := e.GetAt().AsTime().In(brasilia)
		if today := at.Format(p.days); today != day {
			note := ""
			if day == "" {
				note = p.faint("  (" + p.words.zone + ")")
			}
			p.line("")
			p.line(p.bold(today) + note)
			day = today
		}
		service := p.words.service[e.GetService()]
		if service == "" {
			service = screen.Clean(e.GetService())
		}
		label := fmt.Sprintf("  %s  %-10s  ", at.Format("15:04:05"), service)
		lines := screen.Wrap(e.GetText(), width-len([]rune(label)))
		for i, l := range lines {
			if i == 0 {
				p.line(p.faint(label) + l)
				continue
			}
			p.line(strings.Repeat(" ", len([]rune(label))) + l)
		}
	}
}

func (p *page) tail(r *paymentsv1.ExplainPaymentResponse) {
	p.line("")
	p.paragraph(p.words.next, r.GetNext())
	if r.GetAction() != "" {
		p.line("")
		p.paragraph(p.words.action, r.GetAction())
	}
	if trace := r.GetPayment().GetTraceId(); trace != "" {
		p.line("")
		p.line(p.faint(p.words.trace + " " + screen.Clean(trace)))
	}
	if others := r.GetOtherPaymentIds(); len(others) > 0 {
		p.line("")
		p.line(p.faint(p.words.others))
		for _, id := range others {
			p.line("  " + screen.Clean(id))
		}
	}
}

// paragraph writes a text under a title, which may be empty.
func (p *page) paragraph(title, text string) {
	if title != "" {
		p.line(p.bold(title))
	}
	for _, l := range screen.Wrap(text, width) {
		p.line(l)
	}
}

func (p *page) line(text string) { p.out.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *page) bold(text string) string {
	if !p.color {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}

func (p *page) faint(text string) string {
	if !p.color || text == "" {
		return text
	}
	return lipgloss.NewStyle().Faint(true).Render(text)
}

// Package checkup writes the diagnosis of the whole system for whoever typed `baixa doctor`: what is wrong and what to do
// first, then the numbers behind it.
//
// It refuses to let a text that somebody else wrote steer the terminal: control characters are taken out.
package checkup

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/money"
)

// width is where findings are broken, in columns.
const width = 100

// brasilia is the zone of all times shown.
var brasilia = time.FixedZone("-03", -3*3600)

// Write writes the report in a language ("en"; anything else is Brazilian Portuguese): drawn tables with colour when the
// reader is a terminal, else aligned text. The error is the writer's own.
func Write(w io.Writer, resp *paymentsv1.DiagnoseResponse, lang string, color bool) error {
	p := &page{words: portuguese, layout: "02/01 15:04:05", color: color}
	if strings.HasPrefix(strings.ToLower(lang), "en") {
		p.words, p.layout = english, "01-02 15:04:05"
	}
	p.findings(resp)
	p.sales(resp.GetLastSales())
	p.providers(resp.GetProviders())
	p.schedules(resp.GetSchedules())
	p.accounts(resp.GetAccounts())
	_, err := w.Write(p.out.Bytes())
	return err
}

// page is one report being written.
type page struct {
	out    bytes.Buffer
	words  words
	layout string // of a moment
	color  bool
}

// marks are a severity's sign and colour (ANSI).
var marks = map[string]struct{ sign, color string }{"problem": {"✗", "1"}, "warning": {"!", "3"}, "info": {"·", "4"}}

func (p *page) findings(r *paymentsv1.DiagnoseResponse) {
	verdict, hue := p.words.healthy, "2"
	switch {
	case !r.GetHealthy():
		verdict, hue = p.words.unhealthy, "1"
	case slices.ContainsFunc(r.GetFindings(), func(f *paymentsv1.Finding) bool { return f.GetSeverity() == "warning" }):
		verdict, hue = p.words.warned, "3"
	}
	at := r.GetAt().AsTime().In(brasilia).Format(p.layout)
	p.line(p.tint(verdict, hue, true) + p.faint("  ("+at+", "+p.words.zone+")"))
	for _, f := range r.GetFindings() {
		mark, ok := marks[f.GetSeverity()]
		if !ok {
			mark.sign = "?"
		}
		p.line("")
		for i, l := range screen.Wrap(f.GetText(), width-2) {
			if i == 0 {
				p.line(p.tint(mark.sign, mark.color, true) + " " + l)
				continue
			}
			p.line("  " + l)
		}
		for i, l := range screen.Wrap(f.GetAction(), width-4) {
			p.line(map[bool]string{true: "  → ", false: "    "}[i == 0] + p.faint(l))
		}
	}
}

func (p *page) sales(lines []*paymentsv1.SaleLine) {
	var rows [][]string
	for _, s := range lines {
		message := s.GetMessage()
		if text, ok := p.words.message[message]; ok {
			message = text
		}
		status := s.GetStatus()
		if text, ok := p.words.status[status]; ok {
			status = text
		}
		rows = append(rows, []string{s.GetPaymentId(), s.GetExternalId(), s.GetProvider(), money.Amount(s.GetAmount().GetCentavos()).String(), status,
			p.moment(s.GetCreatedAt()), p.moment(s.GetPaidAt()), p.yes(s.GetHasToken()), message})
	}
	p.table(p.words.sales, p.words.salesHead, rows, 3)
}

func (p *page) providers(lines []*paymentsv1.ProviderLine) {
	var rows [][]string
	for _, l := range lines {
		rows = append(rows, []string{l.GetProvider(), count(l.GetTotal()), count(l.GetPaid()), count(l.GetPending()), count(l.GetNeedsReview()),
			count(l.GetWithToken()), count(l.GetMessaged()), count(l.GetWebhooks()), count(l.GetPolls()), count(l.GetUnanswered()),
			p.moment(l.GetLastWebhookAt())})
	}
	p.table(p.words.providers, p.words.providersHead, rows, 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

func (p *page) schedules(lines []*paymentsv1.ScheduleLine) {
	var rows [][]string
	for _, l := range lines {
		about := ""
		if l.GetAbout() {
			about = "~"
		}
		rows = append(rows, []string{l.GetName(), l.GetCadence(), p.moment(l.GetLastRunAt()), p.moment(l.GetNextRunAt()), about + count(l.GetDue()),
			about + count(l.GetWaiting()), about + count(l.GetFailing())})
	}
	p.table(p.words.schedules, p.words.schedulesHead, rows, 4, 5, 6)
}

// trusted is an account's score, "-" while it is not known; with ! while its webhooks are silent or doubted.
func trusted(t *paymentsv1.Trust) string {
	text := "-"
	if t != nil && t.GetScore() >= 0 {
		text = count(int64(t.GetScore()))
	}
	if t.GetSilentSince() != nil || t.GetDoubted() {
		text += " !"
	}
	return text
}

func (p *page) accounts(lines []*paymentsv1.AccountLine) {
	var rows [][]string
	for _, a := range lines {
		state := a.GetState()
		if text, ok := p.words.account[state]; ok {
			state = text
		}
		budget := count(int64(a.GetCallsLastMinute()))
		if a.GetCallsPerMinute() > 0 {
			budget += "/" + count(int64(a.GetCallsPerMinute()))
		}
		rows = append(rows, []string{a.GetAccountId(), a.GetProvider(), a.GetLabel(), state, a.GetBreaker(), budget, trusted(a.GetTrust())})
	}
	p.table(p.words.accounts, p.words.accountsHead, rows, 5, 6)
}

func (p *page) moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().In(brasilia).Format(p.layout)
}

func (p *page) yes(is bool) string {
	if is {
		return p.words.yes
	}
	return p.words.no
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func (p *page) line(text string) { p.out.WriteString(strings.TrimRight(text, " ") + "\n") }

func (p *page) tint(text, color string, bold bool) string {
	if !p.color {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(color)).Bold(bold).Render(text)
}

func (p *page) faint(text string) string {
	if !p.color {
		return text
	}
	return lipgloss.NewStyle().Faint(true).Render(text)
}

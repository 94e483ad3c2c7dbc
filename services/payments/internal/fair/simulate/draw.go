package simulate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baixapay/baixa/services/payments/internal/payment"
)

//go:generate go test -run ^TestPlots$ . -args -write

const (
	width, left, right = 900, 190, 20
	rowHeight          = 30
)

// axis maps an age to the width, by its logarithm.
type axis struct{ from, to time.Duration }

func (a axis) x(d time.Duration) float64 {
	d = min(max(d, a.from), a.to)
	return left + (width-left-right)*math.Log(float64(d)/float64(a.from))/math.Log(float64(a.to)/float64(a.from))
}

var marks = []struct {
	at   time.Duration
	name string
}{{time.Second, "1 s"}, {10 * time.Second, "10 s"}, {time.Minute, "1 min"}, {10 * time.Minute, "10 min"}, {time.Hour, "1 h"}, {6 * time.Hour, "6 h"},
	{24 * time.Hour, "1 d"}, {7 * 24 * time.Hour, "7 d"}, {30 * 24 * time.Hour, "30 d"}}

// page is an SVG being written.
type page struct {
	strings.Builder
	height float64
}

func newPage(title string, height float64) *page {
	p := &page{height: height}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="12" fill="#222">`+"\n", width, height)
	fmt.Fprintf(p, `<title>%s</title><rect width="%d" height="%.0f" fill="#fff"/>`+"\n", title, width, height)
	p.text(left, 18, "start", title)
	return p
}

func (p *page) text(x, y float64, anchor, text string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, text)
}

func (p *page) grid(a axis, top, bottom float64) {
	for _, m := range marks {
		if m.at >= a.from && m.at <= a.to {
			fmt.Fprintf(p, `<path d="M%.1f %.1fV%.1f" stroke="#ddd"/>`+"\n", a.x(m.at), top, bottom)
			p.text(a.x(m.at), bottom+15, "middle", m.name)
		}
	}
}

func (p *page) end() string { return p.String() + "</svg>\n" }

// DrawLooks draws when a sale is looked at over its life: never paid, paid with and without a webhook, and while webhooks are silent.
func DrawLooks(providers []string) string {
	after := func(d time.Duration) *time.Duration { return &d }
	cases := []struct {
		name   string
		silent bool
		sale   Sale
	}{
		{"never paid", false, Sale{QR: time.Hour}},
		{"never paid, silent webhooks", true, Sale{QR: time.Hour}},
		{"paid at 4 min, no webhook", false, Sale{QR: time.Hour, Paid: after(4 * time.Minute)}},
		{"paid at 4 min, webhook", false, Sale{QR: time.Hour, Paid: after(4 * time.Minute), Hint: after(4*time.Minute + 2*time.Second)}},
	}
	a := axis{5 * time.Second, 30 * 24 * time.Hour}
	bottom := float64(40 + rowHeight*len(cases)*len(providers) + 20*len(providers))
	p := newPage("Looks at one sale by its age, without a tight budget; its QR code ends after 1 h", bottom+30)
	p.grid(a, 30, bottom)
	y := 40.0
	for _, provider := range providers {
		p.text(10, y+8, "start", provider)
		y += 20
		for _, c := range cases {
			s := c.sale
			Run(Account{Policy: payment.DefaultPolicy(provider), Silent: c.silent}, []*Sale{&s}, 31*24*time.Hour)
			p.text(left-8, y+10, "end", c.name)
			var d strings.Builder
			for _, l := range s.Looks {
				fmt.Fprintf(&d, "M%.1f %.1fv16", a.x(l.Made), y-2)
			}
			fmt.Fprintf(p, `<path d="%s" stroke="#0a6" stroke-width="1.2"/>`+"\n", d.String())
			if s.Paid != nil {
				fmt.Fprintf(p, `<circle cx="%.1f" cy="%.1f" r="4" fill="none" stroke="#c30" stroke-width="1.5"/>`+"\n", a.x(*s.Paid), y+6)
			}
			p.text(width-right, y+10, "end", fmt.Sprint(len(s.Looks)))
			y += rowHeight
		}
	}
	return p.end()
}

// Tight is the crowd of docs/scheduling.md: 10,000 sales are pending, one look a second is allowed, and every two minutes a new sale is made.
func Tight(length time.Duration) []*Sale {
	var sales []*Sale
	for i := range 10_000 {
		sales = append(sales, &Sale{Born: -time.Duration(10_000-i) * 4 * time.Minute})
	}
	for at := time.Duration(0); at < length; at += 2 * time.Minute {
		sales = append(sales, &Sale{Born: at, QR: time.Hour})
	}
	return sales
}

// DrawWaits draws how long looks wait for their turn, by the sale's age, in the crowd of Tight.
func DrawWaits(provider string) string {
	const length = 24 * time.Hour
	sales := Tight(length)
	Run(Account{Policy: payment.DefaultPolicy(provider), Interval: time.Second}, sales, length)
	edges := []time.Duration{0, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 12 * time.Hour,
		24 * time.Hour, 4 * 24 * time.Hour, 12 * 24 * time.Hour, 30 * 24 * time.Hour}
	waits := make([][]time.Duration, len(edges))
	for _, s := range sales {
		for _, l := range s.Looks {
			i, found := slices.BinarySearch(edges, l.Due-s.Born)
			if !found {
				i--
			}
			waits[i] = append(waits[i], l.Made-l.Due)
		}
	}
	a := axis{5 * time.Second, 30 * 24 * time.Hour}
	const top, bottom = 40.0, 340.0
	p := newPage("How long a due look waits, by the sale's age: 10,000 pending, 60 looks a minute, a new sale every 2 minutes", bottom+50)
	p.grid(a, top, bottom)
	up := axis{time.Second, 24 * time.Hour}
	y := func(d time.Duration) float64 {
		return bottom - (bottom-top)*math.Log(float64(max(d, up.from))/float64(up.from))/math.Log(float64(up.to)/float64(up.from))
	}
	for _, m := range marks[:7] {
		fmt.Fprintf(p, `<path d="M%d %.1fH%d" stroke="#ddd"/>`+"\n", left, y(m.at), width-right)
		p.text(left-8, y(m.at)+4, "end", m.name)
	}
	for _, line := range []struct {
		share float64
		color string
		name  string
	}{{0.5, "#0a6", "median"}, {0.95, "#c30", "95 %"}} {
		var d strings.Builder
		for i, w := range waits {
			if len(w) == 0 {
				continue
			}
			slices.Sort(w)
			from := max(edges[i], a.from)
			to := a.to
			if i+1 < len(edges) {
				to = edges[i+1]
			}
			op := "L"
			if d.Len() == 0 {
				op = "M"
			}
			fmt.Fprintf(&d, "%s%.1f %.1fH%.1f", op, a.x(from), y(w[int(line.share*float64(len(w)-1))]), a.x(to))
		}
		fmt.Fprintf(p, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", d.String(), line.color)
		fmt.Fprintf(p, `<path d="M10 %.1fh20" stroke="%s" stroke-width="2"/>`+"\n", 60+40*line.share, line.color)
		p.text(36, 64+40*line.share, "start", line.name)
	}
	p.text(left, bottom+35, "start", "age of the sale")
	return p.end()
}

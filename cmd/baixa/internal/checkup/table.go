package checkup

import (
	"github.com/baixapay/baixa/cmd/baixa/internal/screen"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// table writes rows under a title and a head; the columns in numbers are set to the right. Without rows it says so.
func (p *page) table(title string, head []string, rows [][]string, numbers ...int) {
	p.line("")
	p.line(p.bold(title))
	if len(rows) == 0 {
		p.line(p.faint("  " + p.words.nothing))
		return
	}
	for _, row := range rows {
		for i := range row {
			row[i] = strings.TrimSpace(screen.Clean(row[i]))
		}
	}
	if p.color {
		p.line(drawn(head, rows, numbers))
		return
	}
	p.aligned(head, rows, numbers)
}

func (p *page) bold(text string) string {
	if !p.color {
		return text
	}
	return lipgloss.NewStyle().Bold(true).Render(text)
}

// drawn is a table with borders.
func drawn(head []string, rows [][]string, numbers []int) string {
	cell := lipgloss.NewStyle().Padding(0, 1)
	return table.New().Headers(head...).Rows(rows...).Border(lipgloss.RoundedBorder()).
		BorderStyle(lipgloss.NewStyle().Faint(true)).
		StyleFunc(func(row, col int) lipgloss.Style {
			style := cell
			if row == table.HeaderRow {
				style = style.Bold(true)
			}
			if slices.Contains(numbers, col) {
				style = style.Align(lipgloss.Right)
			}
			return style
		}).String()
}

// aligned writes columns of their own width, two spaces apart.
func (p *page) aligned(head []string, rows [][]string, numbers []int) {
	widths := make([]int, len(head))
	all := append([][]string{head}, rows...)
	for _, row := range all {
		for i, c := range row {
			widths[i] = max(widths[i], lipgloss.Width(c))
		}
	}
	for _, row := range all {
		var b strings.Builder
		for i, c := range row {
			gap := strings.Repeat(" ", widths[i]-lipgloss.Width(c))
			b.WriteString("  ")
			if slices.Contains(numbers, i) {
				b.WriteString(gap + c)
			} else {
				b.WriteString(c + gap)
			}
		}
		p.line(b.String())
	}
}

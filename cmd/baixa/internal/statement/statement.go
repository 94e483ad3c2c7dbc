// Package statement reads what a provider or a bank exports of an account: CSV in any of the usual shapes. It finds out the encoding (UTF-8
// with or without a mark, UTF-16 with one, Windows-1252), the separator (; , tab, or what Excel's sep= says) and the columns by their names in Portuguese or English.
//
// It refuses to guess a value: what cannot be what its column should hold is a problem with line and column, and the value is not repeated,
// for it may be somebody's data.
package statement

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/baixapay/baixa/internal/money"
)

// Status is what a line says of a charge.
type Status string

// The statuses.
const (
	Paid     Status = "paid"
	Pending  Status = "pending"
	Failed   Status = "failed"
	Refunded Status = "refunded"
)

// Line is one charge of a statement.
type Line struct {
	Number int      // the line in the file, from 1
	IDs    []string // whatever names the charge, at least one
	Status Status
	Amount *money.Amount // nil when the statement has none
	At     *time.Time    // nil when it has none
	Day    bool          // At is a day without a time
}

// Problem is a line that cannot be read.
type Problem struct {
	Line   int
	Column string // empty when it is the whole line
	Want   Text
}

// Text is a sentence in both languages.
type Text struct{ PT, EN string }

// In is the sentence in a language: English for "en", else Portuguese.
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.PT
}

// FileError is why a file is no statement.
type FileError struct{ Text }

// Error is the sentence in English.
func (e *FileError) Error() string { return e.EN }

func fileError(pt, en string, args ...any) error {
	return &FileError{Text{fmt.Sprintf(pt, args...), fmt.Sprintf(en, args...)}}
}

// Error is "line 7, column valor: expected …".
func (p Problem) Error() string { return p.In("en") }

// In is the problem in a language.
func (p Problem) In(lang string) string {
	switch {
	case p.Column == "":
		return fmt.Sprintf(Text{"linha %d: %s", "line %d: %s"}.In(lang), p.Line, p.Want.In(lang))
	default:
		return fmt.Sprintf(Text{"linha %d, coluna %s: %s", "line %d, column %s: %s"}.In(lang), p.Line, p.Column, p.Want.In(lang))
	}
}

// names are the columns that are found by themselves. An id may be in several.
var names = map[string][]string{
	"id": {"id", "transaction_id", "id da transacao", "id_transacao", "transacao", "codigo", "hash", "transaction_hash", "reference", "referencia", "external_id",
		"txid", "e2e", "end_to_end_id", "endtoendid", "id end to end", "charge_id"},
	"amount": {"amount", "valor", "valor bruto", "value", "total", "valor_total", "valor (r$)"},
	"status": {"status", "situacao", "estado", "state"},
	"at": {"paid_at", "data do pagamento", "data_pagamento", "data pagamento", "data", "date", "data/hora", "data e hora", "pago em", "created_at",
		"data de criacao", "criado em"},
}

var words = map[string]Status{"paid": Paid, "pago": Paid, "paga": Paid, "approved": Paid, "aprovado": Paid, "aprovada": Paid, "completed": Paid, "concluido": Paid,
	"concluida": Paid, "confirmed": Paid, "confirmado": Paid, "recebido": Paid, "recebida": Paid, "liquidado": Paid, "pending": Pending, "pendente": Pending,
	"waiting": Pending, "waiting_payment": Pending, "aguardando": Pending, "aguardando pagamento": Pending, "created": Pending, "processing": Pending,
	"em processamento": Pending, "failed": Failed, "falhou": Failed, "refused": Failed, "recusado": Failed, "recusada": Failed, "cancelado": Failed,
	"cancelada": Failed, "canceled": Failed, "cancelled": Failed, "expired": Failed, "expirado": Failed, "expirada": Failed, "refunded": Refunded,
	"estornado": Refunded, "estornada": Refunded, "reembolsado": Refunded, "reembolsada": Refunded, "devolvido": Refunded, "chargeback": Refunded,
	"chargedback": Refunded}

// most is the largest file that is read.
const most = 256 << 20

// Options say what cannot be found out.
type Options struct {
	// Columns maps "id", "amount", "status" or "at" to a column's name in the file, before what is found by itself.
	Columns map[string]string
	// Centavos means that amounts are whole centavos.
	Centavos bool
}

// Read reads a whole statement. Lines and problems come in the file's order; err means that the file is none.
func Read(r io.Reader, o Options) (lines []Line, problems []Problem, err error) {
	raw, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > most {
		return nil, nil, fileError("o arquivo tem mais de 256 MB: divida-o por datas", "the file has more than 256 MB: split it by dates")
	}
	text, err := decode(raw)
	if err != nil {
		return nil, nil, err
	}
	comma, skip := announced(text)
	text = text[skip:]
	if first, _, _ := strings.Cut(text, "\n"); comma == 0 {
		comma = separator(first)
	}
	above := 0 // lines of the file that are none of the table
	if skip > 0 {
		above = 1
	}
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.FieldsPerRecord, c.LazyQuotes = comma, -1, true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, fileError("linha 1: esperava um cabeçalho com os nomes das colunas, e o arquivo está vazio", "line 1: expected a header with the columns' names, found an empty file")
	}
	if err != nil {
		return nil, nil, fileError("linha 1: esperava um cabeçalho em CSV: %v", "line 1: expected a CSV header: %v", err)
	}
	columns, err := find(header, o.Columns)
	if err != nil {
		return nil, nil, err
	}
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return lines, problems, nil
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			problems = append(problems, Problem{parse.StartLine + above, "", Text{"esperava CSV: " + parse.Err.Error(), "expected CSV: " + parse.Err.Error()}})
			continue
		}
		if err != nil {
			return lines, problems, err
		}
		n, _ := c.FieldPos(0)
		n += above
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
			continue
		}
		if len(fields) != len(header) {
			problems = append(problems, Problem{n, "", Text{fmt.Sprintf("esperava %d colunas como no cabeçalho, e há %d", len(header), len(fields)),
				fmt.Sprintf("expected %d columns as in the header, found %d", len(header), len(fields))}})
			continue
		}
		line, bad := read(n, header, fields, columns, o)
		if problems = append(problems, bad...); len(bad) == 0 {
			lines = append(lines, line)
		}
	}
}

func read(n int, header, fields []string, columns map[string][]int, o Options) (Line, []Problem) {
	l := Line{Number: n, Status: Paid}
	var bad []Problem
	get := func(kind string) (value, column string) {
		if i := columns[kind]; len(i) > 0 {
			return strings.TrimSpace(fields[i[0]]), strings.TrimSpace(header[i[0]])
		}
		return "", ""
	}
	for _, i := range columns["id"] {
		id := strings.TrimSpace(fields[i])
		if m := kept.FindStringSubmatch(id); m != nil {
			id = m[1]
		}
		if rounded.MatchString(id) {
			bad = append(bad, Problem{n, strings.TrimSpace(header[i]), Text{"esperava o id inteiro, e a planilha o arredondou (1,23E+15): exporte de novo sem abrir no Excel, ou com a coluna como texto",
				"expected the whole id, and the spreadsheet rounded it (1.23E+15): export again without opening it in Excel, or with the column as text"}})
			continue
		}
		if id != "" && !slices.Contains(l.IDs, id) {
			l.IDs = append(l.IDs, id)
		}
	}
	if len(l.IDs) == 0 && len(bad) == 0 {
		bad = append(bad, Problem{n, strings.TrimSpace(header[columns["id"][0]]), Text{"esperava o id da cobrança, e está vazio", "expected the charge's id, found nothing"}})
	}
	if text, column := get("amount"); text != "" {
		a, ok := parseAmount(text, o.Centavos)
		if !ok {
			bad = append(bad, Problem{n, column, Text{"esperava um valor acima de zero como 19,90, 1.234,56 ou 19.90 (em centavos inteiros com --centavos)",
				"expected an amount above zero such as 19,90, 1.234,56 or 19.90 (whole centavos with --centavos)"}})
		}
		l.Amount = &a
	}
	if text, column := get("status"); text != "" {
		s, ok := words[plain(text)]
		if !ok {
			bad = append(bad, Problem{n, column, Text{"esperava uma situação conhecida como pago, pendente, recusado, estornado ou paid, pending, refused, refunded",
				"expected a known status such as pago, pendente, recusado, estornado or paid, pending, refused, refunded"}})
		}
		l.Status = s
	}
	if text, column := get("at"); text != "" {
		at, ok := parseTime(text)
		l.Day = !strings.Contains(text, ":")
		if !ok {
			bad = append(bad, Problem{n, column, Text{"esperava uma data como 20/11/2026, 20/11/2026 14:03 ou 2026-11-20 14:03:22",
				"expected a date such as 20/11/2026, 20/11/2026 14:03 or 2026-11-20 14:03:22"}})
		}
		l.At = &at
	}
	return l, bad
}

// find finds the columns.
func find(header []string, given map[string]string) (map[string][]int, error) {
	out := map[string][]int{}
	for kind, name := range given {
		if names[kind] == nil {
			return nil, fileError("--column %s=…: esperava id, amount, status ou at", "--column %s=…: expected id, amount, status or at", kind)
		}
		i := slices.IndexFunc(header, func(h string) bool { return plain(h) == plain(name) })
		if i < 0 {
			return nil, fileError("linha 1: não há coluna %q; o arquivo tem %s", "line 1: there is no column %q; the file has %s", name, titles(header))
		}
		out[kind] = []int{i}
	}
	for kind, known := range names {
		if out[kind] != nil {
			continue
		}
		for _, name := range known { // in order of preference
			if i := slices.IndexFunc(header, func(h string) bool { return plain(h) == name }); i >= 0 {
				out[kind] = append(out[kind], i)
			}
		}
	}
	if out["id"] == nil {
		return nil, fileError("linha 1: nenhuma coluna diz qual é a cobrança; diga qual é com --column id=NOME. O arquivo tem %s",
			"line 1: no column names the charge; say which with --column id=NAME. The file has %s", titles(header))
	}
	return out, nil
}

// titles lists the columns' names, without what a terminal would act on, and no more than helps.
func titles(header []string) string {
	var out []string
	for i, h := range header {
		if i == 30 {
			out = append(out, "…")
			break
		}
		h = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, strings.TrimSpace(h))
		if r := []rune(h); len(r) > 40 {
			h = string(r[:39]) + "…"
		}
		out = append(out, h)
	}
	return strings.Join(out, ", ")
}

// separator is the one that the header has most of.
func separator(header string) rune {
	best, most := ',', 0
	for _, s := range []rune{';', '\t', ','} {
		if n := strings.Count(header, string(s)); n > most {
			best, most = s, n
		}
	}
	return best
}

var accents = strings.NewReplacer("á", "a", "à", "a", "ã", "a", "â", "a", "é", "e", "ê", "e", "í", "i", "ó", "o", "õ", "o", "ô", "o", "ú", "u", "ü", "u", "ç", "c")

// plain is a name without case, accents and surrounding space.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) { // an accent that is a character of its own, as macOS writes it
			return -1
		}
		return r
	}, text)
	return accents.Replace(strings.ToLower(strings.TrimSpace(text)))
}

func parseTime(text string) (time.Time, bool) {
	brasilia := time.FixedZone("-03", -3*3600)
	for _, layout := range []string{"02/01/2006 15:04:05", "02/01/2006 15:04", "02/01/2006", time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, brasilia); err == nil {
			return t, true
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// spaces are those that spreadsheets put between a currency and its number.
var spaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ")

// parseAmount reads reais with a decimal comma or point and thousands of the other kind.
func parseAmount(text string, centavos bool) (money.Amount, bool) {
	text = strings.TrimSpace(strings.TrimPrefix(spaces.Replace(text), "R$"))
	if centavos {
		a, err := money.ParseReais(text)
		return a / 100, err == nil && a > 0 && !strings.ContainsAny(text, ".,")
	}
	comma, point := strings.LastIndex(text, ","), strings.LastIndex(text, ".")
	switch {
	case comma > point:
		a, err := money.ParseBrazilian(text)
		return a, err == nil && a > 0
	case comma >= 0:
		if strings.Count(text, ".") > 1 || !grouped(text[:point], ",") {
			return 0, false
		}
		text = strings.ReplaceAll(text, ",", "")
	case strings.Count(text, ".") > 1, point >= 0 && len(text)-point == 4: // 1.234 is a thousand or one and a bit: nobody knows
		return 0, false
	}
	a, err := money.ParseReais(text)
	return a, err == nil && a > 0
}

// grouped reports whether a whole number's thousands are set apart rightly, or not at all.
func grouped(whole, by string) bool {
	parts := strings.Split(whole, by)
	for _, p := range parts[1:] {
		if len(p) != 3 {
			return false
		}
	}
	return len(parts) == 1 || len(parts[0]) <= 3
}

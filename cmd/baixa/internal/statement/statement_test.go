package statement

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/internal/money"
)

func line(n int, id string, s Status, centavos int64, at string) Line {
	a := money.Amount(centavos)
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	return Line{Number: n, IDs: []string{id}, Status: s, Amount: &a, At: &t}
}

// The same two charges in every shape that banks and providers export.
func TestRead_shapes(t *testing.T) {
	want := []Line{line(2, "abc", Paid, 123456, "2026-11-20T14:03:00-03:00"), line(3, "def", Refunded, 1990, "2026-11-21T00:00:00-03:00")}
	want[1].Day = true
	latin := "C\xf3digo;Valor (R$);Situa\xe7\xe3o;Data\r\nabc;1.234,56;Conclu\xedda;20/11/2026 14:03\r\ndef;R$ 19,90;estornado;21/11/2026\r\n"
	for name, text := range map[string]string{
		"windows-1252, semicolons, decimal commas": latin,
		"UTF-8 with a mark, tabs":                  "\xef\xbb\xbfid\tvalor\tstatus\tdata\nabc\t1234,56\tPAGO\t20/11/2026 14:03:00\ndef\t19,9\tdevolvido\t21/11/2026\n",
		"English, commas":                          "id,amount,status,paid_at\nabc,\"1,234.56\",paid,2026-11-20T14:03:00-03:00\ndef,19.90,refunded,2026-11-21\n\n",
		"a thousand in a quoted field":             "status,id,amount,date\napproved,abc,\"1.234,56\",2026-11-20 14:03\nchargeback,def,19.9,2026-11-21\n",
	} {
		got, problems, err := Read(strings.NewReader(text), Options{})
		if err != nil || problems != nil {
			t.Errorf("%s: %v %v", name, problems, err)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What Excel makes of a statement: UTF-16 with its mark, a first line for itself, old line ends, ids kept as texts, spaces that do not break,
// accents of their own.
func TestRead_spreadsheets(t *testing.T) {
	plainText := "id\tvalor\tsituação\n0123\tR$\u00a01.234,56\tpago\n"
	wide := func(mark string, high, low int) string {
		out := []byte(mark)
		for _, u := range utf16.Encode([]rune(plainText)) {
			pair := [2]byte{}
			pair[high], pair[low] = byte(u>>8), byte(u)
			out = append(out, pair[:]...)
		}
		return string(out)
	}
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"UTF-16, little end first": {wide("\xff\xfe", 1, 0), 2},
		"UTF-16, big end first":    {wide("\xfe\xff", 0, 1), 2},
		"sep=":                     {"sep=;\r\nid;valor;status\r\n0123;1.234,56;pago\r\n", 3},
		"sep= of a bar, quoted":    {"\"sep=|\"\nid|valor|status\n0123|1234,56|pago\n", 3},
		"carriage returns alone":   {"id;valor;status\r0123;1234,56;pago\r", 2},
		"an id kept as a text":     {"id;valor;status\n=\"0123\";R$\u202f1.234,56;pago\n", 2},
		"accents of their own":     {"Co\u0301digo;Valor;Situac\u0327a\u0303o\n0123;1.234,56;Conclui\u0301da\n", 2},
	} {
		got, problems, err := Read(strings.NewReader(c.text), Options{})
		if err != nil || problems != nil || len(got) != 1 || got[0].IDs[0] != "0123" || *got[0].Amount != 123456 || got[0].Status != Paid || got[0].Number != c.line {
			t.Errorf("%s: %+v %v %v", name, got, problems, err)
		}
	}
	_, problems, err := Read(strings.NewReader("sep=;\nid;valor\n1,23457E+15;10,00\nok;x\n"), Options{})
	if err != nil || len(problems) != 2 || problems[0].Line != 3 || !strings.Contains(problems[0].Error(), "rounded") || problems[1].Error()[:22] != "line 4, column valor: " {
		t.Errorf("a rounded id: %v %v", problems, err)
	}
}

// What is no CSV is named, and what to do is said in both languages.
func TestRead_otherFiles(t *testing.T) {
	for text, want := range map[string]string{"PK\x03\x04\x14\x00": "xlsx", "\xd0\xcf\x11\xe0\xa1": "xls", "%PDF-1.7\n": "PDF", "OFXHEADER:100\n": "OFX", "<?xml version=": "XML",
		"<!doctype html>": "HTML", "i\x00d\x00;\x00v\x00": "binary"} {
		_, _, err := Read(strings.NewReader(text), Options{})
		var file *FileError
		if !errors.As(err, &file) || !strings.Contains(file.EN, want) || !strings.Contains(file.PT, "salve como CSV") || !strings.Contains(file.EN, "as CSV") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRead_mappedColumnsAndCentavos(t *testing.T) {
	got, problems, err := Read(strings.NewReader("Chave;Líquido\nx;1990\n"), Options{Columns: map[string]string{"id": "chave", "amount": "LIQUIDO"}, Centavos: true})
	if err != nil || problems != nil || len(got) != 1 || *got[0].Amount != 1990 || got[0].Status != Paid || got[0].At != nil {
		t.Errorf("%+v %v %v", got, problems, err)
	}
}

func TestRead_problemsNameLineAndColumnAndNotTheValue(t *testing.T) {
	text := "id;valor;status;data\nsegredo1;1.234;pago;20/11/2026\nsegredo2;-5,00;pago;31/02/2026\n;1,00;quiçá;\nok;1,00;pago\nok;1,00;pago;20/11/2026\n"
	got, problems, err := Read(strings.NewReader(text), Options{})
	var said []string
	for _, p := range problems {
		where, _, _ := strings.Cut(p.Error(), ": ")
		said = append(said, where)
		if pt := p.In("pt-BR"); !strings.HasPrefix(pt, "linha ") || strings.Contains(pt, "expected") || strings.Contains(pt, "%!") {
			t.Errorf("in Portuguese: %s", pt)
		}
		if strings.Contains(p.Error(), "segredo") || strings.Contains(p.Error(), "quiç") {
			t.Errorf("repeats a value: %v", p)
		}
	}
	want := []string{"line 2, column valor", "line 3, column valor", "line 3, column data", "line 4, column id", "line 4, column status", "line 5"}
	if d := cmp.Diff(want, said); d != "" || err != nil || len(got) != 1 || got[0].Number != 6 {
		t.Errorf("%v %v; problems (-want +got):\n%s", got, err, d)
	}
}

func TestRead_whatIsNoStatement(t *testing.T) {
	for text, want := range map[string]string{"": "empty file", "nome;idade\n": "--column id=NAME", "id\n": ""} {
		_, _, err := Read(strings.NewReader(text), Options{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := Read(strings.NewReader("id\n"), Options{Columns: map[string]string{"amount": "x"}}); err == nil || !strings.Contains(err.Error(), `no column "x"`) {
		t.Errorf("%v", err)
	}
	if _, _, err := Read(strings.NewReader("id\n"), Options{Columns: map[string]string{"color": "x"}}); err == nil || !strings.Contains(err.Error(), "expected id, amount, status or at") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("id;valor\nabc;1,00\n"))
	f.Add([]byte("sep=;\r\nid;valor\r\n=\"1\";1,00\r\n"))
	f.Add([]byte("\xff\xfei\x00d\x00\n\x00a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		lines, _, _ := Read(strings.NewReader(string(raw)), Options{})
		for _, l := range lines {
			if len(l.IDs) == 0 || l.Amount != nil && *l.Amount <= 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}

package statement

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// foreign are files that banks and spreadsheets hand out under the name of a statement, by how they begin.
var foreign = []struct{ begin, name string }{
	{"PK\x03\x04", "xlsx/zip"}, {"\xd0\xcf\x11\xe0", "xls"}, {"%PDF", "PDF"}, {"OFXHEADER", "OFX"}, {"<?xml", "XML"}, {"<html", "HTML"}, {"<!DOCTYPE", "HTML"}, {"{\\rtf", "RTF"},
}

// decode is the file's text: UTF-16 where a mark says so (Excel's "Unicode text"), UTF-8 with or without its mark, else Windows-1252, of
// which ISO-8859-1 is the part that texts use. Lines may end as on any system.
func decode(raw []byte) (string, error) {
	for _, f := range foreign {
		if len(raw) >= len(f.begin) && strings.EqualFold(string(raw[:len(f.begin)]), f.begin) {
			return "", fileError("é um arquivo %s, e não CSV: abra e salve como CSV (separado por vírgulas ou ponto e vírgula)",
				"it is a file of the kind %s and no CSV: open it and save it as CSV", f.name)
		}
	}
	text := ""
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		text = wide(raw[2:], binary.LittleEndian)
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		text = wide(raw[2:], binary.BigEndian)
	default:
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		if utf8.Valid(raw) {
			text = string(raw)
		} else {
			text = windows1252(raw)
		}
	}
	if strings.ContainsRune(text, 0) {
		return "", fileError("esperava um texto em UTF-8, UTF-16 com marca ou Windows-1252, e o arquivo é binário: salve como CSV UTF-8",
			"expected text in UTF-8, UTF-16 with its mark or Windows-1252, found a binary file: save it as CSV UTF-8")
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, nil
}

// wide is UTF-16. Half of a character is a replacement character.
func wide(raw []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units))
}

func windows1252(raw []byte) string {
	const high = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"
	table := []rune(high)
	var b strings.Builder
	for _, c := range raw {
		if c >= 0x80 && c < 0xa0 {
			b.WriteRune(table[c-0x80])
		} else {
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}

// announced is the separator of Excel's own first line, "sep=;", and how many bytes that line has; 0 when there is none.
func announced(text string) (separator rune, length int) {
	m := excelSeparator.FindStringSubmatch(text)
	if m == nil {
		return 0, 0
	}
	return rune(m[1][0]), len(m[0])
}

var (
	excelSeparator = regexp.MustCompile(`^(?i)"?sep=([;,\t|])"?\r?\n`)
	// Excel shows a long number so and writes it so: what it was is gone.
	rounded = regexp.MustCompile(`^\d[.,]?\d*[eE]\+\d+$`)
	// A formula that Excel writes to keep a text from becoming a number.
	kept = regexp.MustCompile(`^="(.*)"$`)
)

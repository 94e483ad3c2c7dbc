package eventlog_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/baixapay/baixa/internal/eventlog"
)

func TestParseCursor_readsWhatStringWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := eventlog.Cursor{
			XID: rapid.Uint64Range(0, math.MaxInt64).Draw(t, "xid"),
			Seq: rapid.Int64Range(0, math.MaxInt64).Draw(t, "seq"),
		}
		got, err := eventlog.ParseCursor(c.String())
		if err != nil || got != c {
			t.Fatalf("ParseCursor(%q) = %v, %v", c.String(), got, err)
		}
	})
}

func TestParseCursor_emptyIsTheBeginning(t *testing.T) {
	for _, text := range []string{"", "0-0"} {
		c, err := eventlog.ParseCursor(text)
		if err != nil || c != (eventlog.Cursor{}) {
			t.Errorf("ParseCursor(%q) = %v, %v", text, c, err)
		}
	}
}

func TestParseCursor_namesTheForm(t *testing.T) {
	for _, text := range []string{
		"12", "-", "1-", "-1", "1-2-3", "a-b", "1--2", "+1-2", " 1-2", "1-2 ", "0x1-2",
		"18446744073709551616-1", "18446744073709551615-1", "1-9223372036854775808", strings.Repeat("9", 5000),
	} {
		_, err := eventlog.ParseCursor(text)
		if err == nil {
			t.Errorf("ParseCursor(%.40q) succeeded", text)
			continue
		}
		if !strings.Contains(err.Error(), `"1234-56"`) || len(err.Error()) > 200 {
			t.Errorf("ParseCursor(%.40q): %q does not name the form in short", text, err)
		}
	}
}

func TestCursor_compare(t *testing.T) {
	order := []eventlog.Cursor{{}, {XID: 0, Seq: 1}, {XID: 9, Seq: 0}, {XID: 9, Seq: 5}, {XID: 10, Seq: 1}, {XID: math.MaxInt64, Seq: 0}}
	for i, a := range order {
		for j, b := range order {
			if got := a.Compare(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%s.Compare(%s) = %d", a, b, got)
			}
		}
	}
}

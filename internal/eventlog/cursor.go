package eventlog

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var channelName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Cursor is a place in a log: the last row that was seen. The zero Cursor is the beginning. Cursors of one server compare;
// followers keep them as text and do not look inside.
type Cursor struct {
	XID uint64 // of the transaction that wrote the row
	Seq int64  // of the row
}

// ParseCursor reads what String wrote; the empty text is the beginning, too.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	left, right, found := strings.Cut(text, "-")
	xid, err1 := strconv.ParseUint(left, 10, 64)
	seq, err2 := strconv.ParseUint(right, 10, 63)
	if !found || err1 != nil || err2 != nil || xid > math.MaxInt64 {
		return Cursor{}, fmt.Errorf("cursor %.40q: expected two decimal numbers as in \"1234-56\"", text)
	}
	return Cursor{XID: xid, Seq: int64(seq)}, nil
}

// String is the opaque text that ParseCursor reads: "1234-56".
func (c Cursor) String() string {
	return strconv.FormatUint(c.XID, 10) + "-" + strconv.FormatInt(c.Seq, 10)
}

// Compare is negative when c lies before d, zero when they are the same place, positive when c lies after d.
func (c Cursor) Compare(d Cursor) int {
	return cmp.Or(cmp.Compare(c.XID, d.XID), cmp.Compare(c.Seq, d.Seq))
}

package pg

import (
	"encoding/binary"
	"time"
)

// FirstID is before every UUID of version 7 that was made at an instant or later: they begin with their millisecond, so that what was recorded in
// a time is a range of the index by id, whatever its own dates say.
func FirstID(at time.Time) (id [16]byte) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	return id
}

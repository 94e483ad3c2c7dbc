package provider

import (
	"strconv"
	"strings"
	"time"
)

// Brasilia is the zone of local times that providers write without one. It has had no summer time since 2019.
var Brasilia = time.FixedZone("BRT", -3*60*60)

var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-07",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", "02/01/2006 15:04:05", "2006-01-02 15:04",
}

// ReadTime reads a provider's time: with zone, or local to Brasília, or Unix seconds or milliseconds. Absent, zero
// ("0000-00-00 00:00:00") and unreadable times are nil; a time decides nothing. The result is UTC.
func ReadTime(text string) *time.Time {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasPrefix(text, "0000") || strings.HasPrefix(text, "0001") {
		return nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		var at time.Time
		switch len(text) {
		case 10:
			at = time.Unix(n, 0).UTC()
		case 13:
			at = time.UnixMilli(n).UTC()
		default:
			return nil
		}
		return &at
	}
	for _, layout := range layouts {
		if at, err := time.ParseInLocation(layout, text, Brasilia); err == nil {
			at = at.UTC()
			return &at
		}
	}
	return nil
}

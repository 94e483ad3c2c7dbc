package provider

import (
	"strconv"
	"strings"
	"time"
)

// Brasilia is the zone of local times that providers write without one. It has had no summer time since 2019.
var Brasilia = time.FixedZone("BRT", -3*60*60)

var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05-07", "2006-01-02T15:04:05-07",
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
	if at, ok := plainTime(text); ok {
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

// plainTime reads what nearly every provider writes, 2026-11-23 09:00:00 with T or a space, decimals or none, and a zone
// or none, without trying the layouts one after the other.
func plainTime(text string) (time.Time, bool) {
	const form = "0000-00-00 00:00:00"
	if len(text) < len(form) {
		return time.Time{}, false
	}
	for i := range len(form) {
		c := text[i]
		if digit := c >= '0' && c <= '9'; digit != (form[i] == '0') || !digit && c != form[i] && (i != 10 || c != 'T') {
			return time.Time{}, false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	year, month, day, hour, minute, second := two(0)*100+two(2), two(5), two(8), two(11), two(14), two(17)
	rest := text[len(form):]
	nano, unit := 0, 100_000_000
	if strings.HasPrefix(rest, ".") {
		i := 1
		for ; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; i++ {
			nano += int(rest[i]-'0') * unit
			unit /= 10
		}
		if i == 1 {
			return time.Time{}, false
		}
		rest = rest[i:]
	}
	zone := Brasilia
	switch rest {
	case "", "-03:00", "-0300", "-03":
	case "Z", "+00:00", "+0000", "+00":
		zone = time.UTC
	default:
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, nano, zone)
	if at.Month() != time.Month(month) || at.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return at.UTC(), true
}

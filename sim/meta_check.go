package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkEvents validates a request's events (facts §4.1). Any bad one fails
// all of them, as at Meta.
func checkEvents(raw []json.RawMessage, now time.Time) ([]Event, *metaError) {
	if len(raw) == 0 {
		return nil, invalid("No Events", "The parameter data must hold at least one event.")
	}
	if len(raw) > 1000 {
		return nil, invalid("Too Many Events", "At most 1000 events may be sent in one request.")
	}
	out := make([]Event, 0, len(raw))
	for i, r := range raw {
		e, err := checkEvent(r, now)
		if err != nil {
			err.user = "data[" + strconv.Itoa(i) + "]: " + err.user
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

type eventIn struct {
	Name   string                     `json:"event_name"`
	Time   json.RawMessage            `json:"event_time"`
	ID     string                     `json:"event_id"`
	Source string                     `json:"action_source"`
	URL    string                     `json:"event_source_url"`
	User   map[string]json.RawMessage `json:"user_data"`
	Custom map[string]json.RawMessage `json:"custom_data"`
}

func checkEvent(raw json.RawMessage, now time.Time) (Event, *metaError) {
	var in eventIn
	if err := json.Unmarshal(raw, &in); err != nil {
		return Event{}, invalid("Invalid Event", "An event must be an object with fields of the documented types.")
	}
	if in.Name == "" {
		return Event{}, invalid("Missing Event Name", "event_name is required.")
	}
	secs, err := strconv.ParseInt(string(in.Time), 10, 64)
	if err != nil {
		return Event{}, invalid("Missing Event Time", "event_time is required, in Unix seconds.")
	}
	at := time.Unix(secs, 0).UTC()
	switch {
	case now.Sub(at) > 7*24*time.Hour:
		return Event{}, invalid("Event Timestamp Too Old",
			"The timestamp for this event is too far in the past. Events need to be sent from your server within 7 days of when they occurred.")
	case at.Sub(now) > time.Minute:
		return Event{}, invalid("Event Timestamp In The Future", "event_time must be in Unix seconds and not in the future.")
	}
	sources := []string{
		"email", "website", "app", "phone_call", "chat", "physical_store", "system_generated", "business_messaging", "other",
	}
	if !slices.Contains(sources, in.Source) {
		return Event{}, invalid("Invalid Action Source", "action_source is required and must be one of the documented values.")
	}
	e := Event{
		Name: in.Name, ID: in.ID, Source: "server", Time: at, ActionSource: in.Source, URL: in.URL,
		UserData: field(raw, "user_data"), CustomData: field(raw, "custom_data"),
	}
	if in.Source == "website" {
		if in.URL == "" {
			return Event{}, invalid("Missing Source URL", "event_source_url is required for website events.")
		}
		if text(in.User["client_user_agent"]) == "" {
			return Event{}, invalid("Missing User Agent", "client_user_agent is required for website events.")
		}
	}
	if merr := checkUser(in.User, now, &e); merr != nil {
		return Event{}, merr
	}
	e.Currency = text(in.Custom["currency"])
	e.Value = string(in.Custom["value"])
	if in.Name == "Purchase" {
		if !currencyCode(e.Currency) {
			return Event{}, invalid("Missing Currency", "Purchase events need an ISO 4217 currency.")
		}
		if v, err := strconv.ParseFloat(e.Value, 64); err != nil || v < 0 {
			return Event{}, invalid("Missing Value", "Purchase events need a value that is a number.")
		}
	}
	return e, nil
}

// checkUser applies the hashing rules and refuses user_data that is too broad
// to match a person.
func checkUser(user map[string]json.RawMessage, now time.Time, e *Event) *metaError {
	if len(user) == 0 {
		return invalid("Missing User Data", "user_data needs at least one customer information parameter.")
	}
	broad := true
	for k, raw := range user {
		vals := texts(raw)
		switch k {
		case "em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country":
			for _, v := range vals {
				if !hashed(v) {
					return invalid("Unhashed Customer Information", k+" must be hashed with SHA-256 (64 lower-case hexadecimal characters).")
				}
			}
			if len(vals) == 0 {
				return invalid("Invalid Customer Information", k+" must be a text or a list of texts.")
			}
		case "client_ip_address":
			if _, err := netip.ParseAddr(text(raw)); err != nil {
				return invalid("Invalid IP Address", "client_ip_address must be a valid IPv4 or IPv6 address.")
			}
		case "fbp":
			if !fbpForm(text(raw)) {
				e.Warnings = append(e.Warnings, "fbp is not of the form fb.1.<ms>.<number>")
			}
		case "fbc":
			if ms, ok := fbcForm(text(raw)); !ok {
				e.Warnings = append(e.Warnings, "fbc is not of the form fb.1.<ms>.<fbclid>")
			} else if created := time.UnixMilli(ms); created.After(now.Add(time.Minute)) || now.Sub(created) > 90*24*time.Hour {
				e.Warnings = append(e.Warnings, "fbc has a creationTime in the future or older than 90 days")
			}
		case "client_user_agent", "external_id", "subscription_id", "lead_id", "fb_login_id":
		default:
			e.Warnings = append(e.Warnings, "unknown user_data key "+k)
		}
		switch k {
		case "ct", "st", "zp", "country", "ge", "db", "client_user_agent":
		default:
			broad = false
		}
	}
	if broad {
		return invalid("Customer Information Too Broad", "These customer information parameters together are too broad to match a person.")
	}
	slices.Sort(e.Warnings)
	return nil
}

func field(raw json.RawMessage, name string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return bytes.Clone(m[name])
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// texts reads a text or a list of texts; nil for anything else.
func texts(raw json.RawMessage) []string {
	if s := text(raw); s != "" {
		return []string{s}
	}
	var l []string
	if json.Unmarshal(raw, &l) != nil {
		return nil
	}
	return l
}

func hashed(v string) bool {
	if len(v) != 64 {
		return false
	}
	return strings.Trim(v, hexDigits) == ""
}

func currencyCode(c string) bool {
	return regexp.MustCompile(`^[A-Z]{3}$`).MatchString(c)
}

// fbpForm: fb.<subdomain index>.<ms>.<digits>.
func fbpForm(v string) bool {
	p := strings.Split(v, ".")
	return len(p) == 4 && p[0] == "fb" && digits(p[1]) && len(p[2]) == 13 && digits(p[2]) && digits(p[3])
}

// fbcForm: fb.<subdomain index>.<ms>.<fbclid>, the click id in its own case.
func fbcForm(v string) (ms int64, ok bool) {
	p := strings.SplitN(v, ".", 4)
	if len(p) != 4 || p[0] != "fb" || !digits(p[1]) || len(p[2]) != 13 || p[3] == "" {
		return 0, false
	}
	ms, err := strconv.ParseInt(p[2], 10, 64)
	return ms, err == nil
}

// String is for test failures: "Purchase purchase_1 (server)".
func (e Event) String() string {
	d := ""
	if e.Duplicate {
		d = ", duplicate"
	}
	return fmt.Sprintf("%s %s (%s%s)", e.Name, e.ID, e.Source, d)
}

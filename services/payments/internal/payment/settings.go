package payment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings is everything that can be configured about how sales are decided and looked at.
type Settings struct {
	Policy
	Poll PollPolicy
}

// DefaultSettings are the settings of a provider where nobody configured anything.
func DefaultSettings(provider string) Settings {
	return Settings{Policy: StandardPolicy(), Poll: DefaultPolicy(provider)}
}

// Setting is one field of Settings by its name.
type Setting struct {
	Name string
	// Kind is "duration", "durations", "number", "count", "yes_no" or "late".
	Kind string
	// Meaning is English, without a full stop.
	Meaning string
	// Polls is true for the fields of the polling schedule.
	Polls bool
	get   func(*Settings) string
	set   func(*Settings, string) error
}

// Names of settings that others refer to.
const settingMinInterval = "min_interval"

// SettingNames lists every setting in the order in which it is shown.
func SettingNames() []Setting { return slices.Clone(settings) }

// FindSetting returns the setting of a name.
func FindSetting(name string) (Setting, bool) {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return settings[i], true
}

// Value is the setting in its canonical text.
func (f Setting) Value(s Settings) string { return f.get(&s) }

// Set reads text into the setting; a text that cannot be read is a *FieldError and changes nothing. Whether the settings make sense
// together is Validate's question.
func (f Setting) Set(s *Settings, text string) error {
	if err := f.set(s, strings.TrimSpace(text)); err != nil {
		return &FieldError{Field: f.Name, Problem: err.Error()}
	}
	return nil
}

var settings = []Setting{
	{Name: "late", Kind: "late", Meaning: "money that arrives after the end: deliver, hold or ask",
		get: func(s *Settings) string {
			if s.Late == "" {
				return string(LateDeliver)
			}
			return string(s.Late)
		},
		set: func(s *Settings, text string) error {
			switch l := LatePolicy(text); l {
			case LateDeliver, LateHold, LateAsk:
				s.Late = l
				return nil
			}
			return fmt.Errorf("%q is none of deliver, hold, ask", text)
		}},
	span("grace", "granted after the QR code's end before our clock expires the sale", false, func(s *Settings) *time.Duration { return &s.Grace }),
	{Name: "assumed_qr_life", Kind: "duration", Meaning: "the life of a QR code whose provider names no end", Polls: true,
		get: func(s *Settings) string { return Span(s.AssumedQRLife) },
		set: func(s *Settings, text string) error {
			d, err := ParseSpan(text)
			if err == nil {
				s.AssumedQRLife, s.Poll.AssumedQRLife = d, d
			}
			return err
		}},
	span("blind_grace", "how long after the grace our clock waits for a look at a provider that cannot be asked", false, func(s *Settings) *time.Duration { return &s.BlindGrace }),
	span("second_read_after", "least time between the two agreeing reads that an unsafe paid needs", false, func(s *Settings) *time.Duration { return &s.SecondReadAfter }),
	{Name: "require_end_to_end", Kind: "yes_no", Meaning: "nothing is delivered without the end-to-end id",
		get: func(s *Settings) string { return strconv.FormatBool(s.RequireEndToEnd) },
		set: func(s *Settings, text string) error {
			b, err := strconv.ParseBool(text)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", text)
			}
			s.RequireEndToEnd = b
			return nil
		}},
	span("end_to_end_patience", "how long a missing end-to-end id is borne before a person is asked", false, func(s *Settings) *time.Duration { return &s.EndToEndPatience }),
	span(settingMinInterval, "two looks at one sale are never closer", true, func(s *Settings) *time.Duration { return &s.Poll.MinInterval }),
	span("first_look", "first look after the sale was made", true, func(s *Settings) *time.Duration { return &s.Poll.FirstLook }),
	span("dense_for", "how long looks are dense", true, func(s *Settings) *time.Duration { return &s.Poll.DenseFor }),
	span("dense_every", "distance of dense looks", true, func(s *Settings) *time.Duration { return &s.Poll.DenseEvery }),
	span("young_for", "how long a sale is young", true, func(s *Settings) *time.Duration { return &s.Poll.YoungFor }),
	span("young_every", "distance of looks at a young sale", true, func(s *Settings) *time.Duration { return &s.Poll.YoungEvery }),
	number("open_growth", "until the QR code's end looks are this share of the age apart", func(s *Settings) *float64 { return &s.Poll.OpenGrowth }),
	span("open_max", "largest distance of looks before the QR code's end", true, func(s *Settings) *time.Duration { return &s.Poll.OpenMax }),
	{Name: "late_looks", Kind: "durations", Meaning: "looks for late money after the QR code's end, ascending, separated by commas", Polls: true,
		get: func(s *Settings) string {
			words := make([]string, len(s.Poll.LateLooks))
			for i, d := range s.Poll.LateLooks {
				words[i] = Span(d)
			}
			return strings.Join(words, ",")
		},
		set: func(s *Settings, text string) error {
			var out []time.Duration
			for word := range strings.SplitSeq(text, ",") {
				d, err := ParseSpan(strings.TrimSpace(word))
				if err != nil {
					return err
				}
				out = append(out, d)
			}
			s.Poll.LateLooks = out
			return nil
		}},
	number("rare_growth", "after those looks are this share of the time since the QR code's end apart", func(s *Settings) *float64 { return &s.Poll.RareGrowth }),
	span("rare_min", "least distance of rare looks", true, func(s *Settings) *time.Duration { return &s.Poll.RareMin }),
	span("rare_max", "largest distance of rare looks", true, func(s *Settings) *time.Duration { return &s.Poll.RareMax }),
	span("horizon", "age at which a sale is looked at last", true, func(s *Settings) *time.Duration { return &s.Poll.Horizon }),
	span("watch_paid_for", "how long paid sales are watched for refunds without a webhook, 0s is off", true, func(s *Settings) *time.Duration { return &s.Poll.WatchPaidFor }),
	span("watch_disputed_for", "how long disputed sales are watched, 0s is off", true, func(s *Settings) *time.Duration { return &s.Poll.WatchDisputedFor }),
	span("watch_disputed_every", "distance of looks at a disputed sale", true, func(s *Settings) *time.Duration { return &s.Poll.WatchDisputedEvery }),
	span("hint_for", "how long after a hint looks stay dense", true, func(s *Settings) *time.Duration { return &s.Poll.HintFor }),
	span("failure_min", "least distance of looks that get no answer", true, func(s *Settings) *time.Duration { return &s.Poll.FailureMin }),
	span("failure_max", "largest distance of looks at a young sale that get no answer", true, func(s *Settings) *time.Duration { return &s.Poll.FailureMax }),
	{Name: "final_tries", Kind: "count", Meaning: "looks without an answer that end a sale beyond its horizon", Polls: true,
		get: func(s *Settings) string { return strconv.Itoa(s.Poll.FinalTries) },
		set: func(s *Settings, text string) error {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is no whole number", text)
			}
			s.Poll.FinalTries = n
			return nil
		}},
}

func span(name, meaning string, polls bool, at func(*Settings) *time.Duration) Setting {
	return Setting{Name: name, Kind: "duration", Meaning: meaning, Polls: polls,
		get: func(s *Settings) string { return Span(*at(s)) },
		set: func(s *Settings, text string) error {
			d, err := ParseSpan(text)
			if err == nil {
				*at(s) = d
			}
			return err
		}}
}

func number(name, meaning string, at func(*Settings) *float64) Setting {
	return Setting{Name: name, Kind: "number", Meaning: meaning, Polls: true,
		get: func(s *Settings) string { return strconv.FormatFloat(*at(s), 'g', -1, 64) },
		set: func(s *Settings, text string) error {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("%q is no number such as 0.2", text)
			}
			*at(s) = v
			return nil
		}}
}

// Span writes a duration shortly: "90s" is "1m30s", and whole days are "3d".
func Span(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// ParseSpan reads what Span writes and what Go prints: 10s, 5m, 1h30m, 3d.
func ParseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time such as 30s, 5m, 1h30m or 3d", text)
	}
	return d, nil
}

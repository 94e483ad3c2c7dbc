package sale

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/pg"
)

// maxTracking is the most bytes kept of each value, as the contract says.
const maxTracking = 1024

// Tracking is where a sale came from, word for word. Every field may be empty, which means "not known"; nothing is invented
// for it, and nothing odd in it may stop a delivery. It is stored as JSON.
type Tracking struct {
	UTMSource       string `json:"utm_source,omitempty"`
	UTMMedium       string `json:"utm_medium,omitempty"`
	UTMCampaign     string `json:"utm_campaign,omitempty"`
	UTMTerm         string `json:"utm_term,omitempty"`
	UTMContent      string `json:"utm_content,omitempty"`
	CampaignCode    string `json:"campaign_code,omitempty"`
	FBCLID          string `json:"fbclid,omitempty"` // Meta's click id; its case matters
	FBP             string `json:"fbp,omitempty"`    // Meta's browser cookie
	FBC             string `json:"fbc,omitempty"`    // Meta's click cookie
	ClickTimeMS     int64  `json:"click_time_ms,omitempty"`
	PageViewEventID string `json:"pageview_event_id,omitempty"`
	ClientIP        string `json:"client_ip,omitempty"`
	ClientUserAgent string `json:"client_user_agent,omitempty"`
	EventSourceURL  string `json:"event_source_url,omitempty"`
	TrackingToken   string `json:"tracking_token,omitempty"`
	Src             string `json:"src,omitempty"`
	Sck             string `json:"sck,omitempty"`
}

// Clipped returns t fit to be stored: each value cut to 1024 bytes at a character's edge, NUL bytes (which PostgreSQL cannot
// hold) taken out.
func (t Tracking) Clipped() Tracking {
	for _, s := range []*string{
		&t.UTMSource, &t.UTMMedium, &t.UTMCampaign, &t.UTMTerm, &t.UTMContent, &t.CampaignCode, &t.FBCLID, &t.FBP, &t.FBC,
		&t.PageViewEventID, &t.ClientIP, &t.ClientUserAgent, &t.EventSourceURL, &t.TrackingToken, &t.Src, &t.Sck,
	} {
		*s = pg.Clip(*s, maxTracking)
	}
	return t
}

var (
	fbpForm = regexp.MustCompile(`^fb\.\d{1,2}\.\d{10,16}\.[0-9A-Za-z_-]{1,64}$`)
	fbcForm = regexp.MustCompile(`^fb\.\d{1,2}\.\d{10,16}\.[0-9A-Za-z._-]{1,900}$`)
	clickID = regexp.MustCompile(`^[0-9A-Za-z._-]{1,900}$`)
	eventID = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,100}$`)
)

// ValidFBP reports whether s has the documented form of Meta's browser cookie, fb.1.<milliseconds>.<random>.
func ValidFBP(s string) bool { return fbpForm.MatchString(s) }

// ValidFBC reports whether s has the documented form of Meta's click cookie, fb.1.<milliseconds>.<fbclid>.
func ValidFBC(s string) bool { return fbcForm.MatchString(s) }

// BrowserCookie is the _fbp value to report: the one captured with the click, else the one that the opening browser shows,
// else empty. Values of another form are not passed on.
func (t Tracking) BrowserCookie(shown string) string { return firstOf(ValidFBP, t.FBP, shown) }

// ClickCookie is the _fbc value to report: the captured cookie unmodified; else one built as fb.1.<click time>.<fbclid>, the
// fbclid in its own case; else what the opening browser shows; else empty. Without a click time, or with one after now, none
// is built, since Meta refuses an invented creation time.
// https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/fbp-and-fbc
func (t Tracking) ClickCookie(shown string, now time.Time) string {
	built := ""
	if clickID.MatchString(t.FBCLID) && t.ClickTimeMS > 0 && t.ClickTimeMS <= now.UnixMilli() {
		built = "fb.1." + strconv.FormatInt(t.ClickTimeMS, 10) + "." + t.FBCLID
	}
	return firstOf(ValidFBC, t.FBC, built, shown)
}

// PageViewID is the id of the click's PageView when it can serve as the Purchase's id, else empty. Ids that look like our own
// fallback, purchase_<payment id>, are refused: they could be another sale's.
func (t Tracking) PageViewID() string {
	if !eventID.MatchString(t.PageViewEventID) || strings.HasPrefix(t.PageViewEventID, "purchase_") {
		return ""
	}
	return t.PageViewEventID
}

func firstOf(valid func(string) bool, candidates ...string) string {
	for _, c := range candidates {
		if valid(c) {
			return c
		}
	}
	return ""
}

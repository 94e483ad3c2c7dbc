package click

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/pg"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	maxQuery = 16 << 10 // of a query that is read; the rest is left
	maxPairs = 200
	maxValue = 1024 // of one value, as the contract of Tracking says
)

// capture fills c with what the request says, word for word. What is too long is cut and named in Clipped; a click id of Meta's that is
// too long is left out instead, for a part of it is another one.
func capture(c *store.Click, r *http.Request, link store.ClickLink, from netip.Addr, landed string) {
	note := func(name string) {
		if !slices.Contains(c.Clipped, name) {
			c.Clipped = append(c.Clipped, name)
		}
	}
	query, whole := readQuery(r.URL.RawQuery)
	if !whole {
		note("query")
	}
	text := func(name, value string) string {
		out := pg.Clip(value, maxValue)
		if len(out) < len(value) {
			note(name)
		}
		return out
	}
	exact := func(name, value string) string {
		if pg.Clip(value, maxValue) != value {
			note(name)
			return ""
		}
		return value
	}
	t := &typev1.Tracking{
		UtmSource: text("utm_source", query["utm_source"]), UtmMedium: text("utm_medium", query["utm_medium"]),
		UtmCampaign: text("utm_campaign", query["utm_campaign"]), UtmTerm: text("utm_term", query["utm_term"]),
		UtmContent: text("utm_content", query["utm_content"]), Src: text("src", query["src"]), Sck: text("sck", query["sck"]),
		Fbclid: exact("fbclid", query["fbclid"]), Fbp: exact("fbp", cookie(r, "_fbp")), Fbc: exact("fbc", cookie(r, "_fbc")),
		CampaignCode: link.Campaign, ClickTimeMs: c.ClickedAt.UnixMilli(), PageviewEventId: c.ID.String(),
		ClientUserAgent: text("user_agent", r.UserAgent()), EventSourceUrl: landed, TrackingToken: c.Token,
	}
	// Meta's cookie belongs to an earlier ad when the address names another click: then it is built anew from this one.
	if t.Fbclid != "" && !strings.HasSuffix(t.Fbc, "."+t.Fbclid) {
		t.Fbc = ""
	}
	if from.IsValid() {
		t.ClientIp = from.String()
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(t)
	if err != nil { // texts were made UTF-8
		raw = []byte(`{}`)
	}
	c.Tracking, c.FBCLID, c.Referrer = raw, t.Fbclid, text("referrer", r.Referer())
}

// readQuery reads as much of a query as can be read; of a name that comes twice the first that says something counts. whole is false
// when something was left.
func readQuery(raw string) (values map[string]string, whole bool) {
	values, whole = map[string]string{}, true
	if len(raw) > maxQuery {
		raw, whole = raw[:maxQuery], false
		raw = raw[:max(0, strings.LastIndexByte(raw, '&'))] // no half value
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name == "" {
			continue
		}
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value // as it stands: a program wrote it wrong, and it may still be recognised
		}
		if len(values) >= maxPairs {
			return values, false
		}
		if values[name] == "" {
			values[name] = plain
		}
	}
	return values, whole
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

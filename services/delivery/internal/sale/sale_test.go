package sale_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/baixapay/baixa/services/delivery/internal/sale"
)

func TestParseMerchantID(t *testing.T) {
	const text = "01930000-0000-7000-8000-0000000000ab"
	id, err := sale.ParseMerchantID(strings.ToUpper(text))
	if err != nil || id.String() != text {
		t.Errorf("ParseMerchantID = %v, %v; want %s", id, err, text)
	}
	for _, bad := range []string{"", "1", "{" + text + "}", "urn:uuid:" + text, strings.ReplaceAll(text, "-", ""),
		"00000000-0000-0000-0000-000000000000", text[:35] + "g"} {
		if _, err := sale.ParseMerchantID(bad); !errors.Is(err, sale.ErrBadID) {
			t.Errorf("ParseMerchantID(%q) error = %v, want ErrBadID", bad, err)
		}
	}
}

func TestTracking_ClickCookie(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000)
	const captured, shown = "fb.1.1780000000001.Captured", "fb.1.1780000000002.Shown"
	for name, c := range map[string]struct {
		in    sale.Tracking
		shown string
		want  string
	}{
		"captured goes unmodified": {sale.Tracking{FBC: captured, FBCLID: "Other", ClickTimeMS: 1_780_000_000_000}, shown, captured},
		"built, case kept":         {sale.Tracking{FBCLID: "IwAR0_aBc-D", ClickTimeMS: 1_780_000_000_000}, shown, "fb.1.1780000000000.IwAR0_aBc-D"},
		"no click time":            {sale.Tracking{FBCLID: "IwAR0"}, "", ""},
		"click after now":          {sale.Tracking{FBCLID: "IwAR0", ClickTimeMS: 1_790_000_000_001}, "", ""},
		"odd click id":             {sale.Tracking{FBCLID: "a b;c", ClickTimeMS: 1_780_000_000_000}, "", ""},
		"the browser's":            {sale.Tracking{}, shown, shown},
		"odd captured":             {sale.Tracking{FBC: "fb.x"}, shown, shown},
		"nothing":                  {sale.Tracking{}, "nonsense", ""},
	} {
		if got := c.in.ClickCookie(c.shown, now); got != c.want {
			t.Errorf("%s: ClickCookie = %q, want %q", name, got, c.want)
		}
	}
}

func TestTracking_BrowserCookie(t *testing.T) {
	const captured, shown = "fb.1.1780000000000.123456789", "fb.1.1780000000009.987654321"
	for _, c := range []struct{ captured, shown, want string }{
		{captured, shown, captured}, {"", shown, shown}, {"fb.1.x", shown, shown}, {"", "<script>", ""},
	} {
		if got := (sale.Tracking{FBP: c.captured}).BrowserCookie(c.shown); got != c.want {
			t.Errorf("BrowserCookie of %q and %q = %q, want %q", c.captured, c.shown, got, c.want)
		}
	}
}

func TestTracking_PageViewID(t *testing.T) {
	for in, want := range map[string]string{
		"pageview_9f": "pageview_9f", "": "", "has space": "", "purchase_x": "", strings.Repeat("a", 101): "", `a"b`: "",
	} {
		if got := (sale.Tracking{PageViewEventID: in}).PageViewID(); got != want {
			t.Errorf("PageViewID of %q = %q, want %q", in, got, want)
		}
	}
}

func TestTracking_Clipped(t *testing.T) {
	got := sale.Tracking{UTMSource: strings.Repeat("é", 1000), Sck: "a\x00b", FBCLID: "ok\xff"}.Clipped()
	if len(got.UTMSource) > 1024 || len(got.UTMSource) < 1023 || !utf8.ValidString(got.UTMSource) {
		t.Errorf("clipped value has %d bytes, valid UTF-8 %v; want about 1024, valid", len(got.UTMSource), utf8.ValidString(got.UTMSource))
	}
	if got.Sck != "ab" || got.FBCLID != "ok" {
		t.Errorf("clipped to %q and %q; want NUL and broken bytes taken out", got.Sck, got.FBCLID)
	}
}

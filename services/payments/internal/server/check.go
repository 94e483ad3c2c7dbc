package server

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

const (
	maxText     = 1024
	maxCentavos = 100_000_000_000 // R$ 1 billion: whoever sells for more has mistyped
)

func checkAmount(f *rpcerr.Fields, m *typev1.Money) money.Amount {
	f.Require(m != nil, "amount", "the price, such as {\"centavos\": 1990}")
	if m == nil {
		return 0
	}
	f.Require(m.GetCentavos() > 0, "amount.centavos", "a whole number above zero")
	f.Require(m.GetCentavos() <= maxCentavos, "amount.centavos", "at most 100000000000 (R$ 1 billion)")
	f.Require(m.GetCurrency() == "" || m.GetCurrency() == money.BRL, "amount.currency", "BRL or empty; PIX has no other currency")
	return money.Amount(m.GetCentavos())
}

func checkProduct(f *rpcerr.Fields, p *paymentsv1.Product) {
	f.Require(p.GetName() != "", "product.name", "what is sold")
	checkText(f, "product.name", p.GetName(), 300)
	checkText(f, "product.contact_text", p.GetContactText(), maxText)
	checkFile(f, p)
	if p.GetAccessUrl() != "" {
		u, err := url.Parse(p.GetAccessUrl())
		f.Require(err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" || u.Scheme == "tg"), "product.access_url", "a whole https:// address")
		checkText(f, "product.access_url", p.GetAccessUrl(), 2048)
	}
}

// units are a duration's, as the notifier and the database have them.
var units = map[paymentsv1.DurationUnit]string{
	paymentsv1.DurationUnit_DURATION_UNIT_HOURS: "hours", paymentsv1.DurationUnit_DURATION_UNIT_DAYS: "days", paymentsv1.DurationUnit_DURATION_UNIT_WEEKS: "weeks",
	paymentsv1.DurationUnit_DURATION_UNIT_MONTHS: "months", paymentsv1.DurationUnit_DURATION_UNIT_FOREVER: "forever",
}

// checkGroup checks membership of a group: what is wrong here would only be found when somebody has paid.
func checkGroup(f *rpcerr.Fields, p *paymentsv1.Product, b *paymentsv1.Buyer) {
	g := p.GetGroup()
	if g == nil {
		return
	}
	f.Require(g.GetChatId() < 0 && g.GetChatId() > -(1<<52), "product.group.chat_id", "a group's or channel's id: a negative number such as -1001234567890")
	f.Require(units[g.GetDurationUnit()] != "", "product.group.duration_unit", "DURATION_UNIT_HOURS, _DAYS, _WEEKS, _MONTHS or _FOREVER")
	if g.GetDurationUnit() == paymentsv1.DurationUnit_DURATION_UNIT_FOREVER {
		f.Require(g.GetDurationValue() == 0, "product.group.duration_value", "0 with DURATION_UNIT_FOREVER")
	} else {
		f.Require(g.GetDurationValue() >= 1 && g.GetDurationValue() <= 1000, "product.group.duration_value", "1 to 1000")
	}
	f.Require(p.GetAccessUrl() == "" && p.GetFileUrl() == "", "product.group", "no access_url and no file_url beside it: the access is the group's invite link")
	f.Require(b.GetTelegramId() > 0, "buyer.telegram_id", "the buyer's Telegram id, a positive number: a group lets nobody else in")
}

// group is what is kept of it; nil for none.
func group(g *paymentsv1.GroupAccess) *store.Group {
	if g == nil {
		return nil
	}
	return &store.Group{ChatID: g.GetChatId(), Unit: units[g.GetDurationUnit()], Value: g.GetDurationValue()}
}

// groupMessage is group's way back.
func groupMessage(g *store.Group) *paymentsv1.GroupAccess {
	if g == nil {
		return nil
	}
	out := &paymentsv1.GroupAccess{ChatId: g.ChatID, DurationValue: g.Value}
	for unit, text := range units {
		if text == g.Unit {
			out.DurationUnit = unit
		}
	}
	return out
}

// checkFile checks an address that will be signed: delivery adds its own parameters to it and refuses what is odd.
func checkFile(f *rpcerr.Fields, p *paymentsv1.Product) {
	address := p.GetFileUrl()
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	whole := err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && len(address) <= 2048 && !strings.ContainsAny(address, "\x00\r\n\t \"<>#")
	own := false
	if whole {
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			name, err := url.QueryUnescape(pair)
			own = own || err != nil || strings.HasPrefix(strings.ToLower(name), "baixa_")
		}
	}
	f.Require(whole && !own, "product.file_url", "a whole https:// address of at most 2048 bytes, without user, fragment and parameters that begin with baixa_")
	f.Require(p.GetAccessUrl() == "", "product.file_url", "no access_url beside it")
}

func checkBuyer(f *rpcerr.Fields, b *paymentsv1.Buyer) {
	f.Require(b.GetTelegramId() > -(1<<52) && b.GetTelegramId() < 1<<52, "buyer.telegram_id", "a Telegram chat id")
	checkText(f, "buyer.name", b.GetName(), 300)
	checkText(f, "buyer.email", b.GetEmail(), 300)
	checkText(f, "buyer.phone", b.GetPhone(), 300)
	document := b.GetDocument()
	f.Require(document == "" || (len(document) == 11 || len(document) == 14) && strings.Trim(document, "0123456789") == "", "buyer.document", "the digits of a CPF (11) or CNPJ (14), or nothing")
}

// checkSeller checks who sells, and with what.
func checkSeller(f *rpcerr.Fields, bot, account string) payment.AccountID {
	id, err := payment.ParseAccountID(account)
	f.Require(err == nil, "account_id", "a UUID as PutAccount returns it")
	f.Require(strings.TrimSpace(bot) != "", "bot_id", "the selling bot, by our id or its external id")
	checkText(f, "bot_id", bot, 100)
	return id
}

func checkText(f *rpcerr.Fields, path, text string, most int) {
	f.Require(len(text) <= most, path, fmt.Sprintf("at most %d bytes", most))
	f.Require(utf8.ValidString(text) && !strings.ContainsRune(text, 0), path, "UTF-8 text without zero bytes")
}

// tracking keeps what can be kept: it never blocks a sale, so what is too long is cut and what is no text is dropped.
func tracking(t *typev1.Tracking) (raw json.RawMessage, campaign string) {
	if t == nil {
		return json.RawMessage(`{}`), ""
	}
	t = proto.Clone(t).(*typev1.Tracking)
	for _, field := range []*string{&t.UtmSource, &t.UtmMedium, &t.UtmCampaign, &t.UtmTerm, &t.UtmContent, &t.CampaignCode, &t.Fbclid, &t.Fbp,
		&t.Fbc, &t.PageviewEventId, &t.ClientIp, &t.ClientUserAgent, &t.EventSourceUrl, &t.TrackingToken, &t.Src, &t.Sck} {
		*field = clean(*field, maxText)
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(t)
	if err != nil {
		return json.RawMessage(`{}`), ""
	}
	campaign = t.GetCampaignCode()
	if campaign == "" {
		campaign = t.GetUtmCampaign()
	}
	return raw, clean(campaign, 200)
}

func clean(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// fingerprint tells a repeated request from another one under the same key. The buyer's document must not be in m: of a hash of
// it, with all the rest known, it could be found by trying.
func fingerprint(m proto.Message) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		raw = []byte(m.ProtoReflect().Descriptor().FullName()) // a decoded message always encodes
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

func checkCreated(f *rpcerr.Fields, at, now time.Time) {
	f.Require(!at.After(now.Add(5*time.Minute)), "created_at", "a moment that has passed")
	f.Require(at.After(time.Date(2020, 11, 1, 0, 0, 0, 0, time.UTC)), "created_at", "a moment since PIX exists (November 2020)")
}

package purchase

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/delivery/internal/store"
)

// MaxAge is how old an event may be; Meta rejects older ones, and with them the whole request.
// https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event
const MaxAge = 7 * 24 * time.Hour

// dedupWindow is how long Meta swallows a repeated event id (48 h), with an hour left for clocks and queues.
const dedupWindow = 47 * time.Hour

// request is the body of a POST to /{version}/{pixel}/events. The token stands here and not in the URL, since URLs end in logs.
type request struct {
	Data          []event `json:"data"`
	AccessToken   string  `json:"access_token"`
	TestEventCode string  `json:"test_event_code,omitempty"`
}

type event struct {
	Name         string     `json:"event_name"`
	Time         int64      `json:"event_time"` // Unix seconds
	ID           string     `json:"event_id"`
	ActionSource string     `json:"action_source"`
	SourceURL    string     `json:"event_source_url,omitempty"`
	User         userData   `json:"user_data"`
	Custom       customData `json:"custom_data"`
}

// userData: em, ph and external_id hashed, the rest never.
type userData struct {
	Email           []string `json:"em,omitempty"`
	Phone           []string `json:"ph,omitempty"`
	ExternalID      []string `json:"external_id,omitempty"`
	ClientIP        string   `json:"client_ip_address,omitempty"`
	ClientUserAgent string   `json:"client_user_agent,omitempty"`
	FBC             string   `json:"fbc,omitempty"`
	FBP             string   `json:"fbp,omitempty"`
}

type customData struct {
	Currency     string      `json:"currency"`
	Value        json.Number `json:"value"`
	OrderID      string      `json:"order_id"`
	ContentName  string      `json:"content_name,omitempty"`
	ContentType  string      `json:"content_type"`
	NumItems     int         `json:"num_items"`
	UTMSource    string      `json:"utm_source,omitempty"`
	UTMMedium    string      `json:"utm_medium,omitempty"`
	UTMCampaign  string      `json:"utm_campaign,omitempty"`
	UTMTerm      string      `json:"utm_term,omitempty"`
	UTMContent   string      `json:"utm_content,omitempty"`
	CampaignCode string      `json:"campaign_code,omitempty"`
}

// encode makes the body of one sale's Purchase. One sale a request: an event that Meta refuses takes no other with it.
func encode(c *store.Claim, sourceURL, token string) ([]byte, error) {
	e := event{
		Name: "Purchase", Time: c.EventTime.Unix(), ID: c.EventID, ActionSource: "website", SourceURL: sourceURL,
		User: userData{
			Email: list(c.EmailHash), Phone: list(c.PhoneHash), ExternalID: list(c.ExternalID),
			ClientIP: ClientIP(c.ClientIP), ClientUserAgent: c.ClientUserAgent, FBC: c.FBC, FBP: c.FBP,
		},
		Custom: customData{
			Currency: money.BRL, Value: json.Number(c.Value.Reais()), OrderID: c.Payment.String(),
			ContentName: c.ProductName, ContentType: "product", NumItems: 1,
			UTMSource: c.Tracking.UTMSource, UTMMedium: c.Tracking.UTMMedium, UTMCampaign: c.Tracking.UTMCampaign,
			UTMTerm: c.Tracking.UTMTerm, UTMContent: c.Tracking.UTMContent, CampaignCode: c.Tracking.CampaignCode,
		},
	}
	if c.ClientUserAgent == "" {
		// Nobody opened the page and the click's browser is not known. Meta takes website events with a browser only, and an
		// invented one would be worse than none: the sale was made in a chat.
		e.ActionSource, e.SourceURL = "chat", ""
	}
	body, err := json.Marshal(request{Data: []event{e}, AccessToken: token, TestEventCode: c.Pixel.TestEventCode})
	if err != nil {
		return nil, fmt.Errorf("encode purchase of payment %s: %w", c.Payment, err)
	}
	return body, nil
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

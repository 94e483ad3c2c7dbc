// Package visitor tells who comes to the pages that buyers see: from which address, whether a person or a program, in which
// language, and whether the address has guessed too often; and it serves them pages that give nothing away.
//
// It refuses to know what the pages are about, and to believe a header of anybody but a trusted proxy.
package visitor

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
)

// machines are parts of User-Agents, in lower case, of programs that fetch links without a person: previews of messengers and
// networks, search engines, HTTP libraries. The browsers inside Telegram ("Telegram-Android/…"), Instagram or Facebook ("FBAV/…") are
// people, and so are phones of the brand Cubot: whole product names only.
var machines = []string{
	"telegrambot", "whatsapp/", "facebookexternalhit", "facebookcatalog", "facebot", "meta-externalagent", "meta-externalfetcher",
	"twitterbot", "linkedinbot", "slackbot", "slack-imgproxy", "discordbot", "skypeuripreview", "microsoftpreview", "viberbot",
	"vkshare", "pinterestbot", "redditbot", "embedly", "iframely", "mattermost", "signal-link", "snapchat url preview",
	"googlebot", "googleother", "google-inspectiontool", "google-extended", "google-read-aloud", "adsbot-google", "mediapartners-google",
	"apis-google", "feedfetcher", "google-safety", "googleimageproxy", "google web preview", "bingbot", "bingpreview", "adidxbot",
	"applebot", "duckduckbot", "yandex.com/bots", "yandexbot", "baiduspider", "petalbot", "bytespider", "semrushbot", "ahrefsbot",
	"mj12bot", "dotbot", "gptbot", "chatgpt-user", "oai-searchbot", "claudebot", "ccbot", "amazonbot", "headlesspreview", "virustotal",
	"safebrowsing", "urlscan", "curl/", "wget/", "python-", "aiohttp/", "go-http-client", "java/", "okhttp/", "node-fetch", "axios/", "libwww-perl",
	"apache-httpclient", "php/", "guzzlehttp", "ruby", "scrapy",
	// What crawlers of any name write.
	"+http://", "+https://", "crawler", "spider;", "spider/", "link preview", "linkpreview", "url preview",
}

// IsMachine reports whether no person reads the answer: HEAD, a known program, or one that does not say what it is.
func IsMachine(r *http.Request) bool {
	agent := strings.ToLower(strings.TrimSpace(r.UserAgent()))
	if r.Method == http.MethodHead || agent == "" {
		return true
	}
	for _, m := range machines {
		if strings.Contains(agent, m) {
			return true
		}
	}
	return false
}

// IsPrefetch reports whether a browser asks before its person does: prefetch, prerender, preview tiles.
func IsPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(r.Header.Get(name))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}

// Nonce is for one page's content security policy.
func Nonce() string {
	var b [18]byte
	rand.Read(b[:]) // never fails: it stops the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

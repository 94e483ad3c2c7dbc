package page

import (
	"net/http"
	"strings"
)

// machines are parts of User-Agents, in lower case, of programs that fetch links without a person: previews of messengers and
// networks, search engines, HTTP libraries. The browsers inside Telegram ("Telegram-Android/…"), Instagram or Facebook
// ("FBAV/…") are people, and so are phones of the brand Cubot: whole product names only.
var machines = []string{
	"telegrambot", "whatsapp/", "facebookexternalhit", "facebookcatalog", "facebot", "meta-externalagent", "meta-externalfetcher",
	"twitterbot", "linkedinbot", "slackbot", "slack-imgproxy", "discordbot", "skypeuripreview", "microsoftpreview", "viberbot",
	"vkshare", "pinterestbot", "redditbot", "embedly", "iframely", "mattermost", "signal-link", "snapchat url preview",
	"googlebot", "googleother", "google-inspectiontool", "google-extended", "google-read-aloud", "adsbot-google", "mediapartners-google",
	"apis-google", "feedfetcher", "google-safety", "googleimageproxy", "google web preview", "bingbot", "bingpreview", "adidxbot",
	"applebot", "duckduckbot", "yandex.com/bots", "yandexbot", "baiduspider", "petalbot", "bytespider", "semrushbot", "ahrefsbot",
	"mj12bot", "dotbot", "gptbot", "chatgpt-user", "oai-searchbot", "claudebot", "ccbot", "amazonbot", "headlesspreview",
	"virustotal", "safebrowsing", "urlscan", "curl/", "wget/", "python-", "aiohttp/", "go-http-client", "java/", "okhttp/",
	"node-fetch", "axios/", "libwww-perl", "apache-httpclient", "php/", "guzzlehttp", "ruby", "scrapy",
}

// crawlerMarks are what crawlers of any name write into their User-Agent.
var crawlerMarks = []string{"+http://", "+https://", "crawler", "spider;", "spider/", "link preview", "linkpreview", "url preview"}

// isMachine reports whether no person reads the answer: a known program, or none at all that names itself.
func isMachine(agent string) bool {
	agent = strings.ToLower(strings.TrimSpace(agent))
	if agent == "" {
		return true
	}
	for _, m := range machines {
		if strings.Contains(agent, m) {
			return true
		}
	}
	for _, m := range crawlerMarks {
		if strings.Contains(agent, m) {
			return true
		}
	}
	return false
}

// isPrefetch reports whether a browser asks before its person does (prefetch, prerender, preview tiles).
func isPrefetch(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(h.Get(name))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}

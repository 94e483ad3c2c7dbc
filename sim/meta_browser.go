package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// tr is where a browser's pixel reports: id, ev, eid, dl, cd[…], ud[…], in the
// query or as a form, answered with a dot.
func (m *meta) tr(w http.ResponseWriter, r *http.Request) {
	defer m.w.bump()
	fx := m.w.faults.onSubject(TargetMeta, "tr", r.URL.Query().Get("id"), "")
	if fx.any {
		m.count.add(metaFaults)
		if fx.intercept(w, r, m.w.ctx, func(int) []byte { return nil }) {
			return
		}
	}
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if f, perr := url.ParseQuery(string(body)); err == nil && perr == nil {
			for k, v := range f {
				q[k] = v
			}
		}
	}
	m.browser(q)
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
}

// browser records a pixel's event. A browser hears of no error: an event
// without pixel or name is counted as rejected and dropped.
func (m *meta) browser(q url.Values) {
	pixel, name := q.Get("id"), q.Get("ev")
	if !digits(pixel) || name == "" {
		m.count.add(metaRejected)
		return
	}
	user, custom := map[string]string{}, map[string]string{}
	for k := range q {
		if in, ok := strings.CutPrefix(k, "ud["); ok {
			user[strings.TrimSuffix(in, "]")] = q.Get(k)
		} else if in, ok := strings.CutPrefix(k, "cd["); ok {
			custom[strings.TrimSuffix(in, "]")] = q.Get(k)
		}
	}
	for _, k := range []string{"fbp", "fbc"} {
		if v := q.Get(k); v != "" {
			user[k] = v
		}
	}
	e := Event{
		Pixel: pixel, Name: name, ID: q.Get("eid"), Source: "browser", Time: m.w.now().UTC(),
		Currency: custom["currency"], Value: custom["value"], ActionSource: "website", URL: q.Get("dl"),
	}
	e.UserData, _ = json.Marshal(user) // maps of texts always marshal
	e.CustomData, _ = json.Marshal(custom)
	if name == "Purchase" && (!currencyCode(e.Currency) || e.Value == "") {
		e.Warnings = append(e.Warnings, "Purchase without currency or value")
	}
	m.record(e)
}

// script is our own stand-in for the pixel's program, for pages opened in a
// real browser against this world: init and track, sent to /meta/tr.
func (m *meta) script(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = io.WriteString(w, pixelScript)
}

const pixelScript = `(function () {
  var pixels = {};
  var base = document.currentScript.src.replace(/fbevents\.js.*$/, "tr");
  function cookie(name) {
    var m = document.cookie.match("(?:^|; )" + name + "=([^;]*)");
    return m ? m[1] : "";
  }
  function send(id, ev, data, opts) {
    var p = new URLSearchParams({ id: id, ev: ev, dl: location.href, v: "2.9.0" });
    if (opts && opts.eventID) p.set("eid", opts.eventID);
    Object.keys(data || {}).forEach(function (k) {
      var v = data[k];
      p.set("cd[" + k + "]", typeof v === "object" ? JSON.stringify(v) : String(v));
    });
    Object.keys(pixels[id]).forEach(function (k) { p.set("ud[" + k + "]", String(pixels[id][k])); });
    ["fbp", "fbc"].forEach(function (k) { var v = cookie("_" + k); if (v) p.set(k, v); });
    new Image().src = base + "?" + p.toString();
  }
  function call(cmd) {
    var a = arguments;
    if (cmd === "init") pixels[a[1]] = a[2] || {};
    if (cmd === "track" || cmd === "trackCustom") Object.keys(pixels).forEach(function (id) { send(id, a[1], a[2], a[3]); });
    if (cmd === "trackSingle") send(a[1], a[2], a[3], a[4]);
  }
  var queued = (window.fbq && window.fbq.queue) || [];
  var fbq = window.fbq || (window.fbq = function () {});
  fbq.callMethod = call;
  if (!window.fbq.loaded) window.fbq = window._fbq = call;
  queued.forEach(function (a) { call.apply(null, a); });
})();
`

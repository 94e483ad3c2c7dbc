package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/baixapay/baixa/e2e/browser"
)

// weakContrast lists texts whose contrast with what is behind them is below WCAG 2.2 AA (4.5 to 1, large text 3 to 1), and what else a
// page of ours must have: one main, one h1, a language, a title, targets of 44 pixels.
const weakContrast = `(() => {
  const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    texts++;
    const s = getComputedStyle(e), [a, b] = [lum(parse(s.color)), lum(behind(e))].sort((x, y) => y - x);
    const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
    const ratio = (a + .05) / (b + .05);
    if (ratio < (large ? 3 : 4.5)) bad.push(ratio.toFixed(2) + " " + text);
  }
  if (!texts) bad.push("there is no text");
  if (document.querySelectorAll("main").length !== 1) bad.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) bad.push("not one h1");
  if (!document.documentElement.lang || !document.title) bad.push("no language or title");
  for (const e of document.querySelectorAll("a, button")) if (e.getBoundingClientRect().height < 44) bad.push("a small target");
  if (document.documentElement.scrollWidth > innerWidth) bad.push("wider than the screen");
  return bad;
})()`

func accessible(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, bad := range browser.Run(p, chromedp.Evaluate[[]string](weakContrast)) {
		t.Errorf("not accessible: %s", bad)
	}
}

// focused goes to the page's button by keyboard and checks that its focus can be seen.
func focused(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Do(chromedp.KeyEvent("\t"))
	got := browser.Run(p, chromedp.Evaluate[string](`(() => { const e = document.activeElement, s = getComputedStyle(e);
		return e.className + " " + s.outlineStyle + " " + s.outlineWidth; })()`))
	if got != "go solid 3px" {
		t.Errorf("after one tab: %q, want the button with its outline", got)
	}
}

package message

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sale = Values{Product: `Curso <b>"A&B"</b>`, Amount: 123456, Link: "https://x.example/delivery/abc?a=1&b=2", Buyer: "Zé"}

func mustParse(t *testing.T, text string) *Template {
	t.Helper()
	p, err := Parse(Delivery, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRender_escapesValuesInHTMLAlone(t *testing.T) {
	got := mustParse(t, `<b>{produto}</b> {valor} <a href="{link}">abrir</a> {nome} &amp; {nome}`).Render(sale)
	want := Text{
		HTML:   `<b>Curso &lt;b&gt;&#34;A&amp;B&#34;&lt;/b&gt;</b> R$ 1.234,56 <a href="https://x.example/delivery/abc?a=1&amp;b=2">abrir</a> Zé &amp; Zé`,
		Plain:  `Curso <b>"A&B"</b> R$ 1.234,56 https://x.example/delivery/abc?a=1&b=2 abrir Zé & Zé`,
		Button: "🔓 Acessar agora", Link: sale.Link,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRender_valuesAreNotReadAgain(t *testing.T) {
	v := sale
	v.Product = "{link} {nome}"
	if got := mustParse(t, "{produto} → {link}").Render(v); got.Plain != "{link} {nome} → "+sale.Link {
		t.Errorf("got %q", got.Plain)
	}
}

func TestRender_defaultsByLanguage(t *testing.T) {
	for lang, words := range map[string][2]string{"": {"Pagamento confirmado", "Acessar"}, "pt-BR": {"Pagamento confirmado", "Acessar"},
		"en": {"Payment confirmed", "Open"}, "fr": {"Pagamento confirmado", "Acessar"}} {
		v := sale
		v.Lang = lang
		got := mustParse(t, " ").Render(v)
		if !strings.Contains(got.HTML, words[0]) || !strings.Contains(got.Button, words[1]) || !strings.Contains(got.Plain, sale.Link) || !strings.Contains(got.Plain, "R$ 1.234,56") {
			t.Errorf("%q: %+v", lang, got)
		}
	}
	nobody := sale
	nobody.Buyer = " "
	if got := mustParse(t, "").Render(nobody); !strings.Contains(got.Plain, "Olá, tudo bem!") {
		t.Errorf("without a name: %q", got.Plain)
	}
}

func TestRender_neverLongerThanTelegramTakes(t *testing.T) {
	v := Values{Product: strings.Repeat("ã", 9000), Link: "https://x.example/" + strings.Repeat("a", 480), Buyer: strings.Repeat("𝔘", 500) + "\xff"}
	for _, text := range []string{"", "{link}{link}{link}", "{link}" + strings.Repeat("{produto}", 200), "{link}" + strings.Repeat("{nome}", 300)} {
		got := (&Template{kind: Delivery, text: text, body: bodyOf(text)}).Render(v) // stored under older rules, perhaps
		if units(got.Plain) > maxText || !strings.Contains(got.Plain, v.Link) || !strings.Contains(got.HTML, v.Link) {
			t.Errorf("%.30q: %d units, %.80q", text, units(got.Plain), got.Plain)
		}
	}
}

func TestParse_namesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"Olá {nome}":                               "{link}",
		"{link} {produt}":                          "unknown placeholder {produt}",
		"{link} {}":                                "unknown placeholder {}",
		"{LINK}":                                   "unknown placeholder {LINK}",
		"{link}{link}{link}{link}":                 "one to three times",
		"{link}" + string([]byte{255}):             "UTF-8",
		"{link}" + strings.Repeat("𝔘", 2048):       "at most 4096",
		"{link}" + strings.Repeat("{produto}", 20): "once it is filled in, expected at most 4096",
		"{link} {preco}":                           "{produto} {product} {valor} {amount} {link} {nome} {name} {bot}",
		"<b>{link}":                                "<b> is not closed",
		"{link}</i>":                               "</i> closes no open tag",
		"<b><i>{link}</b></i>":                     "</b> where </i> was expected",
		"<div>{link}</div>":                        "tag <div>: expected one that Telegram takes",
		"{link} 1 < 2":                             "&lt; for the sign itself",
		"{link}<b{nome}>":                          "tag <b>",
		`<a>{link}</a>`:                            `such as <a href="{link}">`,
		`<a href="{link}" onclick="x">y</a>`:       `such as <a href="{link}">`,
		"{link}\x00":                               "UTF-8",
	} {
		if _, err := Parse(Delivery, text); !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q named", text, err, want)
		}
	}
	for _, text := range []string{"", "{link}", "{ not one } {link} {two words}", "{name} {product} {amount} {link} {bot}",
		`<b>a<i>b</i></b> <A href='{link}'>c</A> <span class="tg-spoiler">d</span> <blockquote expandable>e</blockquote> 3 &gt; 2 & {nome}`} {
		if strings.Contains(text, "<A") {
			text += "{link}"
		}
		if _, err := Parse(Delivery, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCheckLink_webAddressesAlone(t *testing.T) {
	for link, good := range map[string]bool{"https://x.example/delivery/a": true, "http://127.0.0.1:8080/d/a": true, "": false, "javascript:alert(1)": false,
		"tg://resolve?domain=x": false, "/delivery/a": false, "https://": false, "https://x.example/" + strings.Repeat("a", 500): false} {
		if CheckLink(link) != good {
			t.Errorf("%.60q: good is %v", link, !good)
		}
	}
}

func FuzzRender_placeholdersNeverSurviveNorTagsAppear(f *testing.F) {
	f.Add("{produto} <b>{link}</b>", "a<b", "c")
	f.Fuzz(func(t *testing.T, text, product, buyer string) {
		p, err := Parse(Delivery, text)
		if err != nil {
			return
		}
		with := p.Render(Values{Product: product, Link: "https://x.example/l", Buyer: buyer})
		without := p.Render(Values{Product: "P", Link: "https://x.example/l", Buyer: "B"})
		if a, b := strings.Count(with.HTML, "<"), strings.Count(without.HTML, "<"); a != b && with.HTML != "https://x.example/l" && without.HTML != "https://x.example/l" {
			t.Errorf("values brought %d tags into %q", a-b, with.HTML)
		}
		if units(with.Plain) > maxText {
			t.Errorf("%d units", units(with.Plain))
		}
	})
}

func TestRender_everyKindInEveryLanguage(t *testing.T) {
	for _, kind := range Kinds() {
		for _, lang := range []string{Portuguese, English} {
			p, err := Parse(kind, Default(kind, lang))
			if err != nil {
				t.Errorf("the default of %s in %s: %v", kind, lang, err)
				continue
			}
			v := sale
			v.Lang = lang
			got := p.Render(v)
			empty, _ := Parse(kind, "")
			if got != empty.Render(v) || strings.ContainsAny(got.Plain, "{}") || (got.Button != "") != (kind == Delivery) || kind != InReview && !strings.Contains(got.Plain, "R$ 1.234,56") {
				t.Errorf("%s in %s: %+v", kind, lang, got)
			}
		}
		if Optional(string(kind)) != (kind != Delivery) {
			t.Errorf("%s optional: %v", kind, Optional(string(kind)))
		}
	}
	p, err := Parse(AccessRevoked, "{nome}: {link} {bot}")
	if err != nil {
		t.Fatal(err)
	}
	v := sale
	v.Bot = "<Loja>"
	if got := p.Render(v); got.Button == "" || !strings.HasSuffix(got.HTML, "&lt;Loja&gt;") || !strings.HasSuffix(got.Plain, "<Loja>") {
		t.Errorf("a notice with a link: %+v", got)
	}
}

func TestNotice_escapedAndShortened(t *testing.T) {
	if diff := cmp.Diff(Text{HTML: "<b>a &lt; b</b>\n\nc &amp; d", Plain: "a < b\n\nc & d"}, Notice("a < b", "c & d")); diff != "" {
		t.Error(diff)
	}
	if got := Notice("t", ""); got.Plain != "t" || got.HTML != "<b>t</b>" {
		t.Errorf("without a body: %+v", got)
	}
	if got := Notice("t", strings.Repeat("𝔘", 3000)); units(got.Plain) > maxText || units(got.Plain) < maxText-3 {
		t.Errorf("%d units", units(got.Plain))
	}
}

package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

func TestParse_keepsNumbersAndOrder(t *testing.T) {
	doc, err := document.Parse([]byte("\xef\xbb\xbf \n" + `{"b":12345678901234567890.10,"a":["x",{"k\u0065y":"v\n"},null,true,false],"b2":"R$"}` + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Get("b").Text(); got != "12345678901234567890.10" {
		t.Errorf("number: got %q, digits were lost", got)
	}
	if got := doc.Get("a.1.key").Text(); got != "v\n" {
		t.Errorf("escaped key: got %q", got)
	}
	if !doc.Get("a.3").IsTrue() || !doc.Get("a.4").IsFalse() || doc.Get("a.2").Kind() != document.Null || doc.Get("a.2").Present() {
		t.Error("null, true or false were misread")
	}
	var keys []string
	for m := range doc.Children {
		keys = append(keys, m.Key())
	}
	if diff := cmp.Diff([]string{"b", "a", "b2"}, keys); diff != "" {
		t.Errorf("order of keys (-want +got):\n%s", diff)
	}
	for _, path := range []string{"c", "a.9", "a.-1", "a.x", "b.x", "a.1.key.z", "."} {
		if doc.Get(path).Kind() != document.Absent {
			t.Errorf("path %q leads somewhere", path)
		}
	}
}

func TestParse_lastOfEqualKeysWins(t *testing.T) {
	doc, err := document.Parse([]byte(`{"status":"paid","status":"pending"}`))
	if err != nil || doc.Get("status").Text() != "pending" {
		t.Errorf("got %q, %v; want pending", doc.Get("status").Text(), err)
	}
}

func TestParse_names(t *testing.T) {
	for body, want := range map[string]error{
		"": document.ErrEmpty, " \n": document.ErrEmpty, "\xef\xbb\xbf": document.ErrEmpty,
		"<html>": document.ErrHTML, " \xef\xbb\xbf<?xml": document.ErrHTML,
		"Service unavailable": document.ErrText, `{"a":`: document.ErrTruncated, `{"a":"b`: document.ErrTruncated,
		`[1,2`: document.ErrTruncated, `{"a":b}`: document.ErrSyntax, `{} {}`: document.ErrSyntax, `{'a':1}`: document.ErrSyntax,
		"[" + strings.Repeat("0,", document.MaxNodes) + "0]": document.ErrTooLarge,
	} {
		if _, err := document.Parse([]byte(body)); !errors.Is(err, want) {
			t.Errorf("body %.20q: got %v, want %v", body, err, want)
		}
	}
}

func TestSniff_believesTheBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":"A"}`: "A", "id=A": "A", " id=A&x=1": "A", "data[id]=B&id=A": "A", "id=A%26B": "A&B", "x={&id=A": "A",
	} {
		doc, err := document.Sniff([]byte(body))
		if err != nil || doc.Get("id").Text() != want {
			t.Errorf("body %q: got %q, %v; want %q", body, doc.Get("id").Text(), err, want)
		}
	}
	doc, err := document.Sniff([]byte("items[0][hash]=h&data={\"id\":7}&a[b]=1&a=2"))
	if err != nil || doc.Get("items.0.hash").Text() != "h" || doc.Get("data.id").Text() != "7" || doc.Get("a.b").Text() != "1" && doc.Get("a").Text() != "2" {
		t.Errorf("nested form: %s, %v", doc.Raw(), err)
	}
	for body, want := range map[string]error{"": document.ErrEmpty, "<a=b>": document.ErrHTML, "hello": document.ErrText, "a=%zz": document.ErrForm} {
		if _, err := document.Sniff([]byte(body)); !errors.Is(err, want) {
			t.Errorf("body %q: got %v, want %v", body, err, want)
		}
	}
}

// FuzzParse compares every value with what encoding/json reads.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.5e3,"\ud83d\ude00",null,{"":""}],"a":true}`))
	f.Add([]byte(`"\u0000\\"`))
	f.Add([]byte("\"\x97\x8b\""))
	f.Add([]byte("{\"\x9f\":true}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := document.Parse(body)
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if diff := cmp.Diff(want, value(doc)); diff != "" {
			t.Errorf("differs from encoding/json (-want +got):\n%s", diff)
		}
	})
}

func value(v document.Value) any {
	switch v.Kind() {
	case document.Object:
		m := map[string]any{}
		for c := range v.Children {
			m[c.Key()] = value(c)
		}
		return m
	case document.Array:
		s := []any{}
		for c := range v.Children {
			s = append(s, value(c))
		}
		return s
	case document.String:
		return v.Text()
	case document.Number:
		return json.Number(v.Text())
	case document.Bool:
		return v.IsTrue()
	}
	return nil
}

func TestValue_presentAsItsTextSays(t *testing.T) {
	doc, err := document.Parse([]byte(`{"empty":"","spaces":" \t","escaped":"\n \u00a0","wide":"` + "\u00a0\u2003" + `","word":" x ","wrong":"` + "\xff" + `","zero":0,"no":false,"null":null,"list":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for m := range doc.Children {
		got[m.Key()] = m.Present()
		if m.Kind() == document.String && m.Present() != (strings.TrimSpace(m.Text()) != "") {
			t.Errorf("%s: present is %v, its text is %q", m.Key(), m.Present(), m.Text())
		}
	}
	want := map[string]bool{"empty": false, "spaces": false, "escaped": false, "wide": false, "word": true, "wrong": true, "zero": true, "no": true,
		"null": false, "list": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("present (-want +got):\n%s", diff)
	}
	if n := testing.AllocsPerRun(100, func() { doc.Get("word").Present() }); n != 0 {
		t.Errorf("asking whether a text is there made %v allocations", n)
	}
}

func TestValue_stringsInTheirOrder(t *testing.T) {
	doc, err := document.Parse([]byte(`{"a":"1","b":{"c":["2",{"d":"3"}],"n":4},"e":"5"}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{"": {"1", "2", "3", "5"}, "b": {"2", "3"}, "e": {"5"}, "nothing": nil} {
		var got []string
		for v := range doc.Get(path).Strings {
			got = append(got, v.Text())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("strings below %q (-want +got):\n%s", path, diff)
		}
	}
	for v := range doc.Strings {
		if v.Text() != "1" {
			t.Error("the walk goes on after it was ended")
		}
		break
	}
}

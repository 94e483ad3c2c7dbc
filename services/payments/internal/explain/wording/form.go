package wording

import (
	"strconv"
	"strings"
	"time"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

// brasilia is the zone in which times are shown. Brazil has had no daylight saving since 2019.
var brasilia = time.FixedZone("-03", -3*3600)

// format is a value in a form; ok is false when there is none, or none that can be read.
func format(form string, l Lang, value string) (text string, ok bool) {
	if value == "" {
		return "", false
	}
	switch form {
	case "", "provider": // whoever fills the sentence knows how a provider writes itself
		text = Plain(value)
		return text, text != ""
	case "money":
		n, err := strconv.ParseInt(value, 10, 64)
		return money.Amount(n).String(), err == nil
	case "time":
		t, err := time.Parse(time.RFC3339Nano, value)
		return Time(l, t), err == nil
	case "duration":
		d, err := time.ParseDuration(value)
		return Duration(l, d), err == nil
	case "looks", "sales", "webhooks", "messages", "failures", "attempts":
		n, err := strconv.ParseInt(value, 10, 64)
		return counted(form, l, n), err == nil
	}
	words, ok := vocabularies[form]
	if !ok {
		return "", false
	}
	return words.say(l, value), true
}

// Time is a moment in Brasília: "23/11/2026 14:03:10", in English "2026-11-23 14:03:10".
func Time(l Lang, t time.Time) string {
	if l == English {
		return t.In(brasilia).Format("2006-01-02 15:04:05")
	}
	return t.In(brasilia).Format("02/01/2006 15:04:05")
}

// Stamp is a moment as a value of a sentence.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Centavos is an amount as a value of a sentence.
func Centavos(a money.Amount) string { return strconv.FormatInt(int64(a), 10) }

// Count is a number as a value of a sentence.
func Count[N int | int32 | int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// Duration is a length of time in its two largest units: "2 d 3 h", "4 min 5 s", "0 s". Negative lengths read as "0 s".
func Duration(l Lang, d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	var parts []string
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		n := d / unit.of
		d -= n * unit.of
		if n > 0 {
			parts = append(parts, strconv.FormatInt(int64(n), 10)+" "+unit.name)
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}

// counted is a number with its noun.
func counted(noun string, l Lang, n int64) string {
	forms := map[string][2]Sentence{
		"looks":    {{"consulta", "look"}, {"consultas", "looks"}},
		"sales":    {{"venda", "sale"}, {"vendas", "sales"}},
		"webhooks": {{"webhook", "webhook"}, {"webhooks", "webhooks"}},
		"messages": {{"mensagem", "message"}, {"mensagens", "messages"}},
		"attempts": {{"tentativa", "attempt"}, {"tentativas", "attempts"}},
		"failures": {{"tentativa falhou", "attempt failed"}, {"tentativas falharam", "attempts failed"}},
	}[noun]
	form := forms[1]
	if n == 1 {
		form = forms[0]
	}
	return strconv.FormatInt(n, 10) + " " + form.In(l)
}

// words are one vocabulary.
type words map[string]Sentence

// say is a word in a language; a word that is not in the vocabulary stays itself, for a newer service may have written it.
func (w words) say(l Lang, word string) string {
	s, ok := w[word]
	if !ok {
		return Plain(word)
	}
	return s.In(l)
}

// State is a sale's state in words.
func State(l Lang, s payment.State) string { return vocabularies["state"].say(l, s.String()) }

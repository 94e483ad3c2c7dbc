package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
)

var languages = []wording.Lang{wording.Portuguese, wording.English}

// check says a sentence in both languages with its values and finds what is missing.
func check(t *testing.T, name string, s wording.Sentence, v wording.Values) {
	t.Helper()
	if s.PT == "" || s.EN == "" || s.PT == s.EN {
		t.Errorf("%s has no sentence in one language: %+v", name, s)
	}
	for _, l := range languages {
		if got := s.Say(l, v); strings.ContainsAny(got, "{}[]?") {
			t.Errorf("%s in %s lacks a value: %s", name, l.Tag(), got)
		}
	}
}

// sample are values of every name that a sentence of this package may have.
func sample() wording.Values {
	s := begin(&testing.T{}, "atomopay", payment.Created)
	v := wording.Values{"amount": "1", "expected": "2", "got": "3", "before": "4", "state": "expired", "status": "paid", "policy": "ask", "waited": "10m0s",
		"reason": "amount_differs"}
	for _, name := range []string{"from", "until", "since", "qr_end", "expires", "at", "created_at"} {
		v[name] = wording.Stamp(s.now)
	}
	return v.With(wording.Values{"provider": "atomopay", "price": "1990"})
}

func TestKinds_everyKindHasASentence(t *testing.T) {
	for _, m := range payment.Vocabulary() {
		v := wording.Values{"provider": "atomopay", "price": "1990", "created_at": sample()["created_at"], "status": "paid", "outcome": "transient"}
		check(t, string(m.Kind), kinds[m.Kind], v)
	}
	if len(kinds) != len(payment.Vocabulary()) {
		t.Errorf("%d sentences for %d kinds", len(kinds), len(payment.Vocabulary()))
	}
}

// TestWhys_everyKeyHasASentence takes the arguments that the domain's own comments promise: a sentence needs no others.
func TestWhys_everyKeyHasASentence(t *testing.T) {
	promised := map[payment.WhyKey][]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "../payment/why.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	arguments := regexp.MustCompile(`\(([a-z_, ]*)\)`)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && spec.Comment != nil {
			key := payment.WhyKey(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
			promised[key] = nil
			if m := arguments.FindStringSubmatch(spec.Comment.Text()); m != nil {
				promised[key] = strings.Split(m[1], ", ")
			}
		}
		return true
	})
	for _, key := range payment.WhyKeys() {
		args, ok := promised[key]
		if !ok {
			t.Errorf("%s: not found in the source", key)
		}
		v := wording.Values{"provider": "atomopay", "price": "1990"}
		for _, name := range args {
			v[name] = sample()[name]
			if key == payment.WhyOtherCurrency {
				v[name] = "USD"
			}
		}
		check(t, string(key), whys[key], v)
		if amount := v["amount"]; amount != "" && !strings.Contains(whys[key].Say(wording.Portuguese, v), "R$ 0,01") {
			t.Errorf("%s does not tell the amount", key)
		}
	}
	if len(whys) != len(payment.WhyKeys()) {
		t.Errorf("%d sentences for %d keys", len(whys), len(payment.WhyKeys()))
	}
}

func TestServices_known(t *testing.T) {
	for _, m := range payment.Vocabulary() {
		switch s := serviceOf(m.Kind); s {
		case "payments", "gateways", "delivery", "notifier":
		default:
			t.Errorf("%s happens in %q", m.Kind, s)
		}
	}
}

// TestTell_everyStateAndReason tells a sale in every state with every open question and every stand of the message: no story is
// without a summary and an outlook, and none has a hole.
func TestTell_everyStateAndReason(t *testing.T) {
	messages := []string{"", "queued", "sent", "undeliverable", "maybe_sent"}
	for _, l := range languages {
		for _, state := range payment.States() {
			for _, reason := range append(payment.ReviewReasons(), "") {
				for _, message := range messages {
					for _, outcome := range []payment.Outcome{payment.OutcomeNone, payment.OutcomeStatus, payment.OutcomeNotFound, payment.OutcomeTransient,
						payment.OutcomeRateLimited, payment.OutcomeCredential, payment.OutcomeContract, payment.OutcomeInvalidRequest} {
						s := begin(t, "paradise", payment.Registered)
						s.in.Sale.State, s.in.Sale.ReviewReason = state, reason
						s.in.Sale.Message, s.in.Sale.LastOutcome, s.in.Sale.LastPollAt = message, string(outcome), &s.now
						story := s.tell(l)
						all := print(story)
						if story.Summary == "" || story.Next == "" || strings.ContainsAny(all, "{}[]?") {
							t.Fatalf("%s %s %q %q: %s", state, reason, message, outcome, all)
						}
						if s.in.Sale.ReviewOpen() && !strings.Contains(story.Action, s.in.Sale.ID.String()+":review") {
							t.Fatalf("%s %s: nobody is asked to decide: %s", state, reason, story.Action)
						}
					}
				}
			}
		}
	}
}

func TestTell_noSecrets(t *testing.T) {
	const token = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
	secrets := []string{"529.982.247-25", "52998224725", "123456789:" + strings.Repeat("a", 35), "https://loja.example/delivery/" + token, "bxk_" + strings.Repeat("q", 40),
		"Maria Invented", "maria@example.com", "\x1b[31m", "\u202e"}
	for _, secret := range secrets {
		s := begin(t, "atomopay", payment.Registered)
		s.in.Sale.BuyerName, s.in.Sale.BuyerEmail, s.in.Sale.AccessURL = "Maria Invented", "maria@example.com", "https://loja.example/delivery/"+token
		s.after(1).fails(payment.OutcomeContract, "200", "excerpt", secret+" x")
		s.note(payment.NoteAdded, payment.SourceOperator, "note", "n "+secret).note(payment.MessageFailed, payment.SourceNotifier, "reason", secret)
		s.note(payment.PurchaseFailed, payment.SourceDelivery, "reason", secret).note("a_new_kind", payment.SourceSystem)
		if secret == "Maria Invented" || secret == "maria@example.com" {
			s.in.Events = s.in.Events[:1] // what a person wrote into a note is that person's
		}
		all := print(s.tell(wording.Portuguese))
		if strings.Contains(all, secret) || strings.Contains(all, token) {
			t.Errorf("%q is told: %s", secret, all)
		}
	}
}

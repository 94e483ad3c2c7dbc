package gateways

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// factWords is the table of normalised words of the three providers of the origin system (facts, section 1.0): what each word means
// at Átomo, Paradise and PushinPay. "-" means that no source has it there.
const factWords = `
created                                   pending      pending      pending
pending                                   pending      pending      pending
waiting                                   pending      pending      pending
waiting_payment                           pending      pending      pending
awaiting_payment                          pending      pending      pending
gerado                                    pending      pending      pending
processing                                pending      pending      pending
prossessing                               pending      pending      pending
under_review                              -            pending      -
in_review                                 -            pending      -
in_analysis                               -            pending      -
authorized                                pending      -            -
captured                                  pending      -            -
paid                                      paid         paid         paid
approved                                  paid         paid         paid
confirmed                                 paid         paid         paid
completed                                 paid         paid         paid
refused                                   failed       failed       failed
declined                                  failed       failed       failed
rejected                                  failed       failed       failed
antifraud                                 failed       -            -
failed                                    failed       failed       failed
expired                                   expired      expired      expired
canceled                                  cancelled    cancelled    cancelled
cancelled                                 cancelled    cancelled    cancelled
refunded                                  refunded     refunded     refunded
refund                                    refunded     refunded     refunded
reversed                                  refunded     refunded     refunded
chargedback                               charged_back charged_back charged_back
chargeback                                charged_back charged_back charged_back
charge_back                               charged_back charged_back charged_back
MED_CREATED                               disputed     disputed     disputed
MED_APPROVED                              disputed     disputed     disputed
MED_REJECTED                              disputed     disputed     disputed
MED_CANCELLED                             disputed     disputed     disputed
in_protest                                disputed     disputed     disputed
disputed                                  disputed     disputed     disputed
infraction                                disputed     disputed     disputed
success                                   envelope     envelope     unknown
ok                                        envelope     envelope     unknown
error                                     fault        fault        fault
unpaid                                    unknown      unknown      unknown
liquidado                                 unknown      unknown      unknown
`

// factBodies are a webhook and a status answer of each, %s being the word.
var factBodies = []struct{ provider, kind, ref, hook, answer string }{
	{"atomopay", "hash", "tx8h2kq", `{"id":40718225,"hash":"tx8h2kq","payment_status":"%s","amount":1990}`, `{"success":true,"data":{"hash":"tx8h2kq","payment_status":"%s","amount":1990}}`},
	{"paradise", "id", "40718225", `{"transaction_id":40718225,"external_id":"BX1","status":"%s","amount":1990}`, `{"id":"40718225","external_id":"BX1","status":"%s","amount":1990}`},
	{"pushinpay", "id", "9c29870c-9f69-4bb6-90d3-2dce9453bb45", `id=9C29870C-9F69-4BB6-90D3-2DCE9453BB45&status=%s&value=1990`, `{"id":"9c29870c-9f69-4bb6-90d3-2dce9453bb45","status":"%s","value":1990}`},
}

// Every word of the table, as it is and in the other case, in a webhook and in a status answer.
func TestFacts_words(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(factWords)) {
		cells := strings.Fields(line)
		for i, b := range factBodies {
			if want := cells[1+i]; want != "-" {
				for _, word := range []string{cells[0], strings.ToUpper(cells[0]), strings.ToLower(cells[0])} {
					parsed, err := Parse(b.provider, "application/json", nil, fmt.Appendf(nil, b.hook, word))
					if err != nil {
						t.Fatal(err)
					}
					wantWord(t, b.provider+" webhook "+word, parsed, want, true)
					asked, err := ask(t, b.provider, b.kind, b.ref, http.StatusOK, fmt.Sprintf(b.answer, word))
					if err != nil {
						t.Fatal(err)
					}
					wantWord(t, b.provider+" status "+word, asked, want, false)
				}
			}
		}
	}
}

func wantWord(t *testing.T, what string, f Finding, want string, hook bool) {
	t.Helper()
	outcome, status := "status", want
	switch want {
	case "fault":
		outcome, status = "transient", "unknown"
	case "envelope":
		status = "unknown"
		if !hook { // an answer without a status is not understood; a webhook without one still says where to look
			outcome = "contract"
		}
	}
	if f.Outcome != outcome || f.Status != status {
		t.Errorf("%s: %s/%s, want %s/%s", what, f.Outcome, f.Status, outcome, status)
	}
	if outcome == "status" && (f.AmountCentavos == nil || *f.AmountCentavos != 1990) {
		t.Errorf("%s: amount %v, want 1990", what, f.AmountCentavos)
	}
}

// ask performs one status read, by the same door as `baixa gateway try`, of a provider that answers with body.
func ask(t *testing.T, name, kind, ref string, code int, body string, header ...string) (Finding, error) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/auth-token") {
			_, _ = w.Write([]byte(`{"access_token":"t","expires_in":3600}`))
			return
		}
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	defer srv.Close()
	return Try(t.Context(), Trial{Provider: name, BaseURL: srv.URL, Kind: kind, Identifier: ref, Secrets: factSecrets[name]})
}

// factSecrets are of the providers that need more than one.
var factSecrets = map[string]string{
	"atomopay": "t", "paradise": "t", "pushinpay": "t", "wiinpay": "t", "umbrellapag": "t", "orionpay": "t", "aguia": "t",
	"syncpay": "client_id=a\nclient_secret=b", "babylon": "secret_key=a\ncompany_id=b", "bolt": "secret_key=a\ncompany_id=b", "sigilopay": "public_key=a\nsecret_key=b",
}

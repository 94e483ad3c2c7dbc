package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/statement"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
)

var noon = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

func sold(id string, status paymentsv1.PaymentStatus, centavos int64) *paymentsv1.Payment {
	return &paymentsv1.Payment{Id: "sale-" + id, Charge: &paymentsv1.Charge{Id: id, Hash: "H" + id}, Status: status, Amount: &typev1.Money{Centavos: centavos},
		PaidAt: timestamppb.New(noon)}
}

const (
	pending  = paymentsv1.PaymentStatus_PAYMENT_STATUS_PENDING
	paid     = paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID
	refunded = paymentsv1.PaymentStatus_PAYMENT_STATUS_REFUNDED
)

func TestCompare_everyKind(t *testing.T) {
	a := func(n int64) *money.Amount { m := money.Amount(n); return &m }
	lines := []statement.Line{
		{Number: 2, IDs: []string{"ok"}, Status: statement.Paid, Amount: a(1990)},
		{Number: 3, IDs: []string{"HLATE"}, Status: statement.Paid, Amount: a(1990)}, // by hash, in another case
		{Number: 4, IDs: []string{"cheap"}, Status: statement.Paid, Amount: a(1000)},
		{Number: 5, IDs: []string{"ok"}, Status: statement.Paid, Amount: a(1990)},
		{Number: 6, IDs: []string{"stranger"}, Status: statement.Paid},
		{Number: 7, IDs: []string{"stranger"}, Status: statement.Paid},
		{Number: 8, IDs: []string{"nobody"}, Status: statement.Pending},
		{Number: 9, IDs: []string{"back"}, Status: statement.Refunded},
		{Number: 10, IDs: []string{"denied"}, Status: statement.Pending},
		{Number: 11, IDs: []string{"gone"}, Status: statement.Paid}, // refunded here since: it was paid
		{Number: 12, IDs: []string{"ok", "cheap"}, Status: statement.Paid},
		{Number: 13, IDs: []string{"near"}, Status: statement.Paid, Amount: a(1992)},
		{Number: 14, IDs: []string{"noamount"}, Status: statement.Paid}, // absent is not a mismatch
		{Number: 15, IDs: []string{"o"}, Status: statement.Pending},     // a part of an id is no id
	}
	sales := []*paymentsv1.Payment{sold("ok", paid, 1990), sold("late", pending, 1990), sold("cheap", paid, 1990), sold("back", paid, 1990),
		sold("denied", paid, 1990), sold("gone", refunded, 1990), sold("near", paid, 1990), sold("missing", paid, 500), sold("noamount", paid, 7),
		sold("open", pending, 1)}
	before := sold("before", paid, 1)
	before.PaidAt = timestamppb.New(noon.Add(-time.Hour))
	r := Compare(lines, append(sales, before), Options{Tolerance: 2, From: noon, To: noon.Add(time.Hour)})
	got := map[int]Kind{}
	for _, f := range r.Findings {
		got[f.Line] = f.Kind
	}
	want := map[int]Kind{3: PaidThere, 4: AmountDiffers, 5: Double, 6: Unknown, 7: Double, 9: ReversedThere, 10: NotPaidThere, 12: Ambiguous, 0: AbsentThere}
	if d := cmp.Diff(want, got); d != "" || len(r.Findings) != len(want) || r.Agree != 6 || r.Lines != 14 {
		t.Errorf("%+v (-want +got):\n%s", r, d)
	}
	for _, f := range r.Findings {
		if due := f.Kind == PaidThere || f.Kind == AmountDiffers || f.Kind == ReversedThere || f.Kind == NotPaidThere || f.Kind == AbsentThere; f.Due() != due {
			t.Errorf("%s: due %t", f.Kind, f.Due())
		}
		if f.Kind == AbsentThere && f.Charge != "missing" {
			t.Errorf("absent there: %+v", f)
		}
	}
	for format, part := range map[string]string{"table": "14 linhas: 6 conferem, 9 diferenças", "csv": "amount_differs,4,cheap,sale-cheap,paid,paid,1990,1000", "json": `"kind": "double"`} {
		var b strings.Builder
		if err := Write(&b, r, format, "pt-BR"); err != nil || !strings.Contains(b.String(), part) {
			t.Errorf("%s: %v\n%s", format, err, b.String())
		}
	}
}

func TestSpan(t *testing.T) {
	if _, _, ok := Span([]statement.Line{{}}, noon); ok {
		t.Error("a time of nothing")
	}
	later := noon.Add(time.Hour)
	from, to, ok := Span([]statement.Line{{At: &later}, {}, {At: &noon}}, later)
	if !ok || !from.Equal(noon) || !to.Equal(later.Add(time.Microsecond)) {
		t.Error(from, to, ok)
	}
	day := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC) // midnight in Brasília
	if from, to, _ := Span([]statement.Line{{At: &day, Day: true}}, day.AddDate(0, 0, 1)); !from.Equal(day) || !to.Equal(day.AddDate(0, 0, 1)) {
		t.Error("a day that is over counts whole:", from, to)
	}
	if _, to, _ := Span([]statement.Line{{At: &day, Day: true}}, noon); to.After(day.Add(time.Second)) {
		t.Error("what is paid after the export today is not missed in it:", to)
	}
}

func TestListed(t *testing.T) {
	l := Listed(3, &gatewaysv1.Reading{Status: gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, Ref: &gatewaysv1.ChargeRef{Hash: "h", Id: "i"},
		Amount: &typev1.Money{Centavos: 5}, CreatedAt: timestamppb.New(noon.Add(-time.Hour)), PaidAt: timestamppb.New(noon)})
	if l.Number != 3 || l.Status != statement.Paid || *l.Amount != 5 || !l.At.Equal(noon) || cmp.Diff([]string{"i", "h"}, l.IDs) != "" {
		t.Errorf("%+v", l)
	}
	for status, want := range map[gatewaysv1.ChargeStatus]statement.Status{gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN: statement.Pending,
		gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED: statement.Refunded, gatewaysv1.ChargeStatus_CHARGE_STATUS_EXPIRED: statement.Failed} {
		if l := Listed(1, &gatewaysv1.Reading{Status: status}); l.Status != want || l.Amount != nil || l.At != nil || l.IDs != nil {
			t.Errorf("%v: %+v", status, l)
		}
	}
}

func TestWrite_forPeopleAndSpreadsheets(t *testing.T) {
	a := money.Amount(123456)
	r := Result{Lines: 1, Findings: []Finding{{Kind: PaidThere, Line: 2, Charge: "=cmd()\x1b[2J", PaymentID: "p", Here: "pending", There: "paid", AmountWe: &a, AmountTh: &a}}}
	for _, c := range []struct{ format, lang, part string }{
		{"table", "pt-BR", "pago lá, não aqui"}, {"table", "pt-BR", "aguardando"}, {"table", "pt-BR", "R$ 1.234,56"}, {"table", "pt-BR", "1 linha: 0 conferem, 1 diferença\n"},
		{"table", "en", "paid there, not here"}, {"table", "en", "R$ 1,234.56"}, {"table", "en", "1 line: 0 agree, 1 difference\n"},
		{"csv", "pt-BR", "paid_there_not_here,2,'=cmd()"}, // a spreadsheet runs nothing
	} {
		var b strings.Builder
		if err := Write(&b, r, c.format, c.lang); err != nil || !strings.Contains(b.String(), c.part) || c.format == "table" && strings.Contains(b.String(), "\x1b") {
			t.Errorf("%v: %v\n%s", c, err, b.String())
		}
	}
	var b strings.Builder
	if err := Write(&b, Compare(nil, nil, Options{}), "json", "en"); err != nil || !strings.Contains(b.String(), `"findings": []`) {
		t.Errorf("nothing differs: %v\n%s", err, b.String())
	}
}

func TestKinds_haveWords(t *testing.T) {
	for _, k := range []Kind{PaidThere, NotPaidThere, AbsentThere, AmountDiffers, Double, Unknown, Ambiguous, ReversedThere} {
		if w := kinds[k]; w.PT == "" || w.EN == "" || w.PT == w.EN {
			t.Errorf("%s: %v", k, w)
		}
	}
}

// A provider's list is of the charges made in a time: what was made before and paid in it is rightly not there.
func TestCompare_listByCreation(t *testing.T) {
	before, within := sold("before", paid, 1990), sold("within", paid, 1990)
	before.CreatedAt, within.CreatedAt = timestamppb.New(noon.Add(-time.Hour)), timestamppb.New(noon.Add(time.Minute))
	r := Compare(nil, []*paymentsv1.Payment{before, within}, Options{From: noon.Add(-time.Minute), To: noon.Add(time.Hour), ByCreation: true})
	if len(r.Findings) != 1 || r.Findings[0].Kind != AbsentThere || r.Findings[0].PaymentID != "sale-within" {
		t.Errorf("%+v", r.Findings)
	}
}

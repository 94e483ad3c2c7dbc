package reviews

import (
	"strings"
	"testing"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
)

func TestWrite_questionInWordsAndWhatToType(t *testing.T) {
	sale := &paymentsv1.Payment{Id: "0192", Status: paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW, StatusReason: "amount_differs",
		ExternalId: "x\x1b[2J", Amount: &typev1.Money{Centavos: 1990}, PaidAmount: &typev1.Money{Centavos: 1000}}
	for lang, want := range map[string][]string{
		"pt-BR": {"chegou um valor diferente do preço", "0192", "baixa review accept|refuse"},
		"en":    {"another amount than the price arrived", "0192", "baixa review accept|refuse"},
	} {
		var b strings.Builder
		if err := Write(&b, []*paymentsv1.Payment{sale}, lang); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s lacks %q:\n%s", lang, part, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Error("what a merchant wrote steers the terminal")
		}
		b.Reset()
		if err := Write(&b, nil, lang); err != nil || b.Len() == 0 {
			t.Errorf("nothing to review says nothing: %v", err)
		}
	}
	sale.Status = paymentsv1.PaymentStatus_PAYMENT_STATUS_CANCELLED
	if Open(sale) {
		t.Error("a refused sale is open")
	}
	sale.Status = paymentsv1.PaymentStatus_PAYMENT_STATUS_PAID
	if !Open(sale) {
		t.Error("a paid sale with a question is not open")
	}
	if Question("news", "en") != "news" {
		t.Error("an unknown reason is not shown as it is")
	}
}

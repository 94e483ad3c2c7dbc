package provider

import (
	"strings"
	"testing"

	"github.com/baixapay/baixa/services/gateways/internal/document"
)

func TestReadAmount_byUnitAndWriting(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		json string
		want int64
	}{
		{Centavos, `1990`, 1990}, {Centavos, `"1990"`, 1990}, {Centavos, `99`, 99}, {Centavos, `1`, 1}, {Centavos, `0`, 0},
		{Centavos, `"19.90"`, 1990}, {Centavos, `19.9`, 1990}, {Centavos, `"1990.00"`, 199000}, {Centavos, `1000000`, 1000000},
		{Reais, `20`, 2000}, {Reais, `"20"`, 2000}, {Reais, `19.9`, 1990}, {Reais, `"19.90"`, 1990}, {Reais, `0.29`, 29},
		{Reais, `19.899999999999999`, 1990}, {Reais, `19.900000000000002`, 1990}, {Reais, `"19,90"`, 1990}, {Reais, `999`, 99900},
	} {
		got, err := readAmount(parse(t, c.json), c.unit)
		if err != nil || got == nil || int64(*got) != c.want {
			t.Errorf("%s in %s: got %v, %v; want %d", c.json, c.unit, got, err, c.want)
		}
	}
	for _, absent := range []string{`null`, `""`, `"  "`} {
		if got, err := readAmount(parse(t, absent), Centavos); got != nil || err != nil {
			t.Errorf("%s: got %v, %v; want absent", absent, got, err)
		}
	}
	for _, wrong := range []string{`-1`, `"-1"`, `1e3`, `"1.234,56"`, `19.905`, `"R$ 19,90"`, `true`, `{}`, `[1]`, `"abc"`, `99999999999999999999`, `"0x10"`, `"19.9.0"`} {
		for _, unit := range []Unit{Centavos, Reais} {
			if got, err := readAmount(parse(t, wrong), unit); err == nil {
				t.Errorf("%s in %s: got %v, want an error", wrong, unit, got)
			}
		}
	}
}

func parse(t *testing.T, text string) document.Value {
	t.Helper()
	v, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRedactor_excerpt(t *testing.T) {
	red := newRedactor(NewSecret("sk_live_abcdef"))
	text := `{"message":"key sk_live_abcdef of CPF 000.000.001-91, ana@example.com, 11900000000","customer":{"name":"Ana"},"id":40718225,"doc":12345678901,` +
		`"pix":{"qr":"00020126…"},"img":"` + strings.Repeat("A", 5000) + `","status":"paid","payer_name":null,"nested":{"api_token":"zzz"}}`
	got := red.excerpt([]byte(text), parse(t, text))
	want := `{"message":"key [redacted] of CPF [redacted], [redacted], [redacted]","customer":"[redacted]","id":40718225,"doc":"[redacted]",` +
		`"pix":{"qr":"[pix code]"},"img":"[5000 bytes]","status":"paid","payer_name":null,"nested":{"api_token":"[redacted]"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A secret may straddle any border at which text is cut; no half of it may stay.
func TestRedactor_noHalfSecretAtABorder(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz0123456789"
	red := newRedactor(NewSecret(secret))
	for pad := excerptWindow - 2*len(secret); pad < excerptWindow+len(secret); pad++ {
		body := strings.Repeat(" ", pad) + secret + strings.Repeat(" ", 100)
		for _, got := range []string{red.line(body, maxExcerpt), red.excerpt([]byte("x"+body), document.Value{})} {
			if strings.Contains(got, secret[:5]) || strings.Contains(got, secret[len(secret)-5:]) {
				t.Fatalf("with %d bytes before it, half of the secret stays: %q", pad, got)
			}
		}
	}
}

package sim

import (
	"strings"
	"testing"
)

// The central bank's example in the BR Code manual ends in 1D3D.
func TestBRCode_centralBankExample(t *testing.T) {
	got := BRCode{Key: "123e4567-e12b-12d1-a456-426655440000", Name: "Fulano de Tal", City: "BRASILIA"}.String()
	const want = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-426655440000" +
		"5204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
	if got != want {
		t.Fatalf("code\n%s, want\n%s", got, want)
	}
	if err := CheckBRCode(got); err != nil {
		t.Fatal(err)
	}
}

func TestBRCode_checkRefuses(t *testing.T) {
	good := BRCode{URL: "pix.simulador.invalid/qr/v2/1", AmountCentavos: 5, Name: "A", City: "B", TxID: "x1"}.String()
	if err := CheckBRCode(good); err != nil || !strings.Contains(good, "54040.05") {
		t.Fatalf("%s: %v", good, err)
	}
	for _, bad := range []string{
		"", "000201", good[:len(good)-1] + "g", strings.Replace(good, "0.05", "0.06", 1), "x" + good, good + "0", good[:30],
	} {
		if CheckBRCode(bad) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestWorld_uuidForm(t *testing.T) {
	g := start(t, Config{Seed: 4})
	seen := map[string]bool{}
	for range 1000 {
		id := g.w.uuid()
		if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || strings.Count(id, "-") != 4 || seen[id] {
			t.Fatalf("uuid %q", id)
		}
		seen[id] = true
	}
}

package money

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParse_table(t *testing.T) {
	type parser func(string) (Amount, error)
	for _, c := range []struct {
		name  string
		parse parser
		in    string
		want  Amount
		fails bool
	}{
		{"centavos", ParseCentavos, " 99 ", 99, false},
		{"centavos with decimals", ParseCentavos, "19.90", 0, true},
		{"centavos negative", ParseCentavos, "-1", 0, true},
		{"centavos too many", ParseCentavos, "99999999999999999999", 0, true},
		{"reais", ParseReais, "0.29", 29, false},
		{"reais one decimal", ParseReais, "19.9", 1990, false},
		{"reais whole", ParseReais, "999", 99900, false},
		{"reais trailing zeros", ParseReais, "19.9000", 1990, false},
		{"reais three decimals", ParseReais, "19.905", 0, true},
		{"reais exponent", ParseReais, "1e3", 0, true},
		{"reais comma", ParseReais, "19,90", 0, true},
		{"reais empty fraction", ParseReais, "19.", 0, true},
		{"reais overflow", ParseReais, "92233720368547759", 0, true},
		{"reais at the edge", ParseReais, "92233720368547758.07", math.MaxInt64, false},
		{"brazilian", ParseBrazilian, "R$ 1.234,56", 123456, false},
		{"brazilian no groups", ParseBrazilian, "1234,5", 123450, false},
		{"brazilian bad group", ParseBrazilian, "12.34,56", 0, true},
		{"brazilian point as decimal", ParseBrazilian, "19.90", 0, true},
		{"empty", ParseReais, "", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.parse(c.in)
			if (err != nil) != c.fails || got != c.want {
				t.Fatalf("%q: got %d, %v; want %d, fails %v", c.in, got, err, c.want, c.fails)
			}
			if err != nil && !errors.Is(err, ErrSyntax) {
				t.Fatalf("error %v does not wrap ErrSyntax", err)
			}
		})
	}
}

func TestAmount_texts(t *testing.T) {
	for a, want := range map[Amount][2]string{
		0: {"R$ 0,00", "0.00"}, 5: {"R$ 0,05", "0.05"}, 123456: {"R$ 1.234,56", "1234.56"}, -100: {"-R$ 1,00", "-1.00"},
		100000000: {"R$ 1.000.000,00", "1000000.00"}, math.MinInt64: {"-R$ 92.233.720.368.547.758,08", "-92233720368547758.08"},
	} {
		if got := [2]string{a.String(), a.Reais()}; got != want {
			t.Errorf("%d: got %q, want %q", int64(a), got, want)
		}
	}
}

func TestParse_roundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount(rapid.Int64Range(0, math.MaxInt64).Draw(t, "amount"))
		if got, err := ParseReais(a.Reais()); err != nil || got != a {
			t.Fatalf("reais %s: %d, %v", a.Reais(), got, err)
		}
		if got, err := ParseBrazilian(a.String()); err != nil || got != a {
			t.Fatalf("brazilian %s: %d, %v", a, got, err)
		}
	})
}

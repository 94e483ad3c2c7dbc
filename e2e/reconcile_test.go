package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// reconcileStories are about what a provider's statement says of the same sales.
func reconcileStories() []story {
	return []story{{"a statement is compared and settles by looks", statementCompared}, {"statements in every shape", statementShapes},
		{"a provider's own list", listCompared}}
}

// statement writes a file.
func statement(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "extrato.csv")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// found are the kinds of a report in JSON, by the charge or, where the statement has none, by the sale.
func found(t *testing.T, c deployment.Command) map[string]string {
	t.Helper()
	var r struct {
		Findings []struct {
			Kind, Charge string
			Line         int
		}
	}
	if err := json.Unmarshal([]byte(c.Stdout), &r); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s%s", err, c.Stdout, c.Stderr)
	}
	out := map[string]string{}
	for _, f := range r.Findings {
		out[f.Charge] += f.Kind + " "
	}
	return out
}

func statementCompared(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	agrees, pays, cheaper := shop.sell(t, sim.Atomopay), shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(90)}), shop.sell(t, sim.Atomopay)
	for _, s := range []*sale{agrees, cheaper} {
		s.pay(t)
		s.awaitSettled(t, deployment.Within)
	}
	missing, waits := shop.sell(t, sim.Atomopay), shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(90)})
	missing.pay(t)
	missing.awaitSettled(t, deployment.Within)
	for _, s := range []*sale{pays, waits} {
		deployment.Eventually(t, deployment.Within, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 })
	}
	must(t, d.World().Pay(sim.Atomopay, pays.charge)) // and nobody says so
	row := func(id, reais, status string, at time.Time) string {
		return fmt.Sprintf("%s;%s;%s;%s\n", id, reais, status, at.In(time.FixedZone("", -3*3600)).Format("02/01/2006 15:04:05"))
	}
	early, late := time.Now().Add(-2*time.Hour), time.Now().Add(time.Minute)
	text := "\xef\xbb\xbfId;Valor;Situação;Data\n" + row(agrees.charge, "19,90", "pago", early) + row(agrees.charge, "19,90", "pago", early) +
		row(pays.charge, "R$ 19,90", "Pago", late) + row(cheaper.charge, "18,90", "pago", late) + row(waits.charge, "19,90", "pago", late) + row("ninguem1", "5,00", "pago", late)
	path := statement(t, text)
	env, args := shop.as("reconcile", "--provider", "Atomopay", "--statement", path)
	before := pays.history(t) + waits.history(t)
	c := deployment.Run(t, env, append(args, "--format", "json")...)
	shop.look(t, c)
	want := map[string]string{agrees.charge: "double ", pays.charge: "paid_there_not_here ", cheaper.charge: "amount_differs ", waits.charge: "paid_there_not_here ",
		"ninguem1": "unknown_charge ", missing.charge: "paid_here_absent "}
	if got := found(t, c); c.Code != 1 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("code %d, %v, want 1 and %v", c.Code, got, want)
	}
	if after := pays.history(t) + waits.history(t); after != before {
		t.Errorf("comparing changed the sales:%s, was%s", after, before)
	}
	for lang, words := range map[string][]string{
		"pt-BR": {"o que há", "pago lá, não aqui", "pago aqui, falta no extrato", "repetido no extrato", "cobrança sem venda aqui", "R$ 18,90", "6 linhas: 1 confere, 6 diferenças"},
		"en":    {"what", "paid there, not here", "paid here, not in the statement", "R$ 18.90", "6 lines: 1 agrees, 6 differences"},
	} {
		c := deployment.Run(t, env, append(args, "--lang", lang, "--tolerance", "0,05")...)
		for _, w := range words {
			if !strings.Contains(c.Stdout, w) {
				t.Errorf("the table in %s does not say %q:\n%s%s", lang, w, c.Stdout, c.Stderr)
			}
		}
	}
	if c := deployment.Run(t, env, append(args, "--tolerance", "1", "--format", "csv")...); strings.Contains(c.Stdout, "amount_differs") || c.Code != 1 {
		t.Errorf("with a tolerance of a real: code %d\n%s", c.Code, c.Stdout)
	} else if rows, err := csv.NewReader(strings.NewReader(c.Stdout)).ReadAll(); err != nil || len(rows) != 6 || rows[0][0] != "kind" {
		t.Errorf("the report as CSV: %v\n%s", err, c.Stdout)
	}
	c = deployment.Run(t, env, append(args, "--fix")...)
	shop.look(t, c)
	if c.Code != 1 || !strings.Contains(c.Stderr, "O provedor é consultado sobre 4 vendas") {
		t.Errorf("--fix: code %d, %s", c.Code, c.Stderr)
	}
	pays.awaitSettled(t, deployment.Within)
	deployment.Eventually(t, deployment.Within, "the sale that the statement is wrong about was looked at", func() bool { return waits.get(t).GetKnowledge().GetPolls() > 1 })
	waits.checkUntouched(t) // a statement is a hint: the provider was asked, and it is not paid
	shop.checkStatistics(t, 4)
}

func statementShapes(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	s := shop.sell(t, sim.Atomopay)
	s.pay(t)
	s.awaitSettled(t, deployment.Within)
	for name, f := range map[string]struct {
		text string
		code int
		says []string // out and err together
	}{
		"Windows-1252":        {"C\xf3digo;Valor;Situa\xe7\xe3o\r\n" + s.charge + ";19,90;Conclu\xedda\r\n", 0, []string{"1 linha: 1 confere, 0 diferenças"}},
		"commas and points":   {"id,amount,status\n" + s.charge + ",19.90,paid\n", 0, []string{"1 linha: 1 confere"}},
		"empty":               {"", 2, []string{"linha 1", "vazio"}},
		"only a header":       {"id;valor\n", 0, []string{"0 linhas"}},
		"other columns":       {"nome;idade\nAna;7\n", 2, []string{"linha 1", "--column id=NOME", "nome, idade"}},
		"bad lines":           {"id;valor;status\n" + s.charge + ";dezenove;pago\n" + s.charge + ";19,90;quiçá\n" + s.charge + ";19,90\n" + s.charge + ";19,90;pago\n", 2, []string{"linha 2, coluna valor", "linha 3, coluna status", "linha 4: esperava 3 colunas", "3 problemas de leitura", "1 linha: 1 confere"}},
		"not text in the end": {"\x00\x01\x02\x03PK\x03\x04", 2, []string{"o arquivo é binário", "CSV UTF-8"}},
	} {
		env, args := shop.as("reconcile", "--provider", "atomopay", "--statement", statement(t, f.text))
		c := deployment.Run(t, env, args...)
		shop.look(t, c)
		for _, w := range f.says {
			if !strings.Contains(c.Stdout+c.Stderr, w) {
				t.Errorf("%s: does not say %q", name, w)
			}
		}
		if c.Code != f.code || t.Failed() || strings.Contains(c.Stderr, "dezenove") || strings.Contains(c.Stderr, "quiçá") {
			t.Errorf("%s: code %d, want %d\n%s%s", name, c.Code, f.code, c.Stdout, c.Stderr)
		}
	}
	good := statement(t, "id\n")
	for name, f := range map[string]struct{ args, says []string }{
		"a provider that nobody knows": {[]string{"--provider", "pagaqui", "--statement", good}, []string{"pagaqui", "atomopay"}},
		"an account of another":        {[]string{"--provider", "paradise", "--account", shop.accounts[sim.Atomopay].GetId(), "--statement", good}, []string{"atomopay", "paradise"}},
		"a stranger's account":         {[]string{"--provider", "atomopay", "--account", "0190f0aa-0000-7000-8000-000000000000", "--statement", good}, []string{"--account"}},
		"both sources":                 {[]string{"--provider", "atomopay", "--online", "--statement", good}, []string{"--online"}},
		"no source":                    {[]string{"--provider", "atomopay"}, []string{"--statement"}},
		"online without a time":        {[]string{"--provider", "bolt", "--online", "--account", "x"}, []string{"--from"}},
		"times that go back":           {[]string{"--provider", "bolt", "--online", "--account", "x", "--from", "2026-11-02", "--to", "2026-11-01"}, []string{"--to"}},
		"a tolerance that is none":     {[]string{"--provider", "atomopay", "--statement", good, "--tolerance", "-1"}, []string{"--tolerance"}},
		"a provider without a list": {[]string{"--provider", "atomopay", "--online", "--account", shop.accounts[sim.Atomopay].GetId(), "--from", "2026-11-01"},
			[]string{"atomopay"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			env, args := shop.as("reconcile")
			refuses(t, env, append(args, f.args...), f.says)
		})
	}
}

// Bolt lists its charges: what it says is compared without a file.
func listCompared(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	shop.accounts[sim.Bolt] = shop.putAccount(t, sim.Bolt, "")
	pays, waits := shop.register(t, sim.Bolt, sim.Charge{CreatedAt: minutesAgo(90)}), shop.register(t, sim.Bolt, sim.Charge{CreatedAt: minutesAgo(80)})
	stranger := shop.placed(t, sim.Bolt, sim.Charge{Status: sim.Paid, CreatedAt: minutesAgo(70)})
	for _, s := range []*sale{pays, waits} {
		deployment.Eventually(t, deployment.Within, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 }, func() string { return s.history(t) })
	}
	must(t, d.World().Pay(sim.Bolt, pays.charge))
	env, args := shop.as("reconcile", "--provider", "bolt", "--online", "--account", shop.accounts[sim.Bolt].GetId(), "--from", minutesAgo(120).Format(time.RFC3339), "--format", "json")
	c := deployment.Run(t, env, append(args, "--fix")...)
	shop.look(t, c)
	want := map[string]string{pays.charge: "paid_there_not_here ", stranger.ID: "unknown_charge "}
	if got := found(t, c); c.Code != 1 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("code %d, %v, want 1 and %v\n%s", c.Code, got, want, c.Stderr)
	}
	pays.awaitSettled(t, retried)
	if c = deployment.Run(t, env, args...); len(found(t, c)) != 1 {
		t.Errorf("after the look:\n%s%s", c.Stdout, c.Stderr)
	}
	waits.checkUntouched(t)
}

package checkup

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
)

// write rewrites the golden files. What it writes must be read line by line before it is committed.
var write = flag.Bool("write", false, "rewrite the golden files")

// sick is a report with something of everything.
func sick() *paymentsv1.DiagnoseResponse {
	at := func(d time.Duration) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC).Add(d))
	}
	sale := func(id, status, message string, paid *timestamppb.Timestamp) *paymentsv1.SaleLine {
		return &paymentsv1.SaleLine{PaymentId: "0193b5d2-0000-7000-8000-00000000000" + id, ExternalId: "BOT35_" + id, Provider: "atomopay", Status: status,
			Amount: &typev1.Money{Centavos: 123456, Currency: "BRL"}, CreatedAt: at(-time.Hour), PaidAt: paid, HasToken: paid != nil, Message: message}
	}
	return &paymentsv1.DiagnoseResponse{At: at(0),
		Findings: []*paymentsv1.Finding{
			{Severity: "problem", Code: "paid_not_delivered", Text: "2 vendas (R$ 2.469,12) com pagamento confirmado há mais de 2 minutos e sem link de entrega, e este texto passa da linha.",
				Action: "Veja por quê: `baixa explain 0193b5d2`. Se o serviço de entrega estiver fora do ar, ponha-o de pé: as entregas continuam sozinhas."},
			{Severity: "warning", Code: "webhooks_never", Text: "Atomopay: nenhum webhook.", Action: "Configure https://baixa.example/webhook/payment/atomopay"},
			{Severity: "info", Code: "webhooks_parked", Text: "um\x1b[2Jdois", Action: "nada"}},
		LastSales: []*paymentsv1.SaleLine{sale("1", "paid", "sent", at(-time.Minute)), sale("2", "pending", "", nil), sale("3", "a_new_state", "a_new_word", nil)},
		Providers: []*paymentsv1.ProviderLine{{Provider: "atomopay", Total: 2462, Paid: 43, Pending: 2400, NeedsReview: 1, WithToken: 43, Messaged: 42, Polls: 98765, Unanswered: 3},
			{Provider: "paradise", Total: 1, Webhooks: 12, LastWebhookAt: at(-time.Second)}},
		Schedules: []*paymentsv1.ScheduleLine{{Name: "poll atomopay", Cadence: "60s", LastRunAt: at(-time.Second), NextRunAt: at(time.Second), Due: 1, Waiting: 2399, Failing: 3}, {Name: "inbox"}},
		Accounts: []*paymentsv1.AccountLine{{AccountId: "a1", Provider: "atomopay", Label: "default", State: "credential_refused", Breaker: "closed", CallsLastMinute: 60, CallsPerMinute: 60, Trust: &paymentsv1.Trust{Score: 87, Doubted: true}},
			{AccountId: "a2", Provider: "paradise", Label: "loja 2", State: "active", Breaker: "open", CallsLastMinute: 7}},
	}
}

func render(t *testing.T, r *paymentsv1.DiagnoseResponse, lang string, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, lang, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var ours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestWrite_golden(t *testing.T) {
	for name, c := range map[string]struct {
		r     *paymentsv1.DiagnoseResponse
		lang  string
		color bool
	}{
		"sick.pt-BR":    {sick(), "pt-BR", false},
		"sick.en":       {sick(), "en", false},
		"sick.terminal": {sick(), "pt-BR", true},
		"warned.en":     {&paymentsv1.DiagnoseResponse{Healthy: true, At: sick().GetAt(), Findings: sick().GetFindings()[1:2]}, "en", false},
		"well.pt-BR":    {&paymentsv1.DiagnoseResponse{Healthy: true, At: sick().GetAt()}, "", false},
	} {
		got, file := ours.ReplaceAllString(render(t, c.r, c.lang, c.color), ""), filepath.Join("testdata", name+".txt")
		if *write {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWrite_terminalOnlyGetsColour(t *testing.T) {
	if plain := render(t, sick(), "en", false); strings.ContainsRune(plain, 0x1b) {
		t.Error("plain text holds an escape")
	}
	coloured := render(t, sick(), "en", true)
	if !strings.Contains(coloured, "\x1b[") || !strings.Contains(coloured, "╭") {
		t.Error("a terminal gets neither colour nor borders")
	}
	if strings.ContainsRune(ours.ReplaceAllString(coloured, ""), 0x1b) {
		t.Error("an escape of somebody else reaches the terminal")
	}
}

func TestWrite_columnsAreAligned(t *testing.T) {
	var starts []int
	for line := range strings.Lines(render(t, sick(), "pt-BR", false)) {
		if i := strings.Index(line, "atomopay"); strings.HasPrefix(line, "  0193") && i > 0 {
			starts = append(starts, lipgloss.Width(line[:i]))
		}
	}
	if len(starts) != 3 || slices.Max(starts) != slices.Min(starts) {
		t.Errorf("the provider's column begins at %v", starts)
	}
}

func TestWords_complete(t *testing.T) {
	for _, w := range []words{portuguese, english} {
		for name, head := range map[string]struct{ got, want int }{"sales": {len(w.salesHead), 9}, "providers": {len(w.providersHead), 11},
			"schedules": {len(w.schedulesHead), 7}, "accounts": {len(w.accountsHead), 7}} {
			if head.got != head.want {
				t.Errorf("%s has %d column heads, want %d", name, head.got, head.want)
			}
		}
		for n, name := range paymentsv1.PaymentStatus_name {
			if word := strings.ToLower(strings.TrimPrefix(name, "PAYMENT_STATUS_")); n != 0 && w.status[word] == "" {
				t.Errorf("%s has no words", word)
			}
		}
	}
}

func TestWrite_brokenWriter(t *testing.T) {
	if err := Write(broken{}, sick(), "en", true); !errors.Is(err, errBroken) {
		t.Errorf("a broken writer: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

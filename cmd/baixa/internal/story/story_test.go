package story

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// write rewrites the golden files. What it writes must be read line by line before it is committed.
var write = flag.Bool("write", false, "rewrite the golden files")

// sold is a story over midnight in Brasília, with texts that are longer than a line and some that mean no good.
func sold() *paymentsv1.ExplainPaymentResponse {
	at := func(h, m, s int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2026, 11, 24, h, m, s, 0, time.UTC))
	}
	return &paymentsv1.ExplainPaymentResponse{
		Payment: &paymentsv1.Payment{Id: "0193b5d2-0000-7000-8000-000000000001", Status: paymentsv1.PaymentStatus_PAYMENT_STATUS_NEEDS_REVIEW,
			ExternalId: "BOT35_9\x1b[2J", TraceId: "4bf92f3577b34da6a3ce929d0e0e4736"},
		MatchedBy: "charge_hash",
		Summary: "“Curso de Violão” por R$ 1.234,56 na Atomopay: em revisão, porque chegou um valor diferente do preço. " +
			"Nada foi perdido e nada é entregue antes de alguém decidir.",
		Timeline: []*paymentsv1.TimelineEntry{
			{At: at(2, 59, 58), Service: "payments", Kind: "registered", Times: 1, Text: "Venda registrada."},
			{At: at(3, 0, 3), Service: "gateways", Kind: "reported", Times: 37, Text: "Consultamos a Atomopay (GET /transactions/{hash}), HTTP 200: ela respondeu " +
				"“waiting_payment”, isto é: ainda não pago. Ainda não foi pago: nada muda. (O mesmo 37 vezes seguidas, a última em 24/11/2026 00:12:20.)"},
			{At: at(3, 13, 0), Service: "entregador", Kind: "a_new_kind", Times: 1, Text: "ok\x1b[31m\u202e\nnext"},
		},
		Next: "A venda espera uma decisão.", Action: "Dono do bot: decida. " + strings.Repeat("x", 120),
		OtherPaymentIds: []string{"0193b5d2-0000-7000-8000-000000000002"},
	}
}

func render(t *testing.T, lang string, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, sold(), lang, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite_golden(t *testing.T) {
	for _, lang := range []string{"pt-BR", "en"} {
		got, file := render(t, lang, false), filepath.Join("testdata", "sold."+lang+".txt")
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
			t.Errorf("%s: %s", lang, diff)
		}
	}
}

// ours are the only sequences that may reach the terminal: bold, faint and their end.
var ours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestWrite_colourSaysTheSame(t *testing.T) {
	plain, coloured := render(t, "pt-BR", false), render(t, "pt-BR", true)
	if !strings.Contains(coloured, "\x1b[1m") {
		t.Error("a terminal gets no bold text")
	}
	if diff := cmp.Diff(plain, ours.ReplaceAllString(coloured, "")); diff != "" {
		t.Error(diff)
	}
}

func TestWrite_nothingSteersTheTerminal(t *testing.T) {
	for _, r := range render(t, "en", false) {
		if r != '\n' && (r < 0x20 || r == 0x7f || r == 0x202e) {
			t.Errorf("%U is written", r)
		}
	}
}

func TestWrite_linesFit(t *testing.T) {
	for line := range strings.Lines(render(t, "pt-BR", false)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width && !strings.Contains(line, "xxxx") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestWrite_everyStatusAndMatchHasWords(t *testing.T) {
	for _, w := range []words{portuguese, english} {
		for n := range paymentsv1.PaymentStatus_name {
			if s := paymentsv1.PaymentStatus(n); n != 0 && w.status[s] == "" {
				t.Errorf("%s has no words", s)
			}
		}
		for _, by := range []string{"payment_id", "external_id", "charge_hash", "charge_id", "charge_reference", "token", "telegram_id"} {
			if w.matched[by] == "" {
				t.Errorf("found by %s has no words", by)
			}
		}
	}
}

func TestWrite_emptyAndBrokenWriter(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, &paymentsv1.ExplainPaymentResponse{}, "", false); err != nil || b.Len() == 0 {
		t.Errorf("%v, %q", err, b.String())
	}
	if err := Write(broken{}, sold(), "en", false); !errors.Is(err, errBroken) {
		t.Errorf("a broken writer: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

package grimbots

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
)

const header = "payment_id,bot_id,gateway_type,gateway_transaction_id,gateway_transaction_hash,amount,customer_user_id,product_name,status,created_at,delivery_token,utm_source,fbc\n"

func TestReadPayments_row(t *testing.T) {
	rows, problems, err := ReadPayments(strings.NewReader("\ufeff" + header +
		"BOT35_1_ab,35,Atomopay,60001,h1,19.9,700,\"Curso, módulo 1\",pending,2026-11-20 21:30:00.5,NULL,FB,fb.1.1700000000123.AbC\n"))
	if err != nil || problems != nil || len(rows) != 1 {
		t.Fatalf("%v %v %v", rows, problems, err)
	}
	r := rows[0]
	if r.Provider != "atomopay" || r.Line != 2 || r.HasToken || r.Status != "pending" {
		t.Errorf("row: %+v", r)
	}
	if got := r.Request.GetCreatedAt().AsTime().Format("2006-01-02T15:04:05.0Z07:00"); got != "2026-11-21T00:30:00.5Z" {
		t.Errorf("created at %s: the origin system's times are UTC-3", got)
	}
	if r.Request.GetAmount().GetCentavos() != 1990 || r.Request.GetCharge().GetHash() != "h1" || r.Request.GetBuyer().GetTelegramId() != 700 ||
		r.Request.GetProduct().GetName() != "Curso, módulo 1" || r.Request.GetTracking().GetClickTimeMs() != 1700000000123 {
		t.Errorf("request: %v", r.Request)
	}
}

func TestReadPayments_badRowsAreNamedAndGoodOnesRead(t *testing.T) {
	good := "P%d,35,paradise,1,,10.00,,Curso,paid,2026-11-20 10:00:00,tok,,\n"
	file := header + strings.ReplaceAll(good, "%d", "1") +
		"P2,35,paradise,1,,abc,x,Curso,pago,ontem,,,\n" + // 3: four wrong columns
		"P3,35,paradise,1\n" + // 4: too short
		"P4,,paradise,,,10.00,,Curso,paid,2026-11-20 10:00:00,,,\n" + // 5: no bot, no identifier
		strings.ReplaceAll(good, "%d", "5") +
		"P6,35,paradise,1,,0.00,,Curso,paid,2026-11-20 10:00:00,,,\n" + // 7: nothing to pay
		"P7,35,para\"dise,1,,1.00,,Curso,paid,2026-11-20 10:00:00,,,\n" // 8: no CSV
	rows, problems, err := ReadPayments(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Request.GetExternalId() != "P1" || rows[1].Line != 6 || !rows[1].HasToken {
		t.Errorf("rows: %+v", rows)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		"line 3, column amount: expected reais above zero such as 19.90",
		"line 3, column created_at: expected a time such as 2026-11-20 14:03:22",
		"line 3, column status: expected pending, paid, failed, cancelled, expired, refunded or pending_verification",
		"line 3, column customer_user_id: expected a Telegram id: a whole number, or nothing",
		"line 4: expected 13 columns as in the header, found 4",
		"line 5, column bot_id: expected a value, found none",
		"line 5, column gateway_transaction_id: expected the provider's id here or in gateway_transaction_hash, found neither",
		"line 7, column amount: expected reais above zero such as 19.90",
		"line 8: expected CSV: bare \" in non-quoted-field",
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestReadPayments_noSuchFile(t *testing.T) {
	for name, file := range map[string]string{"empty": "", "another table": "id,name\n1,a\n"} {
		if _, _, err := ReadPayments(strings.NewReader(file)); err == nil || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadPayments(f *testing.F) {
	f.Add(header + "P1,35,paradise,1,,10.00,,Curso,paid,2026-11-20 10:00:00,,,\n")
	f.Fuzz(func(t *testing.T, file string) {
		rows, _, _ := ReadPayments(strings.NewReader(file))
		for _, r := range rows {
			if r.Request.GetAmount().GetCentavos() <= 0 || r.Request.GetExternalId() == "" {
				t.Errorf("a row that cannot be imported was read: %v", r.Request)
			}
		}
	})
}

// Package grimbots reads what the origin system exports: its payments table and its bots, as CSV with a header line. Column
// order does not matter and columns that are not needed are ignored.
//
// It refuses to guess: a value that cannot be what its column should hold is a problem with line and column, and the rest of
// the file is read all the same.
package grimbots

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
)

// Problem is one row that cannot be imported.
type Problem struct {
	// Line is the row's first line in the file, counted from 1; Column the column's name, empty when it is the whole row.
	Line   int
	Column string
	// Want says what was expected. The value itself is not repeated: it may be somebody's data.
	Want string
}

// Error is "line 7, column amount: expected reais such as 19.90".
func (p Problem) Error() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Want)
	}
	return fmt.Sprintf("line %d, column %s: %s", p.Line, p.Column, p.Want)
}

// Row is one sale of the origin system, ready to be registered but for the account.
type Row struct {
	Line     int
	Provider string // as the origin system spells it
	Request  *paymentsv1.RegisterPaymentRequest
	// Status is the origin system's word.
	Status string
	// HasToken says that the origin system had made a delivery token.
	HasToken bool
}

// required are the columns without which a file is none of the origin system's payments.
var required = []string{"payment_id", "bot_id", "gateway_type", "gateway_transaction_id", "gateway_transaction_hash", "amount", "product_name", "status", "created_at"}

var statuses = map[string]bool{"pending": true, "paid": true, "failed": true, "cancelled": true, "canceled": true, "expired": true,
	"refunded": true, "pending_verification": true}

// brazil is the zone of the origin system's naive times: UTC-3, without daylight saving.
var brazil = time.FixedZone("-03", -3*3600)

// ReadPayments reads a whole export. Rows that can be imported and problems come in the file's order; err is set when the file
// itself is none (no header, required columns missing).
func ReadPayments(r io.Reader) (rows []Row, problems []Problem, err error) {
	t, err := open(r, required)
	if err != nil {
		return nil, nil, err
	}
	for {
		rec, problem, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return rows, problems, nil
		case err != nil:
			return rows, problems, err
		case problem != nil:
			problems = append(problems, *problem)
			continue
		}
		row, found := payment(rec)
		if found != nil {
			problems = append(problems, found...)
			continue
		}
		rows = append(rows, row)
	}
}

func payment(rec record) (Row, []Problem) {
	var bad []Problem
	refuse := func(column, want string) { bad = append(bad, Problem{rec.line, column, want}) }
	get := rec.get
	amount, err := money.ParseReais(get("amount"))
	if err != nil || amount <= 0 {
		refuse("amount", "expected reais above zero such as 19.90")
	}
	created, err := moment(get("created_at"))
	if err != nil {
		refuse("created_at", "expected a time such as 2026-11-20 14:03:22")
	}
	status := strings.ToLower(get("status"))
	if !statuses[status] {
		refuse("status", "expected pending, paid, failed, cancelled, expired, refunded or pending_verification")
	}
	var telegram int64
	if text := get("customer_user_id"); text != "" {
		if telegram, err = strconv.ParseInt(text, 10, 64); err != nil {
			refuse("customer_user_id", "expected a Telegram id: a whole number, or nothing")
		}
	}
	for _, column := range []string{"payment_id", "bot_id", "gateway_type", "product_name"} {
		if get(column) == "" {
			refuse(column, "expected a value, found none")
		}
	}
	if get("gateway_transaction_id") == "" && get("gateway_transaction_hash") == "" {
		refuse("gateway_transaction_id", "expected the provider's id here or in gateway_transaction_hash, found neither")
	}
	if bad != nil {
		return Row{}, bad
	}
	return Row{Line: rec.line, Provider: strings.ToLower(get("gateway_type")), Status: status, HasToken: get("delivery_token") != "",
		Request: &paymentsv1.RegisterPaymentRequest{BotId: get("bot_id"), ExternalId: get("payment_id"), Source: "import",
			Amount: &typev1.Money{Centavos: int64(amount)}, CreatedAt: timestamppb.New(created),
			Charge: &paymentsv1.Charge{Id: get("gateway_transaction_id"), Hash: get("gateway_transaction_hash"), Reference: get("payment_id")},
			Buyer: &paymentsv1.Buyer{TelegramId: telegram, Name: get("customer_name"), Email: get("customer_email"),
				Phone: get("customer_phone")},
			Product: &paymentsv1.Product{Name: get("product_name")}, Tracking: tracking(rec)}}, nil
}

func tracking(rec record) *typev1.Tracking {
	get := rec.get
	return &typev1.Tracking{UtmSource: get("utm_source"), UtmMedium: get("utm_medium"), UtmCampaign: get("utm_campaign"),
		UtmTerm: get("utm_term"), UtmContent: get("utm_content"), CampaignCode: get("campaign_code"), Fbclid: get("fbclid"), Fbp: get("fbp"),
		Fbc: get("fbc"), PageviewEventId: get("pageview_event_id"), TrackingToken: get("tracking_token"), ClickTimeMs: clicked(get("fbc"))}
}

// clicked is the click's time in Meta's cookie fb.1.<ms>.<id>, 0 when there is none.
func clicked(fbc string) int64 {
	parts := strings.SplitN(fbc, ".", 4)
	if len(parts) != 4 || parts[0] != "fb" {
		return 0
	}
	ms, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || ms < 0 {
		return 0
	}
	return ms
}

func moment(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, brazil); err == nil { // fractions of a second are read as well
			return t, nil
		}
	}
	return time.Parse(time.RFC3339, text)
}

// table is a CSV file with a header.
type table struct {
	csv     *csv.Reader
	columns map[string]int
	width   int
}

// record is one row with the header's names.
type record struct {
	t      *table
	fields []string
	line   int
}

// get is a column's value without surrounding white space, empty when the file has no such column. NULL and \N are how
// databases export nothing.
func (r record) get(column string) string {
	i, ok := r.t.columns[column]
	if !ok || i >= len(r.fields) {
		return ""
	}
	text := strings.TrimSpace(r.fields[i])
	if text == "NULL" || text == `\N` {
		return ""
	}
	return text
}

func open(r io.Reader, required []string) (*table, error) {
	t := &table{csv: csv.NewReader(r), columns: map[string]int{}}
	t.csv.FieldsPerRecord = -1
	header, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: expected a header with the columns' names, found an empty file")
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: expected a CSV header: %w", err)
	}
	for i, name := range header {
		t.columns[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))] = i
	}
	t.width = len(header)
	var missing []string
	for _, name := range required {
		if _, ok := t.columns[name]; !ok {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("line 1: the columns %s are missing", strings.Join(missing, ", "))
	}
	return t, nil
}

func (t *table) next() (record, *Problem, error) {
	fields, err := t.csv.Read()
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return record{}, &Problem{parse.StartLine, "", "expected CSV: " + parse.Err.Error()}, nil
	}
	if err != nil {
		return record{}, nil, err
	}
	line, _ := t.csv.FieldPos(0)
	if len(fields) != t.width {
		return record{}, &Problem{line, "", fmt.Sprintf("expected %d columns as in the header, found %d", t.width, len(fields))}, nil
	}
	return record{t, fields, line}, nil, nil
}

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/baixapay/baixa/internal/money"
)

// Number is an amount as a JSON number in the provider's unit: 1990 or 19.90. It never passes through floating point.
func (u Unit) Number(amount money.Amount) json.Number {
	if u == Reais {
		return json.Number(amount.Reais())
	}
	return json.Number(strconv.FormatInt(int64(amount), 10))
}

// LocalPhone is a Brazilian number without country code: 10 or 11 digits. Other lengths come back as their digits.
func LocalPhone(phone string) string {
	digits := Digits(phone)
	if (len(digits) == 12 || len(digits) == 13) && digits[:2] == "55" {
		return digits[2:]
	}
	return digits
}

// DocumentType is "cpf" for 11 digits, "cnpj" for 14, "" for anything else.
func DocumentType(document string) string {
	switch len(Digits(document)) {
	case 11:
		return "cpf"
	case 14:
		return "cnpj"
	default:
		return ""
	}
}

// WholeDays is a lifetime as providers want it: whole days, begun ones counted, within [least, most]. No lifetime is
// least.
func WholeDays(life time.Duration, least, most int) int {
	const day = 24 * time.Hour
	return min(max(int((life+day-1)/day), least), most)
}

// Percent is a split's share of amount in whole percent, rounded down; 0 when it is less than one.
func Percent(part, amount money.Amount) int { return int(part * 100 / amount) }

// NoCharge is a name that no charge has: Probe asks for it.
const NoCharge = "00000000-0000-4000-8000-000000000000"

// Probe verifies an account at a provider without a call for it: request asks for NoCharge. Any readable success
// proves the credentials, and so does "not known"; every other failure is returned as it is.
func (c *Client) Probe(ctx context.Context, request Request) (AccountInfo, error) {
	request.Op = OpVerify
	response, err := c.Do(ctx, request)
	if err != nil {
		if e := (*Error)(nil); errors.As(err, &e) && e.Kind == KindNotFound {
			return AccountInfo{Endpoint: e.Endpoint, HTTPStatus: e.HTTPStatus}, nil
		}
		return AccountInfo{}, err
	}
	return response.Verified()
}

// Verified is the AccountInfo that a success proves. A body that cannot be read, or that tells of a failure, is
// an error.
func (r *Response) Verified() (AccountInfo, error) {
	doc, err := r.Document()
	if err != nil {
		return AccountInfo{}, err
	}
	if doc.Get("success").IsFalse() || Fold(doc.Get("status").Text()) == "error" {
		return AccountInfo{}, r.Fail(KindTransient, "success code with an error inside")
	}
	return AccountInfo{Endpoint: r.Endpoint, HTTPStatus: r.HTTPStatus}, nil
}

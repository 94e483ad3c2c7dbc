package gatewaystest

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
)

// Status is a look that was answered with a status, without an amount. word is the provider's own.
func Status(s gatewaysv1.ChargeStatus, word string) *gatewaysv1.PollResult {
	return &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_STATUS, HttpStatus: 200, ProviderCalls: 1,
		Endpoint: "GET /transactions/{hash}", Elapsed: durationpb.New(3 * time.Millisecond),
		Reading: &gatewaysv1.Reading{Status: s, ProviderStatus: word}}
}

// Sum is Status with an amount in centavos.
func Sum(s gatewaysv1.ChargeStatus, word string, centavos int64) *gatewaysv1.PollResult {
	r := Status(s, word)
	r.Reading.Amount = &typev1.Money{Centavos: centavos, Currency: "BRL"}
	return r
}

// Paid is a look that found the money, in centavos.
func Paid(centavos int64) *gatewaysv1.PollResult {
	r := Sum(gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID, "paid", centavos)
	r.Reading.EndToEndId = "E00000000202601011200aaaaaaaaaaa"
	r.Reading.PaidAt = timestamppb.Now()
	return r
}

// Pending is a look that found no money yet.
func Pending() *gatewaysv1.PollResult {
	return Status(gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING, "waiting_payment")
}

// Refunded is a look that found the money given back, in centavos.
func Refunded(centavos int64) *gatewaysv1.PollResult {
	return Sum(gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED, "refunded", centavos)
}

// Unknown is a look that found a word that nobody knows.
func Unknown(word string) *gatewaysv1.PollResult {
	return Status(gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN, word)
}

// NotFound is a look that found nothing.
func NotFound() *gatewaysv1.PollResult { return failed(gatewaysv1.Outcome_OUTCOME_NOT_FOUND, 404) }

// Transient is a look that met an ill provider.
func Transient() *gatewaysv1.PollResult { return failed(gatewaysv1.Outcome_OUTCOME_TRANSIENT, 502) }

// Contract is a look whose answer was not understood.
func Contract() *gatewaysv1.PollResult { return failed(gatewaysv1.Outcome_OUTCOME_CONTRACT, 200) }

// Limited is a look that our own budget refused: no call was made.
func Limited(wait time.Duration) *gatewaysv1.PollResult {
	return &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, RetryAfter: durationpb.New(wait)}
}

// TooSoon is a look that was refused for its sale's sake, since the provider was asked about it a moment ago: no call was made.
func TooSoon(wait time.Duration) *gatewaysv1.PollResult {
	r := Limited(wait)
	r.SaleAlone = true
	return r
}

// TooMany is a look that the provider refused with 429.
func TooMany(wait time.Duration) *gatewaysv1.PollResult {
	r := failed(gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, 429)
	r.RetryAfter = durationpb.New(wait)
	return r
}

// Refused is a look that the provider refused with 401.
func Refused() *gatewaysv1.PollResult { return failed(gatewaysv1.Outcome_OUTCOME_CREDENTIAL, 401) }

// Paused is a look with an account whose credentials were refused before: no call was made.
func Paused() *gatewaysv1.PollResult {
	return &gatewaysv1.PollResult{Outcome: gatewaysv1.Outcome_OUTCOME_CREDENTIAL, RetryAfter: durationpb.New(time.Minute)}
}

func failed(o gatewaysv1.Outcome, http int32) *gatewaysv1.PollResult {
	return &gatewaysv1.PollResult{Outcome: o, HttpStatus: http, ProviderCalls: 1, Endpoint: "GET /transactions/{hash}",
		Elapsed: durationpb.New(3 * time.Millisecond), Excerpt: `{"message":"scripted"}`}
}

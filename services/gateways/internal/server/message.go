package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

var statuses = map[provider.Status]gatewaysv1.ChargeStatus{
	provider.StatusUnknown:     gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN,
	provider.StatusPending:     gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING,
	provider.StatusPaid:        gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID,
	provider.StatusFailed:      gatewaysv1.ChargeStatus_CHARGE_STATUS_FAILED,
	provider.StatusExpired:     gatewaysv1.ChargeStatus_CHARGE_STATUS_EXPIRED,
	provider.StatusCancelled:   gatewaysv1.ChargeStatus_CHARGE_STATUS_CANCELLED,
	provider.StatusRefunded:    gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED,
	provider.StatusChargedBack: gatewaysv1.ChargeStatus_CHARGE_STATUS_CHARGED_BACK,
	provider.StatusDisputed:    gatewaysv1.ChargeStatus_CHARGE_STATUS_DISPUTED,
}

// status is UNKNOWN for whatever is not known here: never paid by accident.
func status(s provider.Status) gatewaysv1.ChargeStatus {
	if out, ok := statuses[s]; ok {
		return out
	}
	return gatewaysv1.ChargeStatus_CHARGE_STATUS_UNKNOWN
}

var outcomes = map[provider.Kind]gatewaysv1.Outcome{
	"":                          gatewaysv1.Outcome_OUTCOME_STATUS,
	provider.KindNotFound:       gatewaysv1.Outcome_OUTCOME_NOT_FOUND,
	provider.KindTransient:      gatewaysv1.Outcome_OUTCOME_TRANSIENT,
	provider.KindRateLimited:    gatewaysv1.Outcome_OUTCOME_RATE_LIMITED,
	provider.KindCredential:     gatewaysv1.Outcome_OUTCOME_CREDENTIAL,
	provider.KindContract:       gatewaysv1.Outcome_OUTCOME_CONTRACT,
	provider.KindInvalidRequest: gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST,
}

func outcome(err error) gatewaysv1.Outcome {
	if out, ok := outcomes[provider.KindOf(err)]; ok {
		return out
	}
	return gatewaysv1.Outcome_OUTCOME_TRANSIENT
}

func sum(a *money.Amount, currency string) *typev1.Money {
	if a == nil {
		return nil
	}
	if currency == "" {
		currency = money.BRL
	}
	return &typev1.Money{Centavos: int64(*a), Currency: currency}
}

func moment(t *time.Time) *timestamppb.Timestamp {
	if t == nil || t.IsZero() {
		return nil
	}
	return timestamppb.New(*t)
}

func chargeRef(r provider.Ref) *gatewaysv1.ChargeRef {
	return &gatewaysv1.ChargeRef{Hash: r.Hash, Id: r.ID, Reference: r.Reference}
}

func ref(r *gatewaysv1.ChargeRef) provider.Ref {
	return provider.Ref{Hash: r.GetHash(), ID: r.GetId(), Reference: r.GetReference()}
}

// readingMessage is one understood answer in the contract's words.
func readingMessage(r provider.Reading, c provider.Capabilities) *gatewaysv1.Reading {
	return &gatewaysv1.Reading{Status: status(r.Status), ProviderStatus: text(r.ProviderStatus, 64), Amount: sum(r.Amount, r.Currency),
		Ref: chargeRef(r.Identifiers), PaidAt: moment(r.PaidAt), CreatedAt: moment(r.CreatedAt), EndToEndId: text(r.EndToEndID, 64),
		Unsafe: r.Status == provider.StatusPaid && c.IsUnsafe(r.ProviderStatus)}
}

// pollResult is what a look that was made found; its reading is the caller's to add.
func pollResult(r provider.Reading, err error, calls int, elapsed time.Duration) *gatewaysv1.PollResult {
	out := &gatewaysv1.PollResult{Outcome: outcome(err), ProviderCalls: int32(calls), Elapsed: durationpb.New(elapsed)}
	if err == nil {
		out.HttpStatus, out.Excerpt, out.Endpoint = int32(r.HTTPStatus), r.Evidence, r.Endpoint
		return out
	}
	var e *provider.Error
	if errors.As(err, &e) {
		out.HttpStatus, out.Excerpt, out.Endpoint = int32(e.HTTPStatus), e.Excerpt, e.Endpoint
		if out.Excerpt == "" {
			out.Excerpt = e.Reason
		}
	}
	return out
}

// refusal is a look that was not made.
func refusal(o gatewaysv1.Outcome, wait time.Duration, why string) *gatewaysv1.PollResult {
	out := &gatewaysv1.PollResult{Outcome: o, Excerpt: why}
	if wait > 0 {
		out.RetryAfter = durationpb.New(wait)
	}
	return out
}

// reason is an error of an adapter in words for people; the adapters see to it that no secret is in it.
func reason(err error) string {
	var e *provider.Error
	switch {
	case errors.As(err, &e) && e.Excerpt != "":
		return text(strings.TrimSpace(e.Reason+": "+e.Excerpt), 300)
	case errors.As(err, &e) && e.Reason != "":
		return text(e.Reason, 300)
	case errors.Is(err, context.DeadlineExceeded):
		return "the provider did not answer in time"
	case err != nil:
		return "the provider could not be asked"
	}
	return ""
}

func httpStatus(err error) int32 {
	var e *provider.Error
	if errors.As(err, &e) {
		return int32(e.HTTPStatus)
	}
	return 0
}

// text makes provider text fit for a proto string: valid UTF-8, at most limit bytes.
func text(s string, limit int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}

package work

import (
	"strconv"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/ledger"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

var outcomes = map[gatewaysv1.Outcome]payment.Outcome{
	gatewaysv1.Outcome_OUTCOME_STATUS:          payment.OutcomeStatus,
	gatewaysv1.Outcome_OUTCOME_NOT_FOUND:       payment.OutcomeNotFound,
	gatewaysv1.Outcome_OUTCOME_TRANSIENT:       payment.OutcomeTransient,
	gatewaysv1.Outcome_OUTCOME_RATE_LIMITED:    payment.OutcomeRateLimited,
	gatewaysv1.Outcome_OUTCOME_CREDENTIAL:      payment.OutcomeCredential,
	gatewaysv1.Outcome_OUTCOME_CONTRACT:        payment.OutcomeContract,
	gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST: payment.OutcomeInvalidRequest,
}

var statuses = map[gatewaysv1.ChargeStatus]payment.Status{
	gatewaysv1.ChargeStatus_CHARGE_STATUS_PENDING:      payment.StatusPending,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_PAID:         payment.StatusPaid,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_FAILED:       payment.StatusFailed,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_EXPIRED:      payment.StatusExpired,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_CANCELLED:    payment.StatusCancelled,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_REFUNDED:     payment.StatusRefunded,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_CHARGED_BACK: payment.StatusChargedBack,
	gatewaysv1.ChargeStatus_CHARGE_STATUS_DISPUTED:     payment.StatusDisputed,
}

// entry turns the gateways' answer about one sale into what the ledger applies. A word that is in neither map stays what the
// zero values mean: nothing was learned.
func entry(c store.Claimed, r *gatewaysv1.PollResult, started, now time.Time, trace string) ledger.Entry {
	outcome, known := outcomes[r.GetOutcome()]
	if !known {
		outcome = payment.OutcomeContract
	}
	e := ledger.Entry{Key: store.Key{MerchantID: c.MerchantID, PaymentID: c.PaymentID}, TraceID: trace,
		Event:   payment.Event{Kind: payment.PollFailed, At: now, Source: payment.SourcePoll},
		Details: map[string]string{"outcome": string(outcome), "because": c.Reason},
		Look: &ledger.Look{StartedAt: started, Outcome: outcome, ProviderStatus: clip(r.GetReading().GetProviderStatus(), 64),
			RetryAfter: r.GetRetryAfter().AsDuration()}}
	if r.GetHttpStatus() != 0 {
		e.Details["http_status"] = strconv.Itoa(int(r.GetHttpStatus()))
	}
	set(e.Details, "endpoint", r.GetEndpoint())
	set(e.Details, "elapsed_ms", strconv.FormatInt(r.GetElapsed().AsDuration().Milliseconds(), 10))
	if outcome != payment.OutcomeStatus {
		set(e.Details, "excerpt", clip(r.GetExcerpt(), 512))
		return e
	}
	e.Event.Kind = payment.Reported
	e.Event.Reading = reading(r.GetReading())
	set(e.Details, "provider_status", e.Look.ProviderStatus)
	set(e.Details, "status", e.Event.Reading.Status.String())
	if a := e.Event.Reading.Amount; a != nil {
		e.Details["amount_centavos"] = strconv.FormatInt(int64(*a), 10)
	}
	set(e.Details, "end_to_end_id", e.Event.Reading.EndToEndID)
	return e
}

func reading(r *gatewaysv1.Reading) *payment.Reading {
	out := &payment.Reading{Status: statuses[r.GetStatus()], Unsafe: r.GetUnsafe(), EndToEndID: clip(r.GetEndToEndId(), 64), Currency: r.GetAmount().GetCurrency()}
	if r.GetAmount() != nil {
		a := money.Amount(r.GetAmount().GetCentavos())
		out.Amount = &a
	}
	if r.GetPaidAt() != nil {
		at := r.GetPaidAt().AsTime()
		out.PaidAt = &at
	}
	return out
}

func set(m map[string]string, name, value string) {
	if value != "" {
		m[name] = value
	}
}

package server

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/gate"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

// attempt is one claimed attempt at a charge.
type attempt struct {
	key     store.ChargeKey
	number  int
	account *account.Account
	adapter provider.Adapter
	request provider.ChargeRequest
	// mayExist says that an earlier attempt may have reached the provider, since ago.
	mayExist bool
	since    time.Duration
	// probe says that the breaker is open, and that this attempt tests it.
	probe bool
}

// CreateCharge implements GatewaysService. Idempotency key: (account, reference), committed before the provider is asked.
func (s gateways) CreateCharge(ctx context.Context, r *gatewaysv1.CreateChargeRequest) (*gatewaysv1.CreateChargeResponse, error) {
	a, err := s.owned(ctx, r.GetMerchantId(), r.GetAccountId())
	if err != nil {
		return nil, err
	}
	adapter, err := s.c.Registry.Lookup(string(a.Provider))
	if err != nil {
		return nil, rpcerr.Precondition("the account's provider is not known to this version")
	}
	request, err := chargeRequest(a, adapter.Capabilities(), r)
	if err != nil {
		return nil, err
	}
	t, answered, err := s.attempt(ctx, store.ChargeKey{Key: a.Key, Reference: r.GetReference()}, fingerprint(r))
	if err != nil || answered != nil {
		return answered, err
	}
	t.account, t.adapter, t.request = a, adapter, request
	// The caller may go away; what becomes of the charge is found out and kept all the same.
	ctx = context.WithoutCancel(ctx)
	if answered, err := s.held(ctx, &t); err != nil || answered != nil {
		return answered, err
	}
	if t.mayExist {
		if answered, err := s.recover(ctx, t); err != nil || answered != nil {
			return answered, err
		}
		mine, err := s.c.Store.RestartCharge(ctx, t.key, t.number)
		if err != nil || !mine {
			return takenOver(), err
		}
		t.mayExist = false
	}
	return s.create(ctx, t)
}

// held answers for an account with which no call may be made now. Nothing changes: the charge may be asked for again.
func (s *Server) held(ctx context.Context, t *attempt) (*gatewaysv1.CreateChargeResponse, error) {
	out := &gatewaysv1.CreateChargeResponse{}
	if t.account.State != account.Active {
		out.Outcome, out.Reason = gatewaysv1.Outcome_OUTCOME_CREDENTIAL, "the account is paused: "+t.account.StateReason
		return out, s.back(ctx, *t)
	}
	p, err := s.open(ctx, t.account, t.adapter)
	if err != nil {
		return nil, err // the attempt's lease ends by itself
	}
	if p.Why == gate.Quiet {
		out.Outcome, out.Reason = gatewaysv1.Outcome_OUTCOME_RATE_LIMITED, "the provider asked for silence for "+p.Wait.Round(time.Second).String()
		if t.mayExist {
			out.Outcome = gatewaysv1.Outcome_OUTCOME_TRANSIENT
		}
		return out, s.back(ctx, *t)
	}
	t.probe = p.Why == gate.Breaker
	return nil, nil
}

// back ends an attempt that changed nothing.
func (s *Server) back(ctx context.Context, t attempt) error {
	state := store.Open
	if t.mayExist {
		state = store.Unsure
	}
	_, err := s.c.Store.FinishCharge(ctx, t.key, t.number, state, store.ChargeResult{})
	return err
}

// soon is how long a charge that may exist is not looked up yet: whoever asks for it again and again must not spend the budget with which
// sales are looked at. At first it is looked up whenever somebody asks; then at distances of a quarter of the time for which it may have
// existed; and as soon as a provider that still does not show it surely does not have it.
func (s *Server) soon(c store.Charge) time.Duration {
	if c.State != store.Unsure || c.UnsureFor < time.Second || c.UnsureFor >= s.c.Visible {
		return 0
	}
	return min(min(c.UnsureFor/4, longestRest)-c.Rested, s.c.Visible-c.UnsureFor)
}

// longestRest is the longest distance between two such lookups, if somebody asks.
const longestRest = 10 * time.Second

// notShown answers for a charge that may exist and cannot be seen.
func (s *Server) notShown(wait time.Duration, httpStatus int) *gatewaysv1.CreateChargeResponse {
	return &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT, HttpStatus: int32(httpStatus), //nolint:gosec // a status has three digits
		Reason: "an earlier request may have reached the provider, which does not show a charge yet; ask again in " + max(wait.Round(time.Second), time.Second).String()}
}

// recover looks up a charge that an earlier attempt may have made, within the account's budget. It returns no answer when there surely is none.
func (s *Server) recover(ctx context.Context, t attempt) (*gatewaysv1.CreateChargeResponse, error) {
	c := t.adapter.Capabilities()
	if !slices.ContainsFunc(c.Identifiers, func(id provider.Identifier) bool { return id.Kind == provider.ByReference }) {
		return nil, join(rpcerr.Precondition("reference: an earlier request may have reached "+string(c.Name)+
			", which cannot be asked by reference; a second charge is not risked, take another reference for one"), s.back(ctx, t))
	}
	permits, err := s.c.Gate.Ask(ctx, []gate.Need{{Account: t.account, Rule: c.Poll, Calls: 1}})
	if err != nil {
		return nil, err // the attempt's lease ends by itself
	}
	p := permits[t.account.Key]
	if p.Granted == 0 {
		return &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT,
			Reason: "an earlier request may have reached the provider, which may not be asked now (" + string(p.Why) + "); ask again in " +
				max(p.Wait.Round(time.Second), time.Second).String()}, s.back(ctx, t)
	}
	var calls counter
	call, cancel := context.WithTimeout(calls.count(ctx), s.c.CallTimeout)
	defer cancel()
	reading, err := s.status(call, &look{account: t.account, adapter: t.adapter, ref: provider.Ref{Reference: t.request.Reference}})
	s.c.Gate.Report(call, t.account, gate.Result{Op: provider.OpStatus, Calls: calls.made(), Granted: 1, Err: err, Probe: p.Probe})
	switch kind := provider.KindOf(err); {
	case kind == provider.KindNotFound && t.since >= s.c.Visible:
		return nil, nil
	case kind == provider.KindNotFound:
		return s.notShown(s.c.Visible-t.since, int(httpStatus(err))), s.back(ctx, t)
	case err != nil:
		return &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT, HttpStatus: httpStatus(err),
			Reason: "an earlier request may have reached the provider, and it could not be looked up: " + reason(err)}, s.back(ctx, t)
	case reading.Amount != nil && *reading.Amount != t.request.Amount:
		return nil, join(rpcerr.Precondition("reference: the provider has a charge of another amount under it"), s.back(ctx, t))
	}
	result := store.ChargeResult{ID: reading.Identifiers.ID, Hash: reading.Identifiers.Hash, Reference: t.request.Reference, CopyPaste: reading.Code,
		HTTPStatus: reading.HTTPStatus}
	return s.finish(ctx, t, store.Created, result, gatewaysv1.Outcome_OUTCOME_STATUS)
}

// join prefers the error of our own store, since then the answer's promise does not hold.
func join(answer, stored error) error {
	if stored != nil {
		return stored
	}
	return answer
}

// create asks the provider for the charge.
func (s *Server) create(ctx context.Context, t attempt) (*gatewaysv1.CreateChargeResponse, error) {
	var calls counter
	call, cancel := context.WithTimeout(calls.count(ctx), s.c.CallTimeout)
	defer cancel()
	charge, err := s.ordered(call, t)
	s.c.Gate.Report(call, t.account, gate.Result{Op: provider.OpCreate, Calls: calls.made(), Err: err, Probe: t.probe})
	result := store.ChargeResult{ID: charge.Identifiers.ID, Hash: charge.Identifiers.Hash, Reference: charge.Identifiers.Reference,
		CopyPaste: charge.Code, Reason: text(charge.Reason, 300), HTTPStatus: charge.HTTPStatus}
	if charge.ExpiresAt != nil {
		result.ExpiresAt = *charge.ExpiresAt
	}
	if err != nil {
		result.Reason, result.HTTPStatus = reason(err), int(httpStatus(err))
	}
	state, out := settle(&result, charge, err, calls.delivered(), t)
	if state == store.Created {
		s.learn(ctx, t.account, charge.Routing)
	}
	return s.finish(ctx, t, state, result, out)
}

// ordered keeps an adapter's panic to the one charge, of which then nothing is known.
func (s *Server) ordered(ctx context.Context, t attempt) (c provider.Charge, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(ctx, t.account.Provider, v)
			err = &provider.Error{Kind: provider.KindContract, Provider: t.account.Provider, Op: provider.OpCreate, Reason: "the adapter failed on this answer"}
		}
	}()
	return t.adapter.CreateCharge(ctx, t.account.Open, t.request)
}

// settle judges an answer: is there a charge, is there surely none, or may there be one?
func settle(r *store.ChargeResult, c provider.Charge, err error, sent bool, t attempt) (store.ChargeState, gatewaysv1.Outcome) {
	kind, refused := provider.KindOf(err), r.HTTPStatus >= 400 && r.HTTPStatus < 500 && r.HTTPStatus != 408
	switch {
	case err == nil && c.Status == provider.StatusFailed, err == nil && c.Status == provider.StatusCancelled:
		if r.Reason == "" {
			r.Reason = text("the provider refused the charge: "+c.ProviderStatus, 300)
		}
		return store.Refused, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST
	case err == nil && c.Amount != nil && *c.Amount != t.request.Amount:
		// An older charge under the same reference, say. Its code must not reach the buyer.
		r.Reason, r.CopyPaste = "the provider answered with a charge of another amount", ""
		return store.Refused, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST
	case err == nil:
		return store.Created, gatewaysv1.Outcome_OUTCOME_STATUS
	case kind == provider.KindInvalidRequest && sent && refused && !t.mayExist:
		return store.Refused, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST
	case sent && !refused:
		// Our promise is that TRANSIENT alone leaves open whether there is a charge, whatever was wrong with the answer.
		return store.Unsure, gatewaysv1.Outcome_OUTCOME_TRANSIENT
	case t.mayExist:
		return store.Unsure, gatewaysv1.Outcome_OUTCOME_TRANSIENT
	case kind == provider.KindNotFound:
		return store.Open, gatewaysv1.Outcome_OUTCOME_INVALID_REQUEST
	}
	return store.Open, outcome(err)
}

// finish keeps what an attempt came to and tells it.
func (s *Server) finish(ctx context.Context, t attempt, state store.ChargeState, r store.ChargeResult, o gatewaysv1.Outcome) (*gatewaysv1.CreateChargeResponse, error) {
	kept, err := s.c.Store.FinishCharge(ctx, t.key, t.number, state, r)
	if err != nil {
		return nil, err
	}
	if !kept { // our lease ended, and another attempt is under way with what we left
		return takenOver(), nil
	}
	return charged(r, o), nil
}

func takenOver() *gatewaysv1.CreateChargeResponse {
	return &gatewaysv1.CreateChargeResponse{Outcome: gatewaysv1.Outcome_OUTCOME_TRANSIENT, Reason: "another call has taken over; ask again"}
}

func charged(r store.ChargeResult, o gatewaysv1.Outcome) *gatewaysv1.CreateChargeResponse {
	out := &gatewaysv1.CreateChargeResponse{Outcome: o, Reason: r.Reason, HttpStatus: int32(r.HTTPStatus)}
	if o != gatewaysv1.Outcome_OUTCOME_STATUS {
		return out
	}
	out.Reason, out.CopyPaste = "", r.CopyPaste
	out.Ref = &gatewaysv1.ChargeRef{Id: r.ID, Hash: r.Hash, Reference: r.Reference}
	if !r.ExpiresAt.IsZero() {
		out.ExpiresAt = timestamppb.New(r.ExpiresAt)
	}
	return out
}

// learn keeps the words that this account's webhooks will carry, unless the merchant named some himself.
func (s *Server) learn(ctx context.Context, a *account.Account, r provider.Routing) {
	var fresh []string
	for _, hash := range routingHashes(r) {
		if !slices.ContainsFunc(a.Routes, func(known account.Route) bool { return known.Hash == hash || !known.Learned }) {
			fresh = append(fresh, hash)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if err := s.c.Store.LearnRoutes(ctx, a.Key, a.Provider, fresh); err != nil {
		s.c.Log.WarnContext(ctx, "routing words not learned; the next charge brings them again", slog.String("account_id", a.Account.String()),
			slog.Any("error", err))
	}
}

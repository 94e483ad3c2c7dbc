package provider

import (
	"errors"
	"slices"
	"strings"

	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/gateways/internal/document"
	"github.com/baixapay/baixa/services/gateways/internal/emv"
)

// Read maps a status answer to a Reading about the charge that was asked for by want's identifier of kind. It is
// pure. It fails with
//   - KindNotFound for null, an empty list or an empty envelope;
//   - KindTransient for a body that is no JSON and for a success code with an error inside;
//   - KindContract for JSON without a charge or without a status word, for an amount that cannot be read, for an
//     answer about another charge, and for several charges under one name that differ in status.
func (s *Shape) Read(response *Response, kind IDKind, want Ref) (Reading, error) {
	doc, err := response.Document()
	if err != nil {
		return Reading{}, err
	}
	if fault := s.fault(response, doc); fault != nil {
		return Reading{}, fault
	}
	found := s.chains(doc)
	if len(found) == 0 || len(found) == 1 && !s.substantial(found[0]) {
		if s.nothing(doc) {
			return Reading{}, response.Fail(KindNotFound, "the provider answered with nothing")
		}
		if len(found) == 0 || found[0].field(s.Status).Kind() == document.Absent {
			return Reading{}, s.noStatus(response, doc)
		}
	}
	if len(found) > 1 {
		if found = s.about(found, kind, want); len(found) == 0 {
			return Reading{}, response.Fail(KindNotFound, "the list does not hold the charge")
		}
	}
	reading, err := s.reading(response, doc, found[0])
	if err != nil {
		return Reading{}, err
	}
	if want.contradicts(kind, reading.Identifiers) {
		return Reading{}, response.Fail(KindContract, "answer is about another charge")
	}
	for _, other := range found[1:] {
		if s.decide(other).status != reading.Status {
			return Reading{}, response.Fail(KindContract, "several charges under one name differ in status")
		}
	}
	return reading, nil
}

// ReadAll maps an answer that lists charges; elements without a status word are left out.
func (s *Shape) ReadAll(response *Response) ([]Reading, error) {
	doc, err := response.Document()
	if err != nil {
		return nil, err
	}
	if fault := s.fault(response, doc); fault != nil {
		return nil, fault
	}
	var all []Reading
	for _, c := range s.chains(doc) {
		if s.decide(c).word == "" {
			continue
		}
		reading, err := s.reading(response, document.Value{}, c)
		if err != nil {
			return nil, err
		}
		all = append(all, reading)
	}
	if len(all) == 0 && !s.nothing(doc) {
		return nil, response.Fail(KindContract, "no list of charges in the answer")
	}
	return all, nil
}

func (s *Shape) reading(response *Response, doc document.Value, c chain) (Reading, error) {
	v := s.decide(c)
	switch {
	case v.word == "":
		return Reading{}, s.noStatus(response, doc)
	case v.fault:
		return Reading{}, response.Fail(KindTransient, "success code with an error inside")
	}
	amount, unread := s.amountOf(c)
	if unread {
		return Reading{}, response.Fail(KindContract, errAmount.Error())
	}
	reading := Reading{
		Status: v.status, ProviderStatus: clip(v.word, 64), Amount: amount, Currency: money.BRL,
		Identifiers: s.identifiers(c), CreatedAt: ReadTime(c.field(s.CreatedAt).Text()), PaidAt: ReadTime(c.field(s.PaidAt).Text()),
		EndToEndID: strings.TrimSpace(c.field(s.EndToEnd).Text()),
		HTTPStatus: response.HTTPStatus, Endpoint: response.Endpoint, Evidence: response.Evidence(),
	}
	if v.status == StatusUnknown {
		reading.ProviderStatus = response.Safe(reading.ProviderStatus)
	}
	if currency := strings.TrimSpace(c.field(s.Currency).Text()); currency != "" {
		reading.Currency = strings.ToUpper(clip(currency, 8))
	}
	reading.Code, _ = code(doc)
	if v.status == StatusFailed {
		reading.Reason = s.reason(c, response.Safe)
	}
	return reading, nil
}

// fault finds the ways in which a success code says that the call failed: "success": false, an error word as the
// envelope's only status, an error field without any status.
func (s *Shape) fault(response *Response, doc document.Value) *Error {
	const reason = "success code with an error inside"
	if doc.Kind() != document.Object {
		return nil
	}
	if doc.Get("success").IsFalse() || Fold(doc.Get("success").Text()) == "false" {
		return response.Fail(KindTransient, reason)
	}
	if v := first(doc, []string{"status", "result"}); s.Vocabulary.faults[Fold(v.Text())] && v.Kind() == document.String {
		return response.Fail(KindTransient, reason)
	}
	return nil
}

func (s *Shape) noStatus(response *Response, doc document.Value) *Error {
	if e := doc.Get("error"); e.Present() && !e.IsFalse() {
		return response.Fail(KindTransient, "success code with an error inside")
	}
	return response.Fail(KindContract, "no payment status in the answer")
}

// nothing reports whether a document is the way in which providers say that there is no such charge.
func (s *Shape) nothing(doc document.Value) bool {
	switch doc.Kind() {
	case document.Null:
		return true
	case document.Array:
		for range doc.Children {
			return false
		}
		return true
	case document.Object:
		for _, key := range s.Wrappers {
			v := doc.Get(key)
			if k := v.Kind(); (k == document.Null || k == document.Array || k == document.Object) && s.empty(v) {
				return true
			}
		}
	}
	return false
}

func (s *Shape) empty(v document.Value) bool {
	for range v.Children {
		return s.nothing(v)
	}
	return true
}

// about keeps the charges that carry the name that was asked for.
func (s *Shape) about(all []chain, kind IDKind, want Ref) []chain {
	var kept []chain
	for _, c := range all {
		if got := s.identifiers(c).Get(kind); got != "" && strings.EqualFold(got, want.Get(kind)) {
			kept = append(kept, c)
		}
	}
	// One of several charges under our reference may be the very one that we know by id.
	for _, c := range kept {
		if id := s.identifiers(c).ID; len(kept) > 1 && want.ID != "" && strings.EqualFold(id, want.Get(ByID)) {
			return []chain{c}
		}
	}
	return kept
}

// Hints maps a webhook body, JSON or form whatever its header says, to one hint a charge. It is pure. A body that
// is no notification (nothing, a page, plain text) is KindInvalidRequest, one that is broken or names no charge KindContract, one that only
// tries our address out no hint and no error. A status or amount that cannot be read is left out of the hint: which sale to look at is what
// matters.
func (s *Shape) Hints(provider Name, webhook Webhook) ([]Hint, error) {
	response := Response{Provider: provider, Op: OpParse, Body: webhook.Body}
	doc, err := document.Sniff(webhook.Body)
	switch {
	case errors.Is(err, document.ErrEmpty), errors.Is(err, document.ErrHTML), errors.Is(err, document.ErrText):
		return nil, response.Fail(KindInvalidRequest, err.Error())
	case err != nil: // it may have been cut off on its way
		return nil, response.Fail(KindContract, err.Error())
	}
	response.doc, response.parsed = doc, true
	var hints []Hint
	tests := 0
	for _, c := range s.chains(doc) {
		if slices.Contains(s.TestEvents, Fold(c.field(s.Event).Text())) {
			tests++
			continue
		}
		hint := s.hint(c)
		if !hint.Identifiers.IsZero() {
			hints = append(hints, hint)
		}
	}
	if len(hints) == 0 && tests > 0 {
		return nil, nil
	}
	if len(hints) == 0 {
		return nil, response.Fail(KindContract, "webhook names no charge")
	}
	return hints, nil
}

func (s *Shape) hint(c chain) Hint {
	v := s.decide(c)
	amount, _ := s.amountOf(c)
	var red redactor
	hint := Hint{
		Identifiers: s.identifiers(c), Status: v.status, ProviderStatus: clip(v.word, 64), Amount: amount,
		PaidAt: ReadTime(c.field(s.PaidAt).Text()), EndToEndID: strings.TrimSpace(c.field(s.EndToEnd).Text()),
		Event: red.line(c.field(s.Event).Text(), 64),
		Routing: Routing{ProducerHash: c.field(s.Producer).Text(), OfferHash: c.field(s.Offer).Text(),
			ProductHash: c.field(s.Product).Text()},
		BodyToken: NewSecret(c.field(s.Token).Text()),
	}
	if v.status == StatusUnknown {
		hint.ProviderStatus = red.line(hint.ProviderStatus, 64)
	}
	return hint
}

// ReadCharge maps the answer to a creation. It is pure. A refusal inside a success code is a Charge with StatusFailed.
// KindContract means that a charge may exist but its answer names none, or carries a code whose checksum is wrong or
// that asks the buyer for another amount than the one requested (a wrong unit shows so before anybody pays).
func (s *Shape) ReadCharge(response *Response, request ChargeRequest) (Charge, error) {
	doc, err := response.Document()
	if err != nil {
		return Charge{}, err
	}
	charge := Charge{HTTPStatus: response.HTTPStatus, Endpoint: response.Endpoint, Evidence: response.Evidence(), Status: StatusPending}
	found := s.chains(doc)
	if len(found) == 0 {
		return Charge{}, response.Fail(KindContract, "no charge in the answer")
	}
	c := found[0]
	v := s.decide(c)
	charge.ProviderStatus = clip(v.word, 64)
	charge.Identifiers = s.identifiers(c)
	if charge.Identifiers.Reference == "" {
		charge.Identifiers.Reference = request.Reference
	}
	charge.ExpiresAt = ReadTime(c.field(s.ExpiresAt).Text())
	charge.Routing = Routing{ProducerHash: c.field(s.Producer).Text(), OfferHash: c.field(s.Offer).Text(), ProductHash: c.field(s.Product).Text()}
	pix, broken := code(doc)
	switch {
	case v.fault, doc.Get("success").IsFalse(), pix == "" && (v.status == StatusFailed || v.status == StatusCancelled):
		charge.Status, charge.Reason = StatusFailed, s.reason(c, response.Safe)
		return charge, nil
	case broken:
		return Charge{}, response.Fail(KindContract, "pix code with a wrong checksum")
	case asksOther(pix, request.Amount):
		return Charge{}, response.Fail(KindContract, "pix code asks for another amount")
	case charge.Identifiers.ID == "" && charge.Identifiers.Hash == "":
		return Charge{}, response.Fail(KindContract, "charge without an identifier")
	}
	amount, unread := s.amountOf(c)
	if unread {
		return Charge{}, response.Fail(KindContract, errAmount.Error())
	}
	charge.Amount, charge.Code = amount, pix
	if v.status != StatusUnknown {
		charge.Status = v.status
	}
	return charge, nil
}

// asksOther reports whether a code carries an amount and it is not want. Codes without one, and codes that only the
// payer's bank can take apart, are believed.
func asksOther(pix string, want money.Amount) bool {
	code, err := emv.Parse(pix)
	return err == nil && code.Amount != nil && *code.Amount != want
}

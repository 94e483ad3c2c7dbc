package declarative

import (
	"strconv"

	"github.com/baixapay/baixa/services/gateways/internal/provider"
)

// over is base with every list that the file has, empty ones included.
func (f fields) over(base provider.Shape) provider.Shape {
	for _, place := range f.places(&base) {
		if list := *place.from; list != nil {
			*place.to = list
		}
	}
	return base
}

type place struct{ from, to *[]string }

// places pairs every list of a file with its place in a shape.
func (f *fields) places(s *provider.Shape) map[string]place {
	return map[string]place{
		"wrappers": {&f.Wrappers, &s.Wrappers}, "loose_wrappers": {&f.LooseWrappers, &s.LooseWrappers},
		"status": {&f.Status, &s.Status}, "id": {&f.ID, &s.ID}, "outer_id": {&f.OuterID, &s.OuterID},
		"hash": {&f.Hash, &s.Hash}, "reference": {&f.Reference, &s.Reference}, "amount": {&f.Amount, &s.Amount},
		"created_at": {&f.CreatedAt, &s.CreatedAt}, "paid_at": {&f.PaidAt, &s.PaidAt}, "end_to_end": {&f.EndToEnd, &s.EndToEnd},
		"expires_at": {&f.ExpiresAt, &s.ExpiresAt}, "reason": {&f.Reason, &s.Reason}, "currency": {&f.Currency, &s.Currency},
		"event": {&f.Event, &s.Event}, "test_events": {&f.TestEvents, &s.TestEvents}, "producer": {&f.Producer, &s.Producer},
		"offer": {&f.Offer, &s.Offer}, "product": {&f.Product, &s.Product}, "token": {&f.Token, &s.Token},
	}
}

// fieldPaths checks that every path is one.
func (s *source) fieldPaths(at string, f fields) {
	for name, place := range f.places(&provider.Shape{}) {
		for i, path := range *place.from {
			if !fieldPath.MatchString(path) && name != "test_events" {
				s.wrong(at+"."+name+"."+strconv.Itoa(i), "want a path such as pix.end_to_end_id, got %q", path)
			}
		}
	}
}

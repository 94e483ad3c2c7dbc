package provider

import (
	"context"
	"strings"
)

// Ask is one way of asking for a charge by one identifier.
type Ask func(ctx context.Context, kind IDKind, ref Ref) (Reading, error)

// TryEach asks by each of the kinds that ref has, in order, until one is answered. Only KindNotFound leads to the
// next; when all are unknown the error is KindNotFound. A ref without any of the kinds is KindInvalidRequest.
func TryEach(ctx context.Context, c Capabilities, ref Ref, ask Ask) (Reading, error) {
	ref = c.Canonical(ref)
	var missed error
	for _, id := range c.Identifiers {
		if ref.Get(id.Kind) == "" {
			continue
		}
		reading, err := ask(ctx, id.Kind, ref)
		if err == nil {
			return reading, nil
		}
		if KindOf(err) != KindNotFound {
			return Reading{}, err
		}
		missed = err
	}
	if missed != nil {
		return Reading{}, missed
	}
	kinds := make([]string, len(c.Identifiers))
	for i, id := range c.Identifiers {
		kinds[i] = string(id.Kind)
	}
	return Reading{}, &Error{Kind: KindInvalidRequest, Provider: c.Name, Op: OpStatus,
		Reason: "no identifier that the provider accepts: it wants " + strings.Join(kinds, " or ")}
}

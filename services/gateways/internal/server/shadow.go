package server

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/gateways/internal/account"
	"github.com/baixapay/baixa/services/gateways/internal/provider"
	"github.com/baixapay/baixa/services/gateways/internal/store"
)

const (
	// maxNoted bounds what one replica remembers of differences between two writes; the rest is counted only.
	maxNoted  = 500
	mostShown = 500
	maxField  = 200
)

// shadows is what this replica's shadows saw since it was written last. It is safe for concurrent use.
type shadows struct {
	mu     sync.Mutex
	counts map[shadowKey]*store.ShadowCount
	noted  []store.Difference
}

type shadowKey struct {
	account.Key
	version string
}

// add counts one answer and notes the differences in it.
func (w *shadows) add(k account.Key, version string, found []store.Difference) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts == nil {
		w.counts = map[shadowKey]*store.ShadowCount{}
	}
	c := w.counts[shadowKey{k, version}]
	if c == nil {
		c = &store.ShadowCount{Key: k, Version: version}
		w.counts[shadowKey{k, version}] = c
	}
	c.Looks++
	if len(found) > 0 {
		c.Differing++
	}
	if len(w.noted)+len(found) <= maxNoted {
		w.noted = append(w.noted, found...)
	}
}

// FlushShadows writes what the shadows of this replica saw. It is called about once a second, and once at the end.
func (s *Server) FlushShadows(ctx context.Context) error {
	w := &s.shadows
	w.mu.Lock()
	counts, noted := w.counts, w.noted
	w.counts, w.noted = nil, nil
	w.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	all := make([]store.ShadowCount, 0, len(counts))
	for _, c := range counts {
		all = append(all, *c)
	}
	err := s.c.Store.AddShadows(ctx, all, noted)
	if err != nil { // they are written with the next
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.counts == nil {
			w.counts = map[shadowKey]*store.ShadowCount{}
		}
		for k, c := range counts {
			if now := w.counts[k]; now != nil {
				now.Looks, now.Differing = now.Looks+c.Looks, now.Differing+c.Differing
			} else {
				w.counts[k] = c
			}
		}
		w.noted = append(noted, w.noted...)
		w.noted = w.noted[:min(len(w.noted), maxNoted)]
	}
	return err
}

// shadow lets the account's second adapter read what the deciding one was answered. It makes no call and changes nothing of
// the result.
func (s *Server) shadow(ctx context.Context, item *look, answers *provider.Recording, reading provider.Reading, err error) {
	version := item.account.Shadow
	second, lookupErr := s.c.Registry.Version(item.account.Provider, version)
	if lookupErr != nil { // this replica was started without its file
		s.c.Log.WarnContext(ctx, "account's shadow is not known here", slog.String("provider", string(item.account.Provider)),
			slog.String("version", version), slog.String("account_id", item.account.Account.String()))
		return
	}
	other := &look{account: item.account, adapter: second, ref: item.ref}
	otherReading, otherErr := s.status(provider.WithReplay(ctx, answers), other)
	var found []store.Difference
	now := time.Now().UTC()
	for _, d := range differences(reading, err, otherReading, otherErr) {
		d.Key, d.At, d.Version, d.Ref = item.account.Key, now, version, text(item.sale, maxField)
		found = append(found, d)
		s.told.shadow(ctx, item.account.Provider, version, d.Field)
	}
	s.shadows.add(item.account.Key, version, found)
}

// differences are the fields in which two readings of one answer differ. What an adapter's error says beyond its kind is its
// own wording.
func differences(a provider.Reading, errA error, b provider.Reading, errB error) (out []store.Difference) {
	field := func(name, decided, shadow string) {
		if decided != shadow {
			out = append(out, store.Difference{Field: name, Decided: text(decided, maxField), Shadow: text(shadow, maxField)})
		}
	}
	field("outcome", kindName(errA), kindName(errB))
	if errA != nil || errB != nil {
		return out
	}
	field("status", string(a.Status), string(b.Status))
	field("provider_status", a.ProviderStatus, b.ProviderStatus)
	field("amount", amountText(a), amountText(b))
	field("identifiers", refText(a.Identifiers), refText(b.Identifiers))
	field("paid_at", timeText(a.PaidAt), timeText(b.PaidAt))
	field("end_to_end_id", a.EndToEndID, b.EndToEndID)
	return out
}

func kindName(err error) string {
	if err == nil {
		return "status"
	}
	return string(provider.KindOf(err))
}

func amountText(r provider.Reading) string {
	if r.Amount == nil {
		return ""
	}
	return r.Amount.String() + " " + r.Currency
}

func refText(r provider.Ref) string {
	var parts []string
	for _, kind := range []provider.IDKind{provider.ByHash, provider.ByID, provider.ByReference} {
		if v := r.Get(kind); v != "" {
			parts = append(parts, string(kind)+":"+v)
		}
	}
	return strings.Join(parts, " ")
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// ListShadowDifferences implements AccountsService.
func (s accounts) ListShadowDifferences(ctx context.Context, r *gatewaysv1.ListShadowDifferencesRequest) (*gatewaysv1.ListShadowDifferencesResponse, error) {
	a, err := s.owned(ctx, r.GetMerchantId(), r.GetAccountId())
	if err != nil {
		return nil, err
	}
	if err := s.FlushShadows(ctx); err != nil {
		return nil, err
	}
	now, err := s.listed(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	all, err := s.c.Store.Differences(ctx, a.Key, mostShown)
	if err != nil {
		return nil, err
	}
	out := &gatewaysv1.ListShadowDifferencesResponse{Version: now.GetShadow(), Looks: now.GetShadowLooks(), Differing: now.GetShadowDifferences()}
	for _, d := range all {
		out.Differences = append(out.Differences, &gatewaysv1.ShadowDifference{At: timestamppb.New(d.At), Version: d.Version, Ref: d.Ref, Field: d.Field,
			Decided: d.Decided, Shadow: d.Shadow})
	}
	return out, nil
}

// checkShadow refuses a version that there is not, and one that needs a credential which the account does not have.
func (s *Server) checkShadow(bad *rpcerr.Fields, adapter provider.Adapter, version string) {
	if version == "" {
		return
	}
	second, err := s.c.Registry.Version(adapter.Name(), version)
	if err != nil {
		bad.Require(false, "shadow", text(err.Error(), 400))
		return
	}
	has := map[string]bool{}
	for _, f := range adapter.Capabilities().Credentials {
		has[f.Name] = true
	}
	for _, f := range second.Capabilities().Credentials {
		bad.Require(has[f.Name] || !f.Required, "shadow", "a version that is content with the account's credentials; this one needs "+f.Name)
	}
}

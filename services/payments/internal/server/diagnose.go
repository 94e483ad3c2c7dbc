package server

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/diagnose"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// Diagnose counts in our own tables, asks the leaves how they are, and says in words what is wrong. A leaf that is away is a
// finding, not an error.
func (s *Server) Diagnose(ctx context.Context, r *paymentsv1.DiagnoseRequest) (*paymentsv1.DiagnoseResponse, error) {
	m, err := scope(ctx, r.GetMerchantId())
	if err != nil {
		return nil, err
	}
	lang, known := wording.Parse(r.GetLang())
	if !known {
		return nil, rpcerr.Invalid("lang", `"pt-BR", "en" or nothing`)
	}
	in := diagnose.Input{Now: s.Now().UTC(), Lang: lang, Title: s.Title, PublicURL: strings.TrimRight(s.WebhookURL, "/")}
	s.askLeaves(ctx, m, &in)
	if err := s.count(ctx, store.Scope{Merchant: m, Now: in.Now}, &in); err != nil {
		return nil, err
	}
	return diagnose.Report(in), nil
}

// askLeaves asks the three at the same time, and notes those that do not answer.
func (s *Server) askLeaves(ctx context.Context, m *payment.MerchantID, in *diagnose.Input) {
	ctx, cancel := context.WithTimeout(ctx, leafTimeout)
	defer cancel()
	var leaves sync.WaitGroup
	var gatewaysErr, deliveryErr, notifierErr error
	leaves.Go(func() {
		resp, err := s.Accounts.ListAccounts(ctx, &gatewaysv1.ListAccountsRequest{MerchantId: text(m)})
		in.Accounts, gatewaysErr = resp.GetAccounts(), err
	})
	leaves.Go(func() { // any answer is a sign of life
		_, err := s.Delivery.GetDelivery(ctx, &deliveryv1.GetDeliveryRequest{MerchantId: text(m), PaymentId: payment.ID{}.String()})
		if code := status.Code(err); code != codes.NotFound && code != codes.InvalidArgument {
			deliveryErr = err
		}
	})
	leaves.Go(func() {
		in.Health, notifierErr = s.Notifier.GetHealth(ctx, &notifierv1.GetHealthRequest{MerchantId: text(m)})
	})
	leaves.Wait()
	for _, leaf := range []struct {
		name string
		err  error
	}{{"gateways", gatewaysErr}, {"delivery", deliveryErr}, {"notifier", notifierErr}} {
		if leaf.err != nil {
			slog.WarnContext(ctx, "diagnosis without a leaf", slog.String("leaf", leaf.name), slog.String("code", status.Code(leaf.err).String()))
			in.Away = append(in.Away, leaf.name)
		}
	}
}

// count fills in what our own tables say.
func (s *Server) count(ctx context.Context, c store.Scope, in *diagnose.Input) (err error) {
	late := map[string]time.Duration{}
	for _, a := range in.Accounts {
		late[a.GetProvider()] = diagnose.Late(a.GetProvider())
	}
	// A provider without an account here is judged mildly: its own rule is not known.
	const otherwise = 10 * time.Minute
	for _, step := range []func() error{
		func() error { in.Sales, err = s.Store.LastSales(ctx, c); return err },
		func() error { in.Providers, err = s.Store.ProviderDays(ctx, c); return err },
		func() error { in.Stuck, err = s.Store.StuckSales(ctx, c, diagnose.DeliverPatience); return err },
		func() error { in.Unreadable, in.UnreadableSample, err = s.Store.CountHeld(ctx, c.Merchant); return err },
		func() error { in.InReview, in.AtRisk, err = s.Store.OpenReviews(ctx, c); return err },
		func() error { in.Looks, err = s.Store.LookQueues(ctx, c, late, otherwise); return err },
		func() error { in.Effects, err = s.Store.EffectQueues(ctx, c); return err },
		func() error { in.Webhooks, err = s.Store.WebhookDays(ctx, c); return err },
		func() error { in.Inbox, err = s.Store.Inbox(ctx, c, diagnose.InboxPatience); return err },
		func() error { in.Trust, err = s.trust(ctx, c.Merchant); return err },
		func() error { in.Runs, err = s.Store.Runs(ctx); return err },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

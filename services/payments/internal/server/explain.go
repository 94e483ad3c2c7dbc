package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/internal/rpcerr"
	"github.com/baixapay/baixa/services/payments/internal/explain"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// leafTimeout is how long a story waits for a leaf before it is told without it.
const leafTimeout = 2 * time.Second

// ExplainPayment finds the sale that the query names and tells its story. A leaf that is away costs its part of the story only.
func (s *Server) ExplainPayment(ctx context.Context, r *paymentsv1.ExplainPaymentRequest) (*paymentsv1.ExplainPaymentResponse, error) {
	query := strings.TrimSpace(r.GetQuery())
	lang, known := wording.Parse(r.GetLang())
	var f rpcerr.Fields
	f.Require(known, "lang", `"pt-BR", "en" or nothing`)
	f.Require(query != "", "query", "any id of the sale, its payment or delivery link, or a Telegram id")
	f.Require(len(query) <= 2048 && utf8.ValidString(query) && !strings.ContainsRune(query, 0), "query", "at most 2048 bytes of text")
	if err := f.Err(); err != nil {
		return nil, err
	}
	found, err := s.find(ctx, query)
	if err != nil {
		return nil, err
	}
	sale := found[0].Sale
	in, err := s.gather(ctx, sale)
	if err != nil {
		return nil, err
	}
	in.Lang, in.Provider = lang, s.Title(sale.Provider)
	story := explain.Tell(in)
	out := &paymentsv1.ExplainPaymentResponse{MatchedBy: found[0].By, Summary: story.Summary, Next: story.Next, Action: story.Action}
	if in.Look != nil {
		out.Payment = s.message(sale, &in.Look.DueAt)
	} else {
		out.Payment = s.message(sale, nil)
	}
	for _, l := range story.Timeline {
		out.Timeline = append(out.Timeline, &paymentsv1.TimelineEntry{At: timestamppb.New(l.At), Service: l.Service, Kind: string(l.Kind),
			Text: l.Text, Times: int32(l.Times), TraceId: l.TraceID})
	}
	for _, other := range found[1:] {
		out.OtherPaymentIds = append(out.OtherPaymentIds, other.ID.String())
	}
	return out, nil
}

// find returns at least one sale that the query names and the caller may see: an exact identifier before a buyer's Telegram id, the
// newest first.
func (s *Server) find(ctx context.Context, query string) ([]store.Match, error) {
	m, err := scope(ctx, "")
	if err != nil {
		return nil, err
	}
	if key, ok := segment(query, "/pay/"); ok {
		query = key // of the page on which the buyer pays
	}
	token, isLink := tokenIn(query)
	if !isLink {
		id, _ := payment.ParseID(query) // zero when it is none, which no sale has
		telegram, _ := strconv.ParseInt(query, 10, 64)
		found, err := s.Store.Find(ctx, query, id, telegram, m)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(found, func(a, b store.Match) int {
			return rank(a.By) - rank(b.By)
		})
		if len(found) > 0 || token == "" {
			return found, missing(len(found))
		}
	}
	if token == "" {
		return nil, rpcerr.NotFound("payment")
	}
	return s.byToken(ctx, token, m)
}

func missing(n int) error {
	if n == 0 {
		return rpcerr.NotFound("payment")
	}
	return nil
}

func rank(by string) int {
	if by == "telegram_id" {
		return 1
	}
	return 0
}

// tokenIn is the delivery token that a query is or holds; isLink tells that the query can be nothing else.
func tokenIn(query string) (token string, isLink bool) {
	if token, ok := segment(query, "/delivery/"); ok {
		return token, true
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(query) == 43 && strings.Trim(query, alphabet) == "" { // 256 bits in base64url
		return query, false
	}
	return "", false
}

// segment is what stands in a pasted address behind a path's beginning.
func segment(query, path string) (text string, ok bool) {
	_, rest, ok := strings.Cut(query, path)
	if !ok {
		return "", false
	}
	text = rest[:strings.IndexAny(rest+"/", "/?#")]
	if plain, err := url.PathUnescape(text); err == nil && utf8.ValidString(plain) && !strings.ContainsRune(plain, 0) {
		text = plain
	}
	return text, true
}

func (s *Server) byToken(ctx context.Context, token string, m *payment.MerchantID) ([]store.Match, error) {
	call, cancel := context.WithTimeout(ctx, leafTimeout)
	defer cancel()
	resp, err := s.Delivery.GetDelivery(call, &deliveryv1.GetDeliveryRequest{MerchantId: text(m), Token: token})
	switch status.Code(err) {
	case codes.OK:
	case codes.NotFound, codes.InvalidArgument:
		return nil, rpcerr.NotFound("payment")
	default:
		return nil, unreachable("delivery", err)
	}
	id, err := payment.ParseID(resp.GetDelivery().GetPaymentId())
	if err != nil {
		return nil, rpcerr.NotFound("payment")
	}
	sale, err := s.Store.Get(ctx, id, m)
	return []store.Match{{Sale: sale, By: "token"}}, err
}

// text is a scope as the contracts have it, empty for all merchants.
func text(m *payment.MerchantID) string {
	if m == nil {
		return ""
	}
	return m.String()
}

// gather collects what the story is made of: our own rows, and what the leaves know, asked at the same time.
func (s *Server) gather(ctx context.Context, sale store.Sale) (explain.Input, error) {
	in := explain.Input{Sale: sale, Now: s.Now().UTC()}
	key := store.Key{MerchantID: sale.MerchantID, PaymentID: sale.ID}
	merchant, id := sale.MerchantID.String(), sale.ID.String()
	call, cancel := context.WithTimeout(ctx, leafTimeout)
	defer cancel()
	var leaves sync.WaitGroup
	var deliveryErr, notifierErr, gatewaysErr error
	leaves.Go(func() {
		resp, err := s.Delivery.GetDelivery(call, &deliveryv1.GetDeliveryRequest{MerchantId: merchant, PaymentId: id})
		if in.Delivery = resp.GetDelivery(); status.Code(err) != codes.NotFound { // no link is no fault
			deliveryErr = err
		}
	})
	leaves.Go(func() {
		resp, err := s.Notifier.GetNotifications(call, &notifierv1.GetNotificationsRequest{MerchantId: merchant, PaymentId: id})
		in.Notifications, notifierErr = resp.GetNotifications(), err
	})
	leaves.Go(func() {
		resp, err := s.Accounts.ListAccounts(call, &gatewaysv1.ListAccountsRequest{MerchantId: merchant, Provider: sale.Provider})
		for _, a := range resp.GetAccounts() {
			if a.GetId() == sale.AccountID.String() {
				in.Account = a
			}
		}
		gatewaysErr = err
	})
	err := s.gatherOwn(ctx, key, &in)
	if err != nil {
		cancel()
	}
	leaves.Wait()
	for _, leaf := range []struct {
		name string
		err  error
	}{{"gateways", gatewaysErr}, {"delivery", deliveryErr}, {"notifier", notifierErr}} {
		if leaf.err != nil && err == nil {
			slog.WarnContext(ctx, "story told without a leaf", slog.String("leaf", leaf.name), slog.String("code", status.Code(leaf.err).String()))
			in.Away = append(in.Away, leaf.name)
		}
	}
	return in, err
}

func (s *Server) gatherOwn(ctx context.Context, key store.Key, in *explain.Input) error {
	var err error
	if in.Events, err = s.Store.Events(ctx, key.MerchantID, key.PaymentID); err != nil {
		return err
	}
	if in.Effects, err = s.Store.OpenEffects(ctx, key); err != nil {
		return err
	}
	bots, err := s.Store.Bots(ctx, key.MerchantID)
	if err != nil {
		return err
	}
	in.Bots = make(map[string]string, len(bots))
	for _, b := range bots {
		in.Bots[b.ID.String()] = cmp.Or(b.Name, b.ExternalID)
	}
	look, err := s.Store.GetLook(ctx, key)
	switch {
	case err == nil:
		in.Look = &look
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return nil
}

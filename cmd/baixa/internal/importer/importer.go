// Package importer takes over the sales of the origin system through the public API: bots are made, sales are registered at the
// merchant's accounts, and the provider's truth decides what becomes of each.
//
// It refuses to believe the file: a row that says "paid" is asked about like any other. Running it twice changes nothing.
package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/baixapay/baixa/cmd/baixa/internal/client"
	"github.com/baixapay/baixa/cmd/baixa/internal/grimbots"
	deliveryv1 "github.com/baixapay/baixa/gen/baixa/delivery/v1"
	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
)

// Options say what is imported and how.
type Options struct {
	// Merchant is whose sales they are: our id or the external id. Empty: the API key's own merchant.
	Merchant string
	Rows     []grimbots.Row
	Bots     []grimbots.Bot
	// AccessURL is where a buyer's access is for bots that name no link.
	AccessURL string
	// Accounts names the account to use for a provider, where the merchant has several.
	Accounts map[string]string
	// Resend delivers paid sales again for which the origin system had made a token. Without it they are followed and counted.
	Resend bool
	// TelegramURL and MetaURL replace Telegram's and Meta's addresses for the imported bots. Empty: their own.
	TelegramURL, MetaURL string
	// Shift is added to every sale's time: demonstrations use it, since a sale's age decides when it is looked at.
	Shift time.Duration
	// Progress is told how many rows are done. May be nil.
	Progress func(done int)
}

// Report is what became of the rows.
type Report struct {
	Rows, Created, Existing int
	// Problems are the rows that could not be registered.
	Problems []grimbots.Problem
}

const batch = 500

// Run imports. An error means that it could not go on; what was registered before stays, and running it again goes on from there.
func Run(ctx context.Context, c *client.Client, o Options) (Report, error) {
	r := Report{Rows: len(o.Rows)}
	merchant, err := findMerchant(ctx, c, o.Merchant)
	if err != nil {
		return r, err
	}
	links, err := putBots(ctx, c, merchant, o)
	if err != nil {
		return r, err
	}
	accounts, err := findAccounts(ctx, c, merchant, o.Accounts)
	if err != nil {
		return r, err
	}
	for rows := range slices.Chunk(o.Rows, batch) {
		req := &paymentsv1.BatchRegisterPaymentsRequest{}
		var lines []int
		for _, row := range rows {
			account, problem := accounts.of(row)
			if problem != nil {
				r.Problems = append(r.Problems, *problem)
				continue
			}
			q := row.Request
			q.MerchantId, q.AccountId = merchant, account
			q.Product.AccessUrl = first(links[q.GetBotId()], o.AccessURL)
			q.DeliveredElsewhere = row.Status == "paid" && row.HasToken && !o.Resend
			q.CreatedAt = timestamppb.New(q.GetCreatedAt().AsTime().Add(o.Shift))
			req.Requests, lines = append(req.Requests, q), append(lines, row.Line)
		}
		if len(req.Requests) > 0 {
			if err := register(ctx, c, req, lines, &r); err != nil {
				return r, err
			}
		}
		if o.Progress != nil {
			o.Progress(r.Created + r.Existing + len(r.Problems))
		}
	}
	return r, nil
}

func register(ctx context.Context, c *client.Client, req *paymentsv1.BatchRegisterPaymentsRequest, lines []int, r *Report) error {
	resp, err := c.Payments.BatchRegisterPayments(ctx, req)
	if err != nil {
		return fmt.Errorf("register sales: %w", err)
	}
	for i, result := range resp.GetResults() {
		switch {
		case result.GetError() != "":
			r.Problems = append(r.Problems, grimbots.Problem{Line: lines[i], Want: result.GetError()})
		case result.GetCreated():
			r.Created++
		default:
			r.Existing++
		}
	}
	return nil
}

func findMerchant(ctx context.Context, c *client.Client, want string) (string, error) {
	resp, err := c.Merchants.ListMerchants(ctx, &paymentsv1.ListMerchantsRequest{})
	if err != nil {
		return "", fmt.Errorf("list merchants: %w", err)
	}
	list := resp.GetMerchants()
	for _, m := range list {
		if want != "" && (m.GetId() == strings.ToLower(want) || m.GetExternalId() == want) {
			return m.GetId(), nil
		}
	}
	if want == "" && len(list) == 1 {
		return list[0].GetId(), nil
	}
	return "", fmt.Errorf("--merchant: expected the id or external id of one of the %d merchants", len(list))
}

// putBots makes the bots that the rows name and gives those of the bots file their token and pixel; links are their access links.
func putBots(ctx context.Context, c *client.Client, merchant string, o Options) (links map[string]string, err error) {
	links = map[string]string{}
	bots := map[string]grimbots.Bot{}
	for _, row := range o.Rows {
		bots[row.Request.GetBotId()] = grimbots.Bot{ID: row.Request.GetBotId()}
	}
	for _, b := range o.Bots {
		bots[b.ID] = b
	}
	for _, b := range bots {
		resp, err := c.Merchants.PutBot(ctx, &paymentsv1.PutBotRequest{MerchantId: merchant, ExternalId: b.ID, Name: b.Name})
		if err != nil {
			return nil, fmt.Errorf("make bot %s: %w", b.ID, err)
		}
		id := resp.GetBot().GetId()
		links[b.ID] = b.AccessLink
		if b.Token != "" {
			if _, err := c.Notifier.PutBot(ctx, &notifierv1.PutBotRequest{MerchantId: merchant, BotId: id, Token: b.Token, BaseUrl: o.TelegramURL}); err != nil {
				return nil, fmt.Errorf("give bot %s its Telegram token: %w", b.ID, err)
			}
		}
		if b.PixelID != "" && b.PixelToken != "" {
			if _, err := c.Pixels.PutPixel(ctx, &deliveryv1.PutPixelRequest{MerchantId: merchant, BotId: id, PixelId: b.PixelID, AccessToken: b.PixelToken, BaseUrl: o.MetaURL}); err != nil {
				return nil, fmt.Errorf("give bot %s its pixel: %w", b.ID, err)
			}
		}
	}
	return links, nil
}

// accounts are a merchant's, by provider.
type accounts struct {
	canonical map[string]string // by name and alias
	all       map[string][]string
	chosen    map[string]string
}

func findAccounts(ctx context.Context, c *client.Client, merchant string, chosen map[string]string) (accounts, error) {
	a := accounts{canonical: map[string]string{}, all: map[string][]string{}, chosen: map[string]string{}}
	providers, err := c.Gateways.ListProviders(ctx, &gatewaysv1.ListProvidersRequest{})
	if err != nil {
		return a, fmt.Errorf("list providers: %w", err)
	}
	for _, p := range providers.GetProviders() {
		for _, name := range append(p.GetAliases(), p.GetName()) {
			a.canonical[name] = p.GetName()
		}
	}
	list, err := c.Accounts.ListAccounts(ctx, &gatewaysv1.ListAccountsRequest{MerchantId: merchant})
	if err != nil {
		return a, fmt.Errorf("list accounts: %w", err)
	}
	for _, account := range list.GetAccounts() {
		a.all[account.GetProvider()] = append(a.all[account.GetProvider()], account.GetId())
	}
	for provider, id := range chosen {
		name := first(a.canonical[provider], provider)
		if !slices.Contains(a.all[name], id) {
			return a, fmt.Errorf("--account %s=…: expected an account of this merchant at %s", provider, name)
		}
		a.chosen[name] = id
	}
	return a, nil
}

// of is the account for a row, or why there is none.
func (a accounts) of(row grimbots.Row) (string, *grimbots.Problem) {
	refuse := func(want string) (string, *grimbots.Problem) {
		return "", &grimbots.Problem{Line: row.Line, Column: "gateway_type", Want: want}
	}
	name, known := a.canonical[row.Provider]
	if !known {
		return refuse("expected a provider that Baixa speaks with (GET /v1/providers lists them)")
	}
	if id, ok := a.chosen[name]; ok {
		return id, nil
	}
	switch ids := a.all[name]; len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return refuse("the merchant has no account at " + name + "; put one first (POST /v1/accounts)")
	default:
		return refuse(fmt.Sprintf("the merchant has %d accounts at %s; say which with --account %s=ID", len(ids), name, name))
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

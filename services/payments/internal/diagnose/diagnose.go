// Package diagnose says how the whole system is: what the last sales look like, what each provider did in a day, whether the
// work that runs by itself runs, and in words what is wrong and what to do.
//
// It is pure: the numbers are counted elsewhere and given to it. It refuses to call a normal day a problem: a buyer who does
// not pay, a provider that is slow once, or work that has just begun are no findings.
package diagnose

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	typev1 "github.com/baixapay/baixa/gen/baixa/type/v1"
	"github.com/baixapay/baixa/internal/money"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/payment"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// What is borne before it is called wrong.
const (
	// DeliverPatience is how long a paid sale may be without link or message.
	DeliverPatience = 2 * time.Minute
	// InboxPatience is how long a webhook may wait to be read.
	InboxPatience = 30 * time.Second
	// idlePatience is how long a kind of work may not run while something is due.
	idlePatience = time.Minute
)

// Input is everything that a report is made of.
type Input struct {
	Now  time.Time
	Lang wording.Lang
	// PublicURL is where providers reach us, without a slash at the end; empty when it is not set.
	PublicURL string
	// Title is how the provider of a name writes itself. Nil: by its name.
	Title func(string) string

	Sales     []store.SaleInShort
	Providers []store.ProviderDay
	Stuck     store.Stuck
	// Unreadable are the sales that are set aside since their rows cannot be read, UnreadableSample one of them.
	Unreadable       int64
	UnreadableSample string
	// InReview and AtRisk are the sales with an open question and their money.
	InReview int64
	AtRisk   money.Amount
	Looks    []store.LookQueue
	Effects  []store.EffectQueue
	Webhooks []store.WebhookDay
	Inbox    store.Inbox
	Runs     map[string]time.Time
	// Trust is what the webhooks of each account are worth.
	Trust []*paymentsv1.Trust

	// Accounts with their health; Health of the notifier, nil when it did not answer.
	Accounts []*gatewaysv1.Account
	Health   *notifierv1.GetHealthResponse
	// Away names the services that did not answer: "gateways", "delivery", "notifier".
	Away []string
}

// Late is how long a look of a provider may be due: twice the slowest cadence of a young sale.
func Late(provider string) time.Duration { return 2 * payment.DefaultPolicy(provider).YoungEvery }

// Report is the whole report, findings with the worst first.
func Report(in Input) *paymentsv1.DiagnoseResponse {
	r := &report{Input: in, out: &paymentsv1.DiagnoseResponse{At: timestamppb.New(in.Now), Healthy: true}}
	for _, s := range in.Sales {
		r.out.LastSales = append(r.out.LastSales, &paymentsv1.SaleLine{PaymentId: s.ID.String(), ExternalId: s.ExternalID, Provider: s.Provider,
			Status: s.State, Amount: &typev1.Money{Centavos: int64(s.Amount), Currency: s.Currency}, CreatedAt: timestamppb.New(s.CreatedAt),
			PaidAt: stamp(s.PaidAt), HasToken: s.HasToken, Message: s.Message})
	}
	r.providers()
	r.schedules()
	r.accounts()
	r.findSales()
	r.findWork()
	r.findProviders()
	r.findAccounts()
	r.findMessages()
	slices.SortStableFunc(r.out.Findings, func(a, b *paymentsv1.Finding) int { return cmp.Compare(severity(a), severity(b)) })
	return r.out
}

// report is one report being made.
type report struct {
	Input
	out *paymentsv1.DiagnoseResponse
}

func severity(f *paymentsv1.Finding) int {
	return slices.Index([]string{problem, warning, info}, f.GetSeverity())
}

// find adds a finding in the report's language.
func (r *report) find(code string, v wording.Values) {
	f := findings[code]
	if f.severity == problem {
		r.out.Healthy = false
	}
	if name := v["provider"]; name != "" && r.Title != nil {
		v = v.With(wording.Values{"provider": r.Title(name)})
	}
	r.out.Findings = append(r.out.Findings, &paymentsv1.Finding{Severity: f.severity, Code: code, Text: f.text.Say(r.Lang, v), Action: f.action.Say(r.Lang, v)})
}

// findAs is find with another severity than the usual one.
func (r *report) findAs(sev, code string, v wording.Values) {
	healthy := r.out.Healthy
	r.find(code, v)
	r.out.Findings[len(r.out.Findings)-1].Severity = sev
	r.out.Healthy = healthy && sev != problem
}

// providers joins what sales and webhooks say of each provider's day.
func (r *report) providers() {
	lines := map[string]*paymentsv1.ProviderLine{}
	line := func(name string) *paymentsv1.ProviderLine {
		if lines[name] == nil {
			lines[name] = &paymentsv1.ProviderLine{Provider: name}
			r.out.Providers = append(r.out.Providers, lines[name])
		}
		return lines[name]
	}
	for _, p := range r.Providers {
		l := line(p.Provider)
		l.Total, l.Paid, l.Pending, l.NeedsReview = p.Total, p.Paid, p.Pending, p.InReview
		l.WithToken, l.Messaged, l.Polls, l.Unanswered = p.WithToken, p.Messaged, p.Polls, p.Unanswered
	}
	for _, w := range r.Webhooks {
		l := line(w.Provider)
		l.Webhooks, l.LastWebhookAt = w.Received, stamp(w.LastAt)
	}
	slices.SortFunc(r.out.Providers, func(a, b *paymentsv1.ProviderLine) int { return cmp.Compare(a.GetProvider(), b.GetProvider()) })
}

func (r *report) accounts() {
	trust := map[string]*paymentsv1.Trust{}
	for _, t := range r.Trust {
		trust[t.GetAccountId()] = t
	}
	for _, a := range r.Accounts {
		state := "active"
		if a.GetState() == gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED {
			state = "credential_refused"
		}
		r.out.Accounts = append(r.out.Accounts, &paymentsv1.AccountLine{AccountId: a.GetId(), Provider: a.GetProvider(), Label: a.GetLabel(),
			State: state, Breaker: a.GetBreaker(), CallsLastMinute: a.GetCallsLastMinute(), CallsPerMinute: a.GetCallsPerMinute(),
			Trust: trust[a.GetId()]})
	}
}

func stamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil || t.IsZero() {
		return nil
	}
	return timestamppb.New(*t)
}

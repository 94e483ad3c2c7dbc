package diagnose

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	notifierv1 "github.com/baixapay/baixa/gen/baixa/notifier/v1"
	paymentsv1 "github.com/baixapay/baixa/gen/baixa/payments/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

var now = time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := now.Add(-d); return &t }

// well is a system in which nothing is wrong: it sells, is told by webhooks, and works.
func well() Input {
	runs := map[string]time.Time{}
	for _, name := range []string{runLooks, runWebhooks, runDeliver, runOwner, runToken, "follow delivery", "follow notifier"} {
		runs[name] = now.Add(-2 * time.Second)
	}
	return Input{Now: now, PublicURL: "https://baixa.example", Runs: runs,
		Providers: []store.ProviderDay{{Provider: "atomopay", Total: 10, Paid: 6, Pending: 4, WithToken: 6, Messaged: 6, Polls: 80, LastPollAt: ago(time.Second)}},
		Webhooks:  []store.WebhookDay{{Provider: "atomopay", Received: 6, LastAt: ago(time.Hour)}},
		Looks:     []store.LookQueue{{Provider: "atomopay", Due: 1, Waiting: 3, Failing: 1, NextAt: ago(time.Second)}},
		Effects:   []store.EffectQueue{{Kind: "deliver", Due: 1, NextAt: ago(time.Second), OldestFreeAt: ago(time.Second)}},
		Accounts: []*gatewaysv1.Account{{Id: "a1", Provider: "atomopay", Label: "default", AccountKey: "ak1", State: gatewaysv1.AccountState_ACCOUNT_STATE_ACTIVE,
			Breaker: "closed", CallsLastMinute: 20, CallsPerMinute: 60}},
		Health: &notifierv1.GetHealthResponse{Queued: 1, OldestQueuedAt: timestamppb.New(now.Add(-time.Second)), Sent: 6}}
}

func codes(r *paymentsv1.DiagnoseResponse) (out []string) {
	for _, f := range r.GetFindings() {
		out = append(out, f.GetSeverity()+" "+f.GetCode())
	}
	return out
}

func TestReport_allWell(t *testing.T) {
	r := Report(well())
	if !r.GetHealthy() || len(r.GetFindings()) != 0 {
		t.Errorf("healthy %t, %v", r.GetHealthy(), r.GetFindings())
	}
	if r = Report(Input{Now: now}); !r.GetHealthy() || len(r.GetFindings()) != 0 {
		t.Errorf("nothing at all: healthy %t, %v", r.GetHealthy(), r.GetFindings())
	}
}

// faults are one thing wrong each, with the findings that it must give.
var faults = map[string]struct {
	change func(*Input)
	want   []string
}{
	"webhooks have fallen silent": {func(in *Input) {
		in.Trust = []*paymentsv1.Trust{{AccountId: "a1", Provider: "atomopay", SilentSince: timestamppb.New(now), RunWithoutWebhook: 5}}
	}, []string{"warning webhooks_silent"}},
	"webhooks lie": {func(in *Input) {
		in.Trust = []*paymentsv1.Trust{{AccountId: "a1", Provider: "atomopay", Doubted: true, FalsePaid: 7}}
	}, []string{"warning webhooks_doubted"}},
	"paid, no link": {func(in *Input) {
		in.Stuck = store.Stuck{NoToken: 2, NoTokenAmount: 3980, NoTokenSample: "s1"}
	}, []string{"problem paid_not_delivered"}},
	"link, no message": {func(in *Input) {
		in.Stuck = store.Stuck{NoMessage: 1, NoMessageAmount: 1990, NoMessageSample: "s1"}
	}, []string{"problem token_not_messaged"}},
	"review":        {func(in *Input) { in.InReview, in.AtRisk = 3, 12300 }, []string{"warning in_review"}},
	"gateways away": {func(in *Input) { in.Away, in.Accounts = []string{"gateways"}, nil }, []string{"problem service_away"}},
	"all leaves away": {func(in *Input) {
		in.Away, in.Accounts, in.Health = []string{"gateways", "delivery", "notifier"}, nil, nil
	}, []string{"problem service_away", "problem service_away", "problem service_away"}},
	"delivery failing": {func(in *Input) { in.Effects[0].Hopeless, in.Effects[0].LastError = 4, "Unavailable" }, []string{"problem effects_failing"}},
	"inbox unread":     {func(in *Input) { in.Inbox = store.Inbox{Due: 3, Unread: 3, NextAt: ago(40 * time.Second)} }, []string{"problem inbox_unread"}},
	"inbox loop dead": {func(in *Input) {
		in.Inbox = store.Inbox{Due: 3, NextAt: ago(2 * time.Minute)}
		delete(in.Runs, runWebhooks)
	}, []string{"problem work_stopped"}},
	"delivery loop dead": {func(in *Input) {
		in.Effects[0].OldestFreeAt, in.Runs[runDeliver] = ago(2*time.Minute), now.Add(-10*time.Minute)
	}, []string{"problem work_stopped"}},
	"delivery loop only behind": {func(in *Input) { in.Effects[0].OldestFreeAt = ago(2 * time.Minute) }, nil},
	"looks overdue":             {func(in *Input) { in.Looks[0].Overdue = 9 }, []string{"problem looks_overdue"}},
	"look loop dead": {func(in *Input) { in.Looks[0].Overdue, in.Runs[runLooks] = 9, now.Add(-time.Hour) },
		[]string{"problem work_stopped", "problem looks_overdue"}},
	"looks wait for the budget": {func(in *Input) {
		in.Looks[0].Overdue, in.Accounts[0].CallsLastMinute, in.Runs[runLooks] = 9, 60, now.Add(-time.Hour)
	}, []string{"warning looks_overdue", "warning budget_exhausted"}},
	"single sales unanswered": {func(in *Input) { in.Looks[0].Unanswered = 1 }, []string{"warning provider_unanswered"}},
	"provider down":           {func(in *Input) { in.Looks[0].Unanswered = 4 }, []string{"problem provider_unanswered"}},
	"never a webhook":         {func(in *Input) { in.Webhooks = nil }, []string{"warning webhooks_never"}},
	"webhooks stopped":        {func(in *Input) { in.Webhooks[0].LastAt = ago(25 * time.Hour) }, []string{"warning webhooks_stopped"}},
	"never a webhook, never asked": {func(in *Input) {
		in.Webhooks, in.Providers[0].Polls = nil, 0
	}, nil},
	"never a webhook, nothing to tell": {func(in *Input) {
		in.Webhooks, in.Providers[0].Paid = nil, 0
	}, nil},
	"odd webhooks": {func(in *Input) {
		in.Webhooks[0].NotUnderstood, in.Webhooks[0].Refused, in.Webhooks[0].Parked = 1, 2, 3
	}, []string{"warning webhooks_not_understood", "warning webhooks_refused", "info webhooks_parked"}},
	"credentials": {func(in *Input) { in.Accounts[0].State = gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED },
		[]string{"problem credential_refused"}},
	"breaker":             {func(in *Input) { in.Accounts[0].Breaker = "open" }, []string{"problem breaker_open"}},
	"breaker being tried": {func(in *Input) { in.Accounts[0].Breaker = "half-open" }, []string{"info breaker_open"}},
	"row edited by hand": {func(in *Input) { in.Unreadable, in.UnreadableSample = 1, "01930000-0000-7000-8000-000000000001" },
		[]string{"problem sales_unreadable"}},
	"shadow": {func(in *Input) {
		in.Accounts[0].Shadow, in.Accounts[0].ShadowLooks, in.Accounts[0].ShadowDifferences = "v2", 100, 3
	}, []string{"warning shadow_differs"}},
	"a shadow that agrees": {func(in *Input) { in.Accounts[0].Shadow, in.Accounts[0].ShadowLooks = "v2", 100 }, nil},
	"no budget known":      {func(in *Input) { in.Accounts[0].CallsPerMinute = 0 }, nil},
	"messages": {func(in *Input) { in.Providers[0].Undeliverable, in.Providers[0].MaybeSent = 1, 1 },
		[]string{"warning messages_undeliverable", "warning messages_unsure"}},
	"a group in disorder": {func(in *Input) { in.Health.AccessesInError, in.Health.AccessInErrorPaymentId = 2, "s9" }, []string{"warning accesses_in_error"}},
	"an endpoint is gone, another fails": {func(in *Input) { in.Health.EndpointsDisabled, in.Health.EndpointsFailing = 1, 1 },
		[]string{"warning endpoints_disabled", "warning endpoints_failing"}},
	"a fallback carries": {func(in *Input) { in.Health.CarriedByFallback, in.Health.CarriedBecause = 3, "not_started" }, []string{"info messages_carried"}},
	"bot refused":        {func(in *Input) { in.Health.RefusedBotIds = []string{"b1"} }, []string{"problem bot_refused"}},
	"messages waiting":   {func(in *Input) { in.Health.OldestQueuedAt = timestamppb.New(now.Add(-3 * time.Minute)) }, []string{"problem messages_waiting"}},
}

func TestReport_faults(t *testing.T) {
	found := map[string]bool{}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			for _, l := range []wording.Lang{wording.Portuguese, wording.English} {
				in := well()
				c.change(&in)
				in.Lang = l
				r := Report(in)
				if diff := cmp.Diff(c.want, codes(r)); diff != "" {
					t.Error(diff)
				}
				sick := slices.ContainsFunc(c.want, func(s string) bool { return strings.HasPrefix(s, problem) })
				if r.GetHealthy() == sick {
					t.Errorf("healthy %t with %v", r.GetHealthy(), c.want)
				}
				for _, f := range r.GetFindings() {
					found[f.GetCode()] = true
					if f.GetText() == "" || f.GetAction() == "" || strings.ContainsAny(strings.ReplaceAll(f.GetText()+f.GetAction(), "?stuck=", ""), "{}[]?") {
						t.Errorf("%s in %s has a hole: %s / %s", f.GetCode(), l.Tag(), f.GetText(), f.GetAction())
					}
				}
			}
		})
	}
	for code := range maps.Keys(findings) {
		if !found[code] {
			t.Errorf("no test finds %s", code)
		}
	}
}

func TestReport_worstFirst(t *testing.T) {
	in := well()
	for _, name := range []string{"odd webhooks", "review", "bot refused", "messages", "delivery failing", "breaker being tried", "paid, no link"} {
		faults[name].change(&in)
	}
	r := Report(in)
	if len(r.GetFindings()) != 10 || r.GetHealthy() {
		t.Errorf("healthy %t, %v", r.GetHealthy(), codes(r))
	}
	last := -1
	for _, f := range r.GetFindings() {
		if s := severity(f); s < last || s < 0 {
			t.Errorf("%s %s comes too late", f.GetSeverity(), f.GetCode())
		} else {
			last = s
		}
	}
}

func TestReport_webhookURL(t *testing.T) {
	in := well()
	in.Webhooks = nil
	action := func() string { return Report(in).GetFindings()[0].GetAction() }
	if got, want := action(), "https://baixa.example/webhook/payment/atomopay/ak1"; !strings.HasSuffix(got, want) {
		t.Errorf("one account: %q, want %q", got, want)
	}
	in.Accounts = append(in.Accounts, in.Accounts[0])
	if got, want := action(), "https://baixa.example/webhook/payment/atomopay"; !strings.HasSuffix(got, want) {
		t.Errorf("two accounts: %q, want %q", got, want)
	}
	in.PublicURL = ""
	if got, want := action(), "https://…/webhook/payment/atomopay"; !strings.HasSuffix(got, want) {
		t.Errorf("no public URL: %q, want %q", got, want)
	}
}

// People read how a provider writes itself; what is to be put into its panel keeps its name.
func TestReport_namesProvidersAsTheyWriteThemselves(t *testing.T) {
	in := well()
	in.Webhooks = nil // webhooks_never
	in.PublicURL = "https://baixa.example"
	in.Title = func(name string) string { return map[string]string{"atomopay": "Átomo Pay"}[name] }
	for _, f := range Report(in).GetFindings() {
		if f.GetCode() == "webhooks_never" {
			if !strings.HasPrefix(f.GetText(), "Átomo Pay: ") || !strings.Contains(f.GetAction(), "https://baixa.example/webhook/payment/atomopay") {
				t.Errorf("%s, %s", f.GetText(), f.GetAction())
			}
			return
		}
	}
	t.Error("nothing was found to name")
}

func TestReport_lines(t *testing.T) {
	in := well()
	in.Webhooks = append(in.Webhooks, store.WebhookDay{Provider: "aguia", Received: 1, LastAt: ago(time.Minute)})
	in.Effects = append(in.Effects, store.EffectQueue{Kind: "revoke", Waiting: 1, Failing: 1, NextAt: ago(-time.Hour)}, store.EffectQueue{Kind: "restore", Due: 1, NextAt: ago(time.Second)})
	r := Report(in)
	var providers, schedules []string
	for _, p := range r.GetProviders() {
		providers = append(providers, p.GetProvider())
	}
	for _, s := range r.GetSchedules() {
		schedules = append(schedules, s.GetName())
	}
	if diff := cmp.Diff([]string{"aguia", "atomopay"}, providers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"poll atomopay", "inbox", "deliver", "notify", "links", "follow delivery", "follow notifier", "telegram"}, schedules); diff != "" {
		t.Error(diff)
	}
	poll, links := r.GetSchedules()[0], r.GetSchedules()[4]
	if poll.GetCadence() != "60s" || poll.GetLastRunAt().AsTime() != *ago(time.Second) || poll.GetDue() != 1 {
		t.Errorf("poll: %v", poll)
	}
	if links.GetDue() != 1 || links.GetWaiting() != 1 || links.GetFailing() != 1 || links.GetNextRunAt().AsTime() != *ago(time.Second) {
		t.Errorf("links: %v", links)
	}
	if a := r.GetAccounts()[0]; a.GetState() != "active" || a.GetCallsPerMinute() != 60 {
		t.Errorf("account: %v", a)
	}
}

package diagnose

import (
	"slices"
	"time"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
	"github.com/baixapay/baixa/services/payments/internal/explain/wording"
	"github.com/baixapay/baixa/services/payments/internal/store"
)

// findSales is about money that arrived and did not become a delivery.
func (r *report) findSales() {
	if n := r.Stuck.NoToken; n > 0 {
		r.find("paid_not_delivered", wording.Values{"n": wording.Count(n), "amount": wording.Centavos(r.Stuck.NoTokenAmount), "sample": r.Stuck.NoTokenSample})
	}
	if n := r.Stuck.NoMessage; n > 0 {
		r.find("token_not_messaged", wording.Values{"n": wording.Count(n), "amount": wording.Centavos(r.Stuck.NoMessageAmount), "sample": r.Stuck.NoMessageSample})
	}
	if r.Unreadable > 0 {
		r.find("sales_unreadable", wording.Values{"n": wording.Count(r.Unreadable), "sample": r.UnreadableSample})
	}
	if r.InReview > 0 {
		r.find("in_review", wording.Values{"n": wording.Count(r.InReview), "amount": wording.Centavos(r.AtRisk)})
	}
}

// findWork is about work that does not run or fails.
func (r *report) findWork() {
	for _, service := range []string{"gateways", "delivery", "notifier"} {
		if slices.Contains(r.Away, service) {
			r.find("service_away", wording.Values{"service": service})
		}
	}
	for _, k := range kindsOf {
		q := r.effects(k.kinds)
		if q.Hopeless > 0 {
			r.find("effects_failing", wording.Values{"n": wording.Count(q.Hopeless), "effect": k.kinds[0], "error": q.LastError})
		}
		if q.OldestFreeAt != nil && r.Now.Sub(*q.OldestFreeAt) > idlePatience && r.idle(k.run) {
			r.stopped(k.name, k.run)
		}
	}
	if r.Inbox.Unread > 0 {
		r.find("inbox_unread", wording.Values{"n": wording.Count(r.Inbox.Unread), "late": InboxPatience.String()})
	}
	if r.Inbox.NextAt != nil && r.Now.Sub(*r.Inbox.NextAt) > idlePatience && r.idle(runWebhooks) {
		r.stopped("inbox", runWebhooks)
	}
	overdue := false
	for _, q := range r.Looks {
		overdue = overdue || q.Overdue > 0
	}
	if overdue && r.idle(runLooks) && !slices.ContainsFunc(r.Accounts, troubled) {
		r.stopped("poll", runLooks)
	}
}

func (r *report) stopped(name, run string) {
	v := wording.Values{"work": name}
	if at, ok := r.Runs[run]; ok {
		v["ago"] = r.Now.Sub(at).String()
	}
	r.find("work_stopped", v)
}

// troubled reports whether an account's looks wait for a reason of their own.
func troubled(a *gatewaysv1.Account) bool {
	return a.GetState() == gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED || a.GetBreaker() == "open" || exhausted(a)
}

func exhausted(a *gatewaysv1.Account) bool {
	return a.GetCallsPerMinute() > 0 && a.GetCallsLastMinute() >= a.GetCallsPerMinute()
}

// silentFor is how long a provider that is being asked may post nothing.
const silentFor = 24 * time.Hour

// findProviders is about providers that do not answer or do not notify.
func (r *report) findProviders() {
	for _, q := range r.Looks {
		v := wording.Values{"provider": q.Provider, "n": wording.Count(q.Overdue), "late": Late(q.Provider).String()}
		if q.Overdue > 0 {
			sev := problem
			if slices.ContainsFunc(r.Accounts, func(a *gatewaysv1.Account) bool { return a.GetProvider() == q.Provider && troubled(a) }) {
				sev = warning // the account's own finding says why
			}
			r.findAs(sev, "looks_overdue", v)
		}
		if q.Unanswered > 0 {
			sev := warning
			if 2*q.Unanswered >= q.Due+q.Waiting {
				sev = problem // it is not single sales: the provider does not answer
			}
			r.findAs(sev, "provider_unanswered", v.With(wording.Values{"n": wording.Count(q.Unanswered)}))
		}
	}
	webhooks := map[string]store.WebhookDay{}
	for _, w := range r.Webhooks {
		webhooks[w.Provider] = w
		v := wording.Values{"provider": w.Provider}
		if w.NotUnderstood > 0 {
			r.find("webhooks_not_understood", v.With(wording.Values{"n": wording.Count(w.NotUnderstood)}))
		}
		if w.Refused > 0 {
			r.find("webhooks_refused", v.With(wording.Values{"n": wording.Count(w.Refused)}))
		}
		if w.Parked > 0 {
			r.find("webhooks_parked", v.With(wording.Values{"n": wording.Count(w.Parked)}))
		}
	}
	for _, p := range r.Providers {
		w := webhooks[p.Provider]
		if p.Polls == 0 || p.Paid+p.InReview == 0 || w.LastAt != nil && r.Now.Sub(*w.LastAt) < silentFor {
			continue // who has nothing to say may be silent
		}
		v := wording.Values{"provider": p.Provider, "polls": wording.Count(p.Polls), "url": r.webhookURL(p.Provider)}
		if w.LastAt != nil {
			v["last"] = wording.Stamp(*w.LastAt)
			r.find("webhooks_stopped", v)
		} else {
			r.find("webhooks_never", v)
		}
	}
}

// webhookURL is what the provider must be given; with one account there, the account's own, which names it without doubt.
func (r *report) webhookURL(provider string) string {
	url := r.PublicURL
	if url == "" {
		url = "https://…"
	}
	url += "/webhook/payment/" + provider
	var keys []string
	for _, a := range r.Accounts {
		if a.GetProvider() == provider {
			keys = append(keys, a.GetAccountKey())
		}
	}
	if len(keys) == 1 && keys[0] != "" {
		url += "/" + keys[0]
	}
	return url
}

func (r *report) findAccounts() {
	for _, t := range r.Trust {
		v := wording.Values{"provider": t.GetProvider(), "account": t.GetAccountId(), "n": wording.Count(int64(t.GetRunWithoutWebhook())),
			"lies": wording.Count(int64(t.GetFalsePaid()))}
		if since := t.GetSilentSince(); since != nil {
			v["since"] = wording.Stamp(since.AsTime())
			r.find("webhooks_silent", v)
		}
		if t.GetDoubted() {
			r.find("webhooks_doubted", v)
		}
	}
	for _, a := range r.Accounts {
		v := wording.Values{"provider": a.GetProvider(), "label": a.GetLabel(), "account": a.GetId(), "calls": wording.Count(a.GetCallsLastMinute()),
			"budget": wording.Count(a.GetCallsPerMinute())}
		switch {
		case a.GetState() == gatewaysv1.AccountState_ACCOUNT_STATE_CREDENTIAL_REFUSED:
			r.find("credential_refused", v)
		case a.GetBreaker() == "open":
			r.find("breaker_open", v)
		case a.GetBreaker() == "half-open":
			r.findAs(info, "breaker_open", v)
		case exhausted(a):
			r.find("budget_exhausted", v)
		}
		if a.GetShadow() != "" && a.GetShadowDifferences() > 0 {
			v["version"], v["n"], v["polls"] = a.GetShadow(), wording.Count(a.GetShadowDifferences()), wording.Count(a.GetShadowLooks())
			r.find("shadow_differs", v)
		}
	}
}

// findMessages is about Telegram.
func (r *report) findMessages() {
	var unreached, unsure int64
	for _, p := range r.Providers {
		unreached, unsure = unreached+p.Undeliverable, unsure+p.MaybeSent
	}
	if unreached > 0 {
		r.find("messages_undeliverable", wording.Values{"n": wording.Count(unreached)})
	}
	if unsure > 0 {
		r.find("messages_unsure", wording.Values{"n": wording.Count(unsure)})
	}
	if n := r.Health.GetCarriedByFallback(); n > 0 {
		r.find("messages_carried", wording.Values{"n": wording.Count(n), "reason": r.Health.GetCarriedBecause()})
	}
	for _, bot := range r.Health.GetRefusedBotIds() {
		r.find("bot_refused", wording.Values{"bot": bot})
	}
	if n := r.Health.GetAccessesInError(); n > 0 {
		r.find("accesses_in_error", wording.Values{"n": wording.Count(n), "sample": r.Health.GetAccessInErrorPaymentId()})
	}
	if n := r.Health.GetEndpointsDisabled(); n > 0 {
		r.find("endpoints_disabled", wording.Values{"n": wording.Count(n)})
	}
	if n := r.Health.GetEndpointsFailing(); n > 0 {
		r.find("endpoints_failing", wording.Values{"n": wording.Count(n)})
	}
	if oldest := r.Health.GetOldestQueuedAt(); oldest != nil && r.Now.Sub(oldest.AsTime()) > DeliverPatience {
		r.find("messages_waiting", wording.Values{"n": wording.Count(r.Health.GetQueued()), "age": r.Now.Sub(oldest.AsTime()).String()})
	}
}

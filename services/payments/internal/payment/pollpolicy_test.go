package payment

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestPollPolicy_defaultsAreValid(t *testing.T) {
	for _, provider := range providers {
		if err := DefaultPolicy(provider).ValidateFor(provider); err != nil {
			t.Errorf("%s: %v", provider, err)
		}
	}
	for provider, slowest := range map[string]time.Duration{"atomopay": time.Minute, "pushinpay": time.Minute, "pushynpay": time.Minute, "paradise": 5 * time.Minute} {
		if p := DefaultPolicy(provider); p.YoungEvery != slowest || p.DenseEvery > slowest {
			t.Errorf("%s: young sales every %v and %v, the origin's cadence is %v", provider, p.DenseEvery, p.YoungEvery, slowest)
		}
	}
	if p := DefaultPolicy("pushinpay"); p.MinInterval < time.Minute {
		t.Errorf("pushinpay: %v breaks its rule", p.MinInterval)
	}
}

func TestPollPolicy_refused(t *testing.T) {
	for field, change := range map[string]func(*PollPolicy){
		"min_interval": func(p *PollPolicy) { p.MinInterval = 0 }, "first_look": func(p *PollPolicy) { p.FirstLook = -1 },
		"dense_for": func(p *PollPolicy) { p.DenseFor = -1 }, "dense_every": func(p *PollPolicy) { p.DenseEvery = time.Second },
		"young_for": func(p *PollPolicy) { p.YoungFor = time.Second }, "young_every": func(p *PollPolicy) { p.YoungEvery = p.DenseEvery - 1 },
		"open_growth": func(p *PollPolicy) { p.OpenGrowth = math.NaN() }, "open_max": func(p *PollPolicy) { p.OpenMax = 0 },
		"assumed_qr_life": func(p *PollPolicy) { p.AssumedQRLife = 0 }, "late_looks": func(p *PollPolicy) { p.LateLooks = []time.Duration{2, 1} },
		"rare_growth": func(p *PollPolicy) { p.RareGrowth = 0 }, "rare_min": func(p *PollPolicy) { p.RareMin = 0 },
		"rare_max": func(p *PollPolicy) { p.RareMax = 0 }, "horizon": func(p *PollPolicy) { p.Horizon = 0 },
		"watch_paid_for": func(p *PollPolicy) { p.WatchPaidFor = -1 }, "watch_disputed_for": func(p *PollPolicy) { p.WatchDisputedFor = -1 },
		"watch_disputed_every": func(p *PollPolicy) { p.WatchDisputedEvery = 0 }, "hint_for": func(p *PollPolicy) { p.HintFor = -1 },
		"failure_min": func(p *PollPolicy) { p.FailureMin = 0 }, "failure_max": func(p *PollPolicy) { p.FailureMax = 0 },
		"final_tries": func(p *PollPolicy) { p.FinalTries = 0 },
	} {
		p := DefaultPolicy("atomopay")
		change(&p)
		var wrong *FieldError
		if err := p.Validate(); !errors.As(err, &wrong) || wrong.Field != field || wrong.Problem == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	p := DefaultPolicy("pushinpay")
	p.MinInterval = 30 * time.Second
	var wrong *FieldError
	if err := p.ValidateFor("pushinpay"); !errors.As(err, &wrong) || wrong.Field != "min_interval" || !strings.Contains(wrong.Problem, "pushinpay") {
		t.Errorf("a policy against PushinPay's rule: %v", err)
	}
}

func TestPolicy_refused(t *testing.T) {
	if err := StandardPolicy().Validate(); err != nil {
		t.Errorf("standard: %v", err)
	}
	if err := (Policy{}).Validate(); err != nil {
		t.Errorf("zero: %v", err)
	}
	for field, p := range map[string]Policy{
		"late": {Late: "sometimes"}, "grace": {Grace: -1}, "assumed_qr_life": {AssumedQRLife: 1000 * day}, "blind_grace": {BlindGrace: -1},
		"second_read_after": {SecondReadAfter: 2 * time.Hour}, "end_to_end_patience": {EndToEndPatience: 8 * day},
	} {
		var wrong *FieldError
		if err := p.Validate(); !errors.As(err, &wrong) || wrong.Field != field || !strings.HasPrefix(wrong.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

package gatewaystest

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewaysv1 "github.com/baixapay/baixa/gen/baixa/gateways/v1"
)

// waitLimit is how long the Wait functions wait before they fail the test.
const waitLimit = 90 * time.Second

// FailNext makes the next n calls of a method end with code, without effect.
func (f *Fake) FailNext(m Method, n int, code codes.Code) {
	f.toggle(m, func(s *toggles) {
		for range n {
			s.fail = append(s.fail, code)
		}
	})
}

// Fail makes every call of a method end with code, without effect, until it is called with codes.OK.
func (f *Fake) Fail(m Method, code codes.Code) { f.toggle(m, func(s *toggles) { s.always = code }) }

// LoseNext lets the next n calls of a method happen and answers UNAVAILABLE all the same.
func (f *Fake) LoseNext(m Method, n int) { f.toggle(m, func(s *toggles) { s.lose += n }) }

// Delay makes every call of a method take d longer; 0 ends that.
func (f *Fake) Delay(m Method, d time.Duration) { f.toggle(m, func(s *toggles) { s.delay = d }) }

// Hold makes the calls of a method wait, recorded but without effect, until the returned function is called or the caller
// gives up.
func (f *Fake) Hold(m Method) (release func()) {
	gate := make(chan struct{})
	f.toggle(m, func(s *toggles) { s.hold = gate })
	return func() {
		f.toggle(m, func(s *toggles) {
			if s.hold == gate {
				close(gate)
				s.hold = nil
			}
		})
	}
}

// Calls are the requests of a method in the order in which they came, failed ones too. The caller may change them.
func (f *Fake) Calls(m Method) []proto.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]proto.Message, len(f.calls[m]))
	for i, c := range f.calls[m] {
		out[i] = proto.Clone(c)
	}
	return out
}

// Looks is how often a charge was asked about under an identifier, alone or in batches; failed calls do not count.
func (f *Fake) Looks(identifier string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks[strings.ToLower(identifier)]
}

// WaitCalls waits until a method was called at least n times.
func (f *Fake) WaitCalls(t testing.TB, m Method, n int) {
	t.Helper()
	f.wait(t, "calls of "+string(m), func() bool { return len(f.calls[m]) >= n })
}

// WaitLooks waits until there were at least n looks at an identifier.
func (f *Fake) WaitLooks(t testing.TB, identifier string, n int) {
	t.Helper()
	f.wait(t, "looks at "+identifier, func() bool { return f.looks[strings.ToLower(identifier)] >= n })
}

func (f *Fake) wait(t testing.TB, what string, enough func() bool) {
	t.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		f.mu.Lock()
		ok, changed := enough(), f.changed
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("not enough %s within %s", what, waitLimit)
		}
	}
}

// Script sets what looks at a charge find, one answer a look; the last one stays. The identifier is any of the charge's.
func (f *Fake) Script(identifier string, answers ...*gatewaysv1.PollResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[strings.ToLower(identifier)] = answers
}

// ScriptWebhook sets what ParseWebhook answers to exactly this body.
func (f *Fake) ScriptWebhook(body string, answer *gatewaysv1.ParseWebhookResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.webhooks[body] = answer
}

// RefuseNextCharge makes the provider refuse the next new charge with a reason.
func (f *Fake) RefuseNextCharge(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = append(f.refusals, reason)
}

func (f *Fake) toggle(m Method, change func(*toggles)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.switches[m]
	if s == nil {
		s = &toggles{}
		f.switches[m] = s
	}
	change(s)
}

// release lets everything go that is held, so that the server can stop.
func (f *Fake) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.switches {
		if s.hold != nil {
			close(s.hold)
			s.hold = nil
		}
	}
}

// record is called with mu held.
func (f *Fake) record() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// intercept records every call and applies the switches.
func (f *Fake) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	m := Method(info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:])
	f.mu.Lock()
	if message, ok := req.(proto.Message); ok {
		f.calls[m] = append(f.calls[m], proto.Clone(message))
	}
	var s toggles
	if now := f.switches[m]; now != nil {
		s = *now
		switch {
		case len(now.fail) > 0:
			now.fail = now.fail[1:]
		case now.always == codes.OK && now.lose > 0:
			now.lose--
		}
	}
	f.record()
	f.mu.Unlock()
	if err := pause(ctx, s); err != nil {
		return nil, err
	}
	switch {
	case len(s.fail) > 0:
		return nil, status.Error(s.fail[0], "scripted failure")
	case s.always != codes.OK:
		return nil, status.Error(s.always, "scripted failure")
	}
	resp, err := next(ctx, req)
	if err == nil && s.lose > 0 {
		return nil, status.Error(codes.Unavailable, "scripted loss of the answer")
	}
	return resp, err
}

func pause(ctx context.Context, s toggles) error {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.delay == 0 {
		return nil
	}
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/e2e/deployment"
	"github.com/baixapay/baixa/sim"
)

// editedStories are about rows that somebody changed by hand.
func editedStories() []story {
	return []story{{"a sale's row is edited by hand", editedByHand}}
}

// proofs are the counter-examples of `baixa prove` of the shop, by kind and then by sale.
func (s *shop) proofs(t *testing.T) map[string]map[string]string {
	t.Helper()
	c := deployment.Run(t, []string{"BAIXA_API_KEY=" + s.d.OperatorKey()}, "prove", "--json", "--merchant", s.id, "--address", s.d.GRPC())
	var r struct {
		Proved          bool
		CounterExamples []struct {
			Kind, Text string
			PaymentID  string `json:"payment_id"`
		} `json:"counter_examples"`
	}
	if err := json.Unmarshal([]byte(c.Stdout), &r); err != nil || r.Proved != (c.Code == 0) {
		t.Fatalf("prove: code %d, %v\n%s%s", c.Code, err, c.Stdout, c.Stderr)
	}
	out := map[string]map[string]string{}
	for _, x := range r.CounterExamples {
		if out[x.Kind] == nil {
			out[x.Kind] = map[string]string{}
		}
		out[x.Kind][x.PaymentID] = x.Text
	}
	return out
}

// editedByHand: a row that cannot be read is set aside and told of, one that lies is found by the proof; the others go on. Repaired, all is well.
func editedByHand(t *testing.T, d deployment.Deployment) {
	shop := openShop(t, d)
	broken := shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(90)})
	liar := shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(90)})
	good := shop.register(t, sim.Atomopay, sim.Charge{CreatedAt: minutesAgo(90)})
	for _, s := range []*sale{broken, liar, good} {
		deployment.Eventually(t, deployment.Within, "the first look", func() bool { return s.get(t).GetKnowledge().GetPolls() > 0 })
	}
	shop.prove(t)
	conn, err := pgx.Connect(t.Context(), d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	edit := func(s *sale, set string, args ...any) {
		t.Helper()
		tag, err := conn.Exec(t.Context(), `UPDATE payments.payments SET `+set+` WHERE id = $1`, append([]any{s.id}, args...)...)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("edit: %v %v", tag, err)
		}
	}
	var facts string
	must(t, conn.QueryRow(t.Context(), `SELECT facts::text FROM payments.payments WHERE id = $1`, broken.id).Scan(&facts))
	edit(broken, `facts = '{"paid_amount": "dezenove"}'`)
	edit(liar, `state = 'paid'`) // and nobody ever paid
	for _, s := range []*sale{broken, good} {
		must(t, d.World().Pay(sim.Atomopay, s.charge))
	}
	good.recheck(t)
	good.awaitSettled(t, retried)

	a := shop.api.REST("GET", "/v1/payments/"+broken.id, nil, nil)
	if p := a.Problem(); a.Code < 500 || !strings.Contains(p.Message, broken.id) || strings.Contains(a.Body, "SQLSTATE") {
		t.Errorf("the broken sale: %d %s, want an error that names it", a.Code, a.Body)
	}
	env, args := shop.as("explain", broken.id)
	refuses(t, env, args, []string{broken.id})
	found := shop.proofs(t)
	if len(found["row_unreadable"]) != 1 || found["row_unreadable"][broken.id] == "" {
		t.Errorf("prove does not name the broken sale: %v", found)
	}
	if found["state_without_event"][liar.id] == "" || found["state_without_event"][good.id] != "" {
		t.Errorf("prove does not find the state that nobody decided: %v", found)
	}
	// When the broken one is due it is set aside, and doctor says so.
	_, err = conn.Exec(t.Context(), `UPDATE payments.looks SET due_at = now() WHERE payment_id = $1`, broken.id)
	must(t, err)
	var doctor deployment.Command
	deployment.Eventually(t, deployment.Within, "doctor speaks of the sale that was set aside", func() bool {
		env, args := shop.as("doctor", "--lang", "en")
		doctor = deployment.Run(t, env, args...)
		return doctor.Code == 1 && strings.Contains(doctor.Stdout, broken.id)
	}, func() string { return doctor.Stdout + doctor.Stderr })
	if n := len(d.World().Messages(broken.chat)) + len(d.World().Messages(liar.chat)); n != 0 {
		t.Errorf("%d messages about rows that nobody decided", n)
	}

	edit(broken, `facts = $2`, facts)
	edit(liar, `state = 'pending'`)
	broken.awaitSettled(t, retried) // by itself
	liar.checkUntouched(t)
	shop.checkStatistics(t, 2)
	shop.prove(t)
}

package e2e

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/baixapay/baixa/e2e/deployment"
)

// TestProve proves a sale that was told of to everybody, and then finds what somebody takes away by hand: `baixa prove` prints it and ends
// with 1.
func TestProve(t *testing.T) {
	t.Parallel()
	d := deployment.New(t, deployment.OneProcess)
	shop := openShop(t, d)
	s := shop.linked(t)
	prove := func() deployment.Command {
		return deployment.Run(t, []string{"BAIXA_API_KEY=" + d.OperatorKey()}, "prove", "--address", d.GRPC())
	}
	var last deployment.Command
	deployment.Eventually(t, deployment.Within, "`baixa prove` finds nothing wrong", func() bool {
		last = prove()
		return last.Code == 0
	}, func() string { return last.Stdout + last.Stderr })
	conn, err := pgx.Connect(t.Context(), d.Database().DSN())
	must(t, err)
	defer conn.Close(t.Context())
	for _, c := range []struct{ kind, statement string }{
		{"notice_lost", `DELETE FROM notifier.notifications WHERE payment_id = $1 AND kind = 'payment_update'`},
		{"message_unknown", `DELETE FROM notifier.notifications WHERE payment_id = $1 AND kind = 'delivery'`},
		{"link_unknown", `UPDATE delivery.deliveries SET payment_id = gen_random_uuid() WHERE payment_id = $1`},
	} {
		tag, err := conn.Exec(t.Context(), c.statement, s.id)
		must(t, err)
		if last = prove(); tag.RowsAffected() == 0 || last.Code != 1 || !strings.Contains(last.Stdout, c.kind) || !strings.Contains(last.Stdout, s.id) {
			t.Errorf("after %s, which changed %d rows: code %d\n%s%s", c.statement, tag.RowsAffected(), last.Code, last.Stdout, last.Stderr)
		}
	}
}

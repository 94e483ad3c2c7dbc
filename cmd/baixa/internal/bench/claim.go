package bench

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/baixapay/baixa/services/payments/paymentsbench"
)

const (
	fewPending, manyPending = 10_000, 1_000_000
	duePending              = 5000 // of each
	claimsEach              = 30   // timed on each table in a round, after a few that warm up
	claimsBefore            = 5
)

func claim() Bench {
	return Bench{
		Name: "claim", Help: "a claim of 100 due sales with 1,000,000 pending, and what it reads; filling takes minutes",
		Unit: "ms", Baseline: "the same claim with 10,000 pending, on the same server in the same round",
		Goals: []Goal{{Of: Ratio, AtMost: 1.2}, {Of: "blocks_ratio", AtMost: 1.2}}, Rounds: 3,
		Start: func(ctx context.Context, e *Env) (Round, error) {
			admin, dsn, err := e.Postgres(ctx)
			if err != nil {
				return nil, err
			}
			few, err := e.pending(ctx, admin, dsn, "few", fewPending)
			if err != nil {
				return nil, err
			}
			many, err := e.pending(ctx, admin, dsn, "many", manyPending)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (Numbers, error) { return compareClaims(ctx, few, many) }, nil
		},
	}
}

// pending is a database with so many pending sales.
func (e *Env) pending(ctx context.Context, admin *pgxpool.Pool, dsn, name string, sales int) (*paymentsbench.Claims, error) {
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, fmt.Errorf("make database: %w", err)
	}
	address, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the server's address: %w", err)
	}
	address.Path = "/" + name
	pool, err := pgxpool.New(ctx, address.String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	e.Defer(func() error { pool.Close(); return nil })
	c, err := paymentsbench.Open(ctx, address.String(), pool)
	if err != nil {
		return nil, err
	}
	e.Defer(func() error { c.Close(); return nil })
	e.Say("claim: filling %d pending sales", sales)
	return c, c.Fill(ctx, sales, duePending)
}

// compareClaims claims from both tables in turns, so that what else the machine does meets both alike.
func compareClaims(ctx context.Context, few, many *paymentsbench.Claims) (Numbers, error) {
	both := []*paymentsbench.Claims{few, many}
	var took [2][]float64
	for i := range claimsBefore + claimsEach {
		for side, c := range both {
			began := time.Now()
			n, err := c.Claim(ctx)
			if err != nil {
				return nil, err
			}
			if n < paymentsbench.Batch*9/10 { // a look at both ends counts once
				return nil, fmt.Errorf("claim %d got %d looks, want about %d", i+1, n, paymentsbench.Batch)
			}
			if i >= claimsBefore {
				took[side] = append(took[side], time.Since(began).Seconds()*1000)
			}
		}
	}
	n := Numbers{}
	var reads [2]paymentsbench.Reads
	for side, c := range both {
		slices.Sort(took[side])
		var err error
		if reads[side], err = c.Explain(ctx); err != nil {
			return nil, err
		}
		if len(reads[side].Whole) > 0 {
			return nil, fmt.Errorf("a claim reads whole tables: %s", strings.Join(reads[side].Whole, ", "))
		}
		if !slices.Contains(reads[side].Indexes, "looks_due") {
			return nil, fmt.Errorf("a claim reads %s, want looks_due among them", strings.Join(reads[side].Indexes, ", "))
		}
		if err := c.Reset(ctx); err != nil {
			return nil, err
		}
	}
	n[Baseline], n[Value] = quantile(took[0], 0.5), quantile(took[1], 0.5)
	n["blocks"], n["blocks_of_baseline"], n["blocks_ratio"] = reads[1].Blocks, reads[0].Blocks, reads[1].Blocks/reads[0].Blocks
	n["p99_ms"], n["baseline_p99_ms"] = quantile(took[1], 0.99), quantile(took[0], 0.99)
	return n, nil
}

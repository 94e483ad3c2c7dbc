package main

import (
	"context"
	"fmt"

	"github.com/baixapay/baixa/internal/run"
	"github.com/baixapay/baixa/sim"
)

type simCmd struct {
	HTTP   string `env:"BAIXA_SIM_HTTP" default:"127.0.0.1:9090" help:"Address to listen on."`
	Seed   int64  `default:"1" help:"The same seed makes the same faults."`
	Strict bool   `help:"Refuse credentials that nobody added."`
}

// Run serves the simulators; sim/README.md tells how they are controlled.
func (c simCmd) Run(ctx context.Context) error {
	return run.Main(ctx, "sim", func(context.Context) (run.Part, error) {
		return func(ctx context.Context) error {
			return sim.Serve(ctx, sim.Config{Seed: c.Seed, Strict: c.Strict}, c.HTTP, func(_ *sim.World, s *sim.Server) {
				fmt.Println("the simulators listen on", s.URL)
			})
		}, nil
	})
}

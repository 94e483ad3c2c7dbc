package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/baixapay/baixa/cmd/baixa/internal/bench"
)

type benchCmd struct {
	logFlags
	Name       string `arg:"" optional:"" help:"Which benchmark; without a name they are listed with their goals."`
	JSON       bool   `help:"Print one JSON object on standard output and nothing else."`
	Rounds     int    `help:"How often it is measured; 0 is the benchmark's own number."`
	Seconds    int    `help:"How long a round lasts where that is a choice; 0 is the benchmark's own number."`
	Rate       int    `help:"How many sales a second are paid, where they are paid at a fixed rate; 0 is the benchmark's own number."`
	CPUProfile string `name:"cpuprofile" help:"Write a CPU profile of this process, for 'go tool pprof'." placeholder:"FILE"`
}

// Run measures and prints; the exit code says whether it could be measured, not whether the goal was met.
func (c benchCmd) Run(ctx context.Context) error {
	if c.Name == "" {
		return bench.List(os.Stdout)
	}
	b, err := bench.Find(c.Name)
	if err != nil {
		return err
	}
	if c.LogLevel == "info" {
		c.LogLevel = "warn"
	}
	tel, err := c.setUp(ctx, "baixa-bench")
	if err != nil {
		return err
	}
	defer tel.end()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return fmt.Errorf("--cpuprofile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("--cpuprofile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	r, err := bench.Run(ctx, b, bench.Options{Rounds: c.Rounds, Seconds: c.Seconds, Rate: c.Rate, Version: version, Progress: os.Stderr})
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	return r.Write(os.Stdout)
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// usage is what has been used of the machine and of the database so far.
type usage struct {
	own, postgres  time.Duration // of the processors
	commits, syncs float64
	wal            float64 // bytes
}

const readUsage = `
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8,
    (SELECT wal_sync FROM pg_stat_wal)::float8, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8`

// use reads the counters. Backends tell theirs once a second, so those of commits and syncs lag by as much.
func (e *Env) use(ctx context.Context, pool *pgxpool.Pool) (u usage, err error) {
	if err := pool.QueryRow(ctx, readUsage).Scan(&u.commits, &u.syncs, &u.wal); err != nil {
		return u, fmt.Errorf("read the database's counters: %w", err)
	}
	u.own = cpuOf(os.Getpid())
	u.postgres = e.postgresCPU()
	return u, nil
}

// per adds what was used between two readings, per sale.
func (n Numbers) per(sales int, before, after usage) {
	k := float64(sales)
	n["cpu_ms_per_sale"] = (after.own - before.own).Seconds() * 1000 / k
	n["postgres_cpu_ms_per_sale"] = (after.postgres - before.postgres).Seconds() * 1000 / k
	n["commits_per_sale"] = (after.commits - before.commits) / k
	n["wal_syncs_per_sale"] = (after.syncs - before.syncs) / k
	n["wal_bytes_per_sale"] = (after.wal - before.wal) / k
}

// postgresCPU sums the processor time of the server and of its processes that live; 0 where the kernel does not tell.
func (e *Env) postgresCPU() (sum time.Duration) {
	raw, err := os.ReadFile(filepath.Join(e.Dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	sum = cpuOf(postmaster)
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && parentOf(pid) == postmaster {
			sum += cpuOf(pid)
		}
	}
	return sum
}

// stat is the part of /proc/PID/stat behind the name, which may hold anything.
func stat(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
}

func parentOf(pid int) int {
	f := stat(pid)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1]) // a process that just ended has no parent
	return n
}

// cpuOf is a process's time on the processors; the kernel counts it in hundredths of a second. Those that it waited for are in it.
func cpuOf(pid int) time.Duration {
	f := stat(pid)
	if len(f) < 15 {
		return 0
	}
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// residentOf is a process's memory in use, in bytes; 0 where the kernel does not tell.
func residentOf(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

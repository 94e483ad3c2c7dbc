package bench

// All lists the benchmarks, in the order in which they are shown. To add one, write a file with a function that returns a Bench
// and add it here.
func All() []Bench {
	return []Bench{
		ingest(),
		latency(),
		duplicates(),
		settle(),
		claim(),
		flow(),
		memory(),
		sockets(),
		pages(),
		gatewayLooks(),
	}
}

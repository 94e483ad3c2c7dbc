//go:build !race

package websocket

// manyEvents is how many TestReplicas writes; the race detector is content with fewer.
const manyEvents = 100_000

//go:build race

package websocket

const manyEvents = 10_000
